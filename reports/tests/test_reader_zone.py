"""One completion is on one day: on the task page, in reports and in the admin; also when the clocks change."""

import pytest
from django.test import Client

from tasks.zones import ZONE_COOKIE, choose_zone

pytestmark = pytest.mark.django_db
#: When a task was completed, and what that was in Auckland, whose clocks changed on 5 April and 27 September.
COMPLETIONS = [
    ("2026-04-03 11:30", "2026-04-04", "00:30 NZDT"),
    ("2026-04-04 11:30", "2026-04-05", "00:30 NZDT"),
    ("2026-04-04 13:30", "2026-04-05", "02:30 NZDT"),
    ("2026-04-04 14:30", "2026-04-05", "02:30 NZST"),
    ("2026-04-05 11:59", "2026-04-05", "23:59 NZST"),
    ("2026-04-05 12:00", "2026-04-06", "00:00 NZST"),
    ("2026-09-26 11:59", "2026-09-26", "23:59 NZST"),
    ("2026-09-26 12:00", "2026-09-27", "00:00 NZST"),
    ("2026-09-27 10:59", "2026-09-27", "23:59 NZDT"),
    ("2026-09-27 11:00", "2026-09-28", "00:00 NZDT"),
]


@pytest.fixture
def reader(cast) -> Client:
    """A browser of the superuser in Auckland."""
    client = Client()
    client.force_login(cast.root)
    client.cookies[ZONE_COOKIE] = "Pacific/Auckland"
    return client


@pytest.mark.parametrize(("completed", "day", "clock_time"), COMPLETIONS)
def test_day_on_the_page_is_the_bucket_and_the_day_in_the_admin(reader, do_task, completed, day, clock_time):
    day_before = f"{completed[:8]}01 00:00"
    task = do_task(day_before, day_before.replace("00:00", "01:00"), completed)
    year, month, number = day.split("-")
    words = f"{int(number)} {'Apr' if month == '04' else 'Sep'} {year}, {clock_time}"
    assert words in reader.get(f"/tasks/{task.ref}").content.decode()
    assert words in reader.get(f"/admin/tasks/task/{task.pk}/change/").content.decode()
    query = "bucket=day&from=2026-04-01&to=2026-10-15"
    for path in (f"/reports/completed/?{query}&output=json", f"/api/v1/reports/completed?{query}"):
        answer = reader.get(path).json()
        assert answer["tz"] == "Pacific/Auckland"
        assert [row["bucket"] for row in answer["rows"] if row["completed"]] == [day]


def test_zone_of_the_url_goes_before_the_readers(reader, do_task):
    do_task("2026-04-01 00:00", "2026-04-01 01:00", "2026-04-03 11:30")
    answer = reader.get("/api/v1/reports/completed?bucket=day&from=2026-04-01&to=2026-04-30&tz=UTC").json()
    assert (answer["tz"], [row["bucket"] for row in answer["rows"] if row["completed"]]) == ("UTC", ["2026-04-03"])
    page = reader.get("/reports/completed/?bucket=day&from=2026-04-01&to=2026-04-11&tz=UTC").content.decode()
    assert "1 Apr 2026 to 10 Apr 2026" in " ".join(page.split())


def test_token_reads_in_the_zone_of_its_profile(api, cast, do_task):
    path = "/reports/completed?bucket=day&from=2026-04-01&to=2026-04-30"
    assert api.atlas.get(path).json()["tz"] == "UTC"
    choose_zone(cast.atlas.user, "Asia/Kathmandu")
    assert [api.atlas.get(f"{path}{tz}").json()["tz"] for tz in ("", "&tz=reader", "&tz=Europe/Berlin")] == [
        "Asia/Kathmandu", "Asia/Kathmandu", "Europe/Berlin",
    ]  # fmt: skip
