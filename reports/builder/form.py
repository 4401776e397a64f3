"""What the fields of the builder hold. The address of the page has the same, so a link to it is a definition.

A ``Form`` holds texts as they were entered, wrong ones too; ``definition`` makes of them the document that
``reports.definitions`` reads or refuses, and ``of_definition`` goes back. Conditions that no fields could hold, such as
groups within groups, are kept as they are.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.http import QueryDict

from taskproject.strict_json import DECODER

#: More rows are never read from an address; the limits of a definition are lower.
MOST_ROWS, MOST_VALUES, LONGEST, LONGEST_DOCUMENT = 20, 60, 1_000, 8_000
COUNT: Final = "count"
#: The way in which the builder offers ``is_set``: without a value.
SET, UNSET = "is_set", "is_not_set"

Document = dict[str, Any]
#: The kind of values of a field by its name: ``number``, ``flag`` or any other; None: there is no such field.
Kinds = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Row:
    """A condition: of a field, or of ``document``, the JSON of one that has no fields here."""

    field: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()
    document: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether it has what it compares with. One that was only just added has not, and is not applied."""
        return bool(self.document or self.values or self.operator in (SET, UNSET))

    def as_document(self, kinds: Kinds) -> Any:
        """The condition as a definition has it; a text that is not JSON stays one, and is refused."""
        if self.document:
            try:
                return DECODER.decode(self.document)
            except (ValueError, RecursionError):
                return self.document
        if self.operator in (SET, UNSET):
            return {"field": self.field, SET: self.operator == SET}
        values = [_typed(value, kinds(self.field)) for value in self.values]
        return {"field": self.field, self.operator: values if self.operator in SEVERAL else values[0]}

    @classmethod
    def of_document(cls, document: Any) -> "Row":
        if isinstance(document, dict) and len(document) == 2 and isinstance(document.get("field"), str):
            operator = next(key for key in document if key != "field")
            value = document[operator]
            if operator == SET and isinstance(value, bool):
                return cls(document["field"], SET if value else UNSET)
            several = operator in SEVERAL and isinstance(value, list) and 1 <= len(value) <= MOST_VALUES
            values = value if several else [value]
            if all(map(_fits_a_field, values)) and (several or operator not in (SET, *SEVERAL)):
                if operator in SAME and not isinstance(value, bool):
                    operator = SAME[operator]
                return cls(document["field"], operator, tuple(map(_text, values)))
        return cls(document=json.dumps(document, ensure_ascii=False, separators=(",", ":")))


#: Operators with several values, and those that the builder shows as one of these, with the same meaning.
SEVERAL: Final = ("in", "not_in")
SAME: Final = {"is": "in", "is_not": "not_in"}


def _fits_a_field(value: Any) -> bool:
    """Whether a text field gives ``value`` back: it has no line breaks, and what surrounds it is dropped."""
    if not isinstance(value, str):
        return isinstance(value, int | float)
    return value != "" and value == _kept(value) and value.isprintable()


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool | int | float) else str(value)


def _typed(text: str, kind: str | None) -> Any:
    """A value as a condition has it: numbers and yes or no as such, if that is what they are."""
    if kind == "flag":
        return {"true": True, "false": False}.get(text, text)
    return _number(text) if kind == "number" else text


def _number(text: str) -> Any:
    """``text`` as the number that it writes, or itself."""
    try:
        value = DECODER.decode(text.strip())
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text


@dataclass(frozen=True)
class Form:
    """``measures`` are ``count`` or name and aggregate, as in ``cycle:p85``. Empty texts are fields left empty."""

    facts: str = ""
    measures: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    on: str = ""
    bucket: str = ""
    span: str = "last"
    last: str = ""
    unit: str = ""
    start: str = ""
    end: str = ""
    tz: str = ""
    match: str = "all"
    rows: tuple[Row, ...] = ()
    compare: str = ""
    order: tuple[str, ...] = ()
    limit: str = ""
    chart: str = ""

    # -- the address

    @classmethod
    def of_query(cls, query: QueryDict) -> "Form":
        """What an address says; never refuses, and reads a bounded part."""

        def single(name: str, default: str = "") -> str:
            return _kept(query.get(name, default))

        def several(name: str, most: int = MOST_ROWS) -> tuple[str, ...]:
            return tuple(text for text in map(_kept, query.getlist(name)[:most]) if text)

        rows = []
        for number in range(MOST_ROWS):
            if document := _kept(query.get(f"c{number}", ""), LONGEST_DOCUMENT):
                rows.append(Row(document=document))
            elif name := single(f"f{number}"):
                values = several(f"v{number}", MOST_VALUES)
                rows.append(Row(name, single(f"o{number}"), values))
        texts = {name: single(parameter) for name, parameter in TEXTS.items()}
        texts |= {name: texts[name] or default for name, default in ALWAYS.items()}
        # A page without scripts sends the fields of the other kind of period too.
        texts |= dict.fromkeys(("start", "end") if texts["span"] == "last" else ("last", "unit"), "")
        lists = {name: several(parameter) for name, parameter in LISTS.items()}
        return cls(**texts, **lists, rows=tuple(rows))  # type: ignore[arg-type]

    def pairs(self) -> list[tuple[str, str]]:
        """The names and values of its fields, without those that are empty."""
        pairs = [("facts", self.facts)]
        pairs += [(LISTS[name], text) for name in ("measures", "by") for text in getattr(self, name)]
        pairs += [(parameter, getattr(self, name)) for name, parameter in TEXTS.items() if name != "facts"]
        pairs += [(LISTS["order"], text) for text in self.order]
        for number, row in enumerate(self.rows):
            pairs += [(f"c{number}", row.document), (f"f{number}", row.field), (f"o{number}", row.operator)]
            pairs += [(f"v{number}", value) for value in row.values]
        return [(name, text) for name, text in pairs if text and (name, text) not in LEFT_OUT]

    @property
    def query(self) -> str:
        """Its address: the same for forms that say the same."""
        return urlencode(self.pairs())

    # -- the definition

    @property
    def complete_rows(self) -> list[int]:
        """The places of the rows that are conditions of the definition."""
        return [number for number, row in enumerate(self.rows) if row.is_complete]

    def definition(self, kinds: Kinds) -> Document:
        """The document that the fields make; right or not."""
        document: Document = {"version": 1, "facts": self.facts}
        document["measures"] = [_measure(text) for text in self.measures]
        if self.by:
            document["by"] = list(self.by)
        if self.bucket:
            document["time"] = {"bucket": self.bucket} | ({"on": self.on} if self.on else {})
        elif self.on:
            document["time"] = {"on": self.on}
        if period := self._period():
            document["period"] = period
        if self.tz:
            document["tz"] = self.tz
        if self.complete_rows:
            document["where"] = {self.match: [self.rows[number].as_document(kinds) for number in self.complete_rows]}
        if self.compare:
            document["compare"] = self.compare
        if self.order:
            document["order"] = list(self.order)
        if self.limit:
            document["limit"] = _number(self.limit)
        if self.chart:
            document["show"] = {"chart": self.chart}
        return document

    def _period(self) -> Document:
        if self.span == "last":
            return {"last": _number(self.last), "unit": self.unit} if self.last else {}
        return {name: text for name, text in (("from", self.start), ("to", self.end)) if text}

    @classmethod
    def of_definition(cls, document: Any) -> "Form":
        """The fields that make ``document``; of one that is not a definition, those parts that can be read."""
        if not isinstance(document, Mapping):
            return cls()
        time, period, show = (_mapping(document, name) for name in ("time", "period", "show"))
        match, conditions = _conditions(document.get("where"))
        return cls(
            facts=_word(document, "facts"),
            measures=tuple(filter(None, map(_measure_text, _list(document, "measures")))),
            by=_words(document, "by"),
            on=_word(time, "on"),
            bucket=_word(time, "bucket"),
            span="last" if "last" in period or not period else "dates",
            last=_word(period, "last"),
            unit=_word(period, "unit"),
            start=_word(period, "from"),
            end=_word(period, "to"),
            tz=_word(document, "tz"),
            match=match,
            rows=tuple(map(Row.of_document, conditions[:MOST_ROWS])),
            compare=_word(document, "compare"),
            order=_words(document, "order"),
            limit=_word(document, "limit"),
            chart=_word(show, "chart"),
        )


#: The parameters of single texts and of lists; what is always there has a default, which an address leaves out.
TEXTS: Final = {
    "facts": "facts",
    "on": "on",
    "bucket": "bucket",
    "span": "span",
    "last": "last",
    "unit": "unit",
    "start": "from",
    "end": "to",
    "tz": "tz",
    "match": "match",
    "compare": "compare",
    "limit": "limit",
    "chart": "chart",
}
LISTS: Final = {"measures": "m", "by": "by", "order": "order"}
ALWAYS: Final = {"span": "last", "match": "all"}
LEFT_OUT: Final = frozenset((name, default) for name, default in ALWAYS.items())


def _kept(text: str, most: int = LONGEST) -> str:
    return text.strip()[:most]


def _measure(text: str) -> Document:
    name, mark, aggregate = text.rpartition(":")
    return {"name": name, "aggregate": aggregate} if mark else {"aggregate": text}


def _measure_text(measure: Any) -> str:
    if not isinstance(measure, Mapping):
        return ""
    name, aggregate = _word(measure, "name"), _word(measure, "aggregate")
    return f"{name}:{aggregate}" if name else aggregate


def _conditions(where: Any) -> tuple[str, Sequence[Any]]:
    """How the rows of the form belong together, and the condition of each."""
    if where is None:
        return "all", []
    if isinstance(where, Mapping) and len(where) == 1:
        for match in ("all", "any"):
            if isinstance(where.get(match), list) and len(where[match]) <= MOST_ROWS:
                return match, where[match]
    return "all", [where]


def _mapping(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    return value if isinstance(value, Mapping) else {}


def _list(document: Mapping[str, Any], name: str) -> list[Any]:
    value = document.get(name)
    return value[:MOST_ROWS] if isinstance(value, list) else []


def _word(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    return _kept(_text(value)) if isinstance(value, str | int | float) else ""


def _words(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    words = [_kept(_text(item)) for item in _list(document, name) if isinstance(item, str | int | float)]
    return tuple(filter(None, words))
