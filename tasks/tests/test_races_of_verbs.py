"""Concurrent verbs on the same task: each pair ends as if one had run after the other, and never in a deadlock."""

import random
from datetime import timedelta

import pytest

from tasks import clock, engine
from tasks.actions import (
    assignments,
    claims,
    dependencies,
    lifecycle,
    passing_time,
    projects,
    questions,
    reviews,
    runs,
    transactions,
)
from tasks.actions import tasks as verbs
from tasks.errors import DependencyCycle, DomainError, LeaseLost, NotFound
from tasks.models import Assignment, Dependency, Event, Question, Role, Run, Task
from tasks.tests.cast import join, make_agent
from tasks.tests.invariants import assert_invariants
from tasks.tests.racing import at_once
from tasks.tests.sizes import MEETINGS, VERBS_AT_ONCE, VERBS_AT_ONCE_SEEDS

ROUNDS = range(MEETINGS)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture(autouse=True)
def _no_second_try_after_a_deadlock(monkeypatch):
    """The lock order must be enough; the funnel's retry after deadlocks would hide failures."""
    monkeypatch.setattr(transactions, "DEADLOCK_DETECTED", "not caught")


def _codes(outcomes):
    """The error code of each outcome, None for success; anything but a domain error is a failure of the test."""
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, DomainError):
            raise outcome
    return [outcome.code if isinstance(outcome, DomainError) else None for outcome in outcomes]


def _status(task):
    return Task.objects.values_list("status", flat=True).get(pk=task.pk)


def test_claim_and_cancel_at_once_end_in_cancelled(cast, new_task):
    for seed in ROUNDS:
        task = new_task()
        claim, cancel = _codes(
            at_once(
                lambda task=task: claims.claim_task(actor=cast.atlas.user, task=task),
                lambda task=task: lifecycle.cancel_task(actor=cast.ada.user, task=task),
                seed=seed,
            )
        )
        assert cancel is None
        assert claim in (None, "illegal_transition")
        assert _status(task) == "cancelled"
        assert_invariants()


def test_adopting_twice_at_once_is_refused_with_the_status_that_the_first_left(cast, new_task, let_lease_end):
    for seed in ROUNDS:
        task = new_task()
        late = claims.claim_task(actor=cast.atlas.user, task=task)
        let_lease_end(late)
        passing_time.expire_run(run=late)
        with pytest.raises(LeaseLost):
            runs.complete_run(actor=cast.atlas.user, run_id=late.pk, summary="late")

        def adopt(late=late):
            return reviews.adopt_late_result(actor=cast.ada.user, run=late)

        outcomes = at_once(adopt, adopt, seed=seed)
        assert sorted(_codes(outcomes), key=str) == [None, "illegal_transition"]
        refused = next(outcome for outcome in outcomes if isinstance(outcome, DomainError))
        assert refused.data["task_status"] == "completed"
        assert_invariants()


def test_dependency_added_while_the_task_ends_comes_first_or_is_refused(cast, new_task):
    for seed in ROUNDS:
        task, other = new_task(), new_task()
        added, _ = _codes(
            at_once(
                lambda task=task, other=other: dependencies.add_dependencies(
                    actor=cast.ada.user, task=task, depends_on=[other]
                ),
                lambda task=task: lifecycle.cancel_task(actor=cast.ada.user, task=task),
                seed=seed,
            )
        )
        kinds = list(Event.objects.filter(task=task).order_by("pk").values_list("kind", flat=True))
        first = [] if added else ["task.dependencies_added"]
        assert added in (None, "illegal_transition")
        assert kinds == ["task.created", *first, "task.status_changed"]
        assert_invariants()


def test_completing_while_a_review_is_made_required_skips_no_review(cast, new_task):
    for seed in ROUNDS:
        task = new_task()
        run = claims.claim_task(actor=cast.atlas.user, task=task)
        at_once(
            lambda task=task: verbs.edit_task(actor=cast.ada.user, task=task, changes={"review_required": True}),
            lambda run=run: runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done"),
            seed=seed,
        )
        *_, before_last, last = Event.objects.filter(task=task).order_by("pk")
        if last.kind == "task.status_changed":
            assert before_last.kind == "task.edited"
            assert last.data["to"] == "in_review"
        else:
            assert before_last.data["to"] == "completed"
        assert_invariants()


def test_claim_by_two_agents_at_once_gives_one_the_task(cast, new_task):
    for seed in ROUNDS:
        task = new_task()
        codes = _codes(
            at_once(
                *(
                    lambda task=task, agent=agent: claims.claim_task(actor=agent.user, task=task)
                    for agent in (cast.atlas, cast.bert, cast.hugo)
                ),
                seed=seed,
            )
        )
        assert sorted(codes, key=str) == [None, "already_claimed", "already_claimed"]
        assert_invariants()


def test_claims_by_one_agent_at_once_keep_its_capacity(cast, new_task):
    solo = make_agent("solo", capacity=1)
    join(cast.ops, solo.user, Role.WORKER)
    for seed in ROUNDS:
        first, second = new_task(), new_task()
        outcomes = at_once(
            lambda task=first: claims.claim_task(actor=solo.user, task=task),
            lambda task=second: claims.claim_task(actor=solo.user, task=task),
            lambda: claims.claim_next(actor=solo.user, projects=[cast.ops], limit=5),
            seed=seed,
        )
        _codes(outcomes)
        run = Run.objects.active().get(agent=solo)
        assert_invariants()
        runs.complete_run(actor=solo.user, run_id=run.pk, summary="done")
        for task in Task.objects.open():
            lifecycle.cancel_task(actor=cast.ada.user, task=task)


def test_complete_and_expire_at_once_end_the_run_once(cast, new_task, let_lease_end):
    for seed in ROUNDS:
        task = new_task()
        run = claims.claim_task(actor=cast.atlas.user, task=task)
        let_lease_end(run)
        complete, expired = at_once(
            lambda run=run: runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done"),
            lambda: engine.tick().expired,
            seed=seed,
        )
        (code,) = _codes([complete])
        assert (code, expired) in ((None, 0), ("lease_lost", 1))
        assert _status(task) == ("not_started" if expired else "completed")
        assert_invariants()


def test_two_engines_at_once_expire_each_run_once(cast, new_task, let_lease_end):
    for seed in ROUNDS:
        lost = [claims.claim_task(actor=cast.atlas.user, task=new_task()) for _ in range(4)]
        for run in lost:
            let_lease_end(run)
        ticked = at_once(*[lambda: engine.tick().expired] * 3, seed=seed)
        _codes(ticked)
        assert sum(ticked) == len(lost)
        assert {task.lease_losses for task in Task.objects.filter(pk__in=[run.task_id for run in lost])} == {1}
        assert_invariants()


def test_two_engines_at_once_report_stalled_overdue_and_deferred_once(cast, new_task):
    now = clock.now()
    for seed in ROUNDS:
        Event.objects.all().delete()
        Task.objects.all().delete()
        run = claims.claim_task(actor=cast.atlas.user, task=new_task())
        Run.objects.filter(pk=run.pk).update(last_progress_at=now - timedelta(hours=1))
        late, deferred = new_task(due_at=now + timedelta(hours=1)), new_task()
        Task.objects.filter(pk=late.pk).update(due_at=now - timedelta(hours=1))
        new_task(due_at=now + timedelta(hours=1))
        Task.objects.filter(pk=deferred.pk).update(deferred_until=now - timedelta(seconds=1))
        _codes(at_once(*[engine.tick] * 3, seed=seed))
        for kind in ("task.stalled", "task.due_date_neared", "task.due_date_passed", "task.undeferred"):
            assert Event.objects.filter(kind=kind).count() == 1, kind


def test_complete_and_add_dependency_at_once_count_the_blocker_rightly(cast, new_task):
    for seed in ROUNDS:
        first, second, third = new_task(), new_task(), new_task()
        run = claims.claim_task(actor=cast.atlas.user, task=first)
        codes = _codes(
            at_once(
                lambda run=run: runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done"),
                lambda first=first, second=second: dependencies.add_dependencies(
                    actor=cast.ada.user, task=second, depends_on=[first]
                ),
                lambda first=first, third=third: verbs.edit_task(
                    actor=cast.ada.user, task=first, changes={"parent": third}
                ),
                seed=seed,
            )
        )
        assert codes == [None, None, None]
        assert Task.objects.get(pk=second.pk).open_blockers == Task.objects.get(pk=third.pk).open_blockers == 0
        assert_invariants()


def test_complete_of_all_dependencies_at_once_frees_the_dependent(cast, new_task):
    for seed in ROUNDS:
        before = [new_task() for _ in range(4)]
        after = new_task(depends_on=before)
        held = [claims.claim_task(actor=cast.atlas.user, task=task) for task in before]
        finished = at_once(
            *(
                lambda run=run: runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done").unblocked
                for run in held
            ),
            seed=seed,
        )
        _codes(finished)
        assert sorted(finished) == [[], [], [], [after.ref]]
        assert_invariants()
        claims.claim_task(actor=cast.bert.user, task=after)
        lifecycle.cancel_task(actor=cast.ada.user, task=after)


def test_two_dependencies_that_close_a_cycle_at_once_leave_one(cast, new_task):
    for seed in ROUNDS:
        a, b = new_task(), new_task()
        outcomes = at_once(
            lambda a=a, b=b: dependencies.add_dependencies(actor=cast.ada.user, task=a, depends_on=[b]),
            lambda a=a, b=b: dependencies.add_dependencies(actor=cast.ada.user, task=b, depends_on=[a]),
            lambda a=a, b=b: verbs.edit_task(actor=cast.ada.user, task=a, changes={"parent": b}),
            seed=seed,
        )
        codes = _codes(outcomes)
        assert DependencyCycle.code in codes
        assert Dependency.objects.filter(task__in=[a, b]).count() == 1 or codes[2] is None
        assert_invariants()


def test_unassign_and_claim_at_once_leave_no_holder_without_an_assignment(cast, new_task):
    for seed in ROUNDS:
        task = new_task(assignees=[cast.atlas])
        claim, unassign = _codes(
            at_once(
                lambda: claims.claim_next(actor=cast.atlas.user, projects=[cast.ops]),
                lambda task=task: assignments.reassign_task(actor=cast.ada.user, task=task, agents=[cast.bert]),
                seed=seed,
            )
        )
        assert (claim, unassign) == (None, None)
        assert set(Assignment.objects.active().filter(task=task).values_list("agent", flat=True)) == {cast.bert.pk}
        assert _status(task) == "not_started"
        assert_invariants()
        lifecycle.cancel_task(actor=cast.ada.user, task=task)


def test_assign_and_pull_at_once_never_pull_what_is_assigned(cast, new_task):
    for seed in ROUNDS:
        task = new_task()
        claimed, assigned = at_once(
            lambda: claims.claim_next(actor=cast.atlas.user, projects=[cast.ops]),
            lambda task=task: assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.bert]),
            seed=seed,
        )
        assert _codes([claimed, assigned]) == [None, None]
        got = Event.objects.filter(task=task).exclude(kind="task.created").in_order()
        order = list(got.values_list("agent", flat=True))
        assert order == ([cast.atlas.pk, cast.bert.pk] if claimed.runs else [cast.bert.pk])
        assert_invariants()
        lifecycle.cancel_task(actor=cast.ada.user, task=task)


def test_delete_of_a_parent_while_its_child_ends_waits_for_no_cycle(cast, new_task):
    for seed in ROUNDS:
        parent = new_task()
        child, other = new_task(parent=parent), new_task(parent=parent)
        run = claims.claim_task(actor=cast.atlas.user, task=child)
        codes = _codes(
            at_once(
                lambda parent=parent: verbs.delete_task(actor=cast.ada.user, task=parent),
                lambda run=run: runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done"),
                lambda other=other: lifecycle.cancel_task(actor=cast.ada.user, task=other),
                seed=seed,
            )
        )
        assert codes == [None, None, None]
        assert_invariants()


def _lost(cast, task):
    """A run on ``task`` whose holder keeps working after it was released."""
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    lifecycle.release_task(actor=cast.ada.user, task=task)
    return run


def test_late_results_and_their_adoption_at_once_wait_for_no_cycle(cast, new_task):
    for seed in ROUNDS:
        run = _lost(cast, new_task())

        def complete(run=run):
            runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")

        assert _codes(at_once(complete)) == [LeaseLost.code]
        adopt = lambda run=run: reviews.adopt_late_result(actor=cast.ada.user, run=run)  # noqa: E731
        assert _codes(at_once(complete, adopt, complete, seed=seed)) == [LeaseLost.code, None, LeaseLost.code]
        assert_invariants()


def test_delete_while_late_results_come_waits_for_no_cycle(cast, new_task):
    for seed in ROUNDS:
        task = new_task()
        run = _lost(cast, task)

        def complete(run=run):
            runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")

        delete = lambda task=task: verbs.delete_task(actor=cast.ada.user, task=task)  # noqa: E731
        late, deleted, _ = _codes(at_once(complete, delete, complete, seed=seed))
        assert deleted is None
        assert late in (LeaseLost.code, NotFound.code)
        assert not Task.objects.filter(pk=task.pk).exists()
        assert_invariants()


class Mischief:
    """A client that uses any verb on any task, at random; refusals are normal."""

    def __init__(self, cast, seed, verbs_tried=VERBS_AT_ONCE):
        self.cast, self.dice, self.verbs_tried = cast, random.Random(seed), verbs_tried

    def __call__(self):
        refused = 0
        for _ in range(self.verbs_tried):
            try:
                self.dice.choice(self.verbs)(self)
            except DomainError:
                refused += 1
        return refused

    def _task(self):
        return self.dice.choice(list(Task.objects.order_by("pk")))

    def _agent(self):
        return self.dice.choice((self.cast.atlas, self.cast.bert, self.cast.hugo))

    def _run(self):
        held = list(Run.objects.order_by("-started_at").select_related("agent__user")[:20])
        return self.dice.choice(held) if held else None

    def create(self):
        others = list(Task.objects.order_by("-pk")[:6])
        new = verbs.NewTask(
            title="More",
            depends_on=self.dice.sample(others, k=self.dice.choice((0, 0, 1, 2))),
            parent=self.dice.choice([None, *others]),
            review_required=self.dice.random() < 0.3,
        )
        verbs.create_task(actor=self.cast.ada.user, project=self.cast.ops, new=new)

    def claim(self):
        claims.claim_task(actor=self._agent().user, task=self._task())

    def claim_next(self):
        claims.claim_next(actor=self._agent().user, projects=[self.cast.ops], limit=2)

    def complete(self):
        if run := self._run():
            runs.complete_run(actor=run.agent.user, run_id=run.pk, summary="done")

    def fail(self):
        if run := self._run():
            runs.fail_run(actor=run.agent.user, run_id=run.pk, code="oops", detail="It broke.")

    def progress(self):
        if run := self._run():
            runs.progress_run(actor=run.agent.user, run_id=run.pk, percent=self.dice.randrange(100))

    def ask(self):
        if run := self._run():
            questions.ask_run(
                actor=run.agent.user,
                run_id=run.pk,
                questions=[{"prompt": "Which?", "default": "any"}] * self.dice.choice((1, 2)),
                park=self.dice.random() < 0.7,
                expires_in_seconds=60,
                on_expiry=self.dice.choice(("keep", "default", "escalate", "fail")),
            )

    def _question(self):
        open_ones = Question.objects.open().order_by("-pk").values_list("pk", flat=True)[:20]
        return self.dice.choice([0, *open_ones])

    def answer(self):
        questions.answer_question(actor=self.cast.rita.user, question_id=self._question(), value="This")

    def withdraw(self):
        questions.withdraw_question(actor=self.cast.ada.user, question_id=self._question())

    def expire_question(self):
        Question.objects.open().filter(pk=self._question()).update(expires_at=clock.now() - timedelta(seconds=1))
        engine.tick()

    def release(self):
        lifecycle.release_task(actor=self.cast.ada.user, task=self._task())

    def expire(self):
        if run := self._run():
            Run.objects.active().filter(pk=run.pk, lease_seconds__isnull=False).update(lease_expires_at=run.started_at)
        engine.tick()
        Task.objects.filter(deferred_until__isnull=False).update(deferred_until=None)

    def assign(self):
        assignments.assign_task(actor=self.cast.ada.user, task=self._task(), agents=[self._agent()])

    def unassign(self):
        assignments.unassign_task(actor=self.cast.ada.user, task=self._task())

    def reassign(self):
        assignments.reassign_task(actor=self.cast.ada.user, task=self._task(), agents=[self._agent()])

    def approve(self):
        reviews.approve_task(actor=self.cast.rita.user, task=self._task())

    def request_changes(self):
        reviews.request_changes(actor=self.cast.rita.user, task=self._task(), note="Again.")

    def adopt(self):
        if run := Run.objects.filter(late_result__isnull=False, adopted_at__isnull=True).first():
            reviews.adopt_late_result(actor=self.cast.ada.user, run=run)

    def cancel(self):
        lifecycle.cancel_task(actor=self.cast.ada.user, task=self._task())

    def reopen(self):
        lifecycle.reopen_task(actor=self.cast.ada.user, task=self._task())

    def connect(self):
        dependencies.add_dependencies(actor=self.cast.ada.user, task=self._task(), depends_on=[self._task()])

    def disconnect(self):
        task = self._task()
        others = [edge.depends_on for edge in task.dependencies.select_related("depends_on")]
        dependencies.remove_dependencies(actor=self.cast.ada.user, task=task, depends_on=others[:1])

    def hang(self):
        parent = self.dice.choice((None, self._task()))
        verbs.edit_task(actor=self.cast.ada.user, task=self._task(), changes={"parent": parent})

    def delete(self):
        if Task.objects.count() > 10:
            verbs.delete_task(actor=self.cast.ada.user, task=self._task())

    def leave_and_join(self):
        projects.remove_member(actor=self.cast.ada.user, project=self.cast.ops, user=self.cast.hugo.user)
        projects.set_member(actor=None, project=self.cast.ops, user=self.cast.hugo.user, role=Role.WORKER)

    verbs = (
        create, claim, claim_next, claim_next, claim_next, complete, complete, complete, fail, progress, release,
        expire, assign, unassign, reassign, approve, request_changes, adopt, cancel, reopen, reopen, connect,
        disconnect, hang, delete, leave_and_join, ask, ask, answer, answer, answer, withdraw, expire_question,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(VERBS_AT_ONCE_SEEDS))
def test_all_verbs_at_once_break_nothing(cast, new_task, seed):
    for _ in range(12):
        new_task()
    refused = at_once(*(Mischief(cast, f"{seed}-{client}") for client in range(6)), seed=seed)
    _codes(refused)
    assert sum(refused) < 6 * VERBS_AT_ONCE
    assert_invariants()
