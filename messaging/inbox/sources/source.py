"""What every source of items has in common: rows with rights, an order, and what the reader put aside."""

from collections.abc import Sequence
from copy import copy
from datetime import datetime
from typing import Any, ClassVar

from django.db import connection
from django.db.models import (
    BigIntegerField,
    CharField,
    Count,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Value,
)
from django.db.models.functions import Cast
from django.db.models.sql.constants import INNER

from messaging.inbox import urgency
from messaging.inbox.items import Group, Head, Item, Scope, State
from messaging.inbox.people import People
from messaging.inbox.reader import Reader
from messaging.models import PutAside
from tasks.finding import task_named
from tasks.models import Task
from tasks.transitions import Status

#: What a row of the order holds, the same for every source.
COLUMNS = ("item_source", "item_key", "item_since", "item_score")


class Source:
    """One kind of items: which rows make them, for whom, how urgent they are, and how they are shown."""

    #: The start of its items' ids, and the kind in the API.
    name: ClassVar[str]
    label: ClassVar[str]
    icon: ClassVar[str]
    group: ClassVar[Group]
    #: Which column of a row is the item's number.
    key: ClassVar[str] = "pk"
    #: Of its own table an index has few rows, so that looking begins there and not at the tasks of the projects.
    few: ClassVar[bool] = False

    def rows(self, reader: Reader) -> QuerySet:
        """The rows that need ``reader``: open, and such that the reader can do something about them."""
        raise NotImplementedError

    def since(self) -> Any:
        """When an item came up: later than before when it comes up again. A column, or an expression."""
        raise NotImplementedError

    def score(self, now: datetime) -> Any:
        """The urgency, as an expression over a row with ``item_since``."""
        raise NotImplementedError

    def mine(self, reader: Reader) -> Q | None:
        """Those that concern the reader before others; None: all do."""
        return None

    def items(self, reader: Reader, heads: Sequence[Head]) -> list[Item]:
        """The items of these heads that are still there, in a fixed number of queries."""
        raise NotImplementedError

    def place_of(self, item: Item) -> str:
        """What names the item's place on a page, for as long as it is about the same."""
        return item.name

    def key_of(self, reader: Reader, rest: str) -> int | None:
        """The number of the item whose id goes on like this after the source's name; None if there is none."""
        return int(rest) if rest.isascii() and rest.isdecimal() and len(rest) < 19 else None

    def chosen(self, reader: Reader, scope: Scope | None, state: State, keys: Sequence[int] | None = None) -> QuerySet:
        """The rows that make items, with ``item_key`` and ``item_since``, in no order."""
        rows = self.rows(reader)
        if keys is not None:
            rows = rows.filter(**{f"{self.key}__in": keys})
        if scope is not None:
            mine = self.mine(reader)
            if mine is None:
                rows = rows.none() if scope is Scope.TEAM else rows
            else:
                rows = rows.filter(mine if scope is Scope.MINE else ~mine)
        since = self.since()
        rows = rows.order_by().annotate(
            item_key=Cast(F(self.key), BigIntegerField()),
            item_since=ExpressionWrapper(F(since) if isinstance(since, str) else since, DateTimeField()),
        )
        aside = PutAside.objects.filter(
            user=reader.user, source=self.name, key=OuterRef("item_key"), since__gte=OuterRef("item_since")
        )
        snoozed, archived = Q(until__gt=reader.moment), Q(until__isnull=True)
        if self.few:
            rows = begun_here(rows)
        match state:
            case State.ACTIVE:
                return rows.filter(~Exists(aside.filter(snoozed | archived)))
            case State.SNOOZED:
                return rows.filter(Exists(aside.filter(snoozed)))
        return rows.filter(Exists(aside.filter(archived)))

    def heads(self, reader: Reader, scope: Scope | None, state: State, keys: Sequence[int] | None = None) -> QuerySet:
        """The places of the items, one row of ``COLUMNS`` each."""
        rows = self.chosen(reader, scope, state, keys).annotate(
            item_source=Value(self.name, output_field=CharField()),
            item_score=Cast(self.score(reader.now), IntegerField()),
        )
        return rows.values_list(*COLUMNS)


def begun_here(rows: QuerySet) -> QuerySet:
    """``rows``, of which SQLite reads the own table first.

    Without statistics it takes every condition on an index for selective and begins at the tasks of all projects.
    It keeps the order of tables only in a CROSS JOIN (https://sqlite.org/optoverview.html#crossjoin).
    """
    if connection.vendor == "sqlite":
        rows = rows.all()
        joins: dict[str, Any] = rows.query.alias_map
        for alias, join in joins.items():
            if join.join_type == INNER:
                joins[alias] = crossed = copy(join)
                crossed.join_type = "CROSS JOIN"
    return rows


class OfTasks(Source):
    """Items of tasks: at most one for each, named by its ref. ``task``: how a row refers to it, as in ``task__``."""

    task: ClassVar[str] = ""
    weight: ClassVar[int]

    def score(self, now: datetime) -> Any:
        return urgency.of_task(self.weight, now, self.task)

    def key_of(self, reader: Reader, rest: str) -> int | None:
        return task_named(reader.user, rest).values_list("pk", flat=True).first()

    def items(self, reader: Reader, heads: Sequence[Head]) -> list[Item]:
        tasks = read_tasks([head.key for head in heads])
        people = People(reader, (task.project_id for task in tasks.values()))
        items = [self._item(reader, head, tasks[head.key]) for head in heads if head.key in tasks]
        self.fill(reader, items, people)
        return items

    def _item(self, reader: Reader, head: Head, task: Task) -> Item:
        return Item(
            self,
            head,
            name=f"{self.name}-{task.ref}",
            project=task.project,
            title=task.title,
            why="",
            task=task,
            because=urgency.reasons(task, reader.now, blocks=task.waiting_for_it),  # type: ignore[attr-defined]
        )

    def fill(self, reader: Reader, items: list[Item], people: People) -> None:
        """Say why each is here, who else could act, and what the reader can do."""
        raise NotImplementedError


def read_tasks(ids: Sequence[int]) -> dict[int, Task]:
    """Tasks by id with their projects, and ``waiting_for_it``: how many not started tasks depend on each."""
    waiting = Count("dependents", filter=Q(dependents__task__status=Status.NOT_STARTED))
    tasks = Task.objects.filter(pk__in=set(ids)).select_related("project", "created_by__agent").order_by()
    return {task.pk: task for task in tasks.defer("description", "result").annotate(waiting_for_it=waiting)}
