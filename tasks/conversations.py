"""Conversations: a task's thread, a project's channel, and what two members write to each other alone.

Each has a name: the ref of the task, the key of the project, or ``@`` and the name of the other, as in ``OPS-42``,
``OPS``, ``@ada``. Nobody but the two sees a direct conversation, whatever their role.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db.models import Q

from tasks.errors import NotFound
from tasks.events.recording import name_of
from tasks.finding import find_task
from tasks.models import Message, Project, Task
from tasks.permissions import memberships_of
from tasks.querysets import MembershipQuerySet, MessageQuerySet
from tasks.refs import parse_ref

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True)
class Conversation:
    """Exactly one of ``task``, ``channel`` (the project whose channel it is) and ``partner``, seen by ``reader``."""

    reader: "User"
    task: Task | None = None
    channel: Project | None = None
    partner: "User | None" = None

    @property
    def name(self) -> str:
        if self.task is not None:
            return self.task.ref
        if self.channel is not None:
            return self.channel.key
        return f"@{name_of(self.partner)}"

    def messages(self) -> MessageQuerySet:
        """What the reader may read of it."""
        if self.task is not None:
            return Message.objects.filter(task=self.task)
        if self.channel is not None:
            return Message.objects.of_channel(self.channel)
        assert self.partner is not None
        return between(self.reader, self.partner)


def find_conversation(actor: "User", name: str) -> Conversation:
    """The conversation with this name, if ``actor`` may read it. Raises ``NotFound``."""
    if name.startswith("@"):
        return Conversation(actor, partner=find_partner(actor, name[1:]))
    if parse_ref(name) is not None:
        return Conversation(actor, task=find_task(actor, name))
    project = Project.objects.visible_to(actor).filter(key=name.upper()).first()
    if project is None:
        raise NotFound(f"There is no conversation {name!r} that you may read.")
    return Conversation(actor, channel=project)


def conversation_of(actor: "User", message: Message) -> Conversation:
    """The conversation that ``message`` is part of, for ``actor``, who may read it; read ``to_show``."""
    if message.task is not None:
        message.task.project = message.project
        return Conversation(actor, task=message.task)
    if message.to_id is None:
        return Conversation(actor, channel=message.project)
    return Conversation(actor, partner=message.author if message.to_id == actor.pk else message.to)


def find_partner(actor: "User", name: str) -> "User":
    """The user with this slug or username with whom ``actor`` shares a project, or has written before. Raises
    ``NotFound``, the same for those whom ``actor`` does not know and for those who do not exist.
    """
    users = get_user_model().objects.select_related("agent")
    named = users.filter(Q(agent__slug=name) | Q(agent__isnull=True, username=name)).exclude(pk=actor.pk).first()
    if named is None or (not _shared(actor, named).exists() and not between(actor, named).exists()):
        raise NotFound(f"There is nobody named {name!r} with whom you share a project.")
    return named


def between(actor: "User", other: "User") -> MessageQuerySet:
    """What both wrote to each other, in projects that ``actor`` is in now, as far as their credentials reach."""
    return Message.objects.between(actor, other).visible_to(actor)


def _shared(actor: "User", other: "User") -> MembershipQuerySet:
    """The memberships of ``actor`` in projects that ``other`` is in as well; the role of neither counts."""
    return memberships_of(actor).filter(project__memberships__user=other)


def shared_project(actor: "User", other: "User", *, key: str | None = None) -> Project | None:
    """The project that a direct message of ``actor`` belongs to; None if they share none, or not that with ``key``.

    Without ``key`` the one of the last message between the two, so that an answer reaches whoever calls with a token
    that is limited to it; else the oldest. Credentials that do not reach a project neither see nor write its messages.
    """
    shared = _shared(actor, other).select_related("project")
    if key is not None:
        membership = shared.filter(project__key=key.upper()).first()
    else:
        last = between(actor, other).order_by("-pk").values_list("project", flat=True).first()
        membership = shared.filter(project=last).first() if last is not None else None
        membership = membership or shared.order_by("project").first()
    return membership.project if membership else None
