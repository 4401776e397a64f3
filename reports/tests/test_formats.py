"""Figures formatted for people."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from reports.formats import bucket_label, bucket_labels, bucket_name, duration, figure
from reports.periods import BucketSize


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.25, "0.2 s"),
        (9.96, "10 s"),
        (42, "42 s"),
        (59.9, "1 min"),
        (61, "1 min 1 s"),
        (3_599.9, "1 h"),
        (3_600, "1 h"),
        (11_460, "3 h 11 min"),
        (86_399, "1 d"),
        (190_800, "2 d 5 h"),
        (90_000_000, "1,041 d 16 h"),
        (-90, "−1 min 30 s"),
    ],
)
def test_duration_is_shown_in_its_two_largest_units(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "tasks", "—"),
        (1234, "tasks", "1,234"),
        (33.333, "percent", "33.3 %"),
        (0.6250, "ratio", "0.62"),
        (True, "flag", "yes"),
        ("atlas", "text", "atlas"),
    ],
)
def test_figure_is_formatted_by_its_unit(value, unit, words):
    assert figure(value, unit) == words


def test_bucket_is_named_by_its_size():
    time = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    assert [bucket_name(time, size) for size in ("minute", "hour")] == ["Mon 5 Jan 2026, 09:30"] * 2
    named = [bucket_name(time.date(), size) for size in BucketSize if size.is_of_days]
    assert named == ["Mon 5 Jan 2026", "Week of 5 Jan 2026", "January 2026", "Q1 2026", "2026"]
    labels = [bucket_label(time, size) for size in BucketSize]
    assert labels == ["09:30", "09:30", "5 Jan", "5 Jan", "Jan 2026", "Q1 2026", "2026"]


def test_buckets_of_a_chart_are_told_apart():
    berlin = ZoneInfo("Europe/Berlin")
    hours = [datetime(2026, 1, 5, 22, tzinfo=UTC) + timedelta(hours=n) for n in range(30)]
    assert bucket_labels(hours[:4], BucketSize.HOUR) == ["22:00", "23:00", "00:00", "01:00"]
    assert bucket_labels(hours, BucketSize.HOUR)[:3] == ["5 Jan, 22:00", "5 Jan, 23:00", "6 Jan, 00:00"]
    weeks = [date(2024, 1, 1) + timedelta(weeks=n) for n in range(500)]
    assert bucket_labels(weeks[:50], BucketSize.WEEK)[:2] == ["1 Jan", "8 Jan"]
    assert bucket_labels(weeks, BucketSize.WEEK)[:2] == ["1 Jan 2024", "8 Jan 2024"]
    back = [(datetime(2026, 10, 24, 23, tzinfo=UTC) + timedelta(hours=n)).astimezone(berlin) for n in range(4)]
    assert bucket_labels(back, BucketSize.HOUR) == ["01:00", "02:00 CEST", "02:00 CET", "03:00"]
    assert bucket_name(back[2], BucketSize.HOUR) == "Sun 25 Oct 2026, 02:00 CET"
    for size, names in ((BucketSize.HOUR, hours), (BucketSize.WEEK, weeks), (BucketSize.MINUTE, hours)):
        assert len(set(bucket_labels(names, size))) == len(names)
