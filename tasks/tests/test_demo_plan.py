"""The demo project: complete or absent, feasible for its agents, and one that they can finish."""

import pytest

from tasks import clock, engine
from tasks.actions import claims, runs
from tasks.actions.tasks import recount_blockers
from tasks.assignment.matchmaker import Matchmaker
from tasks.demo import plan
from tasks.errors import Invalid
from tasks.models import Agent, AgentToken, Project, Task
from tasks.tokens import digest_of

pytestmark = pytest.mark.django_db


def finish_all(agents):
    """Let ``agents`` claim and complete until there is no work left; returns how many tasks they finished."""
    project, count = Project.objects.get(key="DEMO"), 0
    Agent.objects.filter(pk__in=[agent.pk for agent in agents]).update(last_seen_at=clock.now())
    while True:
        Matchmaker().catch_up()
        claimed = [
            (agent, run) for agent in agents for run in claims.claim_next(actor=agent.user, projects=[project]).runs
        ]
        if not claimed:
            return count
        for agent, run in claimed:
            runs.complete_run(actor=agent.user, run_id=run.pk, summary="done")
            count += 1


def test_three_agents_and_the_guest_can_finish_the_whole_plan_but_reviews():
    project = plan.create_demo(admin=None, agents=3)
    engine.tick()
    agents = list(Agent.objects.filter(slug__startswith="demo-"))
    finished = finish_all(agents)
    guest = Agent.objects.get(slug="guest")
    finished += finish_all([guest])
    statuses = dict(Task.objects.filter(project=project).values_list("title", "status"))
    assert finished + sum(status == "not_started" for status in statuses.values()) == len(plan.PLAN)
    left = {title for title, status in statuses.items() if status != "completed"}
    assert left == {
        "Write the rules for refunds",
        "Answer the guests' ten most frequent questions",
        "Word every error so that guests understand it",
    }
    assert recount_blockers() == {}


def test_guest_has_something_to_claim_that_nobody_else_may_take():
    plan.create_demo(admin=None, agents=3)
    agents = list(Agent.objects.filter(slug__startswith="demo-"))
    finish_all(agents)
    guest = Agent.objects.get(slug="guest")
    assert len(claims.claim_next(actor=guest.user, projects=[Project.objects.get()], limit=5).runs) == 2


def test_demo_that_breaks_half_way_leaves_nothing(monkeypatch):
    broken = [*plan.PLAN[:3], plan.Planned("x", "X" * 400)]
    monkeypatch.setattr(plan, "PLAN", broken)
    with pytest.raises(Invalid):
        plan.create_demo(admin=None, agents=2)
    assert not Project.objects.exists()
    assert not Agent.objects.exists()


def test_agents_are_created_once_and_more_join_later():
    project = plan.create_demo(admin=None, agents=1)
    first = plan.create_demo_agents(project, 1)
    assert [agent.slug for agent in plan.create_demo_agents(project, 3)] == ["demo-1", "demo-2", "demo-3"]
    assert plan.create_demo_agents(project, 1) == first


def test_fresh_tokens_replace_those_of_the_same_name_only():
    project = plan.create_demo(admin=None, agents=1)
    agents = plan.create_demo_agents(project, 1)
    [(kept, _)] = plan.fresh_tokens(agents, name="by hand")
    [(old, _)] = plan.fresh_tokens(agents, name="up")
    [(new, secret)] = plan.fresh_tokens(agents, name="up", replace=True)
    revoked = set(AgentToken.objects.filter(revoked_at__isnull=False))
    assert revoked == {old}
    assert {kept, new}.isdisjoint(revoked)
    assert new.digest == digest_of(secret)
    assert new.expires_at is not None
