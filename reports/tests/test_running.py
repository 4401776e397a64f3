"""Definitions end to end: from a document to figures that were calculated by hand."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reports import running
from reports.definitions import read
from reports.report import Answer
from reports.tests.conftest import utc
from reports.tests.histories import episode
from taskproject.errors import Invalid
from tasks.models import TimeSource

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
NOW = utc("2026-06-01 12:00")
JANUARY = {"from": "2026-01-01", "to": "2026-02-01"}


@pytest.fixture
def count(cast):
    """``count(measures, by=…)`` → the answer about episodes completed in January, in UTC."""

    def run(*measures: Any, user: Any = None, **rest: Any) -> Answer:
        document = {"version": 1, "facts": "episodes", "measures": list(measures), "period": JANUARY, "tz": "UTC"}
        definition = read(document | rest)
        assert read(definition.to_document()) == definition
        return running.run(definition, user=user or cast.ada.user, now=NOW)

    return run


COUNT = {"aggregate": "count"}
CYCLE_P85 = {"name": "cycle", "aggregate": "p85"}


@pytest.fixture
def three(cast):
    """Atlas took 1 h and 3 h in the weeks of 5 and 12 January, bert 2 h in the first one."""
    for agent, day, hours in ((cast.atlas, 6, 1), (cast.atlas, 13, 3), (cast.bert, 7, 2)):
        start = utc(f"2026-01-{day:02} 10:00")
        episode(cast.ops, start - HOUR, start + hours * HOUR, started=start, agent=agent)


def test_run_without_groups_has_only_a_total(count, three):
    answer = count(COUNT, CYCLE_P85)
    assert (answer.rows, answer.n) == ([], 3)
    # Position 0.85 · 2 = 1.7 of 1, 2, 3 h.
    assert answer.total == {"count": 3, "cycle_p85": 2.7 * 3600, "cycle_n": 3}
    assert [column.name for column in answer.columns if column.is_thin(answer.total)] == ["cycle_p85"]


def test_run_by_agent_has_a_row_for_each_with_its_n(count, three):
    answer = count(CYCLE_P85, {"name": "cycle", "aggregate": "mean"}, by=["agent"])
    assert answer.rows == [
        {"agent": "atlas", "cycle_p85": 2.7 * 3600, "cycle_n": 2, "cycle_mean": 7200.0},
        {"agent": "bert", "cycle_p85": 7200.0, "cycle_n": 1, "cycle_mean": 7200.0},
    ]
    assert answer.result.words == {"agent": {"atlas": "Atlas", "bert": "Bert"}}


def test_run_over_time_lists_empty_buckets_and_keeps_the_total_whole(count, three):
    answer = count(COUNT, time={"on": "completed", "bucket": "week"})
    assert [row["count"] for row in answer.rows] == [0, 2, 1, 0, 0]
    assert answer.total["count"] == 3
    assert answer.total["starts_at"] == utc("2026-01-01 00:00")


def test_run_over_time_and_agents_has_the_groups_that_have_facts(count, three):
    answer = count(COUNT, by=["agent"], time={"bucket": "week"})
    assert [(str(row["bucket"]), row["agent"], row["count"]) for row in answer.rows] == [
        ("2026-01-05", "atlas", 1),
        ("2026-01-05", "bert", 1),
        ("2026-01-12", "atlas", 1),
    ]


def test_run_by_label_counts_a_fact_for_each_and_once_in_the_total(count, cast):
    for labels in (["bug", "ui"], [], []):
        episode(cast.ops, utc("2026-01-06 10:00"), utc("2026-01-06 11:00"), labels=labels)
    answer = count(COUNT, {"name": "lead", "aggregate": "mean"}, by=["label"])
    assert [(row["label"], row["count"]) for row in answer.rows] == [("bug", 1), ("ui", 1), (None, 2)]
    assert (answer.total["count"], answer.n) == (3, 3)
    assert answer.notes == ("Label: each counts once for every one it has; the total counts it once.",)


def test_run_with_unknown_times_leaves_them_out_and_says_how_many(count, cast, three):
    came = utc("2026-01-10 10:00")
    for _ in range(20):
        episode(cast.ops, came, came, entered_from=TimeSource.UNKNOWN, ended_from=TimeSource.UNKNOWN)
    # What comes in later changes nothing that is said of the period.
    episode(cast.ops, NOW, NOW, entered_from=TimeSource.UNKNOWN, ended_from=TimeSource.UNKNOWN)
    episode(cast.ops, NOW, utc("2026-01-20 10:00"), entered_from=TimeSource.UNKNOWN, ended_from=TimeSource.GIVEN)
    answer = count(COUNT, {"name": "lead", "aggregate": "mean"})
    assert answer.total == {"count": 4, "lead_mean": 3 * 3600.0, "lead_n": 3}
    assert answer.notes == (
        "20 completed at an unknown time are in no figure.",
        "1 of 4 completed has no known lead time.",
    )


def test_run_compared_with_the_month_before(count, cast, three):
    episode(cast.ops, utc("2025-12-01 00:00"), utc("2025-12-31 23:59"), agent=cast.atlas)
    episode(cast.ops, utc("2025-12-01 00:00"), utc("2025-12-05 00:00"), agent=cast.hugo)
    answer = count(COUNT, by=["agent"], compare="previous")
    rows = [(row["agent"], row["count"], row["count_previous"], row["count_change"]) for row in answer.rows]
    assert rows == [("atlas", 2, 1, 100.0), ("bert", 1, 0, None), ("hugo", 0, 1, -100.0)]
    assert (answer.total["count"], answer.total["count_previous"], answer.total["count_change"]) == (3, 2, 50.0)


def test_run_in_order_breaks_ties_by_words_and_limits_rows_not_the_total(count, cast, three):
    episode(cast.ops, utc("2026-01-06 10:00"), utc("2026-01-06 11:00"), agent=cast.hugo)
    answer = count(COUNT, by=["agent"], order=["-count"], limit=2)
    assert [(row["agent"], row["count"]) for row in answer.rows] == [("atlas", 2), ("bert", 1)]
    assert answer.total["count"] == 4
    assert answer.notes == ("2 of 3 rows are shown; the total is over all.",)


def test_run_shows_strangers_nothing(count, cast, three):
    answer = count(COUNT, by=["agent"], user=cast.zed.user)
    assert (answer.rows, answer.total["count"]) == ([], 0)


def test_run_takes_the_zone_of_the_reader_or_the_one_that_is_named(cast, three):
    episode(cast.ops, utc("2026-01-06 10:00"), utc("2026-01-06 12:30"))
    document = {"version": 1, "facts": "episodes", "measures": [COUNT], "time": {"bucket": "day"}, "period": JANUARY}
    auckland = running.run(read(document), user=cast.ada.user, now=NOW, zone=ZoneInfo("Pacific/Auckland"))
    assert [str(row["bucket"]) for row in auckland.rows if row["count"]] == ["2026-01-07", "2026-01-08", "2026-01-14"]
    utc_answer = running.run(
        read(document | {"tz": "UTC"}), user=cast.ada.user, now=NOW, zone=ZoneInfo("Pacific/Auckland")
    )
    assert [str(row["bucket"]) for row in utc_answer.rows if row["count"]] == ["2026-01-06", "2026-01-07", "2026-01-13"]


@pytest.mark.parametrize(
    ("where", "n"),
    [
        ({"field": "agent", "is": "atlas"}, 2),
        ({"field": "agent", "not_in": ["atlas"]}, 1),
        ({"field": "agent", "is_set": False}, 0),
        ({"field": "cycle", "at_least": 7200}, 2),
        ({"field": "cycle", "at_least": 7200.001}, 1),
        ({"field": "completed", "on": "2026-01-06"}, 1),
        ({"field": "project", "is": "ops"}, 3),
        ({"not": {"field": "priority", "at_least": "high"}}, 3),
        ({"field": "label", "in": ["bug"]}, 0),
        ({"field": "reopened", "is": True}, 0),
        ({"field": "end", "is": "completed"}, 3),
        ({"any": [{"field": "agent", "is": "bert"}, {"field": "cycle", "at_most": 3600}]}, 2),
    ],
)
def test_run_counts_the_facts_to_which_the_conditions_apply(count, three, where, n):
    assert count(COUNT, where=where).n == n


@pytest.mark.parametrize(
    ("document", "place", "sentence"),
    [
        ({"measures": [COUNT] * 6}, "measures", "A report has at most 5 measures."),
        ({"order": ["agent"] * 9}, "order", "A report has at most 2 columns to order by."),
    ],
)
def test_definition_with_too_much_is_refused_in_words(document, place, sentence):
    known = {"version": 1, "facts": "episodes", "measures": [COUNT], "by": ["agent"], "period": JANUARY}
    with pytest.raises(Invalid) as refused:
        read(known | document)
    assert refused.value.data["errors"] == {place: [sentence]}
