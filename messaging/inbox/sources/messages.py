"""What was said to the reader: unread direct messages, mentions, and instructions of theirs that reached nobody."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Exists, F, Max, OuterRef, QuerySet
from django.db.models.lookups import IsNull

from messaging.inbox import urgency
from messaging.inbox.items import Action, Group, Head, Item
from messaging.inbox.reader import Reader
from messaging.inbox.sources.source import Source, read_tasks
from messaging.inbox.sources.trouble import Literal
from messaging.models import ReadMark
from tasks.conversations import Conversation, conversation_of, find_partner
from tasks.errors import NotFound
from tasks.events.recording import name_of
from tasks.models import Message, Role, Task
from tasks.transitions import OPEN

TEXT_SHOWN = 2_000


class OfMessages(Source):
    """Items of messages; ``row`` is the message."""

    group = Group.MESSAGES
    icon = "message"
    weight: int

    def score(self, now: datetime) -> Any:
        return urgency.of_other(self.weight, now)

    def since(self) -> Any:
        return "at"

    def messages(self, heads: Sequence[Head], reader: Reader) -> dict[int, Message]:
        """The message of each head, by the head's key."""
        rows = Message.objects.filter(pk__in=[head.key for head in heads])
        return {row.pk: row for row in _with_names(rows)}

    def items(self, reader: Reader, heads: Sequence[Head]) -> list[Item]:
        rows = self.messages(heads, reader)
        tasks = read_tasks([row.task_id for row in rows.values() if row.task_id is not None])
        items = []
        for head in heads:
            if (row := rows.get(head.key)) is not None:
                task = tasks.get(row.task_id) if row.task_id is not None else None
                items.append(self.item(reader, head, row, task))
        return items

    def item(self, reader: Reader, head: Head, row: Message, task: Task | None) -> Item:
        raise NotImplementedError


def _with_names(rows: QuerySet[Message]) -> QuerySet[Message]:
    long = ("task__description", "task__result", "task__summary", "task__criteria", "task__last_failure")
    return rows.select_related("project", "task", "author__agent", "run__agent").defer(*long)


def _actions(conversation: Conversation) -> list[Action]:
    """Answering in a conversation, and having read it."""
    if conversation.task is not None:
        reply = Action("reply", "Reply", f"/api/v1/tasks/{conversation.name}/messages", needs=("body",))
    elif conversation.channel is not None:
        reply = Action("reply", "Reply", f"/api/v1/projects/{conversation.name}/messages", needs=("body",))
    else:
        reply = Action("reply", "Reply", "/api/v1/messages", needs=("to", "body"))
    return [reply, Action("read", "Mark as read", "/api/v1/messages/read", needs=("conversation",))]


class DirectMessages(OfMessages):
    """What somebody wrote to the reader alone, until it is read or answered; one item for each of them."""

    name, label, weight = "direct", "Message", 3
    key = "author_id"

    def rows(self, reader: Reader) -> QuerySet:
        me = reader.user
        read = ReadMark.objects.filter(user=me, partner=OuterRef("author"), up_to__gte=OuterRef("pk"))
        answered = Message.objects.filter(author=me, to=OuterRef("author"), pk__gt=OuterRef("pk"))
        received = Message.objects.filter(reader.where(Role.VIEWER), to=me, author__isnull=False, external_id="")
        # The last of each, by one walk of an index: some agents answer thousands and mark none as read.
        last = received.order_by().values("author").annotate(last=Max("pk")).values("last")
        return Message.objects.filter(~Exists(read), ~Exists(answered), pk__in=last)

    def key_of(self, reader: Reader, rest: str) -> int | None:
        try:
            return int(find_partner(reader.user, rest).pk)
        except NotFound:
            return None

    def messages(self, heads: Sequence[Head], reader: Reader) -> dict[int, Message]:
        rows = self.rows(reader).filter(author__in=[head.key for head in heads])
        return {row.author_id: row for row in _with_names(rows) if row.author_id is not None}

    def item(self, reader: Reader, head: Head, row: Message, task: Task | None) -> Item:
        who = name_of(row.author)
        return Item(
            self,
            head,
            name=f"{self.name}-{who}",
            project=row.project,
            title=f"Message from {who}",
            why=f"{who} wrote to you.",
            text=row.body[:TEXT_SHOWN],
            actions=_actions(Conversation(reader.user, partner=row.author)),
            row=row,
            conversation=f"@{who}",
        )


class Mentions(OfMessages):
    """Where somebody named the reader in a thread or channel, until they have read that far or written after it."""

    name, label, weight = "mention", "Mention", 3

    def rows(self, reader: Reader) -> QuerySet:
        me = reader.user
        marks = ReadMark.objects.filter(user=me, up_to__gte=OuterRef("pk"))
        mine = Message.objects.filter(author=me, to__isnull=True, pk__gt=OuterRef("pk"))
        # Each by itself, without OR: so the planner joins them, whatever the number of mentions.
        in_channel = IsNull(OuterRef("task"), True)
        ended = (
            marks.filter(task=OuterRef("task")),
            marks.filter(in_channel, channel=OuterRef("project")),
            mine.filter(task=OuterRef("task"), task__isnull=False),
            mine.filter(in_channel, project=OuterRef("project"), task__isnull=True),
        )
        named = Message.objects.filter(reader.where(Role.VIEWER), mentions__user=me, to__isnull=True, external_id="")
        return named.filter(*(~Exists(rows) for rows in ended)).exclude(author=me)

    def item(self, reader: Reader, head: Head, row: Message, task: Task | None) -> Item:
        who = name_of(row.author) or row.author_name
        conversation = conversation_of(reader.user, row)
        where = conversation.name if task is not None else f"the channel of {conversation.name}"
        return Item(
            self,
            head,
            name=f"{self.name}-{row.pk}",
            project=row.project,
            title=task.title if task is not None else f"Channel of {row.project.name}",
            why=f"{who} mentions you in {where}.",
            task=task,
            text=row.body[:TEXT_SHOWN],
            actions=_actions(conversation),
            row=row,
            conversation=conversation.name,
        )


class Undelivered(OfMessages):
    """An instruction of the reader whose run ended before it got it, while the task is still open."""

    name, label, icon, group, weight = "undelivered", "Not delivered", "alert", Group.TROUBLE, 3

    def rows(self, reader: Reader) -> QuerySet:
        return Message.objects.filter(
            reader.where(Role.VIEWER),
            author=reader.user,
            state=Literal("undelivered"),
            ended_at__isnull=False,
            task__status__in=sorted(OPEN),
        )

    def since(self) -> Any:
        return F("ended_at")

    def item(self, reader: Reader, head: Head, row: Message, task: Task | None) -> Item:
        assert task is not None
        to = row.run.agent.slug if row.run is not None else "the run"
        reply = Action("reply", "Write again", f"/api/v1/tasks/{task.ref}/messages", needs=("body",))
        return Item(
            self,
            head,
            name=f"{self.name}-{row.pk}",
            project=row.project,
            title=task.title,
            why=f"Your {row.get_kind_display().lower()} did not reach {to}: the run ended first.",
            task=task,
            because=urgency.reasons(task, reader.now, blocks=task.waiting_for_it),  # type: ignore[attr-defined]
            text=row.body[:TEXT_SHOWN],
            actions=[reply],
            row=row,
            conversation=task.ref,
        )
