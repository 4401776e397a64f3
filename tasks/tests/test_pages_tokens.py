"""The page of an agent's tokens: who may open it, that a token is shown once, limits, revoking."""

import re

import pytest
from django.test import Client

from tasks.actions.agents import create_token
from tasks.models import AgentToken, Role
from tasks.tests.cast import join


@pytest.fixture
def sign_in(cast):
    def as_user(user) -> Client:
        client = Client()
        client.force_login(getattr(user, "user", user))
        return client

    return as_user


def test_person_makes_a_limited_token_that_is_shown_once(cast, sign_in):
    join(cast.other, cast.hugo.user, Role.WORKER)
    hugo = sign_in(cast.hugo)
    assert "/agents/hugo/tokens" in hugo.get("/agents/hugo").content.decode()
    data = {"do": "create", "name": "ci", "projects": [cast.other.pk], "read_only": "on"}
    answer = hugo.post("/agents/hugo/tokens", data)
    [plain] = set(re.findall(r"tp_[\w-]{30,}", answer.content.decode()))
    assert "no-store" in answer.headers["Cache-Control"]
    token = AgentToken.objects.get()
    assert (token.read_only, token.created_by, [project.key for project in token.projects.all()]) == (
        True,
        cast.hugo.user,
        ["OTHER"],
    )
    page = hugo.get("/agents/hugo/tokens").content.decode()
    assert plain not in page
    assert "OTHER" in page
    again = hugo.post("/agents/hugo/tokens", data)
    assert (again.status_code, AgentToken.objects.count()) == (400, 1)
    assert "has a token of this name" in again.content.decode()


def test_manager_learns_nothing_of_names_of_tokens_that_they_do_not_see(cast, sign_in):
    create_token(actor=cast.hugo.user, agent=cast.hugo, name="laptop")
    assert sign_in(cast.ada).post("/agents/hugo/tokens", {"do": "create", "name": "laptop"}).status_code == 200
    assert AgentToken.objects.filter(agent=cast.hugo, name="laptop").count() == 2


def test_token_is_revoked_from_the_page(cast, sign_in):
    token, _ = create_token(actor=cast.hugo.user, agent=cast.hugo, name="old")
    hugo = sign_in(cast.hugo)
    for number in ("999", "x", str(token.pk), str(token.pk)):
        assert hugo.post("/agents/hugo/tokens", {"do": "revoke", "token": number}).status_code == 302
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert "Revoked" in hugo.get("/agents/hugo/tokens").content.decode()


def test_manager_sees_and_makes_only_what_stays_within_their_projects(cast, sign_in):
    own, _ = create_token(actor=cast.hugo.user, agent=cast.hugo, name="his own")
    ada = sign_in(cast.ada)
    assert ada.post("/agents/hugo/tokens", {"do": "create", "name": "made by ada"}).status_code == 200
    page = ada.get("/agents/hugo/tokens").content.decode()
    assert "made by ada" in page
    assert "his own" not in page
    ada.post("/agents/hugo/tokens", {"do": "revoke", "token": own.pk})
    own.refresh_from_db()
    assert own.revoked_at is None
    assert AgentToken.objects.get(name="made by ada").is_limited


@pytest.mark.parametrize(
    ("name", "slug", "status"),
    [
        ("rita", "hugo", 403),
        ("vera", "atlas", 403),
        ("mona", "hugo", 404),
        ("rita", "atlas", 403),
        ("ada", "atlas", 200),
    ],
)
def test_page_is_for_those_who_may_have_tokens(cast, sign_in, name, slug, status):
    client = sign_in(getattr(cast, name))
    assert client.get(f"/agents/{slug}/tokens").status_code == status
    made = client.post(f"/agents/{slug}/tokens", {"do": "create", "name": "x"})
    assert (made.status_code, AgentToken.objects.count()) == (status, 1 if status == 200 else 0)
    assert Client().get(f"/agents/{slug}/tokens").status_code == 302
