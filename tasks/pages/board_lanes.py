"""The board in lanes: the cards that its columns show, in a row for each agent, priority, label, parent or project.

In which lane a task is, the database says, for the cards shown and in one more query for all tasks that the columns
count: so lanes cost the same however many there are.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote

from django.db.models import Count, Exists, F, OuterRef, QuerySet, Subquery

from tasks.conditions import Leaf
from tasks.models import Assignment, Priority, Project, Run, Task, ViewPlace, counting
from tasks.pages.cards import Card, KeptCard
from tasks.pages.columns import COUNTED, ColumnContent
from tasks.refs import ref_of
from tasks.viewed import GROUPS

#: The words that the address has for the lanes, as in the list where it has them, and those of the page.
LANES: Final = {
    "assignee": "Assignee",
    "priority": "Priority",
    "label": "Label",
    "parent": "Parent",
    "project": "Project",
}
assert tuple(LANES) == GROUPS[ViewPlace.BOARD], "The address and the page know different lanes."
_NOTHING: Final = {"assignee": "Nobody yet", "label": "No label", "parent": "No parent"}
#: Lanes that have tasks but not a single card, since others come first in the columns: so many, the largest.
MOST_WITHOUT_CARDS: Final = 20


@dataclass
class Cell:
    """What a lane shows of one column.

    ``hidden``: how many tasks it does not show, in words; ``url``: the list of all of them, if a condition says which
    they are.
    """

    status: str
    title: str
    is_folded: bool
    cards: list[Card | KeptCard]
    hidden: str = ""
    url: str = ""


@dataclass(frozen=True)
class Lane:
    """``key``: what its tasks have in common, as one types it; empty: nothing. ``count``: of its tasks in all columns,
    with a plus where there are more, or may be."""

    group: str
    key: str
    label: str
    count: str
    is_folded: bool
    cells: list[Cell]

    @property
    def name(self) -> str:
        """The key as a name in the page."""
        return quote(self.key, safe="")

    @property
    def choice(self) -> str:
        """What is remembered of a folded lane."""
        return f"{self.group}:{self.key}"


@dataclass(frozen=True)
class Row:
    """A column as its lanes need it."""

    status: str
    title: str
    is_folded: bool
    content: ColumnContent
    cards: Sequence[Card | KeptCard]


def lanes_of(
    rows: Sequence[Row],
    group: str,
    counted: QuerySet[Task],
    ids: Mapping[str, int],
    projects: Mapping[int, Project],
    folded: Collection[str],
    *,
    is_complete: bool,
    offered: Collection[str] = (),
    listed: Callable[..., str] | None = None,
) -> list[Lane]:
    """The cards of the columns in lanes; a card is in one lane alone.

    A task of several agents is in the lane of the one who works on it, one with several labels in that of the first.
    Lanes are in the order of their names, priorities the highest first; what has no value comes last. ``counted``: the
    tasks that the columns count; ``ids``: of the cards, by ref. ``is_complete``: also the lanes of each priority and of
    nothing, where a card may be dropped, if they have none; ``offered``: likewise the lanes of these. ``listed``: the
    address of the list of the board's tasks that fulfil some conditions, too.
    """
    places = _places(ids.values(), group)
    numbers: dict[Any, int] = defaultdict(int)
    by_cell: dict[tuple[Any, str], int] = {}
    in_cells = counted.order_by().annotate(lane=_lane(group)).values_list("lane", "status").annotate(n=Count("pk"))
    for value, status, n in in_cells:
        numbers[value] += n
        by_cell[value, status] = n
    is_partial = any(row.content.is_partial or row.content.is_capped for row in rows)
    values = {places.get(ids[card.ref]) for row in rows for card in row.cards}
    if is_complete:
        values |= set(Priority.values) if group == "priority" else {None} if group in _NOTHING else set()
    values |= {*offered}
    values |= _largest_without_cards(rows, by_cell, values)
    named = _names(values, group, projects)
    filtered = _Filtered(counted, group)
    lanes = []
    for value in sorted(values, key=lambda value: (value is None, _rank(value, group), named[value][1])):
        key, label = named[value]
        cells = []
        for row in rows:
            cards = [card for card in row.cards if places.get(ids[card.ref]) == value]
            cell = Cell(row.status, row.title, row.is_folded, cards)
            number = by_cell.get((value, row.status), 0)
            if not row.is_folded and (more := row.content.more(number - len(cards))):
                cell.hidden = f"and {more}" if cards else more
                condition = _condition(group, value, key)
                if listed and condition and filtered.number(value, row.status, number) == number:
                    cell.url = listed(condition, Leaf("status", "in", (row.status,)))
            cells.append(cell)
        shown = sum(len(cell.cards) for cell in cells)
        count = _count(max(numbers.get(value, 0), shown), is_partial=is_partial)
        lanes.append(Lane(group, key, label, count, f"{group}:{key}" in folded, cells))
    return lanes


def _largest_without_cards(
    rows: Sequence[Row], by_cell: Mapping[tuple[Any, str], int], values: Collection[Any]
) -> set[Any]:
    shown = {row.status for row in rows if not row.is_folded}
    others: dict[Any, int] = defaultdict(int)
    for (value, status), n in by_cell.items():
        if status in shown and value not in values:
            others[value] += n
    return set(sorted(others, key=lambda value: (-others[value], str(value)))[:MOST_WITHOUT_CARDS])


def _condition(group: str, value: Any, key: str) -> Leaf | None:
    """What the list calls the tasks of a lane; None: a parent that was deleted meanwhile."""
    if value is None:
        return Leaf("unassigned", "is", True) if group == "assignee" else Leaf(group, "is_set", False)
    return Leaf(group, "in", (key,)) if key else None


class _Filtered:
    """How many tasks fulfil the condition of a lane: more than it has where some of them are in other lanes."""

    def __init__(self, counted: QuerySet[Task], group: str) -> None:
        self._counted, self._group = counted.order_by(), group

    def number(self, value: Any, status: str, in_lane: int) -> int:
        if self._group not in ("assignee", "label") or (self._group == "label" and value is None):
            return in_lane
        return self._numbers.get((value, status), 0)

    @cached_property
    def _numbers(self) -> dict[tuple[Any, str], int]:
        tasks = self._counted.values("pk")
        if self._group == "label":
            rows = Task.labels.through.objects.filter(task__in=tasks).values_list("label__name", "task__status")
            return {(name, status): n for name, status, n in rows.annotate(n=Count("task", distinct=True))}
        assigned = Assignment.objects.filter(counting(), task__in=tasks).order_by()
        by_agent = assigned.values_list("agent__slug", "task__status").annotate(n=Count("task", distinct=True))
        active = Assignment.objects.active().filter(task=OuterRef("pk"))
        # The list finds by "unassigned" also whatever somebody was assigned to until it ended.
        free = self._counted.filter(~Exists(active)).values_list("status").annotate(n=Count("pk"))
        return {(slug, status): n for slug, status, n in by_agent} | {(None, status): n for status, n in free}


def _count(number: int, *, is_partial: bool) -> str:
    if number > COUNTED:
        return f"{COUNTED}+"
    return f"{number}+" if is_partial else str(number)


def _rank(value: Any, group: str) -> int:
    return -value if group == "priority" and value is not None else 0


def _lane(group: str) -> Any:
    """In which lane a task is; NULL: it has no value."""
    match group:
        case "assignee":
            works = Run.objects.active().filter(task=OuterRef("task"), agent=OuterRef("agent"))
            assigned = Assignment.objects.filter(counting(), task=OuterRef("pk")).annotate(works=Exists(works))
            return Subquery(assigned.order_by("-works", "pk").values("agent__slug")[:1])
        case "label":
            labels = Task.labels.through.objects.filter(task=OuterRef("pk")).order_by("label__name")
            return Subquery(labels.values("label__name")[:1])
    return F(group)


def _places(ids: Iterable[int], group: str) -> dict[int, Any]:
    return dict(Task.objects.filter(pk__in=list(ids)).order_by().annotate(lane=_lane(group)).values_list("pk", "lane"))


def _names(values: Collection[Any], group: str, projects: Mapping[int, Project]) -> dict[Any, tuple[str, str]]:
    """The key and the words of each lane."""
    nothing = {None: ("", _NOTHING.get(group, ""))}
    some_values = {value for value in values if value is not None}
    match group:
        case "priority":
            return nothing | {value: (Priority(value).name.lower(), Priority(value).label) for value in some_values}
        case "project":
            return nothing | {pk: (projects[pk].key, f"{projects[pk].key} {projects[pk].name}") for pk in some_values}
        case "parent":
            rows = Task.objects.filter(pk__in=some_values).order_by()
            parents = rows.values_list("pk", "project__key", "number", "title") if some_values else []
            by_id = {pk: (ref_of(key, number), f"{ref_of(key, number)} {title}") for pk, key, number, title in parents}
            # A parent that was deleted meanwhile.
            return nothing | dict.fromkeys(some_values, ("", _NOTHING["parent"])) | by_id
    return nothing | {value: (value, value) for value in some_values}
