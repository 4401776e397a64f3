"""The account page: name, zone, theme, password, and the browsers that somebody is signed in with."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from taskproject.last_seen import browsers
from taskproject.models import SignIn
from taskproject.sign_ins import device_words
from tasks import clock
from tasks.models import Profile

pytestmark = pytest.mark.django_db

OLD, NEW = "an old pass phrase", "a new pass phrase"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 "
    "Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def sign_in(cast):
    """``sign_in(user agent)``: a browser in which hugo is signed in with the old password."""
    cast.hugo.user.set_password(OLD)
    cast.hugo.user.save()

    def browser(agent: str = FIREFOX) -> Client:
        client = Client(headers={"user-agent": agent})
        assert client.post("/login/", {"username": "hugo", "password": OLD}).status_code == 302
        return client

    return browser


def page(client) -> str:
    answer = client.get("/account/")
    assert answer.status_code == 200
    return answer.content.decode()


def is_in(client) -> bool:
    return client.get("/account/").status_code == 200


def test_zone_and_theme_are_saved_and_stand_in_the_page_from_the_start(sign_in):
    hugo, other = sign_in(), sign_in(PHONE)
    assert "data-theme" not in page(hugo)
    saved = hugo.post("/account/", {"do": "reading", "time_zone": "Pacific/Auckland", "theme": "dark"})
    assert saved.status_code == 302
    shown = page(other)
    assert 'data-theme="dark"' in shown
    assert '<meta name="color-scheme" content="dark">' in shown
    assert '<meta name="time-zone" content="Pacific/Auckland">' in shown
    hugo.post("/account/", {"do": "reading", "time_zone": "", "theme": ""})
    assert "data-theme" not in page(other)


@pytest.mark.parametrize(
    ("posted", "field"),
    [
        ({"do": "reading", "time_zone": "Mars/Olympus", "theme": "dark"}, "zone-error"),
        ({"do": "reading", "time_zone": "Europe/Berlin", "theme": '"><script>'}, "theme-error"),
        ({"do": "name", "name": " \u2800"}, "name-error"),
        ({"do": "name", "name": "a\0b"}, "name-error"),
        ({"do": "dance"}, "no such button"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_changes_nothing(sign_in, cast, posted, field):
    hugo = sign_in()
    answer = hugo.post("/account/", posted)
    assert answer.status_code == 400
    assert field in answer.content.decode()
    cast.hugo.refresh_from_db()
    assert (cast.hugo.name, Profile.objects.exists()) == ("Hugo", False)


def test_name_is_changed_on_the_page(sign_in, cast):
    sign_in().post("/account/", {"do": "name", "name": " Hugo Hahn "})
    cast.hugo.refresh_from_db()
    assert cast.hugo.name == "Hugo Hahn"


def test_page_is_there_for_an_account_that_is_no_agent(client, cast):
    client.force_login(cast.vera)
    assert "My tokens" not in page(client)
    assert client.post("/account/", {"do": "name", "name": "Vera V"}).status_code == 400


def test_browsers_are_listed_and_the_others_are_signed_out(sign_in, cast, client):
    here, phone = sign_in(), sign_in(PHONE)
    client.force_login(cast.ada.user)
    shown = page(here)
    assert "Firefox on Linux" in shown
    assert "Safari on iPhone" in shown
    assert "Safari on iPhone" not in page(client), "those of others are not shown"
    assert "Sign out all others" in shown
    assert "Sign out all others" not in page(client), "there are no others"
    # Somebody signed in before the server noted browsers.
    SignIn.objects.exclude(device=FIREFOX).filter(user=cast.hugo.user).delete()
    assert is_in(phone)
    for _ in range(2):
        assert here.post("/account/", {"do": "sign_out_others"}).status_code == 302
    assert [is_in(here), is_in(phone), is_in(client)] == [True, False, True]
    assert "Safari on iPhone" not in page(here)


def test_new_password_signs_out_the_other_browsers(sign_in):
    here, phone = sign_in(), sign_in(PHONE)
    wrong = here.post("/account/password/", {"old_password": "guess", "new_password1": NEW, "new_password2": NEW})
    assert wrong.status_code == 400
    assert 'id="id_old_password_error"' in wrong.content.decode()
    given = {"old_password": OLD, "new_password1": NEW, "new_password2": NEW}
    assert here.post("/account/password/", given).headers["Location"] == "/account/"
    assert [is_in(here), is_in(phone), Session.objects.count()] == [True, False, 1]
    assert "Firefox on Linux" in page(here), "the session has another key now"
    assert Client().post("/login/", {"username": "hugo", "password": NEW}).status_code == 302


def test_when_a_browser_was_last_seen_is_written_behind_and_seldom(sign_in):
    here = sign_in()
    now = clock.now()
    SignIn.objects.update(last_seen_at=now - timedelta(hours=2))
    assert is_in(here)
    assert SignIn.objects.get().last_seen_at < now - timedelta(hours=1), "reading a page writes nothing"
    browsers.flush()
    seen = SignIn.objects.get().last_seen_at
    assert seen >= now
    browsers.forget()
    assert is_in(here)
    browsers.flush()
    assert SignIn.objects.get().last_seen_at == seen


def test_zone_is_kept_by_the_form_of_notifications(sign_in):
    hugo = sign_in()
    hugo.post("/account/", {"do": "reading", "time_zone": "Pacific/Auckland", "theme": ""})
    assert hugo.post("/notifications/settings/", {"digest_at": "08:00"}).status_code == 302
    assert Profile.objects.get().time_zone == "Pacific/Auckland"


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/141.0 Safari/537.36 Edg/141.0", "Edge on Windows"),
        ("curl/8.5.0", "An unknown browser"),
        ("", "An unknown browser"),
    ],
)
def test_browser_is_named_as_people_call_it(agent, words):
    assert device_words(agent) == words
