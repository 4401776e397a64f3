"""The board in lanes: the cards that its columns show, in a row for each agent, priority, label, parent or project.

A lane has no query of its own, so lanes cost no more than columns, and its number is that of the cards shown.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from tasks.models import Priority, Task, ViewPlace
from tasks.pages.cards import Card
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
    cards: list[Card]


@dataclass(frozen=True)
class Lane:
    key: str
    label: str
    cells: list[Cell]

    @property
    def count(self) -> int:
        return sum(len(cell.cards) for cell in self.cells)


def lanes_of(columns: Sequence[tuple[str, str, bool, Iterable[Card]]], group: str) -> list[Lane]:
    """The cards of ``columns`` (status, title, whether it is folded, cards) in lanes; a card is in one lane alone.

    A task of several agents is in the lane of the one who works on it, one with several labels in that of the first.
    Lanes are in the order of their names, priorities the highest first; what has no value comes last.
    """
    cards = [card for _, _, _, shown in columns for card in shown]
    place = _places(cards, group)
    names = {place(card) for card in cards}
    ordered = sorted(names, key=lambda name: (name == "", _rank(name, group), name))
    return [
        Lane(
            quote(name, safe="") or f"{number}",
            name or _NOTHING[group],
            [
                Cell(status, title, is_folded, [card for card in shown if place(card) == name])
                for status, title, is_folded, shown in columns
            ],
        )
        for number, name in enumerate(ordered)
    ]


def _rank(name: str, group: str) -> int:
    return -Priority[name.upper()].value if group == "priority" and name else 0


def _places(cards: Iterable[Card], group: str) -> Callable[[Card], str]:
    """In which lane a card is, by the lane's name; empty: it has no value."""
    match group:
        case "assignee":
            return lambda card: card.assignees[0].slug if card.assignees else ""
        case "label":
            return lambda card: card.labels[0] if card.labels else ""
        case "project":
            return lambda card: f"{card.task.project.key} {card.task.project.name}"
        case "parent":
            parents = _parents({card.task.parent_id for card in cards if card.task.parent_id})
            return lambda card: parents.get(card.task.parent_id or 0, "")
    return lambda card: card.priority


def _parents(ids: set[int]) -> dict[int, str]:
    rows = Task.objects.filter(pk__in=ids).order_by().values_list("pk", "project__key", "number", "title")
    return {pk: f"{ref_of(key, number)} {title}" for pk, key, number, title in rows}
