"""Two engines at once, on both databases: no task is offered twice, and no agent beyond its capacity."""

import itertools
import threading
import time
from collections import Counter

import pytest

from tasks import clock
from tasks.actions import claims, runs
from tasks.actions.offering import lapse_offers
from tasks.actions.tasks import NewTask, create_task
from tasks.assignment.matchmaker import Matchmaker
from tasks.models import Agent, Assignment, AssignmentDecision, Event, Project, Role, Task
from tasks.tests.cast import join, make_agent
from tasks.tests.invariants import assert_invariants
from tasks.tests.racing import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

TASKS = 60
#: Seconds within which somebody must have completed something.
PATIENCE = 120


@pytest.fixture
def crowd(cast):
    """An automatic project with six live agents of one to three slots, and ``TASKS`` waiting tasks."""
    Agent.objects.update(enabled=False)
    crew = Project.objects.create(key="CREW", name="Crew", mode="auto", allow_pull=False)
    for number in range(6):
        join(crew, make_agent(f"crew-{number}", capacity=1 + number % 3).user, Role.WORKER)
    now = clock.now()
    Agent.objects.filter(slug__startswith="crew").update(last_seen_at=now)
    Task.objects.bulk_create(
        [
            Task(project=crew, number=number, title=f"Task {number}", created_at=now, updated_at=now)
            for number in range(1, TASKS + 1)
        ]
    )
    return crew


def assert_nobody_has_too_much_or_anything_twice():
    for agent in Agent.objects.filter(slug__startswith="crew").with_load():
        assert agent.active_runs + agent.open_assignments <= agent.max_concurrent
    active = Counter(Assignment.objects.active().values_list("task", flat=True))
    assert set(active.values()) <= {1}
    offered = Event.objects.filter(kind="task.assigned").count()
    assert offered == Assignment.objects.filter(source="auto").count()
    assert offered == AssignmentDecision.objects.filter(agent__isnull=False).count()


@pytest.mark.parametrize("seed", range(3))
def test_engines_at_once_offer_each_task_once_and_fill_nobody_beyond_capacity(crowd, seed):
    outcomes = at_once(*(Matchmaker().catch_up for _ in range(3)), seed=seed)
    assert [error for error in outcomes if isinstance(error, Exception)] == []
    Matchmaker().catch_up()
    assert Assignment.objects.active().count() == 12
    assert_nobody_has_too_much_or_anything_twice()


@pytest.mark.parametrize("seed", range(2))
def test_engines_offer_while_agents_claim_complete_and_let_lapse(crowd, seed):
    worked, until = threading.Event(), time.monotonic() + PATIENCE

    def rounds():
        """Eight rounds, and more until somebody has completed something: the first matching may be late."""
        for number in itertools.count():
            if number >= 8 and (worked.is_set() or time.monotonic() > until):
                return
            yield number

    def engine():
        maker = Matchmaker()
        for _ in rounds():
            maker.catch_up()

    def work(slug):
        actor = Agent.objects.select_related("user").get(slug=slug).user
        for _ in rounds():
            for run in claims.claim_next(actor=actor, projects=[crowd]).runs:
                runs.complete_run(actor=actor, run_id=run.pk, summary="done")
                worked.set()

    def lapse():
        for _ in range(5):
            offers = Assignment.objects.active().values_list("pk", flat=True)[:2]
            Assignment.objects.filter(pk__in=list(offers)).update(accept_by=clock.now())
            lapse_offers()

    calls = [engine, engine, lapse, *(lambda slug=f"crew-{n}": work(slug) for n in range(4))]
    outcomes = at_once(*calls, seed=seed)
    assert [error for error in outcomes if isinstance(error, Exception)] == []
    assert Task.objects.filter(status="completed").exists()
    assert_nobody_has_too_much_or_anything_twice()
    assert_invariants()


def wait_for(condition):
    """Whether ``condition`` became true in time; generous, since this is not about speed."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_running_matchmaker_serves_news_of_its_process_and_of_others_and_passes_lapsed_offers_on(crowd):
    Task.objects.all().delete()
    stop, maker = threading.Event(), Matchmaker()
    thread = threading.Thread(target=maker.run, args=(stop,), daemon=True)
    thread.start()
    try:
        heard = create_task(actor=None, project=crowd, new=NewTask(title="Heard by the bell"))
        assert wait_for(lambda: Assignment.objects.filter(task=heard).exists())
        # As another process would: rows, but no bell.
        now = clock.now()
        other = Task.objects.create(project=crowd, number=900, title="Found by a poll", created_at=now, updated_at=now)
        Event.objects.create(at=now, project=crowd, project_key="CREW", task=other, kind="task.created")
        assert wait_for(lambda: Assignment.objects.filter(task=other).exists())
        first = Assignment.objects.get(task=heard)
        Assignment.objects.filter(pk=first.pk).update(accept_by=clock.now())
        assert wait_for(lambda: Assignment.objects.active().filter(task=heard).exclude(pk=first.pk).exists())
        assert Assignment.objects.active().get(task=heard).agent_id != first.agent_id
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
