"""The board in lanes: the cards that its columns show, in a row for each agent, priority, label, parent or project.

In which lane a task is, the database says, for the cards shown and in one more query for all tasks that the columns
count: so lanes cost the same however many there are.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from django.db.models import Count, Exists, F, OuterRef, QuerySet, Subquery

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


@dataclass(frozen=True)
class Cell:
    """What a lane shows of one column."""

    status: str
    title: str
    is_folded: bool
    cards: list[Card | KeptCard]


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
) -> list[Lane]:
    """The cards of the columns in lanes; a card is in one lane alone.

    A task of several agents is in the lane of the one who works on it, one with several labels in that of the first.
    Lanes are in the order of their names, priorities the highest first; what has no value comes last. ``counted``: the
    tasks that the columns count; ``ids``: of the cards, by ref. ``is_complete``: also the lanes of each priority and of
    nothing, where a card may be dropped, if they have none.
    """
    places = _places(ids.values(), group)
    numbers: dict[Any, int] = dict(
        counted.order_by().annotate(lane=_lane(group)).values_list("lane").annotate(n=Count("pk"))
    )
    is_partial = any(row.content.is_partial or row.content.is_capped for row in rows)
    values = {places.get(ids[card.ref]) for row in rows for card in row.cards}
    if is_complete:
        values |= set(Priority.values) if group == "priority" else {None} if group in _NOTHING else set()
    named = _names(values, group, projects)
    lanes = []
    for value in sorted(values, key=lambda value: (value is None, _rank(value, group), named[value][1])):
        cells = [
            Cell(
                row.status,
                row.title,
                row.is_folded,
                [card for card in row.cards if places.get(ids[card.ref]) == value],
            )
            for row in rows
        ]
        key, label = named[value]
        shown = sum(len(cell.cards) for cell in cells)
        count = _count(max(numbers.get(value, 0), shown), is_partial=is_partial)
        lanes.append(Lane(group, key, label, count, f"{group}:{key}" in folded, cells))
    return lanes


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
