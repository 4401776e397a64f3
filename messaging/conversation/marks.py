"""How far somebody has read: moved forward, and what is left to read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Max, Q

from messaging.models import ReadMark
from tasks import clock
from tasks.conversations import Conversation
from tasks.models import Membership, Message, Project
from tasks.querysets import sees_all

#: Unread messages of one conversation are counted up to this number.
COUNTED = 100
#: One conversation's unread messages: not one's own, and not those that an import brought in.
_UNREAD_OF_ONE = f"""
SELECT %s, COUNT(*), MIN(id) FROM (
    SELECT id FROM {Message._meta.db_table}
    WHERE {{where}} AND id > %s AND (author_id IS NULL OR author_id <> %s) AND external_id = ''
    ORDER BY id LIMIT {COUNTED}
) AS unread
"""  # noqa: S608 - our own names


@dataclass(frozen=True)
class Unread:
    """What is left to read of a conversation: how many messages, counted up to ``COUNTED``, and the first of them."""

    read_up_to: int | None
    count: int = 0
    first: int | None = None


def mark_read(conversation: Conversation, *, up_to: int | None = None) -> int | None:
    """Note that its reader has read ``conversation`` up to the message with the id ``up_to``, or all of it.

    Returns up to which message it is read now; None if nothing of it was ever read. A mark never moves back, so
    repeating it, or being overtaken by another page of the reader, changes nothing.
    """
    messages = conversation.messages().order_by()
    if up_to is not None:
        messages = messages.filter(pk__lte=up_to)
    last: int | None = messages.aggregate(last=Max("pk"))["last"]
    marks = ReadMark.objects.filter(**_key(conversation))
    if last is not None:
        with transaction.atomic():
            now = clock.now()
            new = ReadMark(**_key(conversation), up_to=last, at=now)
            ReadMark.objects.bulk_create([new], ignore_conflicts=True)
            marks.filter(up_to__lt=last).update(up_to=last, at=now)
    return marks.values_list("up_to", flat=True).first()


def _key(conversation: Conversation) -> dict[str, Any]:
    return {
        "user": conversation.reader,
        "task": conversation.task,
        "channel": conversation.channel,
        "partner": conversation.partner,
    }


def unread_of(user: User, conversations: Sequence[Conversation]) -> list[Unread]:
    """What ``user`` has not read of each of ``conversations``, at most a few hundred; at most four queries.

    Of a channel that was never read, what was written since ``user`` joined the project counts.
    """
    if not conversations:
        return []
    marks = _marks_of(user, conversations)
    joined = _joined(
        user,
        [conversation.channel for conversation in conversations if conversation.channel and conversation not in marks],
    )
    projects = _projects_of(user) if any(conversation.partner for conversation in conversations) else None
    parts, values = [], []
    for place, conversation in enumerate(conversations):
        where, params = _where(conversation, projects, joined)
        parts.append(_UNREAD_OF_ONE.format(where=where))
        values += [place, *params, marks.get(conversation, 0), user.pk]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        counted = {place: (count, first) for place, count, first in cursor.fetchall()}
    return [Unread(marks.get(conversation), *counted[place]) for place, conversation in enumerate(conversations)]


def _where(
    conversation: Conversation, projects: list[int] | None, joined: Mapping[int, datetime]
) -> tuple[str, list[Any]]:
    """The messages in ``conversation`` that its reader may read, as SQL with its parameters."""
    if conversation.task is not None:
        return "task_id = %s", [conversation.task.pk]
    if conversation.channel is not None:
        where, key = "project_id = %s AND task_id IS NULL AND to_id IS NULL", conversation.channel.pk
        if key not in joined:
            return where, [key]
        return f"{where} AND at >= %s", [key, connection.ops.adapt_datetimefield_value(joined[key])]
    assert conversation.partner is not None
    where, params = "to_id = %s AND author_id = %s", [conversation.reader.pk, conversation.partner.pk]
    if projects is None:
        return where, params
    return f"{where} AND project_id IN ({', '.join(['%s'] * len(projects)) or 'NULL'})", [*params, *projects]


def _projects_of(user: User) -> list[int] | None:
    """The projects (ids) that ``user`` sees; None: all."""
    return None if sees_all(user) else list(Project.objects.visible_to(user).order_by().values_list("pk", flat=True))


def _marks_of(user: User, conversations: Sequence[Conversation]) -> dict[Conversation, int]:
    """Up to which message ``user`` has read each of ``conversations``."""
    tasks = [conversation.task.pk for conversation in conversations if conversation.task]
    channels = [conversation.channel.pk for conversation in conversations if conversation.channel]
    partners = [conversation.partner.pk for conversation in conversations if conversation.partner]
    of_these = Q(task__in=tasks) | Q(channel__in=channels) | Q(partner__in=partners)
    rows = ReadMark.objects.filter(of_these, user=user).order_by()
    marks = {row[:3]: row[3] for row in rows.values_list("task", "channel", "partner", "up_to")}
    marked = {}
    for conversation in conversations:
        key = tuple(part and part.pk for part in (conversation.task, conversation.channel, conversation.partner))
        if key in marks:
            marked[conversation] = marks[key]
    return marked


def _joined(user: User, channels: Sequence[Project]) -> dict[int, datetime]:
    """When ``user`` became a member of each of these projects (by id)."""
    if not channels:
        return {}
    return dict(Membership.objects.filter(user=user, project__in=channels).values_list("project", "created_at"))
