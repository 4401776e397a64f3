"""Whether tasks were completed by their due date, and by how much not."""

from datetime import datetime
from typing import Final

from django.db.models import BigIntegerField, Case, F, IntegerField, Value, When

from reports import charts
from reports.engines import summarise
from reports.measures import Aggregate, Count, Greatest, Percentile, Values, without_facts
from reports.periods import Period
from reports.predefined.completions import all_of, completed, notes_on_unknown
from reports.predefined.leads import COMPLETED_THEN, Lead, in_, is_
from reports.predefined.times import share_of
from reports.report import BUCKET_COLUMNS, Column, Report, Result, Row, bucket_row, total_row
from reports.scopes import Scope
from reports.sql import BucketIndex, Milliseconds
from reports.units import SECONDS, settled
from reports.vocabulary.episodes import LATE
from taskproject.times import FIRST
from tasks.transitions import OPEN, Status

#: Name, words, aggregate, and how many values it needs.
_OF_LATE: Final = (
    ("p50", "median", Percentile("lateness", 0.5), 2),
    ("p85", "85th percentile", Percentile("lateness", 0.85), 7),
    ("max", "most", Greatest("lateness"), 1),
)
_MEASURES: Final[dict[str, Aggregate]] = {
    "completed": Count(),
    "with_due_date": Count("has_due_date"),
    "late": Count("lateness"),
    **{name: aggregate for name, _, aggregate, _ in _OF_LATE},
}


def _row(values: Values) -> Row:
    late, due = values["late"], values["with_due_date"]
    assert isinstance(late, int)
    assert isinstance(due, int)
    row: Row = {"completed": values["completed"], "with_due_date": due, "on_time": due - late, "late": late}
    row["on_time_share"] = share_of(due - late, due)
    return row | {f"late_{name}_seconds": settled(values[name], SECONDS) for name, *_ in _OF_LATE}


def _due_performance(scope: Scope, period: Period, now: datetime) -> Result:
    done = completed(scope, period).annotate(
        position=BucketIndex("ended_at", period.edges),
        has_due_date=Case(When(due_at__isnull=False, then=Value(1)), output_field=IntegerField()),
        lateness=Case(When(LATE, then=Milliseconds("due_at", "ended_at")), output_field=BigIntegerField()),
    )
    summary = summarise(done, by=["position"], measures=_MEASURES)
    nothing = without_facts(_MEASURES)
    rows = [
        bucket_row(bucket, now) | _row(summary.groups.get((position,), nothing))
        for position, bucket in enumerate(period.buckets)
    ]
    total = total_row(period, now) | _row(summary.total)
    return Result(rows, total, _overdue(scope, now), n=total["completed"], notes=notes_on_unknown(scope, period))


def _overdue(scope: Scope, now: datetime) -> Row:
    """What is open after its due date as of now."""
    late = all_of(scope).filter(end="", due_at__lt=now)
    late = late.annotate(lateness=Milliseconds(F("due_at"), Value(now)))
    wanted: dict[str, Aggregate] = {"n": Count(), **{name: aggregate for name, _, aggregate, _ in _OF_LATE}}
    values = summarise(late, measures=wanted).total
    return {"overdue_now": values["n"]} | {
        f"overdue_{name}_seconds": settled(values[name], SECONDS) for name, *_ in _OF_LATE
    }


_DUE = COMPLETED_THEN.having(is_("has_due_date", True))
_LATE = COMPLETED_THEN.having(is_("punctuality", "late"))
_OVERDUE = Lead(
    "tasks",
    "due",
    where=(in_("status", *(status.value for status in Status if status in OPEN)),),
    span=lambda answer, row: (FIRST, answer.at),
)

DUE_PERFORMANCE = Report(
    slug="due_performance",
    title="Due performance",
    description=(
        "How many of the tasks completed in the period were completed by their due date, and how late the others "
        "were. The due date is the one that a task had when it was completed; without one it is neither on time nor "
        "late. What is still open after its due date is shown as of now."
    ),
    formula="on time = completed at or before the due date ÷ completed with one; late by = completion − due date.",
    source="Episodes, with the due date as it was at the end; open ones as of now.",
    columns=(
        *BUCKET_COLUMNS,
        Column("completed", "Completed", "tasks"),
        Column("with_due_date", "of these, with a due date", "tasks"),
        Column("on_time", "On time", "tasks"),
        Column("on_time_share", "Share on time", "percent", n="with_due_date"),
        Column("late", "Late", "tasks"),
        *(
            Column(f"late_{name}_seconds", f"Late by: {words}", "seconds", n="late", needs=needs)
            for name, words, _, needs in _OF_LATE
        ),
    ),
    figures=(
        Column("overdue_now", "Open and overdue (now)", "tasks"),
        *(
            Column(f"overdue_{name}_seconds", f"Overdue by (now): {words}", "seconds", n="overdue_now", needs=needs)
            for name, words, _, needs in _OF_LATE
        ),
    ),
    charts=(
        charts.StackedColumns(
            series=(charts.Series("on_time", "On time"), charts.Series("late", "Late")), title="Completed by due date"
        ),
    ),
    query=_due_performance,
    behind={
        "completed": COMPLETED_THEN,
        "with_due_date": _DUE,
        "on_time": COMPLETED_THEN.having(is_("punctuality", "on_time")),
        "on_time_share": _DUE.of("on_time_mean"),
        "late": _LATE,
        **{f"late_{name}_seconds": _LATE.of(f"lateness_{name}") for name, *_ in _OF_LATE},
        "overdue_now": _OVERDUE,
        **{f"overdue_{name}_seconds": _OVERDUE for name, *_ in _OF_LATE},
    },
    sample="completed",
    headline=("on_time_share", "with_due_date", "late", "late_p50_seconds"),
)
