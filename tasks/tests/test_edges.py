"""The table of transitions, edge by edge: each verb from each status, legal and refused."""

import itertools
from datetime import timedelta

import pytest

from tasks import clock
from tasks.actions import assignments, claims, lifecycle, passing_time, questions, reviews, runs
from tasks.errors import AlreadyClaimed, DomainError, IllegalTransition, LeaseLost, NotFound
from tasks.models import Event, OnExpiry, Question, Run, Task
from tasks.tests.invariants import assert_invariants
from tasks.tests.one_event import one_event_for_each_task
from tasks.transitions import OPEN, TERMINAL, TRANSITIONS, Status, allowed, is_legal

VERBS = sorted(TRANSITIONS)
#: Verbs of a run: if it has ended, they are refused as a lost lease, which says more than the task's status.
OF_A_RUN = {"heartbeat", "progress", "ask", "complete", "fail"}
#: Verbs of a question: they move a task only while it waits for one, and here only then there is one.
OF_A_QUESTION = {"answer", "withdraw"}


@pytest.fixture
def stage(cast, new_task, let_lease_end):
    return Stage(cast, new_task, let_lease_end)


class Stage:
    """Brings a task into any status by verbs, and uses any verb on it."""

    def __init__(self, cast, new_task, let_lease_end):
        self.cast, self.new_task, self.let_lease_end = cast, new_task, let_lease_end

    def task_in(self, status, **fields):
        """A task in ``status`` on which bert lost a lease and left a late result; atlas's run is the latest."""
        task = self.new_task(**{"review_required": status == Status.IN_REVIEW} | fields)
        self.late = claims.claim_task(actor=self.cast.bert.user, task=task)
        self.let_lease_end(self.late)
        assert passing_time.expire_run(run=self.late)
        with pytest.raises(LeaseLost):
            runs.complete_run(actor=self.cast.bert.user, run_id=self.late.pk, summary="late", result={"late": True})
        Task.objects.filter(pk=task.pk).update(deferred_until=None)
        self.run = claims.claim_task(actor=self.cast.atlas.user, task=task)
        holder = {"actor": self.cast.atlas.user, "run_id": self.run.pk}
        match status:
            case Status.NOT_STARTED:
                runs.release_run(**holder)
            case Status.WAITING:
                questions.ask_run(
                    **holder, prompt="Which?", park=True, expires_in_seconds=60, on_expiry=OnExpiry.FAIL.value
                )
            case Status.IN_REVIEW | Status.COMPLETED:
                runs.complete_run(**holder, summary="done")
            case Status.FAILED:
                runs.fail_run(**holder, code="broken", detail="It broke.", retryable=False)
            case Status.CANCELLED:
                lifecycle.cancel_task(actor=self.cast.ada.user, task=task)
        task = Task.objects.select_related("project").get(pk=task.pk)
        assert task.status == status
        return task

    def _question(self, task):
        """The id of the question that ``task`` waits for; 0 if it waits for none."""
        return Question.objects.filter(task=task).values_list("pk", flat=True).first() or 0

    def use(self, verb, task, target=None):
        """Use ``verb`` on ``task``, in the way that leads to ``target`` if there is a choice."""
        cast, run = self.cast, {"actor": self.cast.atlas.user, "run_id": self.run.pk}
        match verb:
            case "claim":
                return claims.claim_task(actor=cast.bert.user, task=task)
            case "start":
                return claims.start_task(actor=cast.hugo.user, task=task)
            case "heartbeat":
                return runs.heartbeat_run(**run)
            case "progress":
                return runs.progress_run(**run, percent=50)
            case "ask":
                return questions.ask_run(**run, prompt="Which?", park=target == Status.WAITING)
            case "answer":
                return questions.answer_question(actor=cast.hugo.user, question_id=self._question(task), value="This")
            case "withdraw":
                return questions.withdraw_question(actor=cast.ada.user, question_id=self._question(task))
            case "complete":
                return runs.complete_run(**run, summary="done")
            case "fail":
                return runs.fail_run(**run, code="x", detail="y", retryable=target != Status.FAILED)
            case "release":
                return lifecycle.release_task(actor=cast.ada.user, task=task)
            case "revoke":
                return assignments.unassign_task(actor=cast.ada.user, task=task, agents=[cast.atlas])
            case "expire" if task.status == Status.WAITING:
                Question.objects.filter(task=task).update(expires_at=clock.now() - timedelta(seconds=1))
                return questions.expire_question(self._question(task))
            case "expire":
                Run.objects.active().filter(pk=self.run.pk).update(lease_expires_at=clock.now() - timedelta(seconds=1))
                return passing_time.expire_run(run=self.run)
            case "approve":
                return reviews.approve_task(actor=cast.rita.user, task=task)
            case "request_changes":
                return reviews.request_changes(actor=cast.rita.user, task=task, note="Again.")
            case "adopt":
                return reviews.adopt_late_result(actor=cast.ada.user, run=self.late)
            case "cancel":
                return lifecycle.cancel_task(actor=cast.ada.user, task=task)
            case "reopen":
                return lifecycle.reopen_task(actor=cast.ada.user, task=task)
        raise AssertionError(f"The table has a new verb, {verb}; say here how it is used.")


LEGAL = [
    (verb, source, target)
    for verb in VERBS
    for source in sorted(TRANSITIONS[verb].sources)
    for target in sorted(TRANSITIONS[verb].targets)
]
ILLEGAL = [(verb, status) for verb in VERBS for status in Status if not is_legal(verb, status)]


@pytest.mark.parametrize(("verb", "source", "target"), LEGAL)
def test_each_legal_edge_leads_where_the_table_says(stage, verb, source, target):
    task = stage.task_in(source)
    needs_review = target == Status.IN_REVIEW
    last_loss = passing_time.LEASE_LOSS_LIMIT - 1 if target == Status.FAILED else 0
    last_attempt = task.max_attempts - 1 if target == Status.FAILED else 0
    Task.objects.filter(pk=task.pk).update(review_required=needs_review, lease_losses=last_loss, attempts=last_attempt)
    before = Event.objects.filter(task=task, data__has_key="to").count()
    with one_event_for_each_task():
        stage.use(verb, task, target)
    task.refresh_from_db()
    assert task.status == target
    moved = list(Event.objects.filter(task=task, data__has_key="to").in_order())[before:]
    if source != target:
        assert [(e.data["from"], e.data["to"], e.data["verb"]) for e in moved] == [(source, target, verb)]
    else:
        assert moved == []
    assert_invariants()


@pytest.mark.parametrize("status", sorted(Status))
def test_each_illegal_edge_is_refused_with_its_reason_and_changes_nothing(stage, subtests, status):
    task = stage.task_in(status)
    # What is refused leaves the task to the next verb as it was; revoke may take an agent off, and comes last.
    for verb in sorted((verb for verb, source in ILLEGAL if source == status), key="revoke".__eq__):
        with subtests.test(verb=verb):
            _assert_refused(stage, task, verb, status)


def _assert_refused(stage, task, verb, status):
    assignees = set(task.assignments.filter(ended_at=None).values_list("agent__slug", flat=True))
    if verb == "expire":
        assert stage.use(verb, task) is False
    elif verb == "revoke" and status in OPEN:
        # Taking somebody off a task on which they have no run revokes none.
        stage.use(verb, task)
        task.refresh_from_db()
        assignees.discard("atlas")
    else:
        with pytest.raises(DomainError) as refused:
            stage.use(verb, task)
        _assert_reason(refused.value, stage, verb, status)
    now = Task.objects.get(pk=task.pk)
    assert (now.status, now.version) == (status, task.version)
    assert set(now.assignments.filter(ended_at=None).values_list("agent__slug", flat=True)) == assignees
    assert_invariants()


def _assert_reason(error, stage, verb, status):
    if verb in OF_A_RUN:
        assert isinstance(error, LeaseLost)
        assert error.data["reason"] == Run.objects.get(pk=stage.run.pk).status
    elif verb in OF_A_QUESTION:
        assert isinstance(error, NotFound)
    elif verb in ("claim", "start") and status == Status.IN_PROGRESS:
        assert isinstance(error, AlreadyClaimed)
        assert error.data["holder"] == "atlas"
        assert error.data["lease_expires_at"] is not None
    else:
        assert isinstance(error, IllegalTransition)
        assert error.data["allowed"] == allowed(status)
        assert error.data["allowed"], "every status has a way on"
        assert all(name in error.detail for name in error.data["allowed"])


def test_the_edges_cover_the_table():
    tried = {(verb, source) for verb, source, _ in LEGAL} | set(ILLEGAL)
    assert tried == set(itertools.product(VERBS, Status))


def test_the_table_leads_from_every_status_to_an_end_and_back():
    assert set(Status) == TERMINAL | OPEN
    reached = {Status.NOT_STARTED}
    for _ in Status:
        reached |= {target for row in TRANSITIONS.values() if row.sources & reached for target in row.targets}
    assert reached == set(Status)
    assert all(TRANSITIONS["reopen"].targets == {Status.NOT_STARTED} for status in TERMINAL)
