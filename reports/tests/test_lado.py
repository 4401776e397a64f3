"""Reports about a real project, as it is in the file of its tracker, against the file counted by hand.

The tasks of trobanga/lado are not ours to ship; where they lie beside the repository, their figures must be right.
"""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reports.tests.conftest import utc
from tasks.actions.imports import import_plan
from tasks.formats import beads
from tasks.tests.lado import LADO

pytestmark = pytest.mark.django_db

IMPORTED = "2026-06-10 12:00"
FIRST, LAST = date(2026, 1, 20), date(2026, 6, 15)
ZONES = ("UTC", "Pacific/Auckland")


def moments(name: str) -> list[datetime]:
    """All times of the file under ``name``."""
    assert LADO is not None
    issues = (json.loads(line) for line in LADO.read_text().splitlines())
    return [datetime.fromisoformat(issue[name]) for issue in issues if name in issue]


def days_of(zone: str) -> list[tuple[str, datetime, datetime]]:
    """Each day of the period: its name, and its two midnights."""
    days = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days)]
    midnights = [datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC) for day in (*days, LAST)]
    return [(str(day), *midnights[number : number + 2]) for number, day in enumerate(days)]


if LADO is not None:

    @pytest.fixture
    def lado(cast, ask, set_clock):
        """``lado("completed", "UTC")``: a report about it by day, as of two days after its import."""
        set_clock(IMPORTED)
        import_plan(actor=None, project=cast.ops, plan=beads.read(LADO.read_text()))

        def answer(slug: str, zone: str) -> dict[str, Any]:
            return ask(slug, f"from={FIRST}&to={LAST}&bucket=day&tz={zone}", now="2026-06-12 12:00")

        return answer

    @pytest.mark.parametrize(
        ("zone", "expected"),
        [
            ("UTC", {"2026-01-31": 1, "2026-04-13": 2, "2026-05-18": 2, "2026-06-02": 6}),
            # What UTC calls the afternoon of 13 April is the night of the 14th there.
            ("Pacific/Auckland", {"2026-01-31": 1, "2026-04-14": 2, "2026-05-18": 2, "2026-06-02": 6}),
        ],
    )
    def test_completed_by_day(lado, zone, expected):
        rows = lado("completed", zone)["rows"]
        assert {str(row["bucket"]): row["completed"] for row in rows if row["completed"]} == expected
        closed, created = moments("closed_at"), moments("created_at")
        for row, (day, start, end) in zip(rows, days_of(zone), strict=True):
            counted = [sum(start <= moment < end for moment in there) for there in (closed, created)]
            assert (str(row["bucket"]), row["completed"], row["arrived"]) == (day, *counted)

    @pytest.mark.parametrize("zone", ZONES)
    def test_cycle_times(lado, zone):
        answer = lado("cycle_times", zone)
        # Eight of the eleven that were closed say when they were begun.
        assert sorted(row["cycle_seconds"] for row in answer["rows"]) == [2, 12, 35, 42, 195, 288, 947, 981]
        figures = {figure["name"]: figure["value"] for figure in answer["figures"]}
        assert figures == {
            "cycle_count": 8,
            "cycle_average_seconds": 312.75,
            "cycle_median_seconds": 118.5,
            "cycle_p85_seconds": 914.05,
            "cycle_p95_seconds": pytest.approx(947 + 0.65 * 34, abs=0.0005),
        }

    @pytest.mark.parametrize("zone", ZONES)
    def test_cumulative_flow(lado, zone):
        rows = lado("cumulative_flow", zone)["rows"]
        closed, created, now = moments("closed_at"), moments("created_at"), utc("2026-06-12 12:00")
        begun = [day for day in days_of(zone) if day[1] < now]
        assert len(rows) == len(begun)
        for row, (day, _, end) in zip(rows, begun, strict=True):
            done = sum(moment < end for moment in closed)
            is_open = sum(moment < end for moment in created) - done
            is_here = end > utc(IMPORTED)
            assert (str(row["bucket"]), row["completed"]) == (day, done)
            # Where a task stood elsewhere nobody knows; here eight have not been begun.
            assert (row["elsewhere"], row["not_started"]) == ((0, is_open) if is_here else (is_open, 0))
            assert row["in_progress"] == row["waiting"] == row["in_review"] == row["ended_otherwise"] == 0
        assert (rows[-1]["completed"], rows[-1]["not_started"]) == (11, 8)
