"""The link for a first password: who may make it, that it works once, and what ends it."""

import html
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from tasks.actions import accounts, agents
from tasks.actions.projects import set_member
from tasks.errors import NotPermitted
from tasks.models import AgentKind, Event, Invitation, Membership, Role
from tasks.tests.cast import join

pytestmark = pytest.mark.django_db

CHOSEN = {"new_password1": "correct horse battery", "new_password2": "correct horse battery"}


@pytest.fixture
def newcomer(cast):
    agent = agents.create_agent(actor=cast.ada.user, slug="nina", kind=AgentKind.HUMAN)
    set_member(actor=cast.ada.user, project=cast.ops, user=agent.user, role=Role.WORKER)
    return agent


@pytest.fixture
def make_link(cast, newcomer):
    """``make_link()`` → the path of a new link that ada has made on the page of the person."""

    def make() -> str:
        client = Client()
        client.force_login(cast.ada.user)
        answer = client.post("/agents/nina/sign_in_link")
        assert answer.status_code == 200
        assert "no-store" in answer.headers["Cache-Control"]
        [link] = re.findall(r"http://testserver(/first_sign_in/[^<\s]+)", html.unescape(answer.content.decode()))
        return link

    return make


def test_person_sets_a_password_with_the_link_once_and_signs_in(cast, newcomer, make_link):
    link, person = make_link(), Client()
    page = person.get(link)
    assert (page.status_code, page.headers["Referrer-Policy"]) == (200, "strict-origin")
    assert "nina" in page.content.decode()
    assert person.post(link, {**CHOSEN, "new_password2": "other"}).status_code == 400
    assert person.post(link, {"new_password1": "nina", "new_password2": "nina"}).status_code == 400
    assert person.post(link, CHOSEN).headers["Location"] == "/login/"
    assert person.get(link).status_code == person.post(link, CHOSEN).status_code == 404
    assert person.post("/login/", {"username": "nina", "password": CHOSEN["new_password1"]}).status_code == 302
    assert person.get("/").status_code == 200
    with pytest.raises(NotPermitted, match="Only whoever made the account of nina"):
        accounts.offer_sign_in(actor=cast.ada.user, agent=newcomer)
    assert Event.objects.filter(kind="agent.edited", data={"fields": ["first sign-in"]}).count() == 1


def test_link_is_offered_where_it_may_be_made(cast, newcomer, client, make_link):
    client.force_login(cast.ada.user)
    assert "/agents/nina/sign_in_link" in client.get("/agents/nina").content.decode()
    assert "/agents/nina/sign_in_link" in client.get(f"/admin/tasks/agent/{newcomer.pk}/change/").content.decode()
    assert "sign_in_link" not in client.get("/agents/hugo").content.decode()
    assert client.get("/agents/nina/sign_in_link").status_code == 405


def test_new_link_ends_the_one_before(make_link):
    first, second = make_link(), make_link()
    assert (Client().get(first).status_code, Client().get(second).status_code) == (404, 200)


@pytest.mark.parametrize("by", ["rita", "hugo", "vera", "atlas", "mona", "root"])
def test_link_is_made_by_whoever_made_the_account_alone(cast, newcomer, by):
    user = getattr(cast, by)
    with pytest.raises(NotPermitted):
        accounts.offer_sign_in(actor=getattr(user, "user", user), agent=newcomer)


def change(cast, newcomer, what):
    user = User.objects.filter(pk=newcomer.user_id)
    match what:
        case "another project":
            join(cast.other, newcomer.user, Role.WORKER)
        case "an invitation from elsewhere":
            Invitation.objects.create(
                project=cast.other, name="nina", user=newcomer.user, role=Role.WORKER,
                invited_by=cast.mona.user, created_at=timezone.now(),
            )  # fmt: skip
        case "no manager any more":
            Membership.objects.filter(user=cast.ada.user, project=cast.ops).update(role=Role.WORKER)
        case "a login":
            user.update(last_login=timezone.now())
        case "a call":
            type(newcomer).objects.filter(pk=newcomer.pk).update(last_seen_at=timezone.now())
        case "disabled":
            user.update(is_active=False)
        case "made staff":
            user.update(is_staff=True)


@pytest.mark.parametrize(
    "what",
    [
        "another project", "an invitation from elsewhere", "no manager any more", "a login", "a call", "disabled",
        "made staff",
    ],
)  # fmt: skip
def test_link_ends_with_what_entitles_to_it(cast, newcomer, make_link, what):
    link = make_link()
    change(cast, newcomer, what)
    assert Client().get(link).status_code == Client().post(link, CHOSEN).status_code == 404
    assert not User.objects.get(pk=newcomer.user_id).has_usable_password()
    with pytest.raises(NotPermitted):
        accounts.offer_sign_in(actor=User.objects.get(pk=cast.ada.user_id), agent=newcomer)


def test_link_expires(make_link, monkeypatch):
    link = make_link()
    later = timezone.now().replace(tzinfo=None) + timedelta(days=4)
    monkeypatch.setattr(accounts.FirstPasswordTokens, "_now", lambda self: later)
    assert Client().get(link).status_code == 404


@pytest.mark.parametrize("link", ["/first_sign_in/x/y-z", "/first_sign_in/MQ/a-b", "/first_sign_in/%00/%F0%9F%92%A9"])
def test_link_that_was_made_up_says_so(cast, link):
    answer = Client().get(link)
    assert answer.status_code == 404
    assert "Ask the person who sent it" in answer.content.decode()


def test_link_of_an_llm_agent_is_refused(cast):
    agent = agents.create_agent(actor=cast.ada.user, slug="nova")
    set_member(actor=cast.ada.user, project=cast.ops, user=agent.user, role=Role.WORKER)
    with pytest.raises(NotPermitted):
        accounts.offer_sign_in(actor=cast.ada.user, agent=agent)
