"""Messages as the pages show them: their text as HTML, and what the reader may do with each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import prefetch_related_objects
from django.utils.safestring import SafeString, mark_safe

from tasks.events.recording import name_of
from tasks.models import DirectiveState, Message, MessageKind
from tasks.models.message import EDITABLE, PENDING
from tasks.thread import message_outputs

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: How much is quoted of the message that another answers.
QUOTED = 140
#: What a reader may put under a message with two clicks; the API takes any emoji.
OFFERED_EMOJI = ("👍", "👎", "✅", "👀", "🎉", "❤️", "🤔", "🙏")

#: What the sender of an instruction or stop sees of it, by state.
_STATES = {
    DirectiveState.QUEUED: "Not delivered yet",
    DirectiveState.DELIVERED: "Delivered",
    DirectiveState.ACKNOWLEDGED: "Acknowledged",
    DirectiveState.DECLINED: "Declined",
    DirectiveState.WITHDRAWN: "Withdrawn",
    DirectiveState.UNDELIVERED: "Not delivered: the run ended first",
}


@dataclass(frozen=True)
class ShownReaction:
    emoji: str
    by: Sequence[str]
    is_mine: bool

    @property
    def names(self) -> str:
        """Who put it there, for people."""
        first = ", ".join(self.by[:10])
        return f"{first} and {len(self.by) - 10} more" if len(self.by) > 10 else first


@dataclass
class ShownMessage:
    """One message for one reader. ``html`` is sanitised; everything else is untrusted text."""

    message: Message
    html: SafeString
    is_mine: bool = False
    may_edit: bool = False
    may_withdraw: bool = False
    may_ack: bool = False
    may_write: bool = False
    quote: str = ""
    quoted_author: str = ""
    reactions: list[ShownReaction] = field(default_factory=list)

    @property
    def at(self) -> datetime:
        return self.message.at

    @property
    def is_directive(self) -> bool:
        return self.message.kind != MessageKind.COMMENT

    @property
    def kind_label(self) -> str:
        return str(MessageKind(self.message.kind).label)

    @property
    def state_words(self) -> str:
        if not self.message.state:
            return ""
        if self.message.keep and self.message.state == DirectiveState.QUEUED:
            return "Waits for the next reply, or the next run"
        return _STATES[DirectiveState(self.message.state)]

    @property
    def state_icon(self) -> str:
        """An icon for how it ended; empty before."""
        return {"acknowledged": "check", "declined": "alert", "undelivered": "alert"}.get(self.message.state, "")

    @property
    def state_at(self) -> datetime | None:
        """When it got into that state."""
        message = self.message
        return message.acknowledged_at or message.ended_at or message.delivered_at

    @property
    def offered(self) -> list[str]:
        """What may still be put under it by a click."""
        mine = {reaction.emoji for reaction in self.reactions if reaction.is_mine}
        return [emoji for emoji in OFFERED_EMOJI if emoji not in mine]


def shown_messages(
    messages: Iterable[Message], reader: "User", *, now: datetime, may_write: bool
) -> list[ShownMessage]:
    """``messages``, read ``to_show``, for ``reader``, in their order; a fixed number of queries for all of them.

    ``may_write``: whether the reader may write in the conversation.
    """
    messages = list(messages)
    prefetch_related_objects(messages, "author__agent")
    prefetch_related_objects([message for message in messages if message.edited_at], "edits")
    prefetch_related_objects([message for message in messages if message.state in PENDING], "run__agent")
    own_name = name_of(reader)
    answered = Message.objects.in_bulk({message.in_reply_to_id for message in messages if message.in_reply_to_id})
    shown = []
    for message, output in zip(messages, message_outputs(messages, html=True), strict=True):
        is_mine = message.author_id == reader.pk
        quoted = answered.get(message.in_reply_to_id) if message.in_reply_to_id else None
        shown.append(
            ShownMessage(
                message,
                mark_safe(output["html"]),  # noqa: S308 - sanitised by nh3
                is_mine=is_mine,
                may_edit=is_mine and may_write and now - message.at < EDITABLE and _is_rewritable(message),
                may_withdraw=is_mine and message.state == DirectiveState.QUEUED,
                may_ack=message.state in PENDING and _holds(reader, message),
                may_write=may_write,
                quote=preview(quoted) if quoted else "",
                quoted_author=quoted.author_name if quoted else "",
                reactions=[_reaction(each, own_name) for each in output["reactions"]],
            )
        )
    return shown


def _holds(reader: "User", message: Message) -> bool:
    """Whether ``reader`` holds the run that an instruction or stop is for."""
    return message.run is not None and message.run.ended_at is None and message.run.agent.user_id == reader.pk


def _is_rewritable(message: Message) -> bool:
    return message.kind == MessageKind.COMMENT or message.state == DirectiveState.QUEUED


def preview(message: Message) -> str:
    """The start of ``message`` on one line; untrusted."""
    line = " ".join(message.body[: 4 * QUOTED].split())
    return line if len(line) <= QUOTED else line[: QUOTED - 1] + "…"


def _reaction(output: dict[str, Any], own_name: str) -> ShownReaction:
    return ShownReaction(output["emoji"], output["by"], own_name in output["by"])
