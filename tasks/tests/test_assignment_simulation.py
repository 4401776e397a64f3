"""Simulation: the same luck for all, consistent figures, overload, replay of a project's past, command and page."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tasks import clock
from tasks.actions import claims, runs
from tasks.assignment.replay import replay_of
from tasks.matching.facts import AgentFacts, TaskFacts
from tasks.matching.policies import named, names
from tasks.matching.simulation import Load, gini, simulate, synthetic
from tasks.models import Event, Run


def test_gini_is_zero_for_equals_and_near_one_where_one_has_all():
    assert gini([0.5, 0.5, 0.5]) == pytest.approx(0)
    assert gini([0, 0, 0, 1.0]) == pytest.approx(0.75)
    assert gini([]) == gini([0.0, 0.0]) == 0.0


def test_simulation_of_one_task_takes_what_it_takes():
    task = TaskFacts(1, "SIM-1", 1, 2, waiting_since=0.0, hours=2.0, patience_hours=8.0, due_at=3600.0)
    agent = AgentFacts(1, "a", 1, projects=frozenset({1}))
    outcome = simulate(Load((task,), (agent,), {1: 1.0}, {(1, None): 1.0}), named("value"))
    assert (outcome.tasks, outcome.finished, outcome.overdue_share) == (1, 1, 1.0)
    assert 1.0 < outcome.mean_hours < 4.0


def test_simulation_of_the_same_load_is_the_same_and_ends_every_task():
    load = synthetic(seed=3, tasks=80, agents=4)
    for name in names():
        first, second = (simulate(load, named(name), seed=3) for _ in range(2))
        assert first == second
        assert first.finished >= 60
        assert 0 <= first.gini < 1
        assert 0 < first.utilisation <= 1


def test_work_that_nobody_can_do_ends_the_simulation_unfinished():
    task = TaskFacts(1, "SIM-1", 1, 2, waiting_since=0.0, hours=1.0, patience_hours=8.0, needs=((9, 3),))
    agent = AgentFacts(1, "a", 1, projects=frozenset({1}))
    outcome = simulate(Load((task,), (agent,), {1: 1.0}, {(1, None): 1.0}), named("value"))
    assert (outcome.tasks, outcome.finished) == (1, 0)


@pytest.mark.parametrize("seed", range(3))
def test_value_misses_at_most_half_the_due_dates_of_least_loaded_under_overload(seed):
    load = synthetic(seed=seed, tasks=300, agents=8, load=2.0)
    value, least = (simulate(load, named(name), seed=seed) for name in ("value", "least_loaded"))
    assert least.overdue_share > 0.3
    assert value.overdue_share <= least.overdue_share / 2


@pytest.fixture
def past(cast, new_task):
    for number in range(6):
        task = new_task(required_skills=[("python", 2)], due_at=clock.now() + timedelta(hours=number))
        run = claims.claim_task(actor=cast.atlas.user, task=task)
        runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
        Run.objects.filter(pk=run.pk).update(started_at=clock.now() - timedelta(minutes=30))
    return cast


@pytest.mark.django_db
def test_replay_brings_the_past_and_the_present_team(past, new_task):
    new_task()
    load = replay_of(past.ops, clock.now())
    assert len(load.tasks) == 6
    assert {agent.slug for agent in load.agents} == {"ada", "rita", "hugo", "atlas", "bert"}
    assert all(0.3 < task.hours < 0.7 for task in load.tasks)
    assert simulate(load, named("value")).finished >= 4


@pytest.mark.django_db
def test_command_compares_policies_and_writes_nothing(past):
    events = Event.objects.count()
    out = StringIO()
    call_command("simulate_assignment", "--project", "OPS", "--json", stdout=out)
    shown = json.loads(out.getvalue())
    assert [outcome["policy"] for outcome in shown["policies"]] == names()
    assert shown["policies"][0]["tasks"] == 6
    out = StringIO()
    call_command("simulate_assignment", "--tasks", "40", "--agents", "3", "--policy", "least_loaded", stdout=out)
    assert out.getvalue().splitlines()[2].startswith("least_loaded")
    assert Event.objects.count() == events


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--policy", "valu"], "did you mean 'value'"),
        (["--tasks", "0"], "--tasks must be from 1"),
        (["--load", "0"], "--load must be above 0"),
        (["--load", "nan"], "--load must be above 0"),
        (["--project", "OTHER"], "nothing to replay"),
    ],
)
def test_command_refuses_in_one_sentence(cast, arguments, words):
    with pytest.raises(CommandError, match=words):
        call_command("simulate_assignment", *arguments)


@pytest.mark.django_db
def test_page_shows_charts_to_managers_alone(past, client):
    client.force_login(past.hugo.user)
    assert client.get("/assignment/").status_code == 403
    client.force_login(past.ada.user)
    assert "Try a policy" in client.get("/assignment/").content.decode()
    text = client.get("/assignment/?project=OPS&load=1&seed=0").content.decode()
    assert "6 tasks and 5 agents" in text
    assert text.count("policy-fill") == 5 * len(names())
    assert "Select a valid choice" in client.get("/assignment/?project=OTHER&load=1&seed=0").content.decode()
    assert "Load:" in client.get("/assignment/?load=99&seed=0").content.decode()
    client.force_login(past.mona.user)
    assert "Nothing to replay" in client.get("/assignment/?project=OTHER&load=1&seed=0").content.decode()
