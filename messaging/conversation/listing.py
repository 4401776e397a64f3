"""The conversations that somebody has, those with the newest message first."""

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import orjson
from django.contrib.auth.models import User
from django.db.models import Max, OuterRef, QuerySet, Subquery

from messaging.conversation.marks import Unread, unread_of
from messaging.models import Watch
from taskproject.errors import Invalid
from tasks.conversations import Conversation
from tasks.events.recording import name_of
from tasks.models import Assignment, Mention, Message, Project, Task
from tasks.permissions import agent_of, memberships_of

KINDS = ("task", "channel", "direct")
#: A place in the list: the id of a conversation's last message (0 if it has none), negative, and its name.
Place = tuple[int, str]


@dataclass(frozen=True)
class Listed:
    """A conversation with its last message, what is left to read of it, and the first message of that."""

    conversation: Conversation
    last: Message | None
    unread: Unread
    first_unread: Message | None


@dataclass(order=True)
class _Found:
    place: Place
    kind: str = field(compare=False)
    key: int = field(compare=False)


def conversations_of(
    user: User, *, kinds: Sequence[str] = KINDS, after: Place | None = None, limit: int
) -> tuple[list[Listed], Place | None]:
    """At most ``limit`` conversations of ``user`` after ``after``, and the place to go on from; None at the end.

    Threads of tasks that ``user`` created, has, watches, wrote in or is mentioned in, unless they chose not to watch
    it, and if there is any message; the channels of their projects; and everybody with whom they exchanged direct
    messages. The number of queries is fixed.
    """
    entries: list[_Found] = []
    if "task" in kinds:
        entries += _threads(user, after, limit + 1)
    if "channel" in kinds:
        entries += _channels(user)
    if "direct" in kinds:
        entries += _direct(user)
    rest = sorted(entry for entry in entries if after is None or entry.place > after)
    page = rest[:limit]
    return _listed(user, page), page[-1].place if len(rest) > limit else None


def listed(user: User, conversation: Conversation) -> Listed:
    """One conversation as in the list, whether or not ``user`` takes part in it."""
    [unread] = unread_of(user, [conversation])
    last = conversation.messages().order_by("-pk").to_show().first()
    first = Message.objects.to_show().filter(pk=unread.first).first() if unread.first else None
    return Listed(conversation, last, unread, first)


def _threads(user: User, after: Place | None, most: int) -> list[_Found]:
    """Those with the newest messages, by one statement over the threads that ``user`` takes part in."""
    mine = Message.objects.filter(author=user, task__isnull=False).values("task")
    named = Mention.objects.filter(user=user, message__task__isnull=False).values("message__task")
    created = Task.objects.filter(created_by=user).values("pk")
    parts: list[QuerySet] = [mine, named, created]
    if (agent := agent_of(user)) is not None:
        parts.append(Assignment.objects.active().filter(agent=agent).values("task"))
    chosen = Watch.objects.filter(user=user)
    parts.append(chosen.filter(is_watching=True).values("task"))
    first, *others = (part.order_by() for part in parts)
    messages = Message.objects.visible_to(user).filter(task__in=first.union(*others))
    messages = messages.exclude(task__in=chosen.filter(is_watching=False).values("task"))
    threads = messages.order_by().values("task").annotate(last=Max("pk"))
    if after is not None:
        threads = threads.filter(last__lte=-after[0])
    rows = threads.order_by("-last").values_list("task", "last", "task__project__key", "task__number")[:most]
    return [_Found((-last, f"{key}-{number}"), "task", task) for task, last, key, number in rows]


def _channels(user: User) -> Iterable[_Found]:
    last = Message.objects.of_channel(OuterRef("pk")).order_by("-pk").values("pk")[:1]
    mine = Project.objects.filter(pk__in=memberships_of(user).values("project")).order_by()
    for pk, key, newest in mine.annotate(last=Subquery(last)).values_list("pk", "key", "last"):
        yield _Found((-(newest or 0), key), "channel", pk)


def _direct(user: User) -> Iterable[_Found]:
    """Two statements, for what was sent and what was received: each walks an index."""
    newest: dict[int, int] = {}
    seen = Message.objects.visible_to(user).order_by()
    for here, other in (("author", "to"), ("to", "author")):
        rows = seen.filter(**{here: user, "to__isnull": False}).values(other).annotate(last=Max("pk"))
        for partner, last in rows.values_list(other, "last"):
            newest[partner] = max(last, newest.get(partner, 0))
    return [_Found((-last, f"@{partner}"), "direct", partner) for partner, last in newest.items()]


def _listed(user: User, entries: Sequence[_Found]) -> list[Listed]:
    def keys(kind: str) -> list[int]:
        return [entry.key for entry in entries if entry.kind == kind]

    long = ("description", "result", "summary", "criteria", "last_failure")
    tasks = Task.objects.select_related("project").defer(*long).in_bulk(keys("task")) if keys("task") else {}
    channels = Project.objects.in_bulk(keys("channel"))
    partners = User.objects.select_related("agent").in_bulk(keys("direct"))
    conversations = [
        Conversation(
            user,
            task=tasks[entry.key] if entry.kind == "task" else None,
            channel=channels[entry.key] if entry.kind == "channel" else None,
            partner=partners[entry.key] if entry.kind == "direct" else None,
        )
        for entry in entries
    ]
    unread = unread_of(user, conversations)
    ids = {-entry.place[0] for entry in entries} | {each.first for each in unread if each.first}
    messages = Message.objects.to_show().in_bulk(ids)
    return [
        Listed(conversation, messages.get(-entry.place[0]), left, messages.get(left.first or 0))
        for entry, conversation, left in zip(entries, conversations, unread, strict=True)
    ]


def cursor_of(place: Place) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def place_of(cursor: str) -> Place:
    """Raises ``Invalid`` for anything but one of our cursors."""
    try:
        number, name = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(number, int) or not isinstance(name, str) or not -(2**63) < number <= 0:
            raise ValueError
    except (ValueError, TypeError, binascii.Error):
        raise Invalid({"cursor": "It is not one of ours; follow `next` or start without one."}) from None
    return number, name


def title_of(row: Listed) -> str:
    """The title of the task, the name of the project, or the full name of the other, if there is one."""
    conversation = row.conversation
    if conversation.task is not None:
        return conversation.task.title
    if conversation.channel is not None:
        return conversation.channel.name
    agent = agent_of(conversation.partner)
    return (agent.name if agent else conversation.partner and conversation.partner.get_full_name()) or name_of(
        conversation.partner
    )
