"""Where buckets begin and end: at local midnight, whatever the clocks do."""

from datetime import date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from reports.periods import BucketSize, Period, default_start, midnight
from reports.tests.conftest import BERLIN, utc


def test_cut_day_when_clocks_go_forward_lasts_23_hours():
    period = Period(midnight(date(2026, 3, 28), BERLIN), midnight(date(2026, 3, 31), BERLIN), BucketSize.DAY, BERLIN)
    lengths = [bucket.end - bucket.start for bucket in period.buckets]
    assert lengths == [timedelta(hours=24), timedelta(hours=23), timedelta(hours=24)]
    assert [bucket.start for bucket in period.buckets][1] == utc("2026-03-28 23:00")
    assert period.edges == [utc("2026-03-28 23:00"), utc("2026-03-29 22:00")]


def test_cut_day_when_clocks_go_back_lasts_25_hours():
    period = Period(midnight(date(2026, 10, 25), BERLIN), midnight(date(2026, 10, 26), BERLIN), BucketSize.DAY, BERLIN)
    assert [bucket.end - bucket.start for bucket in period.buckets] == [timedelta(hours=25)]


def test_cut_day_without_a_midnight_begins_when_clocks_leap():
    # Lebanon's clocks jump from 0:00 to 1:00 on 29 March 2026.
    beirut = ZoneInfo("Asia/Beirut")
    assert midnight(date(2026, 3, 29), beirut) == utc("2026-03-28 22:00")
    period = Period(midnight(date(2026, 3, 29), beirut), midnight(date(2026, 3, 30), beirut), BucketSize.DAY, beirut)
    assert [bucket.end - bucket.start for bucket in period.buckets] == [timedelta(hours=23)]


def test_cut_week_starts_on_monday_and_marks_what_the_period_clips():
    period = Period(utc("2026-01-01 00:00"), utc("2026-01-14 00:00"), BucketSize.WEEK, ZoneInfo("UTC"))
    assert [(b.name, b.start, b.end, b.is_partial) for b in period.buckets] == [
        (date(2025, 12, 29), utc("2026-01-01 00:00"), utc("2026-01-05 00:00"), True),
        (date(2026, 1, 5), utc("2026-01-05 00:00"), utc("2026-01-12 00:00"), False),
        (date(2026, 1, 12), utc("2026-01-12 00:00"), utc("2026-01-14 00:00"), True),
    ]


def test_cut_month_over_new_year_has_months_of_their_length():
    period = Period(utc("2025-12-01 00:00"), utc("2026-03-01 00:00"), BucketSize.MONTH, ZoneInfo("UTC"))
    assert [bucket.name for bucket in period.buckets] == [date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1)]
    assert [(bucket.end - bucket.start).days for bucket in period.buckets] == [31, 31, 28]


def test_cut_buckets_leave_no_gap_and_no_overlap():
    for size in BucketSize:
        period = Period(utc("2024-02-11 13:30"), utc("2027-11-03 05:00"), size, BERLIN)
        buckets = period.buckets
        assert (buckets[0].start, buckets[-1].end) == (period.start, period.end)
        assert all(before.end == after.start for before, after in pairwise(buckets))


@pytest.mark.parametrize(
    ("size", "start"),
    [("day", "2026-01-22 00:00"), ("week", "2025-12-01 00:00"), ("month", "2025-03-01 00:00")],
)
def test_default_start_spans_30_days_12_weeks_or_12_months(size, start):
    zone = ZoneInfo("UTC")
    began = default_start(utc("2026-02-21 00:00"), BucketSize(size), zone)
    assert began == utc(start)
    assert len(Period(began, utc("2026-02-21 00:00"), BucketSize(size), zone).buckets) == {"day": 30}.get(size, 12)


def test_period_that_ends_before_it_starts_is_refused():
    with pytest.raises(ValueError, match="must end after"):
        Period(utc("2026-01-02 00:00"), utc("2026-01-02 00:00"), BucketSize.DAY, BERLIN)
