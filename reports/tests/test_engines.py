"""What the engines ask the database for: no more than is wanted, and by which index."""

import pytest
from django.db import connection
from django.db.models import F, Value
from django.test.utils import CaptureQueriesContext

from reports.could_work import _happened
from reports.engines import summarise
from reports.measures import Average, Count, Greatest, Least, Percentile, Sum
from reports.sql import BucketIndex, by_index
from reports.tests.conftest import utc
from reports.tests.histories import episode
from tasks.events import kinds
from tasks.models import Episode, Event

pytestmark = pytest.mark.django_db
on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="Only on SQLite: it is shown the index")

EDGES = [utc(f"2026-01-{day:02} 00:00") for day in (5, 12, 19)]


@pytest.fixture
def three(cast):
    """Episodes of OPS that ended on 1, 5 and 20 January; their ``runs`` are 1, 2 and 4."""
    for day, runs in ((1, 1), (5, 2), (20, 4)):
        made = episode(cast.ops, utc("2025-12-01 00:00"), utc(f"2026-01-{day:02} 00:00"))
        Episode.objects.filter(pk=made.pk).update(runs=runs)
    return Episode.objects.order_by()


def functions_in(statement: str) -> set[str]:
    return {name for name in ("COUNT(c", "SUM(c", "MIN(c", "MAX(c", "PERCENTILE_CONT(") if name in statement}


@pytest.mark.parametrize(
    ("measure", "functions", "value"),
    [
        (Count("runs"), {"COUNT(c"}, 3),
        (Sum("runs"), {"SUM(c"}, 7),
        (Least("runs"), {"MIN(c", "MAX(c"}, 1),
        (Greatest("runs"), {"MIN(c", "MAX(c"}, 4),
    ],
)
def test_summarise_computes_what_is_wanted_and_nothing_else(three, measure, functions, value):
    with CaptureQueriesContext(connection) as sent:
        assert summarise(three, by=["agent"], measures={"it": measure}).total == {"it": value}
    assert [functions_in(query["sql"]) for query in sent] == [functions]


def test_summarise_gives_every_measure_of_a_column_at_once(three):
    wanted = {"n": Count("runs"), "sum": Sum("runs"), "mean": Average("runs"), "least": Least("runs")}
    wanted |= {"most": Greatest("runs"), "half": Percentile("runs", 0.5), "due": Count("priority")}
    values = summarise(three, by=["end"], measures=wanted)
    assert values.total == values.groups[("completed",)]
    total = {name: float(value) for name, value in values.total.items()}
    mean = pytest.approx(7 / 3)
    assert total == {"n": 3, "sum": 7, "mean": mean, "least": 1, "most": 4, "half": 2, "due": 3}


def test_buckets_are_found_between_their_edges(three):
    rows = three.annotate(bucket=BucketIndex("ended_at", EDGES))
    assert sorted(rows.values_list("bucket", flat=True)) == [0, 1, 3]
    without = three.annotate(bucket=BucketIndex(F("ended_at"), []))
    assert set(without.values_list("bucket", flat=True)) == {0}
    of_a_value = three.annotate(bucket=BucketIndex(Value(EDGES[1]), EDGES))
    assert set(of_a_value.values_list("bucket", flat=True)) == {2}


@on_sqlite
def test_edges_are_no_parameters(three):
    rows = three.annotate(bucket=BucketIndex("ended_at", EDGES)).values("bucket")
    assert rows.query.sql_with_params()[1] == ()


@on_sqlite
def test_rare_events_are_looked_up_whatever_the_statistics_say(cast, new_task):
    for _ in range(20):
        new_task()
    connection.cursor().execute("ANALYZE")
    added = _happened([cast.ops.pk], [kinds.MEMBER_ADDED])
    assert "INDEX event_for_reports (project_id=? AND kind=?)" in added.order_by("id").explain()
    assert _happened([], [kinds.MEMBER_ADDED]).count() == 0


def test_by_index_finds_the_same_rows(cast, new_task):
    new_task()
    events = Event.objects.filter(project=cast.ops, kind=kinds.TASK_CREATED)
    assert list(by_index(events, "event_for_reports")) == list(events)
    assert len(events) == 1


@on_sqlite
def test_littles_law_reads_only_what_ended_in_its_period(cast, api, new_task):
    new_task()
    with CaptureQueriesContext(connection) as queries:
        assert api.ada.get("/reports/littles_law").status_code == 200
    plans = []
    with connection.cursor() as cursor:
        for query in queries.captured_queries:
            if '"ended_at" >= ' in query["sql"]:
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                plans.append([step for *_, step in cursor.fetchall()])
    ended = "SEARCH tasks_episode USING INDEX episode_ended (project_id=? AND end=? AND ended_at>? AND ended_at<?)"
    # All that ended, and what was completed of it.
    assert [plan.count(ended) for plan in plans if ended in plan] == [1, 1]
