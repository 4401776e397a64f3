"""What somebody would write in SQL for the numbers of the predefined reports about flow, as both databases spell it.

Each entry of ``OF_FLOW`` takes a ``Yardstick``, sends its statements, and returns numbers by what they are of, such as
``("median", "lead", "2026-01-05")``; those that are zero or missing are left out by the caller.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

Numbers = dict[tuple[Any, ...], Any]
FRACTIONS = {"median": 0.5, "p85": 0.85, "p95": 0.95}


@dataclass(frozen=True)
class Yardstick:
    """The ids of the projects, the period, and now, as SQL literals without quotation marks."""

    projects: str
    start: str
    end: str
    now: str

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def within(self, field: str) -> str:
        return f"project_id IN ({self.projects}) AND {field} >= '{self.start}' AND {field} < '{self.end}'"

    @property
    def completed(self) -> str:
        return f"{self.within('ended_at')} AND \"end\" = 'completed' AND ended_from <> 'unknown'"

    @property
    def runs(self) -> str:
        return f"{self.within('ended_at')} AND status = 'in_progress' AND run_number IS NOT NULL"

    def spread(
        self, rows: str, columns: Sequence[str], group: str = "", fractions: Sequence[str] = tuple(FRACTIONS)
    ) -> Numbers:
        """Number, mean and percentiles of ``columns`` of the query ``rows``, in all and, if given, by ``group``."""
        measured = (_spread_postgresql if is_postgresql() else _spread_sqlite)(self, rows, columns, group, fractions)
        numbers: Numbers = {}
        for column, key, (count, mean, *points) in measured:
            numbers |= {("n", column, key): count, ("mean", column, key): mean}
            numbers |= {(name, column, key): value for name, value in zip(fractions, points, strict=True)}
        return numbers


def is_postgresql() -> bool:
    return connection.vendor == "postgresql"


def week(field: str) -> str:
    """The Monday of a time in UTC, as text."""
    if is_postgresql():
        return f"to_char(date_trunc('week', {field} AT TIME ZONE 'UTC'), 'YYYY-MM-DD')"
    return f"date({field}, 'weekday 0', '-6 days')"


def between(start: str, end: str) -> str:
    if is_postgresql():
        return f"EXTRACT(EPOCH FROM {end} - {start})::float8"
    return f"ROUND((JULIANDAY({end}) - JULIANDAY({start})) * 86400, 3)"


def least(*values: str) -> str:
    return f"{'LEAST' if is_postgresql() else 'MIN'}({', '.join(values)})"


def greatest(*values: str) -> str:
    return f"{'GREATEST' if is_postgresql() else 'MAX'}({', '.join(values)})"


def _spread_postgresql(
    self: Yardstick, rows: str, columns: Sequence[str], group: str, fractions: Sequence[str]
) -> list[tuple[Any, ...]]:
    measures = [
        part
        for column in columns
        for part in (
            f"COUNT({column}), AVG({column})",
            *(f"PERCENTILE_CONT({FRACTIONS[name]}) WITHIN GROUP (ORDER BY {column})" for name in fractions),
        )
    ]
    heads, sets = (f"{group}, GROUPING({group})", f"({group}), ()") if group else ("NULL, 1", "()")
    width, measured = 2 + len(fractions), []
    for key, is_total, *numbers in self.ask(
        f"SELECT {heads}, {', '.join(measures)} FROM ({rows}) AS f GROUP BY GROUPING SETS ({sets})"
    ):
        for place, column in enumerate(columns):
            of_column = numbers[place * width : (place + 1) * width]
            measured.append((column, None if is_total else key, of_column))
    return measured


def _spread_sqlite(
    self: Yardstick, rows: str, columns: Sequence[str], group: str, fractions: Sequence[str]
) -> list[tuple[Any, ...]]:
    parts = []
    for column in columns:
        for key, partition in ((group, f"PARTITION BY {group}"), ("NULL", "")) if group else (("NULL", ""),):
            picks = ", ".join(_pick(FRACTIONS[name]) for name in fractions)
            parts.append(f"""
                SELECT '{column}', {key}, n, AVG(v), {picks} FROM (
                  SELECT *, {column} AS v, ROW_NUMBER() OVER ({partition} ORDER BY {column}) - 1 AS r,
                    COUNT(*) OVER ({partition}) AS n
                  FROM f WHERE {column} IS NOT NULL) {f"GROUP BY {key}" if partition else "HAVING n > 0"}""")
    measured = self.ask(f"WITH f AS MATERIALIZED ({rows}) {' UNION ALL '.join(parts)}")
    return [(column, key, numbers) for column, key, *numbers in measured]


def _pick(fraction: float) -> str:
    place = f"({fraction} * (n - 1))"
    low = f"MAX(CASE WHEN r = CAST({place} AS INT) THEN v END)"
    high = f"MAX(CASE WHEN r = MIN(n - 1, CAST({place} AS INT) + 1) THEN v END)"
    return f"{low} + ({place} - CAST({place} AS INT)) * ({high} - {low})"


def _completed(self: Yardstick) -> Numbers:
    numbers: Numbers = {}
    otherwise = f"{self.within('ended_at')} AND \"end\" IN ('failed', 'cancelled', 'deleted')"
    for names, field, extra, where in (
        (
            ("completed", "imported", "inferred"),
            "ended_at",
            ", COUNT(CASE WHEN is_imported THEN 1 END), COUNT(CASE WHEN ended_from = 'inferred' THEN 1 END)",
            self.completed,
        ),
        (
            ("arrived", "reopened"),
            "entered_at",
            ", COUNT(CASE WHEN is_reopened THEN 1 END)",
            f"{self.within('entered_at')} AND entered_from <> 'unknown'",
        ),
        (("ended_otherwise",), "ended_at", "", f"{otherwise} AND ended_from <> 'unknown'"),
    ):
        for key, *counts in self.ask(
            f"SELECT {week(field)}, COUNT(*){extra} FROM tasks_episode WHERE {where} GROUP BY 1"
        ):
            numbers |= {(name, key): n for name, n in zip(names, counts, strict=True)}
    return numbers


def _time_to_complete(self: Yardstick) -> Numbers:
    rows = (
        f"SELECT {week('ended_at')} AS w, {between('entered_at', 'ended_at')} AS lead,"
        f" {between('entered_at', 'started_at')} AS queue, {between('started_at', 'ended_at')} AS cycle"
        f" FROM tasks_episode WHERE {self.completed}"
    )
    return self.spread(rows, ["lead", "queue", "cycle"], "w")


def moment(text: str) -> str:
    return f"TIMESTAMPTZ '{text}'" if is_postgresql() else f"'{text}'"


def _cumulative_flow(self: Yardstick) -> Numbers:
    """Of each week: what began in each status less what ended there, and what was completed; and all at the start."""
    projects, numbers = f"project_id IN ({self.projects})", {}
    for status, n in self.ask(
        f"SELECT status, COUNT(*) FROM tasks_statusinterval WHERE {projects} AND began_at < '{self.start}'"
        f" AND (ended_at IS NULL OR ended_at >= '{self.start}') GROUP BY 1"
    ):
        numbers[status, ""] = n
    for field, sign in (("began_at", 1), ("ended_at", -1)):
        for status, key, n in self.ask(
            f"SELECT status, {week(field)}, COUNT(*) FROM tasks_statusinterval WHERE {self.within(field)} GROUP BY 1, 2"
        ):
            numbers[status, key] = numbers.get((status, key), 0) + sign * n
    otherwise = f"{self.within('ended_at')} AND \"end\" IN ('failed', 'cancelled', 'deleted')"
    for name, where in (("completed", self.completed), ("ended_otherwise", otherwise)):
        for key, n in self.ask(f"SELECT {week('ended_at')}, COUNT(*) FROM tasks_episode WHERE {where} GROUP BY 1"):
            numbers[name, key] = n
    return numbers


def _time_in_status(self: Yardstick) -> Numbers:
    def rows(by: str) -> str:
        return (
            f"SELECT {by or 'NULL AS none'}, SUM({between('i.began_at', 'i.ended_at')}) AS time"
            " FROM (SELECT task_id, number FROM tasks_episode"
            f" WHERE {self.completed} AND entered_from <> 'unknown' AND NOT is_imported) e"
            " JOIN tasks_statusinterval i ON i.task_id = e.task_id AND i.episode = e.number"
            f" GROUP BY i.task_id, i.episode{', ' + by if by else ''}"
        )

    by_status = {key: n for key, n in self.spread(rows("status"), ["time"], "status").items() if key[-1]}
    return by_status | self.spread(rows(""), ["time"])


def _waiting(self: Yardstick) -> Numbers:
    part = between(
        greatest("began_at", moment(self.start)), least(f"coalesce(ended_at, {moment(self.now)})", moment(self.now))
    )

    def rows(by: str) -> str:
        return (
            f"SELECT {by or 'NULL AS none'}, SUM({part}) AS wait FROM tasks_statusinterval"
            f" WHERE project_id IN ({self.projects}) AND reason NOT IN ('', 'elsewhere') AND began_at < '{self.now}'"
            f" AND (ended_at IS NULL OR ended_at > '{self.start}') GROUP BY task_id{', ' + by if by else ''}"
        )

    by_reason = {key: n for key, n in self.spread(rows("reason"), ["wait"], "reason").items() if key[-1]}
    return by_reason | self.spread(rows(""), ["wait"])


def _cycle_times(self: Yardstick) -> Numbers:
    """All of them measured, and the last 2,000 one by one."""
    known = f"{self.completed} AND started_at IS NOT NULL"
    cycle = between("started_at", "ended_at")
    last = self.ask(
        f"SELECT task_ref, {cycle} FROM tasks_episode WHERE {known}"
        " ORDER BY ended_at DESC, task_id DESC, number DESC LIMIT 2000"
    )
    measured = self.spread(f"SELECT {cycle} AS cycle FROM tasks_episode WHERE {known}", ["cycle"])
    return measured | {("last", task): seconds for task, seconds in last}


def _service_level(self: Yardstick) -> Numbers:
    known = f"{self.completed} AND started_at IS NOT NULL"
    cycle = between("started_at", "ended_at")
    measured = self.spread(f"SELECT {cycle} AS cycle FROM tasks_episode WHERE {known}", ["cycle"], fractions=["p85"])
    level = float(measured["p85", "cycle", None])
    numbers: Numbers = {("level",): level}
    for key, completed, within in self.ask(
        f"SELECT {week('ended_at')}, COUNT(*), COUNT(CASE WHEN {cycle} <= {level} THEN 1 END)"
        f" FROM tasks_episode WHERE {known} GROUP BY 1"
    ):
        numbers |= {("completed", key): completed, ("within", key): within}
    return numbers


def _flow_efficiency(self: Yardstick) -> Numbers:
    numbers: Numbers = {}
    for key, *values in self.ask(
        f"SELECT {week('ended_at')}, COUNT(*), SUM(worked_seconds), SUM({between('entered_at', 'ended_at')})"
        f" FROM tasks_episode WHERE {self.completed} AND entered_from <> 'unknown' AND NOT is_imported GROUP BY 1"
    ):
        numbers |= {(name, key): n for name, n in zip(("completed", "worked", "lead"), values, strict=True)}
    return numbers


def _due_performance(self: Yardstick) -> Numbers:
    """By week; and what is open and overdue now."""
    late = between("due_at", "ended_at")
    rows = (
        f"SELECT {week('ended_at')} AS w, CASE WHEN ended_at > due_at THEN {late} END AS late"
        f" FROM tasks_episode WHERE {self.completed}"
    )
    numbers = {key: n for key, n in self.spread(rows, ["late"], "w", ["median", "p85"]).items() if key[0] != "mean"}
    for key, completed, due in self.ask(
        f"SELECT {week('ended_at')}, COUNT(*), COUNT(due_at) FROM tasks_episode WHERE {self.completed} GROUP BY 1"
    ):
        numbers |= {("completed", key): completed, ("with_due_date", key): due}
    overdue = (
        f"SELECT {between('due_at', moment(self.now))} AS overdue FROM tasks_episode"
        f" WHERE project_id IN ({self.projects}) AND \"end\" = '' AND due_at < '{self.now}'"
    )
    return numbers | {
        key: n for key, n in self.spread(overdue, ["overdue"]).items() if key[0] in ("n", "median", "p85")
    }


OF_FLOW: dict[str, Callable[[Yardstick], Numbers]] = {
    "completed": _completed,
    "time_to_complete": _time_to_complete,
    "cumulative_flow": _cumulative_flow,
    "time_in_status": _time_in_status,
    "flow_efficiency": _flow_efficiency,
    "waiting": _waiting,
    "cycle_times": _cycle_times,
    "service_level": _service_level,
    "due_performance": _due_performance,
}
