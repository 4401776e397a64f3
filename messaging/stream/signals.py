"""Signals: what passes on the socket and is stored nowhere. Who is typing, and who is there.

A client asks for them by ``signals=typing,presence``; others never get one. ``typing`` is sent by clients and carried
to other processes over the channel layer, where losing one costs nothing. ``presence`` is read from the database.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.auth.models import User
from django.db import DatabaseError, InterfaceError

from messaging.conversation.here import names_here
from messaging.stream.hearing import hear
from messaging.stream.visitors import Visitor, user_of
from taskproject.errors import DomainError
from taskproject.strict_json import dumps, unstorable
from tasks.conversations import find_conversation, shared_project
from tasks.events.recording import name_of
from tasks.models import AgentToken, Membership, Project
from tasks.permissions import may_in_project

if TYPE_CHECKING:
    from messaging.stream.hub import Follower, Hub

logger = logging.getLogger(__name__)

SIGNALS: Final = ("presence", "typing")
GROUP: Final = "signals"
#: How long a client shows that somebody is typing, after the last signal.
TYPING_SECONDS: Final = 6
#: Longer frames are not looked at, nor are more than these of one caller: this many at once, and then per second.
MOST_CHARACTERS: Final = 500
BURST: Final = 5
PER_SECOND: Final = 2.0
#: What a socket may write in is looked up again after this, and no more conversations than these are kept.
KEPT_SECONDS: Final = 30.0
MOST_KEPT: Final = 20
PRESENCE_SECONDS: Final = 5.0
SEND_SECONDS: Final = 2.0
#: Signals on their way to other processes; further ones are dropped.
MOST_SENDING: Final = 100


@dataclass(frozen=True)
class Typing:
    """``who`` writes in the thread of ``ref``, in the channel of the project, or to the user ``to`` alone."""

    sender: int
    who: str
    project_id: int
    project: str
    task_id: int | None = None
    ref: str = ""
    to: int | None = None

    def is_for(self, follower: "Follower") -> bool:
        visitor, narrowing = follower.visitor, follower.narrowing
        if "typing" not in follower.signals or visitor.user_id == self.sender:
            return False
        if visitor.projects is not None and self.project_id not in visitor.projects:
            return False
        if narrowing.project not in (None, self.project) or narrowing.task_id not in (None, self.task_id):
            return False
        return self.to is None or self.to == visitor.user_id

    def frame(self) -> str:
        conversation = f"@{self.who}" if self.to is not None else self.ref or self.project
        said = {"type": "typing", "conversation": conversation, "who": self.who, "seconds": TYPING_SECONDS}
        return dumps(said).decode()


def typing_in(visitor: Visitor, name: str) -> Typing | None:
    """What ``visitor`` signals by typing in the conversation with this name; None where they may not write. Reads the
    database.
    """
    if visitor.token_id is not None and AgentToken.objects.filter(pk=visitor.token_id, read_only=True).exists():
        return None
    try:
        user = user_of(visitor)
        conversation = find_conversation(user, name)
    except (DomainError, User.DoesNotExist):
        return None
    to, task = conversation.partner, conversation.task
    project: Project | None = shared_project(user, to) if to else task.project if task else conversation.channel
    if project is None or (to is None and not may_in_project(user, "comment", project)):
        return None
    return Typing(
        sender=user.pk,
        who=name_of(user),
        project_id=project.pk,
        project=project.key,
        task_id=task.pk if task else None,
        ref=task.ref if task else "",
        to=to.pk if to else None,
    )


class Budget:
    """How many frames of one caller are still looked at."""

    def __init__(self, now: float) -> None:
        self._left, self._at = float(BURST), now

    def take(self, now: float) -> bool:
        self._left = min(float(BURST), self._left + (now - self._at) * PER_SECOND)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Signals:
    """The signals of a hub. Lives in its event loop; reads the database in its thread."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._budgets: dict[Any, Budget] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._origin = secrets.token_hex(8)
        self._wake: asyncio.Event | None = None

    def start(self) -> None:
        """Hear the signals of other processes, and watch who is there, until ``stop``."""
        loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._tasks = [loop.create_task(self._watch(self._wake))]
        if settings.REDIS_URL:
            self._tasks.append(loop.create_task(hear(GROUP, self._heard)))

    def stop(self) -> None:
        for task in (*self._tasks, *self._sending):
            task.cancel()
        self._tasks, self._wake = [], None
        self._budgets.clear()

    def joined(self, follower: "Follower") -> None:
        """A follower has come: tell them soon who is there."""
        if "presence" in follower.signals and self._wake is not None:
            self._wake.set()

    def forget(self, caller: Any) -> None:
        """The last stream of a caller has gone."""
        self._budgets.pop(caller, None)

    async def receive(self, follower: "Follower", text: Any) -> None:
        """A frame from a client. Whatever is not a signal, too long or too much is ignored."""
        now = asyncio.get_running_loop().time()
        budget = self._budgets.setdefault(follower.visitor.caller, Budget(now))
        if not isinstance(text, str) or len(text) > MOST_CHARACTERS or not budget.take(now):
            return
        try:
            frame = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not isinstance(frame, dict) or frame.get("type") != "typing" or follower.ended:
            return
        if not isinstance(name := frame.get("conversation"), str) or unstorable(name):
            return
        kept = follower.typing.get(name)
        if kept is None or kept[0] < now:
            if len(follower.typing) >= MOST_KEPT:
                follower.typing.clear()
            signal = await self._hub.in_thread(typing_in, follower.visitor, name)
            kept = follower.typing[name] = (now + KEPT_SECONDS, signal)
        signal = kept[1]
        seen = follower.visitor.projects
        if signal is not None and (seen is None or signal.project_id in seen):
            self._hand_out(signal)
            self._carry(signal)

    def _hand_out(self, signal: Typing) -> None:
        frame = ""
        for follower in self._hub.followers:
            if signal.is_for(follower):
                frame = frame or signal.frame()
                follower.pass_on(frame)

    def _carry(self, signal: Typing) -> None:
        """Send it to the other processes, if there are any; never wait for it."""
        if settings.REDIS_URL and len(self._sending) < MOST_SENDING:
            task = asyncio.get_running_loop().create_task(self._send(signal))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, signal: Typing) -> None:
        message = {"type": "signal", "origin": self._origin, "typing": asdict(signal)}
        # The bell reports an outage of the layer.
        with suppress(Exception):
            async with asyncio.timeout(SEND_SECONDS):
                await get_channel_layer().group_send(GROUP, message)

    def _heard(self, message: dict[str, Any]) -> None:
        if message.get("origin") != self._origin:
            self._hand_out(Typing(**message["typing"]))

    async def _watch(self, wake: asyncio.Event) -> None:
        """Tell those who asked for it who is there, when they come and whenever it changes."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(PRESENCE_SECONDS):
                    await wake.wait()
            wake.clear()
            askers = [follower for follower in self._hub.followers if "presence" in follower.signals]
            if not askers:
                continue
            try:
                keys, here = await self._hub.in_thread(_who_is_where, [follower.visitor for follower in askers])
            except (DatabaseError, InterfaceError):
                # The listener reports an outage.
                continue
            except Exception:
                logger.exception("Who is there could not be read; trying again.")
                continue
            for follower in askers:
                _tell(follower, keys, here)


def _who_is_where(visitors: Iterable[Visitor]) -> tuple[dict[int, dict[int, str]], dict[int, tuple[str, ...]]]:
    """The keys of the projects that each user (by id) is a member of, by id; and who is there in each. Two queries."""
    users = {visitor.user_id for visitor in visitors}
    keys: dict[int, dict[int, str]] = {user: {} for user in users}
    rows = Membership.objects.filter(user__in=users).values_list("user", "project", "project__key")
    for user, project, key in rows.order_by():
        keys[user][project] = key
    return keys, names_here({project for projects in keys.values() for project in projects})


def _tell(follower: "Follower", keys: dict[int, dict[int, str]], here: dict[int, tuple[str, ...]]) -> None:
    visitor, wanted = follower.visitor, follower.narrowing.project
    for project, key in keys.get(visitor.user_id, {}).items():
        if (visitor.projects is not None and project not in visitor.projects) or wanted not in (None, key):
            continue
        if follower.here.get(project) != here[project]:
            follower.here[project] = here[project]
            follower.pass_on(dumps({"type": "presence", "project": key, "here": here[project]}).decode())
