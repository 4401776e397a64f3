"""The agents page: load, skills and work of the agents that share a project with the reader."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks.actions import claims, runs
from tasks.models import Agent, AgentKind, Availability, Membership, Role, Run
from tasks.pages import agents as page_module
from tasks.tests.cast import join, make_agent, make_user


@pytest.fixture
def see(client):
    def get(user, query: str = ""):
        client.force_login(user)
        return client.get(f"/agents/{query}")

    return get


def slugs(response) -> list[str]:
    return [card.agent.slug for card in response.context["cards"]]


def test_agents_page_shows_only_those_of_shared_projects(see, cast):
    assert slugs(see(cast.vera)) == ["ada", "atlas", "bert", "hugo", "rita"]
    assert slugs(see(cast.mona.user)) == ["mona", "zed"]
    assert not re.search(r"\bzed\b", see(cast.vera).content.decode())
    assert len(slugs(see(cast.root))) == Agent.objects.count()


def test_agents_page_shows_load_skills_work_and_stall(see, cast, new_task):
    task = new_task("Dig", assignees=[cast.atlas])
    new_task("Later", assignees=[cast.atlas])
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=23)
    Run.objects.filter(pk=run.pk).update(stalled_at=timezone.now())
    response = see(cast.hugo.user)
    card = next(card for card in response.context["cards"] if card.agent == cast.atlas)
    assert (card.active, card.open, card.load, card.is_stalled) == (1, 1, 2, True)
    page = response.content.decode()
    for words in ("Dig", "23 %", "python", "Stalled", f"/tasks/{task.ref}"):
        assert words in page
    assert str(run.pk) not in page


def test_agents_page_counts_work_elsewhere_without_naming_it(see, cast, new_task):
    join(cast.other, cast.atlas.user, Role.WORKER)
    secret = new_task("Hidden work", project=cast.other)
    claims.claim_task(actor=cast.atlas.user, task=secret)
    response = see(cast.ada.user)
    card = next(card for card in response.context["cards"] if card.agent == cast.atlas)
    assert (card.active, card.shown_runs) == (1, [])
    page = response.content.decode()
    assert "Works in a project that you cannot see." in page
    assert "Hidden work" not in page
    assert secret.ref not in page


@pytest.mark.parametrize(
    ("changes", "state", "label"),
    [
        ({}, "never_seen", "Never seen"),
        ({"last_seen_at": 0}, "available", "Available"),
        ({"last_seen_at": 600}, "silent", "Silent"),
        ({"availability": Availability.PAUSED}, "paused", "Paused"),
        ({"enabled": False}, "disabled", "Disabled"),
        (
            {
                "kind": AgentKind.HUMAN,
                "owner_user": None,
                "owner_project": None,
                "time_zone": "UTC",
                "working_hours": "NEVER",
            },
            "off_hours",
            "Off hours",
        ),
    ],
)
def test_agent_state_is_the_same_word_everywhere(see, cast, client, api, new_task, changes, state, label):
    if "last_seen_at" in changes:
        changes = {"last_seen_at": timezone.now() - timedelta(seconds=changes["last_seen_at"])}
    if "kind" in changes:
        another_day = (timezone.now() + timedelta(days=2)).strftime("%a")
        hours = {"time_zone": "UTC", "working_hours": f"{another_day} 09:00-10:00"}
        changes = changes | hours | {"owner_user": None, "owner_project": None}
    Agent.objects.filter(pk=cast.atlas.pk).update(**changes)
    response = see(cast.ada.user)
    assert next(card.state for card in response.context["cards"] if card.agent == cast.atlas) == state
    assert label in response.content.decode()
    assert api.ada.get("/agents/atlas").json()["state"] == state
    client.force_login(cast.ada.user)
    mark = rf'<span class="tp-mark tp-\w+">{label}</span>'
    one_of = {"off_hours": "available", "never_seen": "silent"}.get(state, state)
    assert re.search(mark, client.get(f"/admin/tasks/agent/?availability={one_of}&q=atlas").content.decode())
    assert re.search(mark, client.get(f"/admin/tasks/task/bulk/assign/?ids={new_task().pk}").content.decode())


def test_agents_page_filters_by_kind_name_and_skill(see, cast):
    ada = cast.ada.user
    assert slugs(see(ada, "?kind=llm")) == ["atlas", "bert"]
    assert slugs(see(ada, "?kind=human&q=r")) == ["rita"]
    assert slugs(see(ada, "?q=python")) == ["atlas"]
    assert slugs(see(ada, "?kind=robot")) == slugs(see(ada))
    assert "No agent matches" in see(ada, "?q=nobody%00").content.decode()


def test_agents_page_escapes_names(see, cast):
    Agent.objects.filter(pk=cast.atlas.pk).update(name="<script>x</script>", version='"><img src=x>')
    page = see(cast.ada.user).content.decode()
    assert "<script>x" not in page
    assert "<img" not in page


def test_agents_page_without_agents_names_the_next_step(see, cast):
    assert "Ask a manager" in see(make_user("stranger")).content.decode()
    Membership.objects.all().delete()
    Agent.objects.all().delete()
    assert "manage.py add_agent" in see(cast.root).content.decode()


def test_agents_page_is_bounded_and_says_so(see, cast, monkeypatch):
    monkeypatch.setattr(page_module, "SHOWN", 2)
    response = see(cast.ada.user)
    assert slugs(response) == ["ada", "atlas"]
    assert "The first 2 by name" in response.content.decode()


def test_agents_page_queries_do_not_grow(client, cast, new_task, django_assert_num_queries):
    claims.claim_task(actor=cast.atlas.user, task=new_task())
    client.force_login(cast.ada.user)
    with CaptureQueriesContext(connection) as few:
        client.get("/agents/")
    for number in range(6):
        agent = make_agent(f"more-{number}", skills={"python": 2})
        join(cast.ops, agent.user, Role.WORKER)
        claims.claim_task(actor=agent.user, task=new_task())
    with django_assert_num_queries(len(few)):
        client.get("/agents/")
    # The frame reads the reader's zone, saved views and whether they may create a task; PostgreSQL adds queries for its
    # clock and for how far the stream is complete.
    assert len(few) <= (20 if connection.vendor == "sqlite" else 24)
