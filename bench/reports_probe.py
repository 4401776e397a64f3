"""Times of the predefined reports in this process beside SQL by hand for the same numbers, as JSON: on SQLite CPU time.

Needs ``DATABASE_URL`` (or ``DATA_DIR``) with ``mixed`` data of ``bench.dataset``. Raises ``Differs`` if a report and
the SQL by hand disagree on a number.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
django.setup()

from django.contrib.auth.models import User
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.reports_by_hand import OF_FLOW, Numbers, Yardstick
from bench.reports_by_hand_of_agents import OF_AGENTS
from reports import limits
from reports.parameters import Question, read_question
from reports.predefined import REPORTS
from reports.report import Answer, Row
from reports.running import answer
from tasks import clock
from tasks.models import Agent, Project

BY_HAND = OF_FLOW | OF_AGENTS
#: All of the data, which reaches a year back, by week.
DAYS = 400
LONGEST_SECONDS = 3600.0


class Differs(Exception):
    """A report and the SQL by hand disagree."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--only", choices=REPORTS, nargs="+", help="Some reports.")
    options = parser.parse_args()
    # It is measured how long they take, on a machine that may be busy.
    limits.SECONDS = LONGEST_SECONDS
    now = clock.now().replace(microsecond=0)
    days = {"from": now - timedelta(days=DAYS), "to": now + timedelta(days=1)}
    query = QueryDict("&".join(["bucket=week&tz=UTC", *(f"{name}={day:%Y-%m-%d}" for name, day in days.items())]))
    question = read_question(query, user=User.objects.get(username="root"), now=now)
    figures: dict[str, Any] = {}
    for slug in options.only or REPORTS:
        figures[slug] = _measure(slug, question, now, options.times)
    if not options.only:
        person = Client(headers={"host": "localhost"})
        person.force_login(User.objects.get(username="root"))
        page = [_seconds(lambda: person.get(f"/reports/?{query.urlencode()}")) for _ in range(2)]
        figures["/reports/"] = {
            "ours": [page[-1][0]],
            "by_hand": [],
            "statements": None,
            "status": page[-1][1].status_code,
        }
    print(json.dumps(figures))


def _measure(slug: str, question: Question, now: Any, times: int) -> dict[str, Any]:
    """Seconds of alternating runs of the report and of the SQL by hand, whose numbers must be the same."""

    def ours() -> Answer:
        return answer(REPORTS[slug], question.scope, question.period, now=now)

    by_hand = BY_HAND.get(slug)
    projects = ", ".join(str(pk) for pk in question.scope.project_ids)
    yardstick = Yardstick(projects, *(_literal(at) for at in (question.period.start, question.period.end, now)))
    # Not counted: it reads what is measured into memory.
    with CaptureQueriesContext(connection) as sent:
        given = ours()
    if by_hand:
        _compare(slug, OURS[slug](given), by_hand(yardstick))
    mine, theirs = [], []
    for _ in range(times):
        mine.append(_seconds(ours)[0])
        if by_hand:
            theirs.append(_seconds(lambda: by_hand(yardstick))[0])
    return {"ours": mine, "by_hand": theirs, "statements": len(sent)}


def _literal(at: Any) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" + ("+00" if connection.vendor == "postgresql" else "")


def _seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    # SQLite works in this process: its CPU time is the same however busy the machine is.
    now = time.process_time if connection.vendor == "sqlite" else time.perf_counter
    began = now()
    made = work()
    return now() - began, made


def _compare(slug: str, ours: Numbers, by_hand: Numbers) -> None:
    mine, theirs = ({key: float(n) for key, n in each.items() if n} for each in (ours, by_hand))
    if not theirs:
        raise Differs(f"{slug}: there is nothing to compare.")
    for key in mine.keys() | theirs.keys():
        # Reports round: seconds to thousandths, tokens to hundredths.
        if not math.isclose(mine.get(key, 0), theirs.get(key, 0), rel_tol=1e-9, abs_tol=0.006):
            raise Differs(f"{slug}, {key}: the report says {mine.get(key)}, the SQL by hand {theirs.get(key)}.")


# The numbers of reports, as those by hand are called


def _monday(row: Row) -> str:
    # The first bucket is cut off by the period.
    starts = row["starts_at"].astimezone(UTC)
    return f"{starts - timedelta(days=starts.weekday()):%Y-%m-%d}"


def _agents() -> dict[str | None, int | None]:
    return {None: None, **dict(Agent.objects.values_list("slug", "pk"))}


def _spread_of(row: Row, column: str, key: Any) -> Numbers:
    ends = {"n": "count", "mean": "average_seconds", **{n: f"{n}_seconds" for n in ("median", "p85", "p95")}}
    return {(name, column, key): row[f"{column}_{end}"] for name, end in ends.items()}


def _completed(given: Answer) -> Numbers:
    names = ("completed", "imported", "inferred", "arrived", "reopened", "ended_otherwise")
    return {(name, _monday(row)): row[name] for row in given.rows for name in names}


def _time_to_complete(given: Answer) -> Numbers:
    numbers: Numbers = {}
    for column in ("lead", "queue", "cycle"):
        numbers |= _spread_of(given.total, column, None)
        for row in given.rows:
            numbers |= _spread_of(row, column, _monday(row))
    return numbers


def _cumulative_flow(given: Answer) -> Numbers:
    names = ("in_review", "waiting", "in_progress", "not_started", "completed", "ended_otherwise")
    numbers: Numbers = {}
    before = dict.fromkeys(names, 0)
    for row in given.rows:
        numbers |= {(name, _monday(row)): row[name] - before[name] for name in names}
        before = {name: row[name] for name in names}
    return numbers


def _by(dimension: str, column: str) -> Callable[[Answer], Numbers]:
    def numbers(given: Answer) -> Numbers:
        by_word: Numbers = {}
        for row in (given.total, *given.rows):
            by_word |= _spread_of(row, column, row[dimension])
        return by_word

    return numbers


def _workload(given: Answer) -> Numbers:
    names = {
        "completed": "completed", "runs": "runs", "worked": "worked_seconds", "failed": "failed_runs",
        "expired": "expired_runs", "active": "active_runs", "open": "open_assignments",
    }  # fmt: skip
    agents = _agents()
    return {(name, agents[row["agent"]]): row[column] for row in given.rows for name, column in names.items()}


def _reliability(given: Answer) -> Numbers:
    agents = _agents()
    return {
        (name, agents[row["agent"]], row["version"]): row[name]
        for row in given.rows
        for name in ("runs", "completed", "failed", "expired")
    }


def _failures(given: Answer) -> Numbers:
    rows = [(None, given.total), *((row["code"] or "", row) for row in given.rows)]
    return {(name, code): row[name] for code, row in rows for name in ("runs", "tasks", "agents")}


def _quality(given: Answer) -> Numbers:
    agents, names = _agents(), ("completed", "first_try", "changes_requested")
    return {(name, agents[row["agent"]], row["version"]): row[name] for row in given.rows for name in names}


def _cycle_times(given: Answer) -> Numbers:
    last = {("last", row["task"]): row["cycle_seconds"] for row in given.rows}
    return _spread_of(given.figures, "cycle", None) | last


def _service_level(given: Answer) -> Numbers:
    names = ("completed", "within")
    numbers = {(name, _monday(row)): row[name] for row in given.rows for name in names}
    return numbers | {("level",): given.figures["level_seconds"]}


def _flow_efficiency(given: Answer) -> Numbers:
    names = {"completed": "completed", "worked": "worked_seconds", "lead": "lead_seconds"}
    return {(name, _monday(row)): row[column] for row in given.rows for name, column in names.items()}


def _due_performance(given: Answer) -> Numbers:
    numbers: Numbers = {}
    for key, row in [(None, given.total), *((_monday(row), row) for row in given.rows)]:
        numbers |= {(name, "late", key): row[of] for name, of in _spread_by("late").items()} | {
            ("n", "late", key): row["late"]
        }
        if key is not None:
            numbers |= {("completed", key): row["completed"], ("with_due_date", key): row["with_due_date"]}
    numbers |= {(name, "overdue", None): given.figures[of] for name, of in _spread_by("overdue").items()}
    return numbers | {("n", "overdue", None): given.figures["overdue_now"]}


def _spread_by(column: str) -> dict[str, str]:
    return {"median": f"{column}_p50_seconds", "p85": f"{column}_p85_seconds"}


def _cost_by(*columns: str) -> Callable[[Answer], Numbers]:
    """``columns``: those that name a row, as they are written by hand."""

    def numbers(given: Answer) -> Numbers:
        by_key: Numbers = {}
        ids = _agents() | dict(Project.objects.values_list("key", "pk"))
        names = {"runs": "runs", "input": "input_tokens", "output": "output_tokens", "cost": "cost"}
        for row in (given.total, *given.rows):
            key = None if row is given.total else " ".join(str(ids.get(row[name], row[name])) for name in columns)
            if key is not None:
                by_key |= {(name, key): row[column] for name, column in names.items()}
                by_key["tokens", key] = row["tokens_per_accepted"]
            of = {"n": "accepted", "mean": "cost_per_accepted", "p85": "cost_per_accepted_p85"}
            by_key |= {(name, "cost", key): row[column] for name, column in of.items()}
        return by_key

    return numbers


OURS: dict[str, Callable[[Answer], Numbers]] = {
    "completed": _completed,
    "time_to_complete": _time_to_complete,
    "cumulative_flow": _cumulative_flow,
    "time_in_status": _by("status", "time"),
    "waiting": _by("reason", "wait"),
    "workload": _workload,
    "reliability": _reliability,
    "failures": _failures,
    "quality": _quality,
    "cycle_times": _cycle_times,
    "service_level": _service_level,
    "flow_efficiency": _flow_efficiency,
    "due_performance": _due_performance,
    "cost": _cost_by("agent"),
    "cost_by_version": _cost_by("agent", "version"),
    "cost_by_project": _cost_by("project"),
}


if __name__ == "__main__":
    main()
