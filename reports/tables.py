"""The figures of an answer as a table for people: names, figures with how many facts are behind them, and a total.

Runs of empty rows are folded into one. A figure from fewer facts than it needs is marked, and each figure leads to
what is behind it where there is such a page.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.urls import reverse

from reports.charts import Href
from reports.columns import Column
from reports.formats import bucket_name, figure
from reports.periods import Period
from reports.report import Answer, Row

#: Columns that say what the one before them stands for: an agent's name for its slug, a task's title for its ref.
PROPER_NAMES = frozenset({"name", "title"})
#: Of how many empty rows in a row a fold begins.
FOLDED_FROM = 3
#: A page has no more rows than this; files have all.
MAX_ROWS = 400
MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure as text. ``thin``: from how many facts it is, where those are too few for it; ``link``: to them."""

    text: str
    thin: str = ""
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table: its name with a remark (a slug, "partial"), further names, and its figures.

    A folded line stands for ``folded`` empty rows and has only a name and a remark. ``link``: to what it names.
    """

    name: str
    remark: str
    names: list[str]
    cells: list[Cell]
    folded: int = 0
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table for people. ``left_out``: how many rows it does not show; ``is_thin``: whether a figure is marked.

    Where its figures cannot be put together, there is no ``total``.
    """

    title: str
    name_headers: list[str]
    headers: list[str]
    lines: list[Line]
    total: Line | None
    left_out: int
    is_thin: bool

    @property
    def width(self) -> int:
        """How many columns it has."""
        return len(self.name_headers) + len(self.headers)


def short(label: str) -> str:
    """A label without the group before its colon, which is already in the table's title."""
    words = label.rpartition(": ")[2]
    return words[:1].upper() + words[1:]


def naming(columns: Iterable[Column]) -> list[Column]:
    """The columns that name a row; of those of a bucket the first stands for all."""
    return [column for column in columns if _is_name(column) or column.name == "bucket"]


def _is_name(column: Column) -> bool:
    # A text measures nothing, whatever its role says.
    return column.role == "dimension" or (column.role == "measure" and column.unit == "text")


def measuring(columns: Iterable[Column], names: Sequence[str] = ()) -> list[Column]:
    """The columns that measure a row, or those of ``names`` with the numbers of facts behind them."""
    measured = [column for column in columns if column.role in ("measure", "n") and not _is_name(column)]
    if not names:
        return measured
    behind = {column.n for column in measured if column.name in names}
    return [column for column in measured if column.name in names or column.name in behind]


def _headers(columns: Sequence[Column]) -> list[str]:
    """What to call ``columns``: without their group, unless there are several of them."""
    groups = {column.label.rpartition(": ")[0] for column in columns} - {""}
    return [short(column.label) if len(groups) < 2 else column.label for column in columns]


class _Names:
    """The columns that name the rows of an answer, of which the first one or two make the heading."""

    def __init__(self, given: Answer, measured: Iterable[Column] = ()) -> None:
        self.given = given
        self.measured = [column.name for column in measured]
        self.columns = naming(given.columns)
        rest = self.columns[1:]
        self.first = self.columns[0] if self.columns else None
        self.proper = rest[0] if rest and rest[0].name in PROPER_NAMES else None
        self.further = [column for column in rest if column is not self.proper]

    @property
    def headers(self) -> list[str]:
        if self.first is None:
            return [""]
        is_bucket = self.first.role == "time"
        label = self.given.period.size.value.capitalize() if is_bucket else self.first.label
        return [label, *(column.label for column in self.further)]

    def words(self, row: Row, column: Column) -> str:
        """The value of ``column`` in ``row`` as people read it."""
        value = row.get(column.name)
        known = self.given.result.words.get(column.name, {})
        if isinstance(value, str | None) and value in known:
            return known[value]
        if column.name == "bucket" and value is not None:
            return bucket_name(value, self.given.period.size)
        return said(value, column, self.given)

    def is_said(self, row: Row, column: Column) -> bool:
        """Whether people read something for ``column`` of ``row``: of what has no value, only in the heading."""
        return row.get(column.name) is not None or (column is self.first and self.proper is None)

    def heading(self, row: Row) -> tuple[str, str]:
        """The name of ``row`` and a remark."""
        if self.first is None:
            return "", ""
        name = self.words(row, self.first)
        if self.proper is None:
            return name, "partial" if row.get("is_partial") else ""
        proper = row.get(self.proper.name)
        return (str(proper), str(row.get(self.first.name) or "")) if proper else (name, "")

    def line(self, row: Row, cells: list[Cell]) -> Line:
        names = [self.words(row, column) for column in self.further]
        return Line(*self.heading(row), names, cells, link=task_link(row))

    def total(self, cells: list[Cell]) -> Line | None:
        if all(self.given.total.get(name) is None for name in self.measured):
            return None
        words = "Whole period" if self.given.is_over_time else "All together"
        return Line(words, "", [""] * len(self.further), cells)


def said(value: Any, column: Column, given: Answer) -> str:
    """A value of ``column`` as people read it, times by the clocks of the answer."""
    if isinstance(value, datetime):
        local = value.astimezone(given.period.zone)
        return f"{local.day} {local:%b %Y, %H:%M}"
    return f"{value.day} {value:%b %Y}" if isinstance(value, date) else figure(value, column.unit)


def task_link(row: Row) -> str | None:
    """The page of the task that ``row`` is about, if it is about one."""
    return reverse("task", args=[row["task"]]) if row.get("task") else None


def cell_of(row: Row, column: Column, given: Answer, href: Href | None = None) -> Cell:
    """The figure in ``column`` of ``row``."""
    value = row.get(column.name)
    is_thin = column.needs > 1 and column.is_thin(row)
    thin = f"from {row.get(column.n or '') or 0:,}, needs {column.needs}" if is_thin else ""
    return Cell(said(value, column, given), thin, href(row, column.name) if href and value else None)


def _is_empty(row: Row, columns: Iterable[Column]) -> bool:
    return not any(row.get(column.name) for column in columns)


def _fold(given: Answer, run: Sequence[Line]) -> Line:
    words = f"{len(run)} empty {given.period.size}s"
    return Line(words, f"{run[0].name} to {run[-1].name}", [], [], folded=len(run))


def _folded(given: Answer, lines: Iterable[tuple[Line, bool]]) -> list[Line]:
    """``lines`` (each with whether it is empty), runs of empty ones as one."""
    folded: list[Line] = []
    run: list[Line] = []
    for line, is_empty in [*lines, (None, False)]:
        if line is not None and is_empty:
            run.append(line)
            continue
        folded += [_fold(given, run)] if len(run) >= FOLDED_FROM else run
        run = []
        if line is not None:
            folded.append(line)
    return folded


def table_of(given: Answer, *, title: str, names: Sequence[str] = (), href: Href | None = None) -> Table:
    """The table of ``given``, with all its figures or those of the columns ``names``."""
    columns = measuring(given.columns, names)
    heads = _Names(given, columns)

    def cells(row: Row) -> list[Cell]:
        return [cell_of(row, column, given, href) for column in columns]

    lines = [heads.line(row, cells(row)) for row in given.rows]
    if given.is_over_time and len(heads.columns) == 1:
        lines = _folded(
            given, ((line, _is_empty(row, columns)) for line, row in zip(lines, given.rows, strict=True))
        )  # fmt: skip
    total = heads.total(cells(given.total))
    shown = lines[:MAX_ROWS]
    return Table(
        title=title,
        name_headers=heads.headers,
        headers=_headers(columns),
        lines=shown,
        total=total,
        left_out=len(lines) - len(shown),
        is_thin=any(cell.thin for line in [*shown, *([total] if total else [])] for cell in line.cells),
    )


def spoken(given: Answer) -> list[Row]:
    """The rows of ``given`` for charts: times by its clocks, and words as people read them."""
    names, zone = _Names(given), given.period.zone
    words = [column for column in names.columns if column.unit in ("text", "percent")]

    def local(value: Any) -> Any:
        return value.astimezone(zone) if isinstance(value, datetime) else value

    return [
        {name: local(value) for name, value in row.items()}
        | {column.name: names.words(row, column) for column in words if names.is_said(row, column)}
        for row in given.rows
    ]


def days_of(period: Period) -> tuple[date, date]:
    """The first and the last day of ``period``, by its clocks."""
    start, last = period.start.astimezone(period.zone), (period.end - MOMENT).astimezone(period.zone)
    return start.date(), last.date()
