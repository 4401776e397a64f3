"""One task from creation to its last event, using only verbs."""

import pytest

from tasks import engine
from tasks.actions import assignments, claims, dependencies, lifecycle, reviews, runs
from tasks.errors import DependencyCycle, LeaseLost, NotPermitted, NotReady
from tasks.models import Event, Run, Task


def test_claim_to_approval_unblocks_dependents_and_records_every_step(cast, new_task):
    first = new_task("First", review_required=True)
    second = new_task("Second", depends_on=[first])
    assert second.open_blockers == 1
    with pytest.raises(NotReady) as refused:
        claims.claim_task(actor=cast.atlas.user, task=second)
    assert refused.value.data == {"blocked_by": [first.ref]}

    assignments.assign_task(actor=cast.ada.user, task=first, agents=[cast.atlas])
    run = claims.claim_next(actor=cast.atlas.user, projects=[cast.ops]).runs[0]
    assert run.task == first
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=40, note="half way")
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done", result={"ok": True})
    first.refresh_from_db()
    assert first.status == "in_review"
    with pytest.raises(NotPermitted):
        reviews.approve_task(actor=cast.atlas.user, task=first)
    finished = reviews.approve_task(actor=cast.rita.user, task=first)
    assert finished.unblocked == [second.ref]

    second.refresh_from_db()
    assert second.open_blockers == 0
    moves = [(e.kind, e.data.get("to")) for e in Event.objects.filter(task=first).in_order()]
    assert moves == [
        ("task.created", None),
        ("task.assigned", None),
        ("task.status_changed", "in_progress"),
        ("task.progressed", None),
        ("task.status_changed", "in_review"),
        ("task.status_changed", "completed"),
    ]


def test_expired_lease_returns_the_task_and_fences_the_late_result(cast, new_task, let_lease_end):
    task = new_task()
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    let_lease_end(run)
    assert engine.tick().expired == 1
    with pytest.raises(LeaseLost) as lost:
        runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="too late", result=1)
    assert lost.value.data["reason"] == "expired"
    task.refresh_from_db()
    assert (task.status, task.lease_losses, task.attempts) == ("not_started", 1, 0)
    run.refresh_from_db()
    assert run.late_result["summary"] == "too late"
    reviews.adopt_late_result(actor=cast.ada.user, run=run)
    task.refresh_from_db()
    assert (task.status, task.summary) == ("completed", "too late")


def test_cycle_is_refused_and_named(cast, new_task):
    a = new_task()
    b = new_task(depends_on=[a])
    c = new_task(depends_on=[b])
    with pytest.raises(DependencyCycle) as refused:
        dependencies.add_dependencies(actor=cast.ada.user, task=a, depends_on=[c])
    assert refused.value.data["cycle"] == [a.ref, c.ref, b.ref, a.ref]


def test_cancel_in_progress_ends_the_run_and_reopen_revives_the_assignment(cast, new_task):
    task = new_task(assignees=[cast.bert])
    run = claims.claim_task(actor=cast.bert.user, task=task)
    lifecycle.cancel_task(actor=cast.ada.user, task=task)
    with pytest.raises(LeaseLost) as lost:
        runs.heartbeat_run(actor=cast.bert.user, run_id=run.pk)
    assert lost.value.data["reason"] == "cancelled"
    lifecycle.reopen_task(actor=cast.ada.user, task=task)
    assert claims.claim_task(actor=cast.bert.user, task=task).number == 2
    assert Run.objects.active().count() == 1
    assert Task.objects.assigned_to(cast.bert).get() == task
