"""Cron expressions: which are taken, what the others are told, and their times where clocks are changed."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from reports.schedules import cron
from reports.tests.conftest import utc
from taskproject.errors import Invalid


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Write five fields"),
        ("@daily", "It has one field"),
        ("* * * *", "It has 4 fields"),
        ("0 0 8 * * 1", "It has 6 fields"),
        ("61 8 * * *", "'61' is no minute"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 8 0 * *", "'0' is no day of the month"),
        ("0 8 * 13 *", "'13' is no month"),
        ("0 8 * * MONDAY", "'MONDAY' is no weekday"),
        ("0 8 30 2 *", "never comes"),
        ("* * * * *", "once an hour at most"),
        ("0,30 8 * * *", "once an hour at most"),
        ("*/15 * * * *", "once an hour at most"),
        ("0 8 * * 1; DROP", "It has 6 fields"),
        ("0 8 * * " + ",".join(["1"] * 60), "At most 100"),
    ],
)
def test_cron_with_a_mistake_is_refused_in_words(text, words):
    with pytest.raises(Invalid) as refused:
        cron.read_cron(text)
    assert words in refused.value.data["errors"]["cron"][0]


@pytest.mark.parametrize("text", ["0 8 * * 1", "30 * * * *", "5 0-12/2 * jan,feb mon-fri", "0 8 L * *", "0 8 * * 1#1"])
def test_cron_is_taken_and_said_in_words(text):
    assert cron.read_cron(f"  {text.replace(' ', '   ')} ") == text.upper()
    assert cron.in_words(text).startswith("At")


def test_range_of_days_is_said_in_plain_english():
    assert cron.in_words("0 8 * * 1-5") == "At 08:00 on Monday to Friday"


@pytest.mark.parametrize(
    ("text", "after", "times"),
    [
        # By the clocks of Berlin at 8:00, whatever UTC says.
        ("0 8 * * *", "2026-03-28 00:00", ["2026-03-28 07:00", "2026-03-29 06:00"]),
        ("0 8 * * *", "2026-10-24 00:00", ["2026-10-24 06:00", "2026-10-25 07:00"]),
        # 2:30 does not exist on 29 March: it comes at 3:00.
        ("30 2 * * *", "2026-03-28 12:00", ["2026-03-29 01:00", "2026-03-30 00:30"]),
        # 2:30 comes twice on 25 October, and counts once.
        ("30 2 * * *", "2026-10-24 12:00", ["2026-10-25 00:30", "2026-10-26 01:30"]),
        # Every hour is every hour.
        ("15 * * * *", "2026-10-25 00:00", ["2026-10-25 00:15", "2026-10-25 01:15", "2026-10-25 02:15"]),
        ("15 * * * *", "2026-03-29 00:20", ["2026-03-29 01:15", "2026-03-29 02:15"]),
    ],
)
def test_times_are_by_the_clocks_of_the_zone(text, after, times):
    moment, berlin, got = utc(after), ZoneInfo("Europe/Berlin"), []
    for _ in times:
        moment = cron.next_time(text, berlin, moment)
        got.append(moment)
    assert got == [utc(time) for time in times]


def test_time_in_the_hour_that_comes_twice_is_never_one_that_was():
    berlin = ZoneInfo("Europe/Berlin")
    second_two_oclock = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
    assert cron.next_time("45 2 * * *", berlin, second_two_oclock) == utc("2026-10-26 01:45")
