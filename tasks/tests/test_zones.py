"""In which zone somebody reads, and that pages, the admin and forms keep to it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.test import RequestFactory
from django.utils import timezone

from tasks.models import Agent, AgentToken, Profile, Task
from tasks.zones import ZONE_COOKIE, choose_zone, chosen_names, reader_zone, reader_zones, zone_of

pytestmark = pytest.mark.django_db
AUCKLAND, KATHMANDU, BERLIN = ZoneInfo("Pacific/Auckland"), ZoneInfo("Asia/Kathmandu"), ZoneInfo("Europe/Berlin")


@pytest.fixture
def zone_for():
    """``zone_for(user, "Pacific/Auckland")``: the zone of a request of ``user`` from a browser with that cookie."""

    def read(user, cookie: str | None = None) -> ZoneInfo:
        request = RequestFactory().get("/")
        request.user = user
        if cookie is not None:
            request.COOKIES[ZONE_COOKIE] = cookie
        return zone_of(request)

    return read


def test_zone_is_the_chosen_one_then_the_browsers_then_that_of_work_then_the_servers(cast, zone_for, settings):
    settings.TIME_ZONE = "Europe/Berlin"
    user = cast.hugo.user
    assert (zone_for(user), reader_zone(user)) == (BERLIN, BERLIN)
    Agent.objects.filter(user=user).update(time_zone="Asia/Kathmandu")
    user.agent.refresh_from_db()
    assert (zone_for(user), reader_zone(user)) == (KATHMANDU, KATHMANDU)
    assert (zone_for(user, "Pacific/Auckland"), reader_zone(user)) == (AUCKLAND, KATHMANDU)
    choose_zone(user, "America/New_York")
    chosen = ZoneInfo("America/New_York")
    assert (zone_for(user, "Pacific/Auckland"), reader_zone(user)) == (chosen, chosen)
    both = [user.pk, cast.vera.pk]
    assert reader_zones(both, chosen_names(both)) == {user.pk: chosen, cast.vera.pk: BERLIN}
    choose_zone(user, "")
    assert (zone_for(user), Profile.objects.count()) == (KATHMANDU, 1)


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "Mars/Olympus",
        "../../etc/passwd",
        "/etc/localtime",
        "Europe",
        "europe/berlin",
        "UTC\x00",
        "<script>",
        "x" * 4000,
    ],
)
def test_cookie_that_names_no_zone_is_ignored(client, cast, zone_for, cookie):
    assert zone_for(AnonymousUser(), cookie).key == "UTC"
    client.force_login(cast.ada.user)
    client.cookies[ZONE_COOKIE] = cookie
    assert client.get("/").status_code == 200


def test_zone_of_a_profile_that_this_machine_no_longer_knows_is_as_automatic(cast):
    Profile.objects.create(user=cast.hugo.user, time_zone="US/Gone")
    assert reader_zone(cast.hugo.user).key == "UTC"


@pytest.fixture
def late(cast, new_task) -> Task:
    """A task completed at 11:30 UTC of 3 April 2026, which in Auckland is the 4th, before the clocks go back."""
    task = new_task("Late")
    moment = datetime(2026, 4, 3, 11, 30, tzinfo=UTC)
    Task.objects.filter(pk=task.pk).update(
        status="completed", created_at=moment, completed_at=moment, due_at=datetime(2026, 4, 4, 23, 0, tzinfo=UTC)
    )
    return task


def test_page_and_admin_show_the_readers_day_and_vary_by_cookie(client, cast, late):
    client.force_login(cast.root)
    for cookie, completed, due in (
        ("Pacific/Auckland", "4 Apr 2026, 00:30 NZDT", "5 Apr 2026, 11:00 NZST"),
        ("UTC", "3 Apr 2026, 11:30 UTC", "4 Apr 2026, 23:00 UTC"),
    ):
        client.cookies[ZONE_COOKIE] = cookie
        page = client.get(f"/tasks/{late.ref}")
        assert completed in page.content.decode()
        assert due in page.content.decode()
        assert f'<meta name="time-zone" content="{cookie}" data-follows>' in page.content.decode()
        assert "Cookie" in page["Vary"]
        listed = client.get("/admin/tasks/task/?status=completed").content.decode()
        assert f'title="{due}"' in listed
        assert f'<meta name="time-zone" content="{cookie}" data-follows>' in listed
    assert timezone.get_current_timezone_name() == "UTC"


def test_page_of_somebody_who_chose_a_zone_does_not_follow_the_browser(client, cast, late):
    choose_zone(cast.ada.user, "Asia/Kathmandu")
    client.force_login(cast.ada.user)
    client.cookies[ZONE_COOKIE] = "Pacific/Auckland"
    page = client.get(f"/tasks/{late.ref}").content.decode()
    assert '<meta name="time-zone" content="Asia/Kathmandu">' in page
    assert "3 Apr 2026, 17:15 +0545" in page


def test_api_answers_in_utc_whatever_the_browser_says(client, cast, late):
    client.force_login(cast.ada.user)
    client.cookies[ZONE_COOKIE] = "Pacific/Auckland"
    assert client.get(f"/api/v1/tasks/{late.ref}").json()["completed_at"] == "2026-04-03T11:30:00Z"


def test_zone_of_one_request_does_not_reach_the_next_one_of_the_thread(client, cast, monkeypatch):
    client.force_login(cast.ada.user)
    client.cookies[ZONE_COOKIE] = "Pacific/Auckland"
    client.raise_request_exception = False
    monkeypatch.setattr("tasks.pages.board.render", None)
    assert client.get("/").status_code == 500
    assert timezone.get_current_timezone_name() == "UTC"


def test_due_date_typed_in_the_admin_is_meant_in_the_readers_zone(client, cast, new_task):
    task = new_task("Move")
    client.force_login(cast.root)
    client.cookies[ZONE_COOKIE] = "Pacific/Auckland"
    form = client.get(f"/admin/tasks/task/{task.pk}/change/").context["adminform"].form
    assert "Times are in Pacific/Auckland." in form.fields["due_at"].help_text
    field = form.fields["due_at"]
    timezone.activate(AUCKLAND)
    try:
        assert field.clean(["2027-04-04", "11:00"]).astimezone(UTC) == datetime(2027, 4, 3, 23, 0, tzinfo=UTC)
        assert field.clean(["2027-04-04", ""]).astimezone(UTC) == datetime(2027, 4, 4, 11, 59, 59, tzinfo=UTC)
        # The hour that is left out when the clocks go forward.
        with pytest.raises(ValidationError, match="may not exist"):
            field.clean(["2027-09-26", "02:30"])
    finally:
        timezone.deactivate()


def test_last_day_of_a_token_is_the_readers(client, cast):
    client.force_login(cast.hugo.user)
    client.cookies[ZONE_COOKIE] = "Pacific/Auckland"
    answer = client.post(
        f"/agents/{cast.hugo.slug}/tokens", {"do": "create", "name": "laptop", "valid_until": "2099-06-01"}
    )
    assert answer.status_code == 200
    assert AgentToken.objects.get(name="laptop").expires_at == datetime(2099, 6, 1, 12, 0, tzinfo=UTC)
