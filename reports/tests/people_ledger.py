"""What a ``PeopleWalk`` saw after each of its steps."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass
class SeenRun:
    """A run as the ledger saw it; ``ended`` None: it is active."""

    agent: str
    project: str
    task: int
    began: datetime
    version: str
    ended: datetime | None = None
    outcome: str = ""
    code: str = ""
    tokens: tuple[int, int] = (0, 0)
    cost: Decimal = Decimal(0)
    labels: tuple[str, ...] = ()


@dataclass
class Pass:
    """A task's way to its completion, as far as the ledger saw it."""

    agent: str | None = None
    version: str = ""
    failed: int = 0
    changes: int = 0
    tokens: int = 0
    cost: Decimal = Decimal(0)
    labels: tuple[str, ...] = ()
    due: datetime | None = None
    completed: datetime | None = None
    #: The row of a completion that is not one agent's.
    whose: str = ""
    imported: bool = False
    known: bool = True
    project: str = ""
    task: int = 0


@dataclass(frozen=True)
class SeenStep:
    """What happened between a task and an agent: an offer, an assignment, or how it ended."""

    step: str
    project: str
    agent: str
    at: datetime
    score: float | None = None
    margin: float | None = None


@dataclass
class Ledger:
    runs: dict[Any, SeenRun] = field(default_factory=dict)
    open: dict[int, Pass] = field(default_factory=dict)
    done: list[tuple[str, Pass]] = field(default_factory=list)
    last: dict[int, Pass] = field(default_factory=dict)
    reopened: list[tuple[str, datetime, Pass]] = field(default_factory=list)
    stalls: list[tuple[str, str, datetime, str]] = field(default_factory=list)
    status: dict[int, tuple[str, str]] = field(default_factory=dict)
    #: Since when each task is in review; and each review: project, who gave it, when, and since when it was due.
    in_review: dict[int, datetime] = field(default_factory=dict)
    reviews: list[tuple[str, str, datetime, datetime]] = field(default_factory=list)
    steps: list[SeenStep] = field(default_factory=list)
    #: The assignments as they were seen last, by id: how they began, and how they ended.
    assigned: dict[int, tuple[str, str]] = field(default_factory=dict)
    decided: set[int] = field(default_factory=set)
    #: From each moment on: by project, who could be given work, with the capacity.
    could: list[tuple[datetime, dict[str, dict[str, int]]]] = field(default_factory=list)
