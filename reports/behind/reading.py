"""Reads which cell an address asks about: ``?definition=…&column=count&from=…&to=…&words={"agent":"atlas"}``."""

import json
from dataclasses import dataclass, replace
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.http import QueryDict

from reports.behind.cells import measured_in
from reports.definitions import Cell, Definition, columns, read
from reports.instants import READER, instant_at, zone_at
from reports.parameters import refuse_parameters
from reports.scopes import Scope, scope_of
from reports.vocabulary import FACTS
from reports.vocabulary.declaration import Dimension
from taskproject.errors import Invalid, unknown_choice, unknown_name
from taskproject.sheets import CONTENT_TYPES
from taskproject.strict_json import DECODER, unstorable, why

NAMES: Final = ("definition", "column", "from", "to", "words", "project", "cursor", "output")
NEEDED: Final = ("definition", "column", "from", "to")


@dataclass(frozen=True, slots=True)
class Asked:
    """The cell of a definition in a scope, the zone of its times, and the form of the answer: a file, or a page."""

    definition: Definition
    cell: Cell
    scope: Scope
    zone: ZoneInfo
    output: str
    cursor: str


def read_asked(query: QueryDict, *, user: Any, zone: ZoneInfo) -> Asked:
    """What the address asks about. Raises ``Invalid``, and ``NotFound`` for a project that is not theirs."""
    refuse_parameters(query, NAMES)
    for name in query:
        if len(query.getlist(name)) > 1:
            raise Invalid({name: "Give it once."})
        if sentence := unstorable(str(query[name])):
            raise Invalid({name: sentence})
    for name in NEEDED:
        if not query.get(name):
            raise Invalid({name: "Must be given; follow a figure of a report."})
    given = {name: str(query[name]) for name in query}
    definition = read(_json("definition", given["definition"]))
    reads_in = zone if definition.tz == READER else zone_at("tz", definition.tz)
    definition = replace(definition, tz=reads_in.key)
    column = given["column"]
    if measured_in(definition, column) is None or column.endswith(columns.PREVIOUS):
        known = [each.name for each in columns.of(definition) if each.role in ("measure", "n")]
        raise Invalid({"column": unknown_name(column, known, what="column")})
    start, end = (instant_at(name, given[name], reads_in) for name in ("from", "to"))
    if start >= end:
        raise Invalid({"to": "It must be after `from`."})
    cell = Cell(column, start, end, _words(definition, given.get("words", "")))
    output = given.get("output", "")
    if output and output not in CONTENT_TYPES:
        raise Invalid({"output": unknown_choice(output, list(CONTENT_TYPES), what="output")})
    scope = scope_of(user, given.get("project") or None)
    return Asked(definition, cell, scope, reads_in, output, given.get("cursor", ""))


def _json(name: str, text: str) -> Any:
    try:
        return DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise Invalid({name: f"Must be JSON: {why(error).removesuffix('.')}."}) from None


def _words(definition: Definition, text: str) -> dict[str, str | None]:
    given = _json("words", text) if text else {}
    if not isinstance(given, dict):
        raise Invalid({"words": f"Must be an object such as {json.dumps({'agent': 'atlas'})}."})
    fact = FACTS[definition.facts]
    for name, word in given.items():
        if name not in definition.by:
            raise Invalid({"words": unknown_name(name, definition.by, what="dimension of the definition")})
        if word is not None and not isinstance(word, str):
            raise Invalid({f"words.{name}": "Must be a text or null."})
        if word is not None and (sentence := unstorable(word) or _wrong(fact.dimension(name), word)):
            raise Invalid({f"words.{name}": sentence})
    return given


def _wrong(dimension: Dimension, word: str) -> str | None:
    """Why nothing can be called so: columns of numbers and flags have no other words than those that are known."""
    known = [each for each, _ in dimension.choices.values()]
    if not known or word in known or all(isinstance(value, str) for value in dimension.choices):
        return None
    return unknown_choice(word, known)


def moment_of(definition: Definition) -> str:
    """The column of the time that the facts count by."""
    fact = FACTS[definition.facts]
    return (fact.moment(definition.time.on) if definition.time is not None else fact.moments[0]).field
