"""How the vocabulary is declared: facts with their moments, measures, dimensions and conditions.

Everything that a definition names is one of these. A definition never contains SQL: it chooses among expressions that
are written here, and the database computes them.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import F, Model, Q, QuerySet, Value
from django.db.models.functions import NullIf

from reports.measures import Aggregate, Average, Count, Distinct, Greatest, Least, Percentile, Sum
from reports.scopes import Scope

PERCENTILES = {"p50": 0.5, "p85": 0.85, "p95": 0.95}
#: How many values a percentile needs: below, it is the largest one or close to it.
NEEDED = {"p50": 2, "p85": 7, "p95": 20}
#: All aggregates, with what people call them.
AGGREGATES = {
    "count": "number",
    "distinct": "different ones",
    "sum": "sum",
    "mean": "mean",
    "min": "least",
    "max": "most",
    "p50": "median",
    "p85": "85th percentile",
    "p95": "95th percentile",
}
#: What can be said of durations, amounts and flags.
ALL = tuple(name for name in AGGREGATES if name != "distinct")
SPREAD = ("count", "mean", "min", "max", "p50", "p85", "p95")
SHARE = ("count", "sum", "mean")
#: What facts belong to can only be told apart.
DIFFERENT = ("distinct",)


#: No condition.
EVERYTHING = Q()


def aggregate_of(name: str, column: str) -> Aggregate:
    """The aggregate ``name`` of ``AGGREGATES`` over ``column``."""
    match name:
        case "count":
            return Count(column)
        case "distinct":
            return Distinct(column)
        case "sum":
            return Sum(column)
        case "mean":
            return Average(column)
        case "min":
            return Least(column)
        case "max":
            return Greatest(column)
    return Percentile(column, PERCENTILES[name])


def always(expression: Any) -> Callable[[datetime], Any]:
    """An expression that does not depend on the current time."""
    return lambda now: expression


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of a fact, by which it can be counted. ``field``: where it is kept.

    ``where``: the facts that have it. ``unknown``: those among them of which the time is not known, so that they are in
    no figure. ``words``: what is said of them, as in "3 were *completed* at an unknown time".
    """

    name: str
    label: str
    field: str
    where: Q = EVERYTHING
    unknown: Q | None = None
    words: str = ""

    @property
    def known(self) -> Q:
        """The facts that have it at a known time."""
        return self.where if self.unknown is None else self.where & ~self.unknown


@dataclass(frozen=True, slots=True)
class Measure:
    """What can be measured of a fact. ``expression`` gives a whole number, or NULL where there is nothing to measure.

    Its ``unit`` is one of ``reports.units`` or a word for what is counted. It takes the current time.
    """

    name: str
    label: str
    unit: str
    expression: Callable[[datetime], Any]
    meaning: str
    aggregates: tuple[str, ...] = ALL


@dataclass(frozen=True, slots=True)
class Dimension:
    """What facts can be grouped by: the value of ``expression``, a word.

    ``choices``: the known values in their order, each with its word and label. ``nothing``: the label where there is
    no value. ``is_ordered``: the stored values say which is more. ``is_many``: a fact may have several values and
    counts once for each. ``is_whoever``: the words are slugs of agents, or usernames. ``names``: what people read for
    them.
    """

    name: str
    label: str
    expression: Any
    meaning: str = ""
    choices: Mapping[Any, tuple[str, str]] = field(default_factory=dict)
    nothing: str = "None"
    is_ordered: bool = False
    is_many: bool = False
    is_whoever: bool = False
    names: Callable[[Collection[str]], Mapping[str, str]] | None = None

    def word(self, value: Any) -> str | None:
        """What a row shows for a value of the database."""
        if value is None:
            return None
        return self.choices[value][0] if value in self.choices else str(value)

    def labels(self, words: Collection[str | None]) -> dict[str | None, str]:
        """What people read for the ``words`` that differ from what they read."""
        labels: dict[str | None, str] = {None: self.nothing}
        labels |= dict(self.choices.values())
        if self.names is not None and (known := [word for word in words if word is not None]):
            labels.update(dict(self.names(known)))
        return {word: labels[word] for word in words if word in labels}

    def place(self, word: str | None) -> tuple:
        """Where a word stands in order: by its choices, else by its letters; no value comes last."""
        places = [known for known, _ in self.choices.values()]
        if word is None:
            return (2, 0, "", "")
        if word in places:
            return (0, places.index(word), "", word)
        return (1, 0, word.casefold(), word)


@dataclass(frozen=True, slots=True)
class KnownTime:
    """A time that is known of a fact for conditions alone: the value of ``expression``."""

    name: str
    label: str
    expression: Any


@dataclass(frozen=True, slots=True)
class Fact:
    """One kind of row that can be counted. ``meaning``: what a single one is, in words.

    ``rows`` gives those of a scope. The first of ``moments`` is the one that a definition counts by if it names none.
    """

    name: str
    label: str
    meaning: str
    model: type[Model]
    rows: Callable[[Scope], QuerySet]
    moments: tuple[Moment, ...]
    measures: tuple[Measure, ...]
    dimensions: tuple[Dimension, ...]
    times: tuple[KnownTime, ...] = ()

    def moment(self, name: str) -> Moment:
        return next(moment for moment in self.moments if moment.name == name)

    def measure(self, name: str) -> Measure:
        return next(measure for measure in self.measures if measure.name == name)

    def dimension(self, name: str) -> Dimension:
        return next(dimension for dimension in self.dimensions if dimension.name == name)


def filled(field: str) -> Any:
    """A text field, with NULL where it is empty."""
    return NullIf(F(field), Value(""))
