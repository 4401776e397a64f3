"""One figure of a definition."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure: a ``column`` from one instant up to another, where dimensions have these words (None: no value)."""

    column: str
    start: datetime
    end: datetime
    words: Mapping[str, str | None] = field(default_factory=dict)
