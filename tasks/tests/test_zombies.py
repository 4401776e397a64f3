"""Agents that come back from the dead: fenced with the reason, nothing changes, and late results are kept."""

from datetime import timedelta

import pytest

from tasks import clock, engine
from tasks.actions import assignments, claims, lifecycle, passing_time, reviews, runs
from tasks.actions.funnel import backoff
from tasks.errors import Invalid, LeaseLost
from tasks.models import Event, Run, RunStatus, Task
from tasks.tests.invariants import assert_invariants

pytestmark = pytest.mark.django_db

KEPT_FOR_ADOPTION = {"late_result", "late_result_at"}


@pytest.fixture
def zombie(cast, new_task, let_lease_end):
    """``zombie(how)``: atlas's run of a task, ended in a way that atlas did not notice."""

    def end(how, **fields):
        task = new_task(assignees=[cast.atlas, cast.bert], **fields)
        run = claims.claim_task(actor=cast.atlas.user, task=task)
        match how:
            case "expired":
                let_lease_end(run)
                assert engine.tick().expired == 1
                Task.objects.filter(pk=task.pk).update(deferred_until=None)
            case "revoked":
                assignments.reassign_task(actor=cast.ada.user, task=task, agents=[cast.bert])
            case "cancelled":
                lifecycle.cancel_task(actor=cast.ada.user, task=task)
                lifecycle.reopen_task(actor=cast.ada.user, task=task)
            case "released":
                lifecycle.release_task(actor=cast.ada.user, task=task)
        return run

    return end


def _writes(cast, run):
    """Every write available to the holder of a run, by name."""
    of_run = {"actor": cast.atlas.user, "run_id": run.pk}
    return {
        "heartbeat": lambda: runs.heartbeat_run(**of_run, lease_seconds=60),
        "progress": lambda: runs.progress_run(**of_run, percent=99, note="I live", checkpoint={"n": 1}),
        "complete": lambda: runs.complete_run(**of_run, summary="late", result={"late": True}),
        "fail": lambda: runs.fail_run(**of_run, code="late", detail="Too late."),
        "release": lambda: runs.release_run(**of_run, reason="late", checkpoint={"n": 1}),
    }


def _rows(task):
    """Everything stored about a task and its runs, except the late result."""
    kept = [
        {field.attname: getattr(run, field.attname) for field in Run._meta.concrete_fields} for run in task.runs.all()
    ]
    return (
        Task.objects.filter(pk=task.pk).values().get(),
        [{name: value for name, value in run.items() if name not in KEPT_FOR_ADOPTION} for run in kept],
        sorted(map(str, task.assignments.values_list())),
    )


def _assert_all_writes_refused(cast, run, reason):
    task = Task.objects.get(pk=run.task_id)
    before = _rows(task)
    for name, write in _writes(cast, run).items():
        with pytest.raises(LeaseLost) as lost:
            write()
        assert lost.value.data["reason"] == reason, name
        assert reason in lost.value.detail, name
        assert _rows(task) == before, f"{name} of a stale run changed something"
    assert_invariants()


@pytest.mark.parametrize("how", ["expired", "revoked", "cancelled", "released"])
@pytest.mark.parametrize("then", ["waits", "held", "in_review", "completed", "failed", "cancelled"])
def test_writes_of_a_stale_run_are_refused_with_the_reason_and_change_nothing(cast, zombie, how, then):
    run = zombie(how, review_required=then == "in_review")
    task = Task.objects.select_related("project").get(pk=run.task_id)
    if then != "waits":
        mine = {"actor": cast.bert.user, "run_id": claims.claim_task(actor=cast.bert.user, task=task).pk}
        match then:
            case "in_review" | "completed":
                runs.complete_run(**mine, summary="taken over", result={"by": "bert"})
            case "failed":
                runs.fail_run(**mine, code="broken", detail="It broke.", retryable=False)
            case "cancelled":
                lifecycle.cancel_task(actor=cast.ada.user, task=task)
    _assert_all_writes_refused(cast, run, how)
    task.refresh_from_db()
    assert task.status == {"waits": "not_started", "held": "in_progress"}.get(then, then)
    if then in ("in_review", "completed"):
        assert (task.summary, task.result) == ("taken over", {"by": "bert"})


def test_writes_after_ones_own_complete_are_refused_as_completed(cast, new_task):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task())
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    _assert_all_writes_refused(cast, run, "completed")
    assert Run.objects.get(pk=run.pk).late_result is None


@pytest.mark.parametrize("how", ["expired", "revoked", "cancelled", "released"])
def test_late_result_is_kept_once_and_recorded_once(cast, zombie, how):
    run = zombie(how)
    for summary in ("first", "second"):
        with pytest.raises(LeaseLost, match="stored"):
            runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary=summary, result={"n": summary})
    run.refresh_from_db()
    assert run.late_result["summary"] == "first"
    assert Event.objects.filter(kind="run.late_result_kept", run=run).count() == 1


def test_adopt_late_result_revokes_whoever_took_over(cast, zombie):
    run = zombie("expired", review_required=True)
    with pytest.raises(LeaseLost):
        runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="late", result={"answer": 42})
    second = claims.claim_task(actor=cast.bert.user, task=run.task)
    reviews.adopt_late_result(actor=cast.ada.user, run=run)
    task = Task.objects.get(pk=run.task_id)
    assert (task.status, task.result) == ("in_review", {"answer": 42})
    with pytest.raises(LeaseLost) as lost:
        runs.complete_run(actor=cast.bert.user, run_id=second.pk, summary="mine")
    assert lost.value.data["reason"] == "revoked"
    lifecycle.cancel_task(actor=cast.ada.user, task=task)
    lifecycle.reopen_task(actor=cast.ada.user, task=task)
    with pytest.raises(Invalid):
        # The same result is adopted once.
        reviews.adopt_late_result(actor=cast.ada.user, run=run)


def test_adopt_late_failure_is_refused(cast, zombie):
    run = zombie("expired")
    with pytest.raises(LeaseLost):
        runs.fail_run(actor=cast.atlas.user, run_id=run.pk, code="x", detail="y")
    with pytest.raises(Invalid, match="no late result"):
        reviews.adopt_late_result(actor=cast.ada.user, run=run)


@pytest.mark.parametrize("write", ["heartbeat", "progress", "complete", "fail", "release"])
def test_write_after_the_lease_but_before_anyone_reclaimed_succeeds(cast, new_task, let_lease_end, write):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task())
    let_lease_end(run)
    _writes(cast, run)[write]()
    assert engine.tick().expired == 0
    run.refresh_from_db()
    assert run.status != RunStatus.EXPIRED
    if run.status == RunStatus.ACTIVE:
        assert run.lease_expires_at > clock.now()


@pytest.mark.parametrize("call", ["heartbeat", "progress", "claim"])
def test_every_call_of_the_holder_renews_the_lease(cast, new_task, let_lease_end, call):
    task = new_task()
    run = claims.claim_task(actor=cast.atlas.user, task=task, lease_seconds=120)
    let_lease_end(run)
    before = clock.now()
    calls = _writes(cast, run) | {"claim": lambda: claims.claim_task(actor=cast.atlas.user, task=task)}
    calls[call]()
    seconds = 60 if call == "heartbeat" else 120
    run.refresh_from_db()
    assert timedelta(0) <= run.lease_expires_at - before - timedelta(seconds=seconds) < timedelta(seconds=30)


def test_stalled_is_reported_once_until_the_run_advances(cast, new_task):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task())
    long_ago = clock.now() - timedelta(minutes=11)
    Run.objects.filter(pk=run.pk).update(last_progress_at=long_ago)
    assert [engine.tick().stalled for _ in range(3)] == [1, 0, 0]
    runs.heartbeat_run(actor=cast.atlas.user, run_id=run.pk)
    assert engine.tick().stalled == 0
    run.refresh_from_db()
    assert run.stalled_at is not None, "alive is not advancing"
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=10)
    run.refresh_from_db()
    assert run.stalled_at is None
    Run.objects.filter(pk=run.pk).update(last_progress_at=long_ago)
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=10)
    assert engine.tick().stalled == 1, "the same percentage again does not count as progress"
    assert Event.objects.filter(kind="task.stalled").count() == 2


@pytest.mark.parametrize("failures", [1, 2, 3, 8, 20, 200])
def test_backoff_lies_between_half_and_all_of_the_doubled_base(failures):
    base, cap = timedelta(seconds=30), timedelta(hours=1)
    full = min(cap.total_seconds(), 30 * 2 ** (failures - 1))
    drawn = [backoff(failures, base=base, cap=cap).total_seconds() for _ in range(300)]
    assert all(full / 2 <= seconds <= full for seconds in drawn)
    assert max(drawn) - min(drawn) > full / 4, "they do not all come back at once"


def test_fail_rests_by_its_own_attempts_and_ends_with_the_last(cast, new_task):
    task = new_task(max_attempts=3)
    for attempt, (low, high) in enumerate([(15, 30), (30, 60)], 1):
        run = claims.claim_task(actor=cast.atlas.user, task=task)
        before = clock.now()
        failed = runs.fail_run(actor=cast.atlas.user, run_id=run.pk, code="x", detail="y")
        rest = (failed.deferred_until - before).total_seconds()
        assert low <= rest <= high + 5
        assert (failed.status, failed.attempts) == ("not_started", attempt)
        Task.objects.filter(pk=task.pk).update(deferred_until=None)
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    assert runs.fail_run(actor=cast.atlas.user, run_id=run.pk, code="x", detail="y").status == "failed"


def test_expire_rests_by_its_own_counter_and_fails_the_task_with_the_fifth_loss(cast, new_task, let_lease_end):
    task = new_task(max_attempts=1)
    for loss, high in enumerate([5, 10, 20, 40], 1):
        let_lease_end(claims.claim_task(actor=cast.atlas.user, task=task))
        before = clock.now()
        assert engine.tick().expired == 1
        task.refresh_from_db()
        assert (task.status, task.lease_losses, task.attempts) == ("not_started", loss, 0)
        assert high / 2 <= (task.deferred_until - before).total_seconds() <= high + 5
        Task.objects.filter(pk=task.pk).update(deferred_until=None)
    let_lease_end(claims.claim_task(actor=cast.atlas.user, task=task))
    assert engine.tick().expired == 1
    task.refresh_from_db()
    assert (task.status, task.lease_losses) == ("failed", passing_time.LEASE_LOSS_LIMIT)


def test_reopen_gives_fresh_attempts_and_losses(cast, new_task):
    task = new_task()
    Task.objects.filter(pk=task.pk).update(lease_losses=5, attempts=3)
    lifecycle.cancel_task(actor=cast.ada.user, task=task)
    lifecycle.reopen_task(actor=cast.ada.user, task=task)
    task.refresh_from_db()
    assert (task.lease_losses, task.attempts) == (0, 0)


def test_the_run_without_a_lease_never_expires(cast, new_task):
    run = claims.start_task(actor=cast.hugo.user, task=new_task())
    Run.objects.filter(pk=run.pk).update(last_heartbeat_at=clock.now() - timedelta(days=30))
    assert engine.tick().expired == 0
    assert runs.complete_run(actor=cast.hugo.user, run_id=run.pk, summary="slowly").task.status == "completed"
