"""Every figure about flow against a recount from the events in plain Python, and periods that stay as they were."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.db import transaction
from django.http import QueryDict
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from reports import exports, forecasting, parameters, running
from reports.predefined import REPORTS, service_level
from reports.tests.flow_recount import Recount, history_of, percentile, seconds, spread
from reports.tests.flow_walk import START, Walk, walks
from tasks.models import Event
from tasks.tests.sizes import FLOW_WALKS, THOROUGH

pytestmark = pytest.mark.django_db

FLOW = (
    "completed", "time_to_complete", "cycle_times", "cycle_time_histogram", "service_level", "wip_age",
    "cumulative_flow", "time_in_status", "flow_efficiency", "waiting", "forecast", "littles_law",
)  # fmt: skip
FROM = "from=2026-01-05&tz=UTC&bucket=day"
# Shrinking takes minutes; only at full size there is time for it.
SAME_WALKS = {} if THOROUGH else {"derandomize": True, "phases": (Phase.explicit, Phase.generate)}
SETTINGS = settings(
    max_examples=FLOW_WALKS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    report_multiple_bugs=False,
    **SAME_WALKS,
)


@pytest.fixture
def few_are_enough(monkeypatch):
    """Short histories have a service level and a forecast as well."""
    monkeypatch.setattr(service_level, "LEAST", 3)
    monkeypatch.setattr(forecasting, "MIN_COMPLETIONS", 3)
    monkeypatch.setattr(forecasting, "MIN_DAYS", 2)
    monkeypatch.setattr(forecasting, "DRAWS", 50)
    monkeypatch.setattr(forecasting, "MAX_DAYS", 200)


def ask(walk: Walk, slug: str, days: int, now=None) -> dict[str, Any]:
    """The report ``slug`` over so many days from the first, as the API gives it."""
    now = now or walk.now
    to = (START + timedelta(days=days)).date()
    question = parameters.read_question(QueryDict(f"{FROM}&to={to}"), user=walk.cast.ada.user, now=now)
    return exports.as_json(running.answer(REPORTS[slug], question.scope, question.period, now=now))


def recount(walk: Walk, days: int) -> Recount:
    first = START.replace(hour=0)
    edges = [first + timedelta(days=day) for day in range(days + 1)]
    return Recount(history_of(Event.objects.order_by("id")), edges, walk.now)


def only(row: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in expected}


def check(walk: Walk, days: int) -> None:
    """Every report over ``days`` equals the recount."""
    again = recount(walk, days)
    for slug in FLOW:
        globals()[f"check_{slug}"](ask(walk, slug, days), again)


def check_completed(answer, again):
    expected = again.completed()
    assert [only(row, expected[0]) for row in answer["rows"]] == expected
    assert only(answer["total"], expected[0]) == {name: sum(row[name] for row in expected) for name in expected[0]}


def check_time_to_complete(answer, again):
    for row, bucket in zip(answer["rows"], again.buckets, strict=True):
        expected = again.times(bucket)
        assert only(row, expected) == expected
    expected = again.times()
    assert only(answer["total"], expected) == expected
    assert answer["total"]["completed"] == sum(row["completed"] for row in again.completed())


def check_cycle_times(answer, again):
    expected = sorted((life.ref, seconds(life.cycle)) for life in again.done if life.cycle is not None)
    assert sorted((row["task"], row["cycle_seconds"]) for row in answer["rows"]) == expected
    figures = {figure["name"]: figure["value"] for figure in answer["figures"]}
    assert figures == spread(again.cycles(), "cycle")


def check_cycle_time_histogram(answer, again):
    cycles = again.cycles()
    for row in answer["rows"]:
        low, high = row["from_seconds"] * 1000, row["to_seconds"] and row["to_seconds"] * 1000
        assert row["completed"] == sum(low <= cycle and (high is None or cycle < high) for cycle in cycles)
    assert sum(row["completed"] for row in answer["rows"]) == answer["total"]["completed"] == len(cycles)
    assert len(answer["rows"]) <= 21


def check_service_level(answer, again):
    ended = [
        life
        for life in again.history.lives
        if life.end == "completed" and life.ended_source != "unknown" and life.started and life.ended < again.end
    ]
    basis = again.cycles()
    if len(basis) < 3:
        last = sorted(ended, key=lambda life: (life.ended, life.task, life.number))[-3:]
        basis = [life.cycle for life in last]
    figures = {figure["name"]: figure["value"] for figure in answer["figures"]}
    assert figures["basis"] == len(basis)
    if len(basis) < 3:
        assert figures["level_seconds"] is None
        assert "A service level needs" in answer["notes"][-1]
        return
    level = percentile(basis, Fraction(85, 100))
    assert figures["level_seconds"] == seconds(level)
    for row, bucket in zip(answer["rows"], again.buckets, strict=True):
        cycles = [life.cycle for life in again.within(again.done, bucket) if life.cycle is not None]
        assert (row["completed"], row["within"]) == (len(cycles), sum(cycle <= level for cycle in cycles))


def check_wip_age(answer, again):
    expected = again.in_progress()
    assert sorted((row["task"], row["status"], round(row["age_seconds"] * 1000)) for row in answer["rows"]) == expected
    figures = {figure["name"]: figure["value"] for figure in answer["figures"]}
    ages, cycles = [age for _, _, age in expected], again.cycles()
    upper = percentile(cycles, Fraction(85, 100))
    older = None if upper is None else sum(age > upper for age in ages)
    assert figures == spread(ages, "age") | spread(cycles, "cycle") | {"above_p85": older}


def check_cumulative_flow(answer, again):
    expected = again.cumulative_flow()
    names = ("completed", "in_review", "waiting", "in_progress", "not_started", "elsewhere", "ended_otherwise")
    assert [[row[name] for name in names] for row in answer["rows"]] == [
        [row[name] for name in names] for row in expected
    ]


def check_time_in_status(answer, again):
    spent, completed = again.statuses(), len(again.here())
    for row in [*answer["rows"], answer["total"]]:
        times = spent.get(row["status"], [])
        assert only(row, spread([], "time")) == spread(times, "time")
        assert (row["completed"], row["spent_seconds"]) == (completed, seconds(sum(times)))


def check_flow_efficiency(answer, again):
    for row, bucket in zip(answer["rows"], again.buckets, strict=True):
        completed, worked, lead = again.efficiency(bucket)
        assert (row["completed"], row["worked_seconds"], row["lead_seconds"]) == (
            completed,
            seconds(worked),
            seconds(lead),
        )
        assert row["efficiency"] == (round(100 * worked / lead, 2) if lead else None)


def check_waiting(answer, again):
    waits = again.waiting()
    for row in [*answer["rows"], answer["total"]]:
        times = waits.get(row["reason"], [])
        assert only(row, spread([], "wait")) == spread(times, "wait")
        assert row["waited_seconds"] == seconds(sum(times))


def check_forecast(answer, again):
    figures = {figure["name"]: figure["value"] for figure in answer["figures"]}
    days = again.throughput()
    assert figures == {"open": len(again.stands(again.until)), "completed": sum(days), "days": len(days)}
    assert bool(answer["rows"]) == (sum(days) >= 3 and len(days) >= 2)


def check_littles_law(answer, again):
    *expected, total = again.littles_law()
    assert [only(row, total) for row in answer["rows"]] == expected
    assert only(answer["total"], total) == total


@pytest.mark.usefixtures("few_are_enough")
def test_every_figure_about_flow_equals_a_recount_from_the_events(cast, monkeypatch):
    @SETTINGS
    @given(walks(steps=60), st.integers(2, 20))
    def equal(steps, days):
        with transaction.atomic():
            walk = Walk(cast, monkeypatch)
            walk.take(steps)
            walk.now += timedelta(minutes=10)
            check(walk, days)
            transaction.set_rollback(True)

    equal()


@pytest.mark.usefixtures("few_are_enough")
def test_a_period_that_is_over_never_changes(cast, monkeypatch):
    """report(past period, history) = report(same period, history and later events), whatever happens later."""

    @SETTINGS
    @given(walks(steps=40), walks(steps=25, imports=False))
    def unchanged(steps, later):
        with transaction.atomic():
            walk = Walk(cast, monkeypatch)
            walk.take(steps)
            days = (walk.now - START.replace(hour=0)).days + 1
            walk.now = START.replace(hour=0) + timedelta(days=days)
            before = {slug: ask(walk, slug, days) for slug in FLOW}
            walk.take(later)
            walk.now += timedelta(days=1)
            after = {slug: ask(walk, slug, days) for slug in FLOW}
            for slug in FLOW:
                assert after[slug] | {"generated_at": ""} == before[slug] | {"generated_at": ""}
            transaction.set_rollback(True)

    unchanged()
