"""Facts on their way to an engine, and what it gives back."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from reports.measures import Counted, Group, Tally

#: The functions that make a tally, as our databases spell them, and the field that holds the value of each.
SQL: Final = {
    "COUNT": "COUNT({})",
    "SUM": "SUM({})",
    "MIN": "MIN({})",
    "MAX": "MAX({})",
    "DISTINCT": "COUNT(DISTINCT {})",
}
_FIELDS: Final = {"COUNT": "count", "SUM": "total", "MIN": "least", "MAX": "greatest", "DISTINCT": "distinct"}


@dataclass(frozen=True, slots=True)
class Source:
    """Facts as SQL.

    ``sql`` names and defines the table ``facts`` for a ``WITH``, with ``params``. Its columns ``groups`` are those that
    facts are grouped by; ``alias`` says which column each measured one is called by, and ``fractions`` which
    percentiles of it are wanted. Of those in ``counted`` the number of values is wanted, of those in ``sums`` the sum,
    of those in ``extremes`` the least and the greatest value, of those in ``distinct`` how many different values: each
    costs time for every fact. An engine stops with ``TooManyGroups`` beyond ``most`` groups.
    """

    sql: str
    params: Sequence[Any]
    groups: Sequence[str]
    alias: Mapping[str, str]
    fractions: Mapping[str, Sequence[float]]
    counted: AbstractSet[str]
    sums: AbstractSet[str]
    extremes: AbstractSet[str]
    distinct: AbstractSet[str]
    most: int | None = None

    def functions(self, column: str) -> tuple[str, ...]:
        """The aggregate functions whose values over ``column`` make a tally."""
        wanted = (
            ("COUNT", column in self.counted),
            ("SUM", column in self.sums),
            ("MIN", column in self.extremes),
            ("MAX", column in self.extremes),
            ("DISTINCT", column in self.distinct),
        )
        return tuple(name for name, is_wanted in wanted if is_wanted)

    def tally(self, column: str, values: Sequence[Any], percentiles: Mapping[float, float]) -> Tally:
        """``values`` of ``functions(column)`` as a tally."""
        # Of what is a sum already, PostgreSQL gives decimals.
        given: dict[str, Any] = {
            _FIELDS[name]: None if value is None else int(value)
            for name, value in zip(self.functions(column), values, strict=True)
        }
        given["total"] = given.get("total") or 0
        return Tally(**given, percentiles=percentiles)


@dataclass(frozen=True, slots=True)
class Counts:
    """What an engine computed: each group that has facts, and all facts together."""

    groups: dict[Group, Counted]
    total: Counted


class TooManyGroups(Exception):
    """There are more groups than the caller can use."""

    def __init__(self, most: int) -> None:
        self.most = most
        super().__init__(f"There are more than {most:,} groups.")
