"""Open questions that the reader may answer; those of one ask to the same people are one item."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Case, DateTimeField, Exists, IntegerField, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import IsNull

from messaging.inbox import urgency
from messaging.inbox.items import Action, Group, Head, Item
from messaging.inbox.people import People
from messaging.inbox.reader import Reader
from messaging.inbox.sources.source import Source, read_tasks
from tasks.events.recording import name_of
from tasks.models import Priority, Question, Role

PARKED, RUNNING = 3, 2
#: Questions of one ask, at most; see ``tasks.questions``.
TOGETHER = 4


class Questions(Source):
    """What a run needs to know. ``row`` of its items: the open questions of the ask that the reader may answer."""

    name, label, icon, group = "question", "Question", "waiting", Group.QUESTIONS

    def rows(self, reader: Reader) -> QuerySet:
        # Whoever may answer works in the project; said apart, an index of the open ones serves all the ways to that.
        mine = Question.objects.filter(reader.where(Role.WORKER)).open().answerable_by(reader.user)
        # Of the same run and for the same people: whoever may answer this may answer those.
        asked_with = Question.objects.open().filter(
            _same_people(), run=OuterRef("run"), ask=OuterRef("ask"), pk__lt=OuterRef("pk")
        )
        return mine.filter(~Exists(asked_with))

    def since(self) -> Any:
        return Coalesce("escalated_at", "expired_at", "asked_at", output_field=DateTimeField())

    def score(self, now: datetime) -> Any:
        waits = Case(When(is_parked=True, then=Value(PARKED)), default=Value(RUNNING), output_field=IntegerField())
        return urgency.of_task(waits * urgency.by_priority("urgency"), now, "task__")

    def mine(self, reader: Reader) -> Q | None:
        to_all = Q(to_user__isnull=True, to_role__in=("", Role.WORKER))
        to_managers = Q(to_user__isnull=True, to_role=Role.MANAGER) | Q(escalated_at__isnull=False)
        to_reviewers = Q(to_user__isnull=True, to_role=Role.REVIEWER) & reader.as_role(Role.REVIEWER)
        manages = reader.where(Role.MANAGER)
        return Q(to_user=reader.user) | to_all | to_reviewers | (to_managers & manages)

    def items(self, reader: Reader, heads: Sequence[Head]) -> list[Item]:
        of_heads = Question.objects.filter(pk__in=[head.key for head in heads])
        runs, asks = of_heads.values("run"), of_heads.values("ask")
        rows = Question.objects.open().answerable_by(reader.user).filter(run__in=runs, ask__in=asks)
        together: dict[tuple, list[Question]] = {}
        related = ("project", "run__agent", "to_user__agent")
        for row in rows.select_related(*related).order_by("pk"):
            together.setdefault((row.ask, row.to_user_id, row.to_role), []).append(row)
        tasks = read_tasks([row.task_id for group in together.values() for row in group])
        people = People(reader, (task.project_id for task in tasks.values()))
        groups = {group[0].pk: group for group in together.values()}
        return [
            self._item(reader, head, groups[head.key], tasks[groups[head.key][0].task_id], people)
            for head in heads
            if head.key in groups and groups[head.key][0].task_id in tasks
        ]

    def _item(self, reader: Reader, head: Head, rows: list[Question], task: Any, people: People) -> Item:
        first = rows[0]
        for row in rows:
            row.task = task
        asker = first.run.agent
        waits = "waits for the answer" if first.is_parked else "goes on meanwhile"
        many = f"{len(rows)} questions" if len(rows) > 1 else "a question"
        because = urgency.reasons(task, reader.now, blocks=task.waiting_for_it)
        most = max(row.urgency for row in rows)
        if most != Priority.NORMAL:
            because.insert(0, f"{Priority(most).label.lower()} question")
        return Item(
            self,
            head,
            name=f"{self.name}-{first.pk}",
            project=task.project,
            title=task.title,
            why=f"{asker.slug} has {many} for {_whom(reader, first)} and {waits}.",
            task=task,
            because=because,
            others=_others(first, people, asker.user_id),
            actions=[
                Action("answer", "Answer", f"/api/v1/questions/{row.pk}/answer", needs=("value",)) for row in rows
            ],
            text=first.prompt,
            row=rows,
        )

    def place_of(self, item: Item) -> str:
        first = item.row[0]
        return f"ask-{first.ask}-{first.to_user_id or 0}"


def _same_people() -> Q:
    same_user = Q(to_user=OuterRef("to_user")) | Q(Q(to_user__isnull=True), _outer_is_null("to_user"))
    return same_user & Q(to_role=OuterRef("to_role"))


def _outer_is_null(field: str) -> Any:
    return IsNull(OuterRef(field), True)


def _whom(reader: Reader, question: Question) -> str:
    if question.escalated_at is not None:
        return "the managers, since nobody answered in time,"
    if question.to_user_id == reader.user.pk:
        return "you"
    if question.to_user is not None:
        return name_of(question.to_user)
    return f"the {Role(question.to_role).label.lower()}s" if question.to_role else "everyone"


def _others(question: Question, people: People, asker: int) -> list[str]:
    if question.to_user is not None:
        others = people.others(question.project_id, Role.MANAGER, but=[asker])
        name = name_of(question.to_user)
        return others if question.to_user_id == people.reader.user.pk else [name, *(n for n in others if n != name)]
    least = Role(question.to_role) if question.to_role else Role.WORKER
    return people.others(question.project_id, least, but=[asker], are_people=True)
