"""Facts on their way to an engine, and what it gives back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.measures import Counted, Group


@dataclass(frozen=True, slots=True)
class Source:
    """Facts as SQL.

    ``sql`` names and defines the table ``facts`` for a ``WITH``, with ``params``. Its columns ``groups`` are those that
    facts are grouped by; ``alias`` says which column each measured one is called by, and ``fractions`` which
    percentiles of it are wanted. An engine stops with ``TooManyGroups`` beyond ``most`` groups.
    """

    sql: str
    params: Sequence[Any]
    groups: Sequence[str]
    alias: Mapping[str, str]
    fractions: Mapping[str, Sequence[float]]
    most: int | None = None


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
