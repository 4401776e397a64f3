"""Filters as chips, for every page whose address states a condition (``docs/conditions.md``).

Each chip can be edited, removed, or joined with another by *or*; *Filter* adds one on any field. How a page takes it:
read the address with ``read_query(…, others=(…, *FORM_NAMES))``; make ``filter_bar(request.GET, condition, context,
parameters)``, where ``parameters(condition)`` gives the parameters of the page's address with that condition; if
``bar.redirect``, go there; include ``tasks/_filter_chips.html`` with ``bar`` and, as ``list_url``, the page's path, and
the stylesheet ``tasks/list.css``. A bar with ``errors`` shows them at its form: answer 400.

Without scripts each step is an address: ``add=label`` opens the form, ``edit=2`` the second chip's (``edit=2.1``: its
first alternative), ``join=2`` adds an alternative to it; sent with ``operator`` and ``value`` it leads to the new one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from taskproject.errors import Invalid
from tasks.conditions import Any_, Condition, Context, Kind, Leaf, both, parts_of
from tasks.conditions.of_tasks import TASK_FIELDS, TASK_PARAMETERS
from tasks.conditions.parameters import query_of, read_query
from tasks.conditions.words import words_of
from tasks.pages.filter_form import ADD, EDIT, FORM_NAMES, JOIN, OPERATOR, Adding, read_form

Parameters = Callable[[Condition], dict[str, str]]
#: A part of the condition, and an alternative in it.
Path = tuple[int, ...]


def is_search(part: Condition) -> TypeGuard[Leaf]:
    """Whether it is what the search box says; that stands there and not in a chip."""
    return isinstance(part, Leaf) and part.field == "text" and part.operator == "contains"


def alternatives(part: Condition) -> tuple[Condition, ...]:
    return part.parts if isinstance(part, Any_) else (part,)


def replaced(condition: Condition, path: Path, new: Condition | None) -> Condition:
    """``condition`` with the part at ``path`` replaced; None: removed."""
    parts = list(parts_of(condition))
    if len(path) > 1:
        inner = list(alternatives(parts[path[0]]))
        inner[path[1] : path[1] + 1] = [new] if new is not None else []
        new = _any(inner) if inner else None
    parts[path[0] : path[0] + 1] = [new] if new is not None else []
    return both(*parts)


def joined(condition: Condition, place: int, new: Condition) -> Condition:
    """``condition`` where the part at ``place`` or ``new`` applies."""
    return replaced(condition, (place,), _any([*alternatives(parts_of(condition)[place]), new]))


def _any(parts: list[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else Any_(tuple(parts))


@dataclass(frozen=True)
class Chip:
    """A part of the condition in words, and the addresses that change it; one that is empty is not offered.

    ``alternatives``: the same of each, where several are joined by *or*.
    """

    words: str
    remove_url: str
    edit_url: str = ""
    or_url: str = ""
    alternatives: "list[Chip]" = field(default_factory=list)

    @property
    def url(self) -> str:
        """The page without it, for chips that can only be removed."""
        return self.remove_url


@dataclass(frozen=True)
class FilterBar:
    """The chips of a page, and the form that adds or edits one, if it is open."""

    chips: list[Chip]
    fields: list[tuple[str, str]]
    hidden: dict[str, str]
    clear_url: str
    adding: Adding | None = None
    #: The chip, in words, to which the form adds an alternative.
    joining: str = ""
    errors: list[str] = field(default_factory=list)
    redirect: str = ""
    cancel_url: str = ""
    names: dict[str, str] = field(default_factory=lambda: {name: name for name in FORM_NAMES})


def filter_bar(query: QueryDict, condition: Condition, context: Context, parameters: Parameters) -> FilterBar:
    """The bar for ``condition``, as ``query`` asks for it. Raises ``Invalid`` where no form could be shown."""
    zone: Any = context.zone
    # In the order in which its own addresses state it: places in them mean the same parts.
    condition = read_query(
        MultiValueDict({name: [text] for name, text in query_of(condition, TASK_PARAMETERS).items()}),
        TASK_FIELDS,
        TASK_PARAMETERS,
    )

    def address(new: Condition, **form: str) -> str:
        values = {**parameters(new), **form}
        return f"?{urlencode(values)}" if values else "?"

    for name in (ADD, EDIT, JOIN, OPERATOR):
        if len(query.getlist(name)) > 1:
            raise Invalid({name: "Give it once."})
    chips = [_chip(condition, place, zone, address) for place in _places(condition)]
    path = _path(query, condition, EDIT)
    if path and not _is_editable(_at(condition, path)):
        raise _no_such(EDIT)
    place = _path(query, condition, JOIN)
    form: dict[str, str] = {}
    if path:
        form = {EDIT: _spelled(path)}
    elif place:
        form = {JOIN: _spelled(place)}
    bar = FilterBar(
        chips=chips,
        fields=[
            (each.label, address(condition, **form, **{ADD: each.name}))
            for each in TASK_FIELDS.values()
            if each.name != "text"
        ],
        hidden={**parameters(condition), **form},
        clear_url=address(both(*(part for part in parts_of(condition) if is_search(part)))),
        cancel_url=address(condition),
        joining=words_of(parts_of(condition)[place[0]], TASK_FIELDS, zone=zone) if place else "",
    )
    adding = read_form(query, context, _at(condition, path) if path else None)
    if adding is None:
        return bar
    bar = replace(bar, adding=adding)
    if not adding.is_sent:
        return bar
    try:
        new = adding.condition()
    except Invalid as mistake:
        return replace(bar, errors=mistake.sentences)
    if path:
        whole = replaced(condition, path, new)
    else:
        whole = joined(condition, place[0], new) if place else both(condition, new)
    return replace(bar, redirect=address(whole))


def _places(condition: Condition) -> list[int]:
    parts = parts_of(condition)
    searched = next((place for place, part in enumerate(parts) if is_search(part)), -1)
    return [place for place in range(len(parts)) if place != searched]


def _chip(condition: Condition, place: int, zone: ZoneInfo, address: Callable[..., str]) -> Chip:
    part = parts_of(condition)[place]
    inner = [
        Chip(
            words_of(each, TASK_FIELDS, zone=zone),
            address(replaced(condition, (place, at), None)),
            address(condition, **{EDIT: _spelled((place, at))}) if _is_editable(each) else "",
        )
        for at, each in enumerate(alternatives(part))
    ]
    return Chip(
        words_of(part, TASK_FIELDS, zone=zone),
        address(replaced(condition, (place,), None)),
        address(condition, **{EDIT: _spelled((place,))}) if _is_editable(part) else "",
        address(condition, **{JOIN: _spelled((place,))}),
        inner if isinstance(part, Any_) else [],
    )


def _is_editable(part: Condition) -> bool:
    if not isinstance(part, Leaf) or part.field == "text":
        return False
    # The form has one number.
    return not (TASK_FIELDS[part.field].kind is Kind.NUMBER and len(part.values) > 1)


def _spelled(path: Path) -> str:
    return ".".join(str(place + 1) for place in path)


def _path(query: QueryDict, condition: Condition, name: str) -> Path:
    """Where ``name`` points; empty: nowhere. Raises ``Invalid``: another window may have changed the list."""
    text = query.get(name, "").strip()
    if not text:
        return ()
    places = text.split(".")
    parts = parts_of(condition)
    if len(places) <= 2 and all(place.isascii() and place.isdecimal() and len(place) < 4 for place in places):
        path = tuple(int(place) - 1 for place in places)
        if 0 <= path[0] < len(parts) and (len(path) == 1 or 0 <= path[1] < len(alternatives(parts[path[0]]))):
            return path
    raise _no_such(name)


def _no_such(name: str) -> Invalid:
    return Invalid({name: "There is no such filter here; open the page again."})


def _at(condition: Condition, path: Path) -> Condition:
    part = parts_of(condition)[path[0]]
    return alternatives(part)[path[1]] if len(path) > 1 else part
