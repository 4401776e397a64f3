"""Two engines beside each other, figure by figure."""

from dataclasses import dataclass
from typing import Any

from bench.clickhouse.engine import Engine
from reports.engines.source import Counts, Source
from reports.measures import Average, Count, Counted, Distinct, Greatest, Least, Percentile, Sum

#: The aggregates that are read of what `Source.functions` names.
KINDS = {"COUNT": (Count,), "SUM": (Sum, Average), "MIN": (Least,), "MAX": (Greatest,), "DISTINCT": (Distinct,)}


class Differs(Exception):
    """Two engines disagree on a figure."""


@dataclass
class Beside:
    """An engine that asks ``own`` and ``other``, and answers what the ``other`` says.

    Raises ``Differs`` if an exact figure is not the same. ``gap`` is the largest difference of two percentiles before
    they are rounded to the hundredth that they must be.
    """

    own: Engine
    other: Engine
    asked: int = 0
    figures: int = 0
    gap: float = 0.0

    def __call__(self, cursor: Any, source: Source) -> Counts:
        own, other = self.own(cursor, source), self.other(cursor, source)
        self.compare(source, own, other)
        return other

    def compare(self, source: Source, own: Counts, other: Counts) -> None:
        """Every figure of two answers to ``source``."""
        self.asked += 1
        if own.groups.keys() != other.groups.keys():
            raise Differs(f"The groups {own.groups.keys() ^ other.groups.keys()} are in only one answer: {source}")
        for group, counted in [*own.groups.items(), (None, own.total)]:
            self._compare(source, group, counted, other.total if group is None else other.groups[group])

    def _compare(self, source: Source, group: Any, own: Counted, other: Counted) -> None:
        if own.facts != other.facts:
            raise Differs(f"{own.facts} and {other.facts} facts in {group}: {source}")
        self.figures += 1
        for column in source.alias:
            fractions = source.fractions.get(column, ())
            percentiles = [Percentile(column, fraction) for fraction in fractions]
            wanted = [kind(column) for name in source.functions(column) for kind in KINDS[name]]
            for aggregate in wanted + percentiles:
                ours, theirs = own.read(aggregate), other.read(aggregate)
                if (type(ours), ours) != (type(theirs), theirs):
                    raise Differs(f"{aggregate} is {ours!r} and {theirs!r} in {group}: {source}")
                self.figures += 1
            if own.read(Count(column)):
                before, after = own.of[column].percentiles, other.of[column].percentiles
                self.gap = max([self.gap, *(abs(before[each] - after[each]) for each in fractions)])
