"""Tasks that go nowhere until somebody decides: failed, overdue, declined, nobody found, waiting for what failed."""

from typing import Any

from django.db.models import CharField, DateTimeField, Exists, F, Func, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from messaging.inbox.items import Action, Group, Item, use
from messaging.inbox.people import People
from messaging.inbox.reader import Reader
from messaging.inbox.sources.source import OfTasks
from taskproject.errors import shortened
from tasks.models import (
    AgentKind,
    Assignment,
    AssignmentDecision,
    Dependency,
    Role,
    Run,
    Task,
)
from tasks.querysets import AssignmentQuerySet
from tasks.transitions import OPEN, Status
from tasks.verbs import catalogue


class Literal(Func):
    """One of our own words, written into the SQL: SQLite uses no partial index for a parameter."""

    def __init__(self, word: str) -> None:
        assert word.isidentifier()
        super().__init__(template=f"'{word}'", output_field=CharField())


def _active(task: str = "pk") -> AssignmentQuerySet:
    """The active assignments of the task of a row."""
    return Assignment.objects.filter(task=OuterRef(task)).active()


def to_assign(ref: str) -> list[Action]:
    return [use(catalogue.ASSIGN, ref)]


class Trouble(OfTasks):
    """Trouble of tasks that managers are told about."""

    group = Group.TROUBLE

    def mine(self, reader: Reader) -> Q | None:
        return reader.leads(self.task)


class Failed(Trouble):
    """Given up: only a manager brings it back."""

    name, label, icon, weight = "failed", "Failed", "failed", 4

    def rows(self, reader: Reader) -> QuerySet:
        return Task.objects.filter(reader.where(Role.MANAGER), status=Status.FAILED)

    def since(self) -> Any:
        ended = Run.objects.filter(task=OuterRef("pk"), ended_at__isnull=False).order_by("-number")
        return Coalesce(Subquery(ended.values("ended_at")[:1]), "updated_at", output_field=DateTimeField())

    def fill(self, reader: Reader, items: list[Item], people: People) -> None:
        for item in items:
            assert item.task is not None
            failure = item.task.last_failure or {}
            who, tries = failure.get("agent"), item.task.attempts
            item.why = "It failed and will not be tried again."
            if who:
                item.why = f"{who} failed it at attempt {max(tries, 1)}; it will not be tried again."
            item.text = ": ".join(filter(None, (failure.get("code", ""), failure.get("detail", ""))))
            item.others = people.others(item.project.pk, Role.MANAGER)
            item.actions = [use(catalogue.REOPEN, item.ref)]


class Overdue(Trouble):
    """Open after its due date: for who has it, and for managers."""

    name, label, icon, weight = "overdue", "Overdue", "overdue", 2

    def rows(self, reader: Reader) -> QuerySet:
        late = Task.objects.filter(
            reader.where(Role.WORKER), status__in=sorted(OPEN), overdue_since__isnull=False, due_at__lte=reader.moment
        )
        has = _active().filter(agent=reader.agent) if reader.agent is not None else _active().none()
        return late.filter(reader.where(Role.MANAGER) | Q(Exists(has)))

    def since(self) -> Any:
        return "due_at"

    def mine(self, reader: Reader) -> Q | None:
        people = _active().filter(agent__kind=AgentKind.HUMAN, agent__enabled=True)
        nobody_else = ~Q(Exists(people)) & reader.leads()
        if reader.agent is None:
            return nobody_else
        return Q(Exists(_active().filter(agent=reader.agent))) | nobody_else

    def fill(self, reader: Reader, items: list[Item], people: People) -> None:
        assigned = assignees_of(items)
        for item in items:
            assert item.task is not None
            having = assigned.get(item.head.key, [])
            own = reader.agent is not None and reader.agent.slug in having
            item.why = "Its due date has passed."
            if own:
                item.why = "You have it, and its due date has passed."
            elif having:
                item.why = f"{' and '.join(having[:3])} {'has' if len(having) == 1 else 'have'} it, and it is late."
            else:
                item.why = "Its due date has passed, and nobody has it."
            item.others = [slug for slug in having if reader.agent is None or slug != reader.agent.slug]
            item.others += [name for name in people.others(item.project.pk, Role.MANAGER) if name not in item.others]
            manages = reader.includes(item.project.pk, Role.MANAGER)
            ready = item.task.is_ready(reader.now)
            if own and reader.is_person and ready:
                item.actions.append(use(catalogue.START, item.ref))
            if manages and not having and item.task.status == Status.NOT_STARTED:
                item.actions += to_assign(item.ref)
            if manages:
                item.actions.append(use(catalogue.CANCEL, item.ref))


class Declined(Trouble):
    """Assigned, declined, and nobody has it now."""

    name, label, icon, weight = "declined", "Declined", "back", 3
    task, key = "task__", "task_id"
    few = True

    def rows(self, reader: Reader) -> QuerySet:
        later = Assignment.objects.filter(task=OuterRef("task"), pk__gt=OuterRef("pk"))
        warned = AssignmentDecision.objects.filter(task=OuterRef("task"), agent__isnull=True, ended_at__isnull=True)
        return Assignment.objects.filter(
            reader.where(Role.MANAGER, "task__project"),
            ~Exists(later),
            ~Exists(warned.exclude(warning="")),
            end_reason=Literal("declined"),
            task__status=Status.NOT_STARTED,
            ended_at__isnull=False,
        )

    def since(self) -> Any:
        return "ended_at"

    def fill(self, reader: Reader, items: list[Item], people: People) -> None:
        rows = Assignment.objects.filter(task__in=[item.head.key for item in items], end_reason="declined")
        latest = {row.task_id: row for row in rows.select_related("agent").order_by("pk")}
        for item in items:
            row = latest.get(item.head.key)
            item.why = f"{row.agent.slug if row else 'Its assignee'} declined it, and nobody else has it."
            item.text = row.end_note if row else ""
            fill_unassigned(reader, item, people)


class NobodyFound(Trouble):
    """Automatic assignment finds nobody, and somebody has to change something."""

    name, label, icon, weight = "nobody_found", "Nobody found", "alert", 4
    task, key = "task__", "task_id"
    few = True

    def rows(self, reader: Reader) -> QuerySet:
        decisions = AssignmentDecision.objects.filter(
            reader.where(Role.MANAGER, "task__project"),
            ~Exists(_active("task")),
            agent__isnull=True,
            ended_at__isnull=True,
            task__status=Status.NOT_STARTED,
        )
        return decisions.exclude(warning="")

    def since(self) -> Any:
        return "at"

    def fill(self, reader: Reader, items: list[Item], people: People) -> None:
        rows = AssignmentDecision.objects.filter(
            task__in=[item.head.key for item in items], agent__isnull=True, ended_at__isnull=True
        )
        warnings = dict(rows.values_list("task_id", "warning"))
        for item in items:
            item.why = "No agent can be given it."
            item.text = warnings.get(item.head.key, "")
            fill_unassigned(reader, item, people)


class DependencyFailed(Trouble):
    """It waits for a task that failed or was cancelled, so it waits for ever."""

    name, label, icon, weight = "dependency_failed", "Dependency failed", "blocked", 3
    task, key = "task__", "task_id"
    ENDED = (Status.CANCELLED.value, Status.FAILED.value)

    def rows(self, reader: Reader) -> QuerySet:
        later = Dependency.objects.filter(
            task=OuterRef("task"), pk__gt=OuterRef("pk"), depends_on__status__in=self.ENDED
        )
        # Dependencies stay inside a project: by the one that ended, of which there are fewer than that wait.
        return Dependency.objects.filter(
            reader.where(Role.MANAGER, "depends_on__project"),
            ~Exists(later),
            depends_on__status__in=self.ENDED,
            task__status=Status.NOT_STARTED,
        )

    def since(self) -> Any:
        ended = Run.objects.filter(task=OuterRef("depends_on"), ended_at__isnull=False).order_by("-number")
        return Coalesce(
            Subquery(ended.values("ended_at")[:1]), F("depends_on__updated_at"), output_field=DateTimeField()
        )

    def fill(self, reader: Reader, items: list[Item], people: People) -> None:
        rows = Dependency.objects.filter(task__in=[item.head.key for item in items], depends_on__status__in=self.ENDED)
        failing: dict[int, list[Task]] = {}
        for row in rows.select_related("depends_on__project").order_by("-pk"):
            failing.setdefault(row.task_id, []).append(row.depends_on)
        for item in items:
            ended = failing.get(item.head.key, [])
            first, more = (ended[0] if ended else None), ended[1:]
            item.row = first
            if first is None:
                item.why = "It waits for a task that has ended without a result."
            else:
                how = "failed" if first.status == Status.FAILED else "was cancelled"
                item.why = f"It waits for {first.ref}, which {how}{f', and {len(more)} more like it' if more else ''}."
                item.text = shortened(first.title, 200)
                item.actions.append(use(catalogue.REOPEN, first.ref))
            item.others = people.others(item.project.pk, Role.MANAGER)
            item.actions.append(use(catalogue.CANCEL, item.ref))


def assignees_of(items: list[Item]) -> dict[int, list[str]]:
    """Slugs of those who have the tasks of ``items``, by the tasks' ids."""
    rows = Assignment.objects.filter(task__in=[item.head.key for item in items]).active().order_by("pk")
    slugs: dict[int, list[str]] = {}
    for task_id, slug in rows.values_list("task_id", "agent__slug"):
        slugs.setdefault(task_id, []).append(slug)
    return slugs


def fill_unassigned(reader: Reader, item: Item, people: People) -> None:
    """What a manager does about a task that nobody has."""
    assert item.task is not None
    item.others = people.others(item.project.pk, Role.MANAGER)
    item.actions = to_assign(item.ref)
    if item.task.is_ready(reader.now):
        item.actions.append(use(catalogue.AUTO_ASSIGN, item.ref))
    item.actions.append(use(catalogue.CANCEL, item.ref))
