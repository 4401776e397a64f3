"""Lead and cycle times, against numbers calculated by hand (and by NumPy's default percentile)."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from reports.engines import summarise
from reports.measures import Average, Count, Percentile
from reports.sql import Milliseconds
from reports.tests.conftest import utc
from tasks.actions import lifecycle
from tasks.models import Task

pytestmark = pytest.mark.django_db

PERIOD = "from=2026-01-01&to=2026-02-01&tz=UTC&bucket=week"


def figures(row: dict, column: str) -> tuple:
    return tuple(
        row[f"{column}_{name}"] for name in ("count", *(f"{n}_seconds" for n in ("average", "median", "p85", "p95")))
    )


@pytest.fixture
def five_tasks(do_task):
    """Lead times 1, 2, 3, 4 and 10 h; cycle times 30 min each except the last, which took 9 h. All in one week."""
    for hour in (1, 2, 3, 4):
        completed = utc("2026-01-06 00:00") + timedelta(hours=hour)
        started = completed - timedelta(minutes=30)
        do_task("2026-01-06 00:00", f"{started:%Y-%m-%d %H:%M}", f"{completed:%Y-%m-%d %H:%M}")
    do_task("2026-01-06 00:00", "2026-01-06 01:00", "2026-01-06 10:00")


def test_time_to_complete_gives_average_median_and_percentiles_by_linear_interpolation(ask, five_tasks):
    answer = ask("time_to_complete", PERIOD)
    # p85: position 0.85 · 4 = 3.4 → 4 h + 0.4 · 6 h = 6.4 h; p95: 3.8 → 8.8 h.
    assert figures(answer["total"], "lead") == (5, 4 * 3600, 3 * 3600, 23_040, 31_680)
    # p85: 0.5 h + 0.4 · 8.5 h = 3.9 h; p95: 0.5 h + 0.8 · 8.5 h = 7.3 h; average 11 h / 5.
    assert figures(answer["total"], "cycle") == (5, 7_920, 1_800, 14_040, 26_280)
    week = next(row for row in answer["rows"] if row["bucket"] == "2026-01-05")
    assert figures(week, "lead") == figures(answer["total"], "lead")


def test_time_to_complete_per_bucket_keeps_buckets_apart_and_total_over_all_tasks(ask, five_tasks, do_task):
    do_task("2026-01-13 00:00", "2026-01-13 19:00", "2026-01-13 20:00")
    answer = ask("time_to_complete", PERIOD)
    rows = {row["bucket"]: figures(row, "lead") for row in answer["rows"]}
    assert rows["2026-01-05"][:3] == (5, 14_400, 10_800)
    assert rows["2026-01-12"] == (1, 72_000, 72_000, 72_000, 72_000)
    assert rows["2026-01-19"] == (0, None, None, None, None)
    # 1, 2, 3, 4, 10, 20 h: the median lies between 3 and 4; p85 at position 4.25 → 10 + 0.25 · 10.
    assert figures(answer["total"], "lead")[:4] == (6, 24_000, 3.5 * 3600, 12.5 * 3600)


def test_time_to_complete_of_two_tasks_interpolates_between_them(ask, do_task):
    do_task("2026-01-06 00:00", "2026-01-06 00:00", "2026-01-06 00:00:10")
    do_task("2026-01-06 00:00", "2026-01-06 00:00", "2026-01-06 00:00:20")
    assert figures(ask("time_to_complete", PERIOD)["total"], "lead") == (2, 15.0, 15.0, 18.5, 19.5)


def test_time_to_complete_keeps_fractions_of_a_second(ask, do_task):
    do_task("2026-01-06 00:00:00.750", "2026-01-06 00:00:01", "2026-01-06 00:00:02.125")
    total = ask("time_to_complete", PERIOD)["total"]
    assert (total["lead_median_seconds"], total["cycle_median_seconds"]) == (1.375, 1.125)


def test_time_to_complete_of_an_imported_task_uses_the_times_of_its_file(ask, import_completed):
    import_completed("2026-01-06 00:00", "2026-01-06 05:00", "2026-01-06 06:00")
    import_completed("2026-01-06 00:00", None, "2026-01-06 02:00")
    total = ask("time_to_complete", PERIOD)["total"]
    assert figures(total, "lead")[:3] == (2, 4 * 3600, 4 * 3600)
    assert figures(total, "cycle")[:3] == (1, 3600, 3600)


def test_time_to_complete_of_a_reopened_task_leaves_out_the_time_it_lay_completed(cast, ask, do_task, set_clock):
    task = do_task("2026-01-06 00:00", "2026-01-06 01:00", "2026-01-06 02:00")
    set_clock("2026-01-07 00:00")
    lifecycle.reopen_task(actor=cast.ada.user, task=task)
    do_task("2026-01-07 00:00", "2026-01-07 01:00", "2026-01-07 02:00", task=task)
    total = ask("time_to_complete", PERIOD)["total"]
    assert figures(total, "lead")[:2] == (2, 2 * 3600)
    assert figures(total, "queue")[:2] == (2, 3600)
    assert figures(total, "cycle")[:2] == (2, 3600)
    assert total["completed"] == ask("completed", PERIOD)["total"]["completed"] == 2


def test_time_to_complete_without_tasks_is_none_and_not_zero(ask):
    answer = ask("time_to_complete", PERIOD)
    assert len(answer["rows"]) == 5
    assert figures(answer["total"], "lead") == (0, None, None, None, None)


def test_time_to_complete_for_someone_without_projects_is_empty(ask, five_tasks, django_user_model):
    stranger = django_user_model.objects.create_user("stranger")
    assert figures(ask("time_to_complete", PERIOD, user=stranger)["total"], "lead")[0] == 0


def test_summarise_groups_without_a_value_apart(cast, do_task, import_completed):
    do_task("2026-01-06 00:00", "2026-01-06 01:00", "2026-01-06 04:00", agent=cast.atlas)
    do_task("2026-01-06 00:00", "2026-01-06 01:00", "2026-01-06 02:00", agent=cast.bert)
    Task.objects.filter(number=2).update(external_id="x")
    facts = Task.objects.annotate(name=F("external_id"), lead=Milliseconds("created_at", "completed_at"))
    summary = summarise(
        facts, by=["name"], measures={"n": Count("lead"), "mean": Average("lead"), "p": Percentile("lead", 0.5)}
    )
    assert summary.groups == {
        (None,): {"n": 1, "mean": 14_400_000, "p": 14_400_000},
        ("x",): {"n": 1, "mean": 7_200_000, "p": 7_200_000},
    }
    assert summary.total == {"n": 2, "mean": 10_800_000, "p": 10_800_000}


def test_time_to_complete_asks_as_many_queries_for_many_tasks_as_for_few(cast, five_tasks, do_task, ask):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            ask("time_to_complete", PERIOD)
        return len(captured)

    few = queries()
    for _ in range(5):
        do_task("2026-01-06 00:00", "2026-01-06 01:00", "2026-01-06 02:00")
    assert queries() == few


def test_time_to_complete_leaves_no_table_behind_and_can_be_asked_again(ask, five_tasks):
    first = ask("time_to_complete", PERIOD)
    assert ask("time_to_complete", PERIOD) == first
    assert not [name for name in connection.introspection.table_names() if "report_facts" in name]
