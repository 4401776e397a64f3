"""start_after and the retry delay: a task that comes back waits for the later of the two."""

from datetime import timedelta

import pytest

from tasks import clock, engine
from tasks.actions import claims, lifecycle, runs
from tasks.actions.tasks import edit_task
from tasks.models import Task


def deferred_until(task):
    return Task.objects.get(pk=task.pk).deferred_until


@pytest.fixture
def under_way(cast, new_task):
    """A run of atlas whose task got a ``start_after`` an hour ahead while in progress."""
    run = claims.claim_task(actor=cast.atlas.user, task=new_task())
    later = clock.now() + timedelta(hours=1)
    edit_task(actor=cast.ada.user, task=run.task, changes={"start_after": later})
    return run, later


def test_release_after_start_after_was_edited_defers_the_task(cast, under_way):
    run, later = under_way
    task = runs.release_run(actor=cast.atlas.user, run_id=run.pk)
    assert deferred_until(task) == later
    assert not Task.objects.ready().filter(pk=task.pk).exists()


def test_fail_rests_until_the_later_of_both(cast, under_way):
    run, later = under_way
    task = runs.fail_run(actor=cast.atlas.user, run_id=run.pk, code="x", detail="y")
    assert deferred_until(task) == later


def test_fail_without_start_after_rests_for_the_backoff_alone(cast, new_task):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task(start_after=clock.now() - timedelta(days=1)))
    before = clock.now()
    task = runs.fail_run(actor=cast.atlas.user, run_id=run.pk, code="x", detail="y")
    assert before + timedelta(seconds=14) < deferred_until(task) < clock.now() + timedelta(seconds=31)
    assert task.deferred_until == deferred_until(task)


def test_lease_that_ends_leaves_start_after_in_force(under_way, let_lease_end):
    run, later = under_way
    let_lease_end(run)
    engine.tick()
    assert deferred_until(run.task) == later


def test_reopen_of_a_task_whose_start_after_has_passed_defers_nothing(cast, new_task):
    task = new_task(start_after=clock.now() - timedelta(hours=1))
    lifecycle.cancel_task(actor=cast.ada.user, task=task)
    assert lifecycle.reopen_task(actor=cast.ada.user, task=task).deferred_until is None
    assert deferred_until(task) is None
