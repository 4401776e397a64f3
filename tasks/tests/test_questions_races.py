"""Questions met by several at once: one answer, one end, and a task that is never left waiting for nobody."""

from datetime import timedelta

import pytest

from tasks import clock
from tasks.actions import claims, lifecycle, passing_time, runs, transactions
from tasks.actions.questions import answer_question, ask_run, expire_question, withdraw_question
from tasks.errors import DomainError
from tasks.models import Agent, Event, Question, Task
from tasks.tests.invariants import assert_invariants
from tasks.tests.racing import at_once
from tasks.tests.sizes import MEETINGS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture(autouse=True)
def _no_second_try_after_a_deadlock(monkeypatch):
    """The lock order must be enough; the funnel's retry after deadlocks would hide failures."""
    monkeypatch.setattr(transactions, "DEADLOCK_DETECTED", "not caught")


@pytest.fixture
def ask(cast, new_task):
    """``ask(count, park=…)`` → the questions of a new task."""

    Agent.objects.update(max_concurrent=1_000)

    def asked(count=1, **fields):
        run = claims.claim_task(actor=cast.atlas.user, task=new_task())
        parts = [{"prompt": "Which?"}] * count
        return ask_run(actor=cast.atlas.user, run_id=run.pk, questions=parts, **fields).questions

    return asked


def _codes(*outcomes):
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, DomainError):
            raise outcome
    return [outcome.code if isinstance(outcome, DomainError) else None for outcome in outcomes]


def _answering(who, question, value="this"):
    return lambda: answer_question(actor=who.user, question_id=question.pk, value=value)


def _ends(question):
    """How often something says that ``question`` has ended."""
    events = Event.objects.filter(task=question.task_id)
    named = [event for event in events if event.data.get("question") == question.pk]
    return len(named) + sum(question.pk in event.data.get("questions", ()) for event in events if event.kind[0] == "t")


@pytest.mark.parametrize("park", [True, False])
def test_two_answers_at_once_are_one_answer_and_one_refusal(cast, ask, park):
    for seed in range(MEETINGS):
        [question] = ask(park=park)
        first, other = _answering(cast.hugo, question, "a"), _answering(cast.rita, question, "b")
        codes = _codes(*at_once(first, other, seed=seed))
        assert sorted(codes, key=str) == [None, "already_answered"]
        question.refresh_from_db()
        assert question.value == ("a" if codes[0] is None else "b")
        assert _ends(question) == 1
    assert_invariants()


def test_last_two_answers_at_once_let_the_task_go_on(cast, ask):
    for seed in range(MEETINGS):
        first, second = ask(2, park=True)
        assert _codes(*at_once(_answering(cast.hugo, first), _answering(cast.rita, second), seed=seed)) == [None, None]
        assert Task.objects.get(pk=first.task_id).status == "not_started"
    assert_invariants()


def test_answer_beside_cancel_withdraw_expiry_and_completion_ends_the_question_once(cast, ask):
    def cancel(question):
        return lambda: lifecycle.cancel_task(actor=cast.ada.user, task=question.task)

    def withdraw(question):
        return lambda: withdraw_question(actor=cast.ada.user, question_id=question.pk)

    def expire(question):
        return lambda: expire_question(question.pk)

    def complete(question):
        return lambda: runs.complete_run(actor=cast.atlas.user, run_id=question.run_id, summary="done")

    for seed in range(MEETINGS):
        for park in (True, False):
            for other in (cancel, withdraw, expire, complete):
                expiring = {"expires_in_seconds": 60, "on_expiry": "fail"} if other is expire else {}
                [question] = ask(park=park, **expiring)
                Question.objects.filter(expires_at__isnull=False).update(expires_at=clock.now() - timedelta(seconds=1))
                _codes(*at_once(_answering(cast.hugo, question), other(question), seed=seed))
                question.refresh_from_db()
                assert question.state != "open"
                assert _ends(question) == 1, (other.__name__, park)
    assert_invariants()


def test_ask_beside_the_end_of_its_lease_is_either_before_or_refused(cast, new_task, let_lease_end):
    for seed in range(MEETINGS):
        run = claims.claim_task(actor=cast.atlas.user, task=new_task())
        let_lease_end(run)
        asked, expired = at_once(
            lambda run=run: ask_run(actor=cast.atlas.user, run_id=run.pk, prompt="Which?", park=True),
            lambda run=run: passing_time.expire_run(run=run),
            seed=seed,
        )
        [code] = _codes(asked)
        assert (code, expired) in ((None, False), ("lease_lost", True))
        assert Question.objects.filter(task=run.task_id).exists() == (code is None)
    assert_invariants()


def test_answer_beside_the_next_claim_reaches_it_in_its_context_or_as_a_directive(cast, ask):
    for seed in range(MEETINGS):
        [question] = ask()
        runs.release_run(actor=cast.atlas.user, run_id=question.run_id)
        task = Task.objects.get(pk=question.task_id)
        answered, run = at_once(
            _answering(cast.hugo, question),
            lambda task=task: claims.claim_task(actor=cast.atlas.user, task=task),
            seed=seed,
        )
        assert _codes(answered, run) == [None, None]
        run.refresh_from_db()
        question.refresh_from_db()
        assert question.ended_at < run.started_at or run.has_directives
    assert_invariants()
