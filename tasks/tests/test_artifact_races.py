"""Artifacts and follow-ups while others write the same rows: nothing is half stored, and nothing deadlocks."""

# ruff: noqa: B023 - the threads of a round end within it

import pytest

from tasks.actions import claims, dependencies, passing_time, reviews, runs, transactions
from tasks.actions.follow_ups import accept_follow_up, dismiss_follow_up
from tasks.actions.tasks import NewTask, create_task
from tasks.actions.uploads import add_artifact
from tasks.errors import DomainError
from tasks.models import Artifact, FollowUp, Project, Run, Task
from tasks.tests.invariants import assert_invariants
from tasks.tests.racing import at_once
from tasks.tests.sizes import MEETINGS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROUNDS = range(MEETINGS)


@pytest.fixture(autouse=True)
def _no_second_try_after_a_deadlock(monkeypatch):
    """The lock order must be enough; the funnel's retry after deadlocks would hide failures."""
    monkeypatch.setattr(transactions, "DEADLOCK_DETECTED", "not caught")


def codes(outcomes) -> list[str | None]:
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, DomainError):
            raise outcome
    return [outcome.code if isinstance(outcome, DomainError) else None for outcome in outcomes]


def test_upload_meeting_the_end_of_the_run_is_stored_or_refused_whole(cast, new_task, let_lease_end):
    for seed in ROUNDS:
        run = claims.claim_task(actor=cast.atlas.user, task=new_task())
        let_lease_end(run)
        late = {"name": "late.txt", "kind": "text", "text": "late"}
        new = {"name": "a.txt", "kind": "text", "content": b"a"}
        uploaded, finished, _ = codes(
            at_once(
                lambda: add_artifact(actor=cast.atlas.user, run_id=run.pk, **new),
                lambda: runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done", artifacts=[late]),
                lambda: passing_time.expire_run(run=run),
                seed=seed,
            )
        )
        names = dict(Artifact.objects.filter(run=run).values_list("name", "is_late"))
        assert uploaded in (None, "lease_lost")
        assert ("a.txt" in names) is (uploaded is None)
        run.refresh_from_db()
        assert names["late.txt"] is (finished == "lease_lost")
        assert (run.late_result is None) is (finished is None)


def test_same_upload_at_once_is_one_artifact(cast, new_task):
    for seed in ROUNDS:
        run = claims.claim_task(actor=cast.atlas.user, task=new_task())
        new = {"name": "a.txt", "kind": "text", "content": b"a"}
        twice = [lambda: add_artifact(actor=cast.atlas.user, run_id=run.pk, **new)] * 2
        assert codes(at_once(*twice, seed=seed)) == [None, None]
        assert Artifact.objects.filter(run=run).count() == 1


def test_follow_ups_meeting_other_changes_of_the_graph_do_not_deadlock(cast, new_task):
    Project.objects.filter(pk=cast.ops.pk).update(workers_create=True)
    for seed in ROUNDS:
        task, reviewed, other = new_task(), new_task(review_required=True), new_task()
        named = {"summary": "done", "follow_ups": [{"title": "After"}]}
        first = claims.claim_task(actor=cast.atlas.user, task=reviewed)
        runs.complete_run(actor=cast.atlas.user, run_id=first.pk, **named)
        run = claims.claim_task(actor=cast.atlas.user, task=task)
        waits = NewTask(title="Waits", depends_on=[task, reviewed])
        outcomes = codes(
            at_once(
                lambda: runs.complete_run(actor=cast.atlas.user, run_id=run.pk, **named),
                lambda: reviews.approve_task(actor=cast.rita.user, task=reviewed),
                lambda: create_task(actor=cast.ada.user, project=cast.ops, new=waits),
                lambda: dependencies.add_dependencies(actor=cast.ada.user, task=other, depends_on=[task, reviewed]),
                seed=seed,
            )
        )
        assert outcomes == [None] * 4
        assert FollowUp.objects.filter(task__in=[task, reviewed], state="accepted").count() == 2
        assert Run.objects.get(pk=run.pk).status == "completed"
    assert_invariants()


def test_two_managers_deciding_at_once_are_one_decision(cast, new_task):
    for seed in ROUNDS:
        run = claims.claim_task(actor=cast.atlas.user, task=new_task())
        runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="x", follow_ups=[{"title": f"Round {seed}"}])
        follow_up = FollowUp.objects.get(run=run)
        outcomes = codes(
            at_once(
                lambda: accept_follow_up(actor=cast.ada.user, follow_up=follow_up),
                lambda: dismiss_follow_up(actor=cast.root, follow_up=follow_up),
                lambda: accept_follow_up(actor=cast.root, follow_up=follow_up),
                seed=seed,
            )
        )
        follow_up.refresh_from_db()
        accepted = follow_up.state == "accepted"
        assert outcomes == (
            [None, "already_decided", None] if accepted else ["already_decided", None, "already_decided"]
        )
        assert Task.objects.filter(title=f"Round {seed}").count() == accepted
