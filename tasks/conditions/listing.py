"""The tasks that somebody sees and that a condition means, and the shortest ways to the first of them."""

from dataclasses import replace
from functools import cached_property
from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet

from taskproject.keyset import Place, beyond
from taskproject.ranges import MOST_RANGES, RANGE, Lead, first_places
from tasks.conditions.compiling import compile
from tasks.conditions.fields import Context
from tasks.conditions.grammar import Condition, Leaf, both, leaves, parts_of
from tasks.conditions.of_tasks import TASK_FIELDS, agents_meant
from tasks.models import Assignment, AssignmentEnd, Label, Project, Task
from tasks.querysets import projects_seen_by, sees_all
from tasks.search.matching import lead_of

#: The orders that an index has for each project, and another one for all.
WALKED: Final = frozenset({"pk", "updated_at", "priority", "due_order", "title"})
_LABELLED: Final = Task.labels.through._meta.db_table
_ASSIGNED: Final = Assignment._meta.db_table
#: ``counting``, by the index of an agent's assignments.
_COUNTS: Final = f"led.agent_id = %s AND (led.ended_at IS NULL OR led.end_reason = '{AssignmentEnd.CLOSED.value}')"


class Listing:
    """The tasks that the reader sees and ``condition`` means; for ``keyset.page_of`` its rows are their ids."""

    model = Task

    def __init__(self, condition: Condition, context: Context) -> None:
        self.context = context
        #: Ids of the only projects whose tasks may be among them; None: of any.
        self.projects = None if sees_all(context.user) else projects_seen_by(context.user)
        self.parts: list[Condition] = []
        for part in parts_of(condition):
            if isinstance(part, Leaf) and part.field == "project" and part.operator in ("is", "in"):
                # By id, not by a join: so the indexes of each project are walked, and of no other.
                named = Project.objects.filter(key__in=part.values).order_by().values_list("pk", flat=True)
                self.projects = [pk for pk in named if self.projects is None or pk in self.projects]
            else:
                self.parts.append(part)

    @cached_property
    def _meant(self) -> QuerySet[Task]:
        return self._of(self.parts)

    def _of(self, parts: list[Condition]) -> QuerySet[Task]:
        tasks: QuerySet[Task] = Task.objects.all()
        return tasks.filter(compile(both(*parts), TASK_FIELDS, self.context)) if parts else tasks

    def _seen(self, tasks: QuerySet[Task]) -> QuerySet[Task]:
        # A list, not a subquery: given the few ids, the planner walks the index in order.
        return tasks if self.projects is None else tasks.filter(project_id__in=self.projects)

    @cached_property
    def tasks(self) -> QuerySet[Task]:
        return self._seen(self._meant)

    @property
    def query(self) -> Any:
        return self.tasks.query

    def count(self, most: int) -> int:
        """How many they are, at most ``most``."""
        lead = self._lead
        counted = lead.count(most) if lead is not None and not self._is_search else None
        return self.tasks.order_by()[:most].count() if counted is None else counted

    def first_rows(
        self, column: str, place: Place | None, *, reverse: bool, count: int
    ) -> list[tuple[Any, int, dict[str, int]]]:
        """The value of ``column``, one of ``WALKED``, the id and the row of the first ``count`` after ``place``."""
        places = None
        if column == "pk" and self._lead is not None:
            places = self._lead.places(None if place is None else place.pk, reverse=reverse, count=count)
        if places is None:
            places = self._places(column, place, reverse=reverse, count=count)
        return [(value, pk, {"id": pk}) for value, pk in places]

    def _places(self, column: str, place: Place | None, *, reverse: bool, count: int) -> list[tuple[Any, int]]:
        def after(tasks: QuerySet[Task]) -> QuerySet[Task]:
            return tasks if place is None else tasks.filter(beyond(column, place, reverse=reverse))

        # SQLite makes a list of all tasks with the words, for each range again.
        many = self._is_search and connection.vendor == "sqlite"
        if self.projects is not None and len(self.projects) <= MOST_RANGES and not many:
            of_each = after(self._meant).filter(project_id=RANGE)
            merged = first_places(of_each, column, self.projects, reverse=reverse, count=count)
            if merged is not None:
                return merged
        of_all = first_places(after(self.tasks), column, None, reverse=reverse, count=count)
        assert of_all is not None
        return of_all

    @cached_property
    def _is_search(self) -> bool:
        return any(leaf.field == "text" for part in self.parts for leaf in leaves(part))

    @cached_property
    def _lead(self) -> Lead | None:
        for place, part in enumerate(self.parts):
            if isinstance(part, Leaf) and (lead := self._lead_of(part)) is not None:
                return replace(lead, rows=self._seen(self._of([*self.parts[:place], *self.parts[place + 1 :]])))
        return None

    def _lead_of(self, leaf: Leaf) -> Lead | None:
        """What has the tasks of ``leaf`` in the order of their ids."""
        all_of_them: QuerySet[Task] = Task.objects.all()
        if leaf.field == "text" and connection.vendor == "sqlite":
            return lead_of(leaf.value, all_of_them)
        if leaf.operator not in ("is", "in") or len(leaf.values) != 1:
            return None
        if leaf.field == "label":
            labels: QuerySet[Label] = Label.objects.filter(name__in=leaf.values)
            if self.projects is not None:
                labels = labels.filter(project__in=self.projects)
            ids = tuple(labels.order_by().values_list("pk", flat=True)[: MOST_RANGES + 1])
            # A task is of one project, and so has it once.
            return None if len(ids) > MOST_RANGES else Lead(_LABELLED, "task_id", "led.label_id = %s", ids, all_of_them)
        if leaf.field == "assignee":
            agents = tuple(agents_meant(leaf.values, self.context))
            return Lead(_ASSIGNED, "task_id", _COUNTS, agents, all_of_them, repeats=True)
        return None
