"""Reports about flow on real tasks of another tracker, counted by hand, and where times are missing."""

import json
from datetime import timedelta

import pytest

from reports.predefined import cycle_times, wip_age
from reports.predefined.cumulative_flow import levels
from reports.predefined.littles_law import Law
from reports.tests.flow_walk import Walk
from reports.tests.test_flow import FLOW, check, recount
from tasks.actions import claims
from tasks.actions.imports import import_plan
from tasks.formats import beads, json_list
from tasks.models import Episode
from tasks.tests.test_import_beads import LADO

pytestmark = pytest.mark.django_db

MONTHS = "from=2026-01-01&to=2026-07-01&tz=UTC&bucket=month"


@pytest.fixture
def lado(cast, set_clock):
    set_clock("2026-06-10 00:00")
    import_plan(actor=None, project=cast.ops, plan=beads.read(LADO.read_text()))


def column(answer: dict, name: str) -> list:
    return [row[name] for row in answer["rows"]]


def figures(answer: dict) -> dict:
    return {figure["name"]: figure["value"] for figure in answer["figures"]}


# The tasks of trobanga/lado are not ours to ship; if they lie beside the repository, they must count.
if LADO is not None:

    @pytest.mark.usefixtures("lado")
    def test_lado_completed_and_arrivals_by_month(ask):
        answer = ask("completed", MONTHS)
        assert column(answer, "completed") == [1, 0, 0, 2, 2, 6]
        assert column(answer, "arrived") == [1, 0, 2, 5, 1, 10]
        assert column(answer, "net") == [0, 0, 2, 3, -1, 4]
        assert answer["total"]["imported"] == 11
        assert ask("time_to_complete", MONTHS)["total"]["completed"] == 11

    @pytest.mark.usefixtures("lado")
    def test_lado_cycle_times(ask):
        answer = ask("time_to_complete", MONTHS)
        # 2, 12, 35, 42, 195, 288, 947 and 981 s; p85 at position 5.95, p95 at 6.65. Three have no start.
        assert [answer["total"][f"cycle_{name}"] for name in ("count", "average_seconds", "median_seconds")] == [
            8,
            312.75,
            118.5,
        ]
        assert answer["total"]["cycle_p85_seconds"] == 914.05
        assert answer["total"]["cycle_p95_seconds"] == 969.1
        assert "3 of 11 completed have no known cycle time." in answer["notes"]
        dots = ask("cycle_times", MONTHS)
        assert column(dots, "cycle_seconds") == [12, 2, 947, 195, 981, 35, 288, 42]
        assert figures(dots)["cycle_p85_seconds"] == 914.05

    @pytest.mark.usefixtures("lado")
    def test_lado_cumulative_flow(ask):
        answer = ask("cumulative_flow", MONTHS, now="2026-06-09 00:00")
        assert column(answer, "completed") == [1, 1, 1, 3, 5, 11]
        # At the end of May: f01, 1h8, rw7 and cs7.
        assert column(answer, "elsewhere")[:5] == [0, 0, 2, 5, 4]
        minutes = "from=2026-06-02T08:00:00Z&to=2026-06-02T08:50:00Z&tz=UTC&bucket=minute"
        by_minute = ask("cumulative_flow", minutes, now="2026-06-09 00:00")["rows"]
        # Before 08:30: vag is completed since 08:00; bno and cq7 are in progress; 11 have not begun or are not over.
        half_past = by_minute[29]
        assert (half_past["completed"], half_past["in_progress"], half_past["elsewhere"]) == (1, 2, 11)
        # By 08:50 bno, cq7, aib, lyr and e3h are completed as well.
        assert (by_minute[-1]["completed"], by_minute[-1]["in_progress"], by_minute[-1]["elsewhere"]) == (6, 0, 8)


def test_a_file_without_times_gives_no_figures_and_not_zeros(cast, ask, set_clock):
    set_clock("2026-03-01 12:00")
    entries = [{"key": f"t{number}", "title": "Done", "status": "completed"} for number in range(20)]
    import_plan(actor=None, project=cast.ops, plan=json_list.read(json.dumps(entries)))
    year = "from=2026-01-01&to=2026-06-01&tz=UTC&bucket=month"
    note = "20 completed at an unknown time are in no figure."
    total = ask("time_to_complete", year)["total"]
    for name in ("lead", "queue", "cycle"):
        assert total[f"{name}_count"] == 0
        assert (
            total[f"{name}_average_seconds"] is total[f"{name}_median_seconds"] is total[f"{name}_p95_seconds"] is None
        )
    assert set(column(ask("completed", year), "completed")) == {0}
    for slug in ("completed", "time_to_complete", "cycle_times", "service_level", "cumulative_flow", "flow_efficiency"):
        answer = ask(slug, year)
        assert note in answer["notes"]
    assert figures(ask("cycle_times", year))["cycle_count"] == 0
    assert ask("cycle_time_histogram", year)["rows"] == []
    assert figures(ask("service_level", year))["level_seconds"] is None
    assert ask("forecast", year)["notes"][0].startswith("A forecast needs at least 20 completions on 10 whole days")


def test_an_inferred_time_is_told_apart(cast, ask, set_clock):
    set_clock("2026-03-01 12:00")
    times = {"created_at": "2026-02-01T00:00:00Z", "updated_at": "2026-02-03T00:00:00Z"}
    entry = {"id": "x-1", "title": "Done", "status": "closed", "issue_type": "task", "priority": 2, **times}
    import_plan(actor=None, project=cast.ops, plan=beads.read(json.dumps(entry) + "\n"))
    answer = ask("completed", "from=2026-01-01&to=2026-06-01&tz=UTC&bucket=month")
    assert (answer["total"]["completed"], answer["total"]["inferred"]) == (1, 1)
    assert "1 of these has a time that a file implies and does not give." in answer["notes"]


def test_a_result_adopted_after_a_failure_continues_its_episode(cast, monkeypatch):
    walk = Walk(cast, monkeypatch)
    walk.take([("create", 0, "atlas", 0), ("lose", 0, "atlas", 30), ("adopt", 0, "atlas", 1_500)])
    assert Episode.objects.filter(number=2, end="completed").count() == 1
    walk.now += timedelta(minutes=10)
    check(walk, 5)
    # It came in on the day of its first episode, and counts there once.
    assert recount(walk, 5).completed()[0]["arrived"] == 1


def test_forecast_draws_from_whole_days_and_says_its_conditions(cast, ask, do_task, new_task, set_clock):
    for day in range(1, 13):
        for hour in (9, 14):
            do_task(f"2026-02-{day:02} 08:00", f"2026-02-{day:02} {hour:02}:00", f"2026-02-{day:02} {hour:02}:30")
    for _ in range(5):
        new_task()
    set_clock("2026-02-12 18:00")
    answer = ask("forecast", "from=2026-01-01&to=2026-03-01&tz=UTC", now="2026-02-13 09:00")
    # 12 days with two each, and 5 open: done after three whole days from tomorrow on.
    assert figures(answer) == {"open": 5, "completed": 24, "days": 12}
    assert column(answer, "confidence") == [50, 70, 85, 95]
    assert set(column(answer, "done_by")) == {"2026-02-16"}
    assert set(column(answer, "done_in_7_days")) == {14}
    assert "From 24 completions on 12 whole days, by 10,000 draws, as of 2026-02-13 09:00." in answer["notes"]
    assert ask("forecast", "from=2026-02-06&to=2026-03-01&tz=UTC", now="2026-02-13 09:00")["rows"] == []


def test_scatter_and_age_show_a_bounded_number_and_say_so(cast, ask, do_task, new_task, set_clock, monkeypatch):
    monkeypatch.setattr(cycle_times, "SHOWN", 2)
    monkeypatch.setattr(wip_age, "SHOWN", 1)
    for hour in (10, 11, 12):
        do_task("2026-02-02 08:00", "2026-02-02 09:00", f"2026-02-02 {hour}:00")
    for hour in (13, 14):
        set_clock(f"2026-02-02 {hour}:00")
        claims.claim_task(actor=cast.atlas.user, task=new_task())
    period = "from=2026-02-01&to=2026-02-03&tz=UTC"
    dots = ask("cycle_times", period)
    assert column(dots, "cycle_seconds") == [2 * 3600, 3 * 3600]
    assert figures(dots)["cycle_count"] == 3
    assert "The last 2 of 3 are shown one by one; the percentiles are of all." in dots["notes"]
    age = ask("wip_age", period, now="2026-02-02 15:30")
    assert [(row["age_seconds"], row["place"]) for row in age["rows"]] == [(2.5 * 3600, "above_p50")]
    assert (age["n"], figures(age)["above_p85"]) == (2, 0)
    assert "The oldest 1 of 2 are shown one by one; the figures are of all." in age["notes"]


def test_flow_of_a_stranger_is_empty(ask, do_task, django_user_model):
    do_task("2026-02-02 08:00", "2026-02-02 09:00", "2026-02-02 10:00")
    stranger = django_user_model.objects.create_user("stranger")
    for slug in FLOW:
        assert ask(slug, "from=2026-02-01&to=2026-02-03&tz=UTC", user=stranger)["n"] == 0


@pytest.mark.parametrize(
    ("at_start", "begun", "ended", "expected"),
    [(0, [], [], []), (3, [1, 0, 2], [0, 4, 1], [4, 0, 1])],
)
def test_levels_add_what_began_and_take_what_ended(at_start, begun, ended, expected):
    assert levels(at_start, begun, ended) == expected


def test_littles_law_predicts_the_work_in_progress_and_gives_the_gap():
    law = Law(wip=6, throughput=2, cycle=2)
    assert (law.expected, law.gap, law.gap_share) == (4, 2, 1 / 3)
    assert Law(wip=6, throughput=0, cycle=None).gap is None


@pytest.mark.parametrize(("top", "width"), [(0, 1_000), (19_999, 1_000), (20_000, 2_000), (3_600_000, 300_000)])
def test_a_bin_is_the_narrowest_round_width_that_reaches_the_95th_percentile(top, width):
    assert cycle_times.width_of(top) == width
