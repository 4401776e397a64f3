"""The columns of an answer: what each is called, measured in, and does in a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

#: ``time`` and ``dimension`` name a row, ``measure`` measures it, and ``n`` says how many facts a measure is based on.
Role = Literal["time", "dimension", "measure", "n"]


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of a report: its name in JSON and CSV, its label for people, its unit and its role.

    ``n`` names the column that counts the facts of a measure; below ``needs`` of them the figure says little.
    """

    name: str
    label: str
    unit: str
    role: Role = "measure"
    n: str | None = None
    needs: int = 1

    def is_thin(self, row: Mapping[str, Any]) -> bool:
        """Whether the figure in ``row`` is based on fewer facts than it needs."""
        return self.n is not None and row.get(self.name) is not None and (row.get(self.n) or 0) < self.needs


BUCKET_COLUMNS = (
    Column("bucket", "Period", "date", "time"),
    Column("starts_at", "From", "time", "time"),
    Column("ends_at", "Before", "time", "time"),
    Column("is_partial", "Partial", "flag", "time"),
)
