"""What came in and what was completed: the net flow."""

from collections.abc import Mapping, Sequence
from typing import Any

from reports import charts
from reports.definitions import read
from reports.notes import on_inferred
from reports.report import BUCKET_COLUMNS, Column, Part, Report, Row


def _part(title: str, on: str, columns: Mapping[str, str], *, where: Any = None, flags: Sequence[str] = ()) -> Part:
    """Episodes over time, and of how many of them each of ``flags`` is true."""
    document = {
        "version": 1,
        "facts": "episodes",
        "measures": [{"aggregate": "count"}, *({"name": flag, "aggregate": "sum"} for flag in flags)],
        "time": {"on": on, "bucket": "auto"},
    }
    return Part(title, read(document | ({"where": {"all": [where]}} if where else {})), columns)


_PARTS = (
    _part(
        "Completed",
        "completed",
        {"completed": "count", "imported": "imported_sum", "inferred": "inferred_end_sum"},
        flags=("imported", "inferred_end"),
    ),
    _part(
        "Arrived",
        "entered",
        {"arrived": "count", "reopened": "reopened_sum"},
        flags=("reopened",),
        # It came in once, with the episode that it goes on with.
        where={"field": "continues", "is": False},
    ),
    _part(
        "Ended otherwise",
        "ended",
        {"ended_otherwise": "count"},
        where={"field": "end", "in": ["failed", "cancelled", "deleted"]},
    ),
)


def _net(rows: Sequence[Row]) -> list[Row]:
    return [{"net": row["arrived"] - row["completed"] - row["ended_otherwise"]} for row in rows]


COMPLETED = Report(
    slug="completed",
    title="Completed and arrivals",
    description=(
        "How many tasks were completed and how many came in, each at its time. A task that was reopened comes in "
        "again, and counts again when it is completed again; one that was completed before it was imported counts at "
        "the time its file gives."
    ),
    formula="Net flow = arrived − completed − ended otherwise: by how much the number of open tasks grew.",
    source="Episodes, by entry and by end.",
    columns=(
        *BUCKET_COLUMNS,
        Column("completed", "Completed", "tasks"),
        Column("imported", "of these, imported as completed", "tasks"),
        Column("inferred", "of these, at an inferred time", "tasks"),
        Column("arrived", "Arrived", "tasks"),
        Column("reopened", "of these, reopened after completion", "tasks"),
        Column("ended_otherwise", "Failed, cancelled or deleted", "tasks"),
        Column("net", "Net flow", "tasks"),
    ),
    charts=(
        charts.GroupedColumns(
            (charts.Series("arrived", "Arrived"), charts.Series("completed", "Completed")),
            title="Completed and arrived tasks",
        ),
    ),
    parts=_PARTS,
    more=_net,
    remarks=lambda total: on_inferred(total["inferred"]),
    sample="completed",
    headline=("completed", "arrived", "net", "reopened"),
)
