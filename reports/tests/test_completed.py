"""How many tasks were completed, against numbers counted by hand."""

import pytest

from tasks.actions import claims, lifecycle, reviews, runs, tasks
from tasks.models import Task

pytestmark = pytest.mark.django_db

JANUARY = "from=2026-01-01&to=2026-02-01&tz=UTC"


def counts(answer: dict, name: str = "completed") -> dict[str, int]:
    return {row["bucket"]: row[name] for row in answer["rows"] if row[name]}


def test_completed_per_day_week_and_month_counts_each_completion_in_its_bucket(ask, do_task):
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    do_task("2026-01-02 08:00", "2026-01-05 09:00", "2026-01-05 10:00")
    do_task("2026-01-02 08:00", "2026-01-05 09:00", "2026-01-05 12:59:59.999999")
    do_task("2026-01-02 08:00", "2026-01-31 22:00", "2026-01-31 23:59:59")
    by_day = ask("completed", f"{JANUARY}&bucket=day")
    assert counts(by_day) == {"2026-01-02": 1, "2026-01-05": 2, "2026-01-31": 1}
    assert len(by_day["rows"]) == 31
    by_week = ask("completed", f"{JANUARY}&bucket=week")
    assert counts(by_week) == {"2025-12-29": 1, "2026-01-05": 2, "2026-01-26": 1}
    assert counts(ask("completed", f"{JANUARY}&bucket=month")) == {"2026-01-01": 4}
    assert by_day["total"]["completed"] == by_week["total"]["completed"] == 4


def test_completed_at_the_edges_counts_the_start_and_not_the_end(ask, do_task):
    do_task("2025-12-31 08:00", "2025-12-31 23:00", "2026-01-01 00:00")
    do_task("2025-12-31 08:00", "2026-01-31 23:00", "2026-02-01 00:00")
    assert counts(ask("completed", f"{JANUARY}&bucket=day")) == {"2026-01-01": 1}


def test_completed_in_another_time_zone_falls_on_the_local_day(ask, do_task):
    do_task("2026-01-01 08:00", "2026-01-04 22:00", "2026-01-04 23:30")
    assert counts(ask("completed", "from=2026-01-01&to=2026-01-10&bucket=day&tz=UTC")) == {"2026-01-04": 1}
    berlin = "from=2026-01-01&to=2026-01-10&tz=Europe/Berlin"
    assert counts(ask("completed", f"{berlin}&bucket=day")) == {"2026-01-05": 1}
    assert counts(ask("completed", f"{berlin}&bucket=week")) == {"2026-01-05": 1}
    west = "from=2026-01-01&to=2026-01-10&tz=America/Los_Angeles&bucket=day"
    assert counts(ask("completed", west)) == {"2026-01-04": 1}


def test_completed_around_a_change_of_clocks_keeps_to_local_midnight(ask, do_task):
    # 29 March 2026 in Berlin lasts from 23:00 UTC of the 28th to 22:00 UTC of the 29th.
    for completed in ("2026-03-28 22:59:59", "2026-03-28 23:00", "2026-03-29 21:59:59", "2026-03-29 22:00"):
        do_task("2026-03-28 20:00", "2026-03-28 22:00", completed)
    answer = ask("completed", "from=2026-03-28&to=2026-04-01&bucket=day&tz=Europe/Berlin")
    assert counts(answer) == {"2026-03-28": 1, "2026-03-29": 2, "2026-03-30": 1}


def test_completed_twice_after_a_reopening_counts_twice(cast, ask, do_task, set_clock):
    task = do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    set_clock("2026-01-08 10:00")
    lifecycle.reopen_task(actor=cast.ada.user, task=task)
    assert counts(ask("completed", JANUARY)) == {"2025-12-29": 1}
    do_task("2026-01-08 10:00", "2026-01-09 09:00", "2026-01-09 10:00", task=task)
    answer = ask("completed", JANUARY)
    assert counts(answer) == {"2025-12-29": 1, "2026-01-05": 1}
    assert counts(answer, "arrived") == {"2025-12-29": 1, "2026-01-05": 1}
    assert counts(answer, "reopened") == {"2026-01-05": 1}
    assert counts(answer, "net") == {}


def test_completed_after_review_counts_at_the_approval(cast, ask, new_task, set_clock):
    set_clock("2026-01-02 08:00")
    task = new_task(review_required=True)
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    assert counts(ask("completed", JANUARY)) == {}
    set_clock("2026-01-20 08:00")
    reviews.approve_task(actor=cast.rita.user, task=task)
    assert counts(ask("completed", JANUARY)) == {"2026-01-19": 1}


def test_completed_does_not_count_failed_and_cancelled_tasks(cast, ask, new_task, set_clock):
    set_clock("2026-01-02 08:00")
    lifecycle.cancel_task(actor=cast.ada.user, task=new_task())
    run = claims.claim_task(actor=cast.atlas.user, task=new_task())
    runs.fail_run(actor=cast.atlas.user, run_id=run.pk, code="x", detail="y", retryable=False)
    total = ask("completed", JANUARY)["total"]
    assert (total["completed"], total["arrived"], total["ended_otherwise"], total["net"]) == (0, 2, 2, 0)


def test_completed_elsewhere_counts_once_at_its_real_time(ask, import_completed, do_task):
    import_completed("2026-01-03 00:00", "2026-01-03 01:00", "2026-01-06 12:00", at="2026-03-01 00:00")
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-07 10:00")
    answer = ask("completed", JANUARY)
    assert counts(answer) == {"2026-01-05": 2}
    assert counts(answer, "imported") == {"2026-01-05": 1}
    assert ask("completed", "from=2026-02-01&to=2026-04-01")["total"]["completed"] == 0


def test_completed_elsewhere_then_reopened_and_completed_here_counts_twice(
    cast, ask, import_completed, do_task, set_clock
):
    task = import_completed("2026-01-03 00:00", None, "2026-01-06 12:00", at="2026-01-20 00:00")
    lifecycle.reopen_task(actor=cast.ada.user, task=task)
    do_task("2026-01-20 00:00", "2026-01-21 00:00", "2026-01-22 00:00", task=task)
    answer = ask("completed", JANUARY)
    assert counts(answer) == {"2026-01-05": 1, "2026-01-19": 1}
    assert answer["total"]["imported"] == 1


def test_completed_keeps_what_was_deleted_later(cast, ask, do_task):
    task = do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    tasks.delete_task(actor=cast.ada.user, task=task)
    assert not Task.objects.exists()
    assert ask("completed", JANUARY)["total"]["completed"] == 1


def test_completed_without_tasks_has_every_bucket_at_zero(ask):
    answer = ask("completed", JANUARY)
    assert [row["completed"] for row in answer["rows"]] == [0, 0, 0, 0, 0]
    assert answer["total"] == {
        "bucket": None,
        "starts_at": "2026-01-01T00:00:00Z",
        "ends_at": "2026-02-01T00:00:00Z",
        "is_partial": False,
        **dict.fromkeys(("completed", "imported", "inferred", "arrived", "reopened", "ended_otherwise", "net"), 0),
    }


def test_completed_in_a_bucket_that_is_not_over_is_partial(ask):
    answer = ask("completed", "from=2026-01-05&to=2026-01-19&tz=UTC", now="2026-01-14 12:00")
    assert [row["is_partial"] for row in answer["rows"]] == [False, True]


def test_completed_in_many_buckets_counts_the_same(ask, do_task):
    do_task("2024-02-01 08:00", "2024-02-29 09:00", "2024-02-29 10:00")
    do_task("2026-01-02 08:00", "2026-01-05 09:00", "2026-01-05 10:00")
    answer = ask("completed", "from=2023-06-01&to=2026-02-01&bucket=day&tz=Pacific/Chatham")
    assert len(answer["rows"]) == 976
    assert counts(answer) == {"2024-02-29": 1, "2026-01-05": 1}
