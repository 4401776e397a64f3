"""What happened to a task and what was said about it, as one flow, the newest first."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from django.db.models import QuerySet

from tasks.events import kinds
from tasks.events.words import Entry, in_words
from tasks.models import Event, Message, Task
from tasks.shown import ShownMessage, shown_messages

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SHOWN = 100
#: What a message went through is shown with it, not beside it.
_OF_MESSAGES = f"{kinds.MESSAGE_POSTED.partition('.')[0]}."
_OF_QUESTIONS = f"{kinds.QUESTION_ASKED.partition('.')[0]}."
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Show(StrEnum):
    """What of the flow is shown: everything, what was said and asked, or what happened."""

    ALL = "all"
    CONVERSATION = "conversation"
    ACTIVITY = "activity"


@dataclass
class Flow:
    """A page of the flow; ``older`` is the place where the next one begins, if there is one."""

    items: list[Entry | ShownMessage]
    older: int | None


def read_flow(
    task: Task,
    reader: "User",
    *,
    now: datetime,
    show: Show = Show.ALL,
    before: int | None = None,
    may_write: bool = False,
) -> Flow:
    """The latest of ``task``, or what was before the place ``before`` of another page.

    A page ends between two moments, never within one. ``may_write``: see ``shown_messages``.
    """
    # Private events, such as notifications, are not part of the task's history.
    events = Event.objects.filter(task=task, recipient__isnull=True).exclude(kind__startswith=_OF_MESSAGES)
    messages = Message.objects.filter(task=task).to_show()
    if show is Show.CONVERSATION:
        events = events.filter(kind__startswith=_OF_QUESTIONS)
    if show is Show.ACTIVITY:
        messages = messages.none()
    if before is not None:
        until = _EPOCH + before * _MICROSECOND
        events, messages = events.filter(at__lt=until), messages.filter(at__lt=until)
    happened, said = _latest(events), _latest(messages)
    times = sorted((row.at for row in (*happened, *said)), reverse=True)
    older = None
    if len(times) > SHOWN:
        end = times[SHOWN - 1]
        happened, said = _since(events, happened, end), _since(messages, said, end)
        if _is_more(events, end) or _is_more(messages, end):
            older = (end - _EPOCH) // _MICROSECOND
    shown = shown_messages(said, reader, now=now, may_write=may_write)
    happened.sort(key=lambda event: event.pk, reverse=True)
    return Flow(_merged(in_words(happened), shown), older)


def _merged(happened: Iterable[Entry], said: Iterable[ShownMessage]) -> list[Entry | ShownMessage]:
    """Both in one row: events in their own order, which their times may contradict by moments, messages by time."""
    items: list[Entry | ShownMessage] = []
    waiting = deque(said)
    for entry in happened:
        while waiting and waiting[0].at > entry.at:
            items.append(waiting.popleft())
        items.append(entry)
    return [*items, *waiting]


def _latest(rows: QuerySet) -> list:
    return list(rows.order_by("-at", "-pk")[: SHOWN + 1])


def _since(rows: QuerySet, latest: list, end: datetime) -> list:
    """All of ``rows`` at ``end`` or later; ``latest`` are the first of them."""
    if len(latest) > SHOWN and latest[-1].at >= end:
        return list(rows.filter(at__gte=end).order_by("-at", "-pk"))
    return [row for row in latest if row.at >= end]


def _is_more(rows: QuerySet, end: datetime) -> bool:
    return rows.filter(at__lt=end).exists()
