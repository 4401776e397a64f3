"""What the buttons of the builder do to its fields, and where a sentence about a definition belongs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.http import QueryDict

from reports.builder.choices import first_operator, measure_words
from reports.builder.form import COUNT, Form, Row
from reports.vocabulary import FACTS, Fact
from taskproject.errors import DomainError, Invalid
from tasks.conditions import Field, Kind

#: Parameters of a form that was sent, which the address of what it shows does not have.
PASSING = ("was", "do", "field")
#: What the page opens with.
DEFAULT = Form(facts="episodes", measures=(COUNT,), on="completed", bucket="week", last="12", unit="week")

_REMOVE = re.compile(r"remove-(m|by|f)-(\d{1,2})")
_PLACE = re.compile(r"(measures|by|order)\[(\d+)\]|where\.(?:all|any)\[(\d+)\]|([a-z_.]+)")
#: The field of the page for a place in the definition.
_FIELDS = {
    "facts": "facts",
    "measures": "m-0",
    "by": "by-0",
    "time.on": "on",
    "time.bucket": "bucket",
    "period.last": "last",
    "period.unit": "unit",
    "period.from": "from",
    "period.to": "to",
    "tz": "tz",
    "limit": "limit",
    "compare": "compare",
    "show.chart": "chart",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the fields make no report: one sentence, and the field that it is about (empty: none alone)."""

    sentence: str
    field: str = ""


def read_form(query: QueryDict, table_of: Any) -> Form:
    """The fields as sent, with what the pressed button does. ``table_of``: the conditions of a fact."""
    form = Form.of_query(query)
    # What is chosen twice is meant once.
    form = replace(form, measures=tuple(dict.fromkeys(form.measures)), by=tuple(dict.fromkeys(form.by)))
    fact = FACTS.get(form.facts)
    if fact is None:
        return form
    if query.get("was", form.facts) != form.facts:
        form = fitting(form, fact, table_of(fact))
    do = query.get("do", "")
    if do == "add":
        return with_condition(form, query.get("field", ""), table_of(fact))
    if match := _REMOVE.fullmatch(do):
        return _without(form, match[1], int(match[2]))
    return form


def with_condition(form: Form, name: str, table: Mapping[str, Field]) -> Form:
    """``form`` with an empty condition of the field ``name``."""
    known = table.get(name)
    if known is None:
        return form
    values = ("true",) if known.kind is Kind.FLAG else ()
    return replace(form, rows=(*form.rows, Row(name, first_operator(known), values)))


def fitting(form: Form, fact: Fact, table: Mapping[str, Field]) -> Form:
    """``form`` without the words that ``fact`` does not have: somebody chose it just now."""
    known = {word for _, words in measure_words(fact) for word in words}
    measures = tuple(word for word in form.measures if word in known)
    return replace(
        form,
        measures=measures or (COUNT,),
        by=tuple(name for name in form.by if any(name == each.name for each in fact.dimensions)),
        on=form.on if any(form.on == each.name for each in fact.moments) else fact.moments[0].name,
        rows=tuple(row for row in form.rows if row.field in table),
        order=(),
        chart="",
    )


def _without(form: Form, what: str, number: int) -> Form:
    name = {"m": "measures", "by": "by", "f": "rows"}[what]
    items = getattr(form, name)
    changes: dict[str, Any] = {name: (*items[:number], *items[number + 1 :])}
    if what != "f":
        # What the rows are sorted by may have gone.
        changes["order"] = ()
    return replace(form, **changes)


def problem_of(error: DomainError, form: Form) -> Problem:
    """The sentence of ``error`` in words of the page, with its field."""
    if not isinstance(error, Invalid):
        return Problem(error.sentence)
    if not form.measures:
        return Problem("Choose a figure.", "m-0")
    match = _PLACE.match(error.field)
    if match is None:
        return Problem(error.sentence)
    if match[3] is not None:
        places = form.complete_rows
        number = places[int(match[3])] if int(match[3]) < len(places) else 0
        return Problem(error.sentence, f"f{number}")
    if match[1] == "order":
        return Problem(error.sentence, "order")
    if match[1] is not None:
        return Problem(error.sentence, f"{'m' if match[1] == 'measures' else 'by'}-{match[2]}")
    return Problem(error.sentence, _FIELDS.get(match[4], ""))
