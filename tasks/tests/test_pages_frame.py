"""The frame of all pages: signing in and out, navigation, errors."""

import re

import pytest
from django.urls import reverse

PASSWORD = "a long pass phrase"


@pytest.fixture
def hugo(cast):
    cast.hugo.user.set_password(PASSWORD)
    cast.hugo.user.save()
    return cast.hugo.user


@pytest.mark.parametrize("path", ["/", "/agents/", "/tasks/OPS-1"])
def test_page_without_login_leads_to_login_and_back(client, cast, path):
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer.url == f"/login/?next={path}"


def test_login_with_right_password_leads_to_the_board(client, hugo):
    answer = client.post(reverse("login"), {"username": "hugo", "password": PASSWORD})
    assert (answer.status_code, answer.url) == (302, "/")


def test_login_with_wrong_password_says_so_and_keeps_the_name(client, hugo):
    answer = client.post(reverse("login"), {"username": "hugo", "password": "wrong"})
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "do not match" in page
    assert 'value="hugo"' in page
    assert "wrong" not in page


def test_login_never_redirects_to_another_site(client, hugo):
    answer = client.post(
        reverse("login"), {"username": "hugo", "password": PASSWORD, "next": "https://elsewhere.example/"}
    )
    assert answer.url == "/"


def test_logout_is_a_post_and_ends_the_session(client, hugo):
    client.force_login(hugo)
    assert client.get(reverse("logout")).status_code == 405
    assert client.post(reverse("logout")).url == reverse("login")
    assert client.get("/").status_code == 302


def test_navigation_shows_admin_to_staff_only(client, cast):
    for user, shown in ((cast.ada.user, True), (cast.hugo.user, False)):
        client.force_login(user)
        assert ('href="/admin/"' in client.get("/agents/").content.decode()) is shown


def test_page_not_found_is_a_page_with_the_way_back(client, cast):
    client.force_login(cast.hugo.user)
    answer = client.get("/no/such/page")
    assert answer.status_code == 404
    assert "Back to the board" in answer.content.decode()


def test_server_error_page_needs_no_context(client):
    from django.template.loader import render_to_string

    page = render_to_string("500.html")
    assert "Something went wrong" in page
    assert "<script" not in page


def test_csrf_failure_is_a_page_that_says_what_to_do(cast):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    answer = strict.post(reverse("login"), {"username": "hugo", "password": PASSWORD})
    assert answer.status_code == 403
    assert "form is out of date" in answer.content.decode()


def test_pages_have_no_inline_script_or_style(client, cast):
    client.force_login(cast.ada.user)
    for path in ("/", "/agents/", "/login/"):
        page = client.get(path, follow=True).content.decode()
        assert " style=" not in page
        assert "<style" not in page
        assert "<script>" not in page
        assert " onclick=" not in page


@pytest.mark.parametrize(
    ("path", "here"),
    [
        ("/", "Board"),
        ("/agents/", "Agents"),
        ("/agents/hugo", "Agents"),
        ("/agents/hugo/tokens", "Agents"),
        ("/reports/", "Reports"),
        ("/api/v1/docs", "API"),
        ("/notifications/", None),
        ("/notifications/settings/", None),
    ],
)
def test_navigation_shows_where_the_reader_is(client, hugo, path, here):
    client.force_login(hugo)
    navigation = client.get(path).content.decode().partition('aria-label="Main"')[2].partition("</nav>")[0]
    current = re.findall(r'aria-current="page"\s*>(\w+)<', navigation)
    assert current == ([] if here is None else [here])
