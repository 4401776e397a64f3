"""Figures formatted for people."""

from datetime import date

import pytest

from reports.formats import bucket_label, bucket_name, duration, figure
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
    day = date(2026, 1, 5)
    assert [bucket_name(day, size) for size in BucketSize] == ["Mon 5 Jan 2026", "Week of 5 Jan 2026", "January 2026"]
    assert [bucket_label(day, size) for size in BucketSize] == ["5 Jan", "5 Jan", "Jan 2026"]
