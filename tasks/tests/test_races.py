"""Many clients at once: each task claimed once, none lost, no lock error, on both databases."""

import pytest

from tasks.models import Event, Role, Run, RunStatus, Task
from tasks.tests.cast import join, make_agent
from tasks.tests.invariants import assert_invariants
from tasks.tests.race_worker import work
from tasks.tests.racing import at_once, in_processes
from tasks.tests.sizes import RACED_TASKS

CLIENTS = 8

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def clients(cast):
    slugs = [f"client-{number}" for number in range(CLIENTS)]
    for slug in slugs:
        join(cast.ops, make_agent(slug, capacity=1).user, Role.WORKER)
    return slugs


@pytest.fixture
def ready_tasks(cast):
    """``RACED_TASKS`` tasks as ``create_task`` leaves them, in one insert."""
    from tasks import clock

    now = clock.now()
    Task.objects.bulk_create(
        [
            Task(project=cast.ops, number=number, title=f"Task {number}", created_at=now, updated_at=now)
            for number in range(1, RACED_TASKS + 1)
        ]
    )
    return {f"OPS-{number}" for number in range(1, RACED_TASKS + 1)}


def _assert_each_was_done_once(ledgers, ready_tasks):
    assert [error for ledger in ledgers for error in ledger["errors"]] == []
    completed = [ref for ledger in ledgers for ref in ledger["completed"]]
    assert sorted(completed) == sorted(ready_tasks)
    assert set(Task.objects.values_list("status", "run_count")) == {("completed", 1)}
    assert Run.objects.filter(status=RunStatus.COMPLETED).count() == RACED_TASKS
    assert Event.objects.filter(kind="task.status_changed", data__verb="claim").count() == RACED_TASKS
    assert_invariants()


def test_claim_next_by_8_threads_hands_out_each_task_once(clients, ready_tasks):
    ledgers = at_once(*(lambda slug=slug: work(slug) for slug in clients))
    _assert_each_was_done_once(ledgers, ready_tasks)


def test_claim_next_by_8_processes_hands_out_each_task_once(clients, ready_tasks):
    ledgers = in_processes("tasks.tests.race_worker", [[slug] for slug in clients])
    _assert_each_was_done_once(ledgers, ready_tasks)
