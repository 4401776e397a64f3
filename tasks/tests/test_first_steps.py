"""The first steps of a lead: the list that ticks itself, and an agent added without the admin."""

import re

import pytest
from django.test import Client

from tasks.actions import claims, runs
from tasks.actions.projects import create_project
from tasks.models import Agent, AgentToken, Membership, Profile, Project, Role, Skill
from tasks.tests.cast import make_user

pytestmark = pytest.mark.django_db


def done(client, path="/") -> list[bool] | None:
    """Which of the steps are ticked on the board; None where there is no list."""
    page = client.get(path).content.decode()
    if 'class="panel first-steps"' not in page:
        return None
    part = page[page.index('class="panel first-steps"') :]
    return ["is-done" in item for item in re.findall(r"<li[^>]*>", part[: part.index("</ol>")])]


@pytest.fixture
def lead(db):
    user = make_user("lena", is_staff=True)
    client = Client()
    client.force_login(user)
    return user, client


def test_steps_tick_themselves_and_rest_when_all_are_done(lead, new_task):
    user, client = lead
    assert done(client) == [False, False, False, False]
    client.post("/projects/", {"name": "Design", "key": "DES"})
    assert done(client) == [True, False, False, False]
    answer = client.post("/projects/DES/agents/new", {"slug": "dora", "skills": "ink:4", "max_concurrent": "2"})
    assert answer.status_code == 200
    assert done(client) == [True, True, False, False]
    project, dora = Project.objects.get(key="DES"), Agent.objects.get(slug="dora")
    task = new_task(project=project, actor=user)
    assert done(client, "/board/changes?refs=&steps=1") == [True, True, True, False]
    assert "There is no parameter" not in client.get("/board/changes?refs=&steps=1").content.decode()
    assert done(client, "/board/changes?refs=") is None
    run = claims.claim_task(actor=dora.user, task=task)
    runs.complete_run(actor=dora.user, run_id=run.pk, summary="done")
    assert done(client) is None


def test_steps_that_are_hidden_stay_hidden(lead):
    _, client = lead
    for _ in range(2):
        assert client.post("/first_steps/end", {"next": "/?project=X"}).headers["Location"] == "/?project=X"
    assert done(client) is None
    assert Profile.objects.get().first_steps_over
    assert client.get("/first_steps/end").status_code == 405


def test_steps_are_for_those_who_lead_and_tell_nothing_of_other_projects(cast, lead, new_task):
    new_task(assignees=[cast.hugo])
    _, client = lead
    assert done(client) == [False] * 4
    for user in (cast.hugo.user, cast.vera, cast.rita.user):
        client.force_login(user)
        assert done(client) is None
    client.force_login(make_user("nobody"))
    page = client.get("/").content.decode()
    assert done(client) is None
    assert "invitation link" in page
    assert "Create a project" not in page


def test_agent_is_added_with_a_token_that_works_or_not_at_all(lead, cast):
    user, client = lead
    create_project(actor=user, key="DES", name="Design")
    path = "/projects/DES/agents/new"
    given = {"slug": "dora", "skills": "ink:4, docs", "max_concurrent": "2"}
    for change, field in (
        ({"slug": "atlas"}, "slug"),
        ({"slug": "Dora!"}, "slug"),
        ({"skills": "ink:9"}, "skills"),
        ({"skills": "INK!:2"}, "skills"),
        ({"max_concurrent": "0"}, "max_concurrent"),
    ):
        refused = client.post(path, given | change)
        assert refused.status_code == 400, change
        assert f'id="id_{field}_error"' in refused.content.decode(), change
    assert not Skill.objects.filter(name="ink").exists()
    assert not Agent.objects.filter(slug="dora").exists()
    page = client.post(path, given).content.decode()
    dora = Agent.objects.get(slug="dora")
    assert (dora.owner_project.key, dora.max_concurrent) == ("DES", 2)
    assert dict(dora.skills.values_list("skill__name", "level")) == {"ink": 4, "docs": 3}
    assert Membership.objects.get(user=dora.user).role == Role.WORKER
    [token] = set(re.findall(r"tp_[\w-]+", page))
    me = Client().get("/api/v1/me", headers={"authorization": f"Bearer {token}"})
    assert (me.status_code, AgentToken.objects.count()) == (200, 1)
    assert client.post(path, given).status_code == 400, "the same form again makes no second one"
    for other, status in ((cast.mona.user, 404), (cast.hugo.user, 404)):
        client.force_login(other)
        assert client.post(path, given).status_code == status
    client.force_login(cast.hugo.user)
    assert client.get("/projects/OPS/agents/new").status_code == 403
