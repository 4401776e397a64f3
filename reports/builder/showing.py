"""The answer to a definition as pages show it: one sentence, headline figures, a chart and a table."""

from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from reports.behind import href_of
from reports.builder.drawing import drawing_of
from reports.definitions.columns import CHANGE
from reports.presentation import Panel
from reports.report import Answer
from reports.tables import Cell, cell_of, days_of, naming, table_of
from reports.vocabulary import CONDITIONS
from tasks.conditions import Context
from tasks.conditions.words import missing, words_of


@dataclass(frozen=True, slots=True)
class Shown:
    """A complete answer. ``summary`` is one sentence of what is shown; ``panel`` has the chart and the table."""

    summary: str
    period: str
    headline: list[tuple[str, Cell]]
    panel: Panel | None
    notes: list[str]
    n: int


def shown_of(given: Answer, *, user: Any, ident: str = "report") -> Shown:
    """``given``, the answer to a definition, as texts, a chart and a table for ``user``."""
    drawing = drawing_of(given, ident=ident)
    summary = _summary(given)
    table = table_of(given, title=summary, href=href_of(given)) if naming(given.columns) else None
    panel = None
    if drawing is not None:
        panel = Panel(ident, drawing.title, drawing.svg, drawing.legend, table)
    elif table is not None:
        panel = Panel(ident, summary, SafeString(), [], table)
    return Shown(
        summary=summary,
        period=_period(given),
        headline=_headline(given),
        panel=panel,
        notes=[*_missing(given, user), *given.notes, *([drawing.note] if drawing and drawing.note else [])],
        n=given.n,
    )


def _measured(given: Answer) -> list[str]:
    assert given.definition is not None
    return [measured.column for measured in given.definition.measures]


def _headline(given: Answer) -> list[tuple[str, Cell]]:
    """Each chosen figure over all, and by how much it has changed if periods are compared."""
    names = [name for column in _measured(given) for name in (column, f"{column}{CHANGE}")]
    columns = {column.name: column for column in given.columns}
    href = href_of(given)
    return [
        (columns[name].label, cell_of(given.total, columns[name], given, href)) for name in names if name in columns
    ]


def _period(given: Answer) -> str:
    """``All my projects, 5 Jan 2026 to 1 Feb 2026, in Europe/Berlin time``."""
    first, last = days_of(given.period)
    whose = given.scope.project.key if given.scope.project else "All my projects"
    return f"{whose}, {first.day} {first:%b %Y} to {last.day} {last:%b %Y}, in {given.tz} time"


def _summary(given: Answer) -> str:
    assert given.definition is not None
    columns = {column.name: column for column in given.columns}
    words = ", ".join(columns[name].label for name in _measured(given))
    if given.definition.by:
        words += f", for each {' and '.join(columns[name].label.lower() for name in given.definition.by)}"
    if given.is_over_time:
        words += f", per {given.period.size}"
    if given.definition.where is not None:
        where, fields = given.definition.where, CONDITIONS[given.definition.facts]
        words += f", only if {words_of(where, fields, zone=given.period.zone)}"
    if given.definition.compare:
        words += ", compared with the period before"
    return words


def _missing(given: Answer, user: Any) -> list[str]:
    """A sentence for each name in the conditions that has ceased to exist, or is out of the reader's sight."""
    assert given.definition is not None
    if given.definition.where is None:
        return []
    context = Context(user, given.period.zone, given.at)
    return missing(given.definition.where, CONDITIONS[given.definition.facts], context)
