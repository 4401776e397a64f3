"""Behind each figure of the predefined reports are as many facts as it says, for whoever may see them."""

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from reports import forecasting, parameters, running
from reports.behind import behind, href_of
from reports.behind.cells import measured_in
from reports.behind.reading import read_asked
from reports.predefined import REPORTS, service_level
from reports.report import Answer, Report
from reports.tests import flow_walk, people_steps, people_walk
from tasks.models import AssignmentStep, Episode, Event, StatusInterval

pytestmark = pytest.mark.django_db

#: Columns and single figures with nothing behind them: differences, coefficients, forecasts, amounts of time, numbers
#: of agents, and what is counted by no fact of the vocabulary. Reviewed by hand.
LEAD_NOWHERE = {
    "completed": {"net"},
    "cycle_times": {"cycle_seconds"},
    "cycle_time_histogram": {"cumulative_share"},
    "wip_age": {"age_seconds"},
    "forecast": {
        "done_by",
        "days_until_done",
        "completed",
        "days",
        *(f"done_in_{day}_days" for day in (7, 14, 28, 56)),
    },
    "littles_law": {"wip"},
    "waiting": {
        "wait_count",
        "waited_seconds",
        "share",
        *(f"wait_{name}_seconds" for name in ("average", "median", "p85", "p95")),
    },
    "failures": {"share", "tasks", "agents"},
    "workload": {"gini_llm", "gini_llm_n", "gini_human", "gini_human_n"},
    "utilisation": {"could_seconds", "capacity_seconds"},
    "assignment": {"nobody_found"},
    "people_load": {"open_questions", "questions_waiting", "questions_oldest_seconds"},
    "top_blockers": {"waits_for"},
}
#: Those that lead somewhere except in some rows: a level that rests on earlier completions.
SOMETIMES = {("service_level", "basis"), ("service_level", "level_seconds")}


def figures_of(report: Report) -> set[str]:
    return {
        column.name
        for column in (*report.columns, *report.figures)
        if column.role in ("measure", "n") and column.unit not in ("text", "time")
    }


def is_counted(report: Report, name: str) -> bool:
    """Whether a definition in the report counts the column, and not how many different ones there are."""
    counted = report.counted_by(name)
    measured = counted and measured_in(*counted)
    return measured is not None and measured.aggregate != "distinct"


def test_what_leads_nowhere_is_known():
    nowhere = {}
    for slug, report in REPORTS.items():
        if names := {name for name in figures_of(report) - report.behind.keys() if not is_counted(report, name)}:
            nowhere[slug] = names
        assert report.behind.keys() <= figures_of(report)
    assert nowhere == LEAD_NOWHERE


@pytest.fixture
def few_are_enough(monkeypatch):
    """Short histories have a service level and a forecast as well."""
    monkeypatch.setattr(service_level, "LEAST", 5)
    monkeypatch.setattr(forecasting, "MIN_COMPLETIONS", 3)
    monkeypatch.setattr(forecasting, "MIN_DAYS", 2)
    monkeypatch.setattr(forecasting, "DRAWS", 50)
    monkeypatch.setattr(forecasting, "MAX_DAYS", 200)


def answered(slug: str, query: str, user: Any, now: Any) -> Answer:
    question = parameters.read_question(QueryDict(query), user=user, now=now)
    return running.answer(REPORTS[slug], question.scope, question.period, now=now)


def linked(answer: Answer) -> Iterator[tuple[str, Any, str | None, int]]:
    """Each figure that there is: its column, its row, where it leads, and how many facts it says that there are."""
    href = href_of(answer)
    for row, columns in (
        *((row, answer.columns) for row in [*answer.rows, answer.total]),
        (answer.figures, answer.figure_columns),
    ):
        for column in columns:
            if column.role in ("measure", "n") and column.unit not in ("text", "time") and row.get(column.name):
                yield column.name, row, href(dict(row), column.name), row[column.n or column.name]


def check(user: Any, now: Any, query: str) -> set[tuple[str, str]]:
    """Every figure of every report; gives those that lead somewhere."""
    counts: dict[str, int] = {}
    seen, wrong = set(), []
    for slug in REPORTS:
        answer = answered(slug, query, user, now)
        with CaptureQueriesContext(connection) as captured:
            figures = list(linked(answer))
        assert not captured.captured_queries
        for column, row, address, says in figures:
            if address is None:
                assert column in LEAD_NOWHERE.get(slug, ()) or (slug, column) in SOMETIMES or row.get("task"), column
                continue
            if address not in counts:
                asked = read_asked(QueryDict(urlsplit(address).query), user=user, zone=ZoneInfo("Asia/Tokyo"))
                # As somebody would look who follows it later.
                facts = behind(asked.definition, asked.cell, asked.scope, now=now + timedelta(hours=3), user=user)
                counts[address] = facts.count()
            if counts[address] != says:
                wrong.append((slug, column, row, counts[address], says, address))
            seen.add((slug, column))
    assert not wrong, wrong[:4]
    return seen


#: The id of an agent that is deleted.
GONE = 999_999
ZONES = ("UTC", "Pacific/Auckland")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.usefixtures("few_are_enough")
def test_figures_about_flow_count_what_is_behind_them(cast, monkeypatch, zone):
    walk = flow_walk.Walk(cast, monkeypatch)
    chance = Random(zone)
    minutes = (0, 1, 7, 30, 55, 400, 1_500)
    walk.take((*step, chance.choice(minutes)) for step in flow_walk.steps_of(chance, 160))
    walk.now += timedelta(minutes=10)
    last = (walk.now + timedelta(days=2)).date()
    seen = check(cast.ada.user, walk.now, f"from=2026-01-04&to={last}&tz={zone}&bucket=week")
    seen |= check(cast.ada.user, walk.now, f"from=2026-01-08&to=2026-01-13&tz={zone}&bucket=day&project=OPS")
    for slug in ("completed", "time_to_complete", "cycle_time_histogram", "cumulative_flow", "wip_age"):
        assert {column for each, column in seen if each == slug}, slug


@pytest.mark.parametrize(("seed", "zone"), list(enumerate(ZONES, start=1)))
@pytest.mark.usefixtures("few_are_enough")
def test_figures_about_agents_count_what_is_behind_them_for_each_reader(cast, monkeypatch, zone, seed):
    walk = people_walk.PeopleWalk(cast, monkeypatch)
    walk.take(people_steps.steps_of(Random(seed), 40))
    # What an agent did outlives it.
    for kind in (Episode, StatusInterval, Event, AssignmentStep):
        rows = kind.objects.filter(agent=cast.bert)
        (rows.filter(ended_at__isnull=False) if kind in (Episode, StatusInterval) else rows).update(agent_id=GONE)
    walk.now += timedelta(minutes=10)
    last = (walk.now + timedelta(days=2)).date()
    for user in (cast.root, cast.ada.user, cast.zed.user):
        seen = check(user, walk.now, f"from=2026-01-04&to={last}&tz={zone}&bucket=week")
        assert {("workload", "runs"), ("assignment", "offers")} <= seen or user == cast.zed.user
