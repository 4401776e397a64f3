"""What time does to questions that nobody answers, beside any number of engines and after an outage."""

from datetime import timedelta

import pytest

from tasks import clock, engine
from tasks.actions import claims, runs, timekeeping
from tasks.actions.directives.delivery import deliver
from tasks.actions.questions import answer_question, ask_run, expire_question, expiring_questions
from tasks.errors import AlreadyAnswered, LeaseLost, QuestionEnded
from tasks.models import Event, OnExpiry, Question, Run, ServerState, Task
from tasks.tests.invariants import assert_invariants
from tasks.tests.one_event import one_event_for_each_task
from tasks.transitions import Status

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(cast, new_task):
    """``asked("fail", park=True)`` → a question of atlas whose time is over."""

    def ask(on_expiry, *, park=False, **fields):
        run = claims.claim_task(actor=cast.atlas.user, task=new_task(**fields))
        [question] = ask_run(
            actor=cast.atlas.user,
            run_id=run.pk,
            prompt="Which key?",
            default="The old one",
            expires_in_seconds=60,
            on_expiry=on_expiry,
            park=park,
        ).questions
        let_pass(question)
        return question

    return ask


def let_pass(question):
    Question.objects.filter(pk=question.pk).update(expires_at=clock.now() - timedelta(seconds=1))


def state_of(question):
    question.refresh_from_db()
    return question.state, Task.objects.get(pk=question.task_id).status


def test_default_answers_a_parked_question_and_one_of_a_run_that_goes_on(asked):
    parked, running = asked("default", park=True), asked("default")
    with one_event_for_each_task() as events:
        assert engine.tick().unanswered == 2
    assert state_of(parked) == ("defaulted", Status.NOT_STARTED)
    assert state_of(running) == ("defaulted", Status.IN_PROGRESS)
    assert [(event.kind, event.data["by_default"], event.actor_id) for event in events] == [
        ("question.answered", True, None)
    ] * 2
    assert parked.value == running.value == "The old one"
    assert Run.objects.get(pk=running.run_id).has_directives
    with pytest.raises(AlreadyAnswered, match="Its default has answered"):
        answer_question(actor=Event.objects.exclude(actor=None).first().project.members.get(username="ada"),
                        question_id=parked.pk, value="Mine")  # fmt: skip
    assert engine.tick().unanswered == 0
    assert_invariants()


def test_keep_and_escalate_tell_anew_once_and_stay_answerable(cast, asked):
    kept, escalated = asked("keep", park=True), asked("escalate", park=True)
    assert engine.tick().unanswered == 2
    assert engine.tick().unanswered == 0
    events = Event.objects.filter(kind__in=("question.expired", "question.escalated")).in_order()
    assert [(event.kind, event.data["question"]) for event in events] == [
        ("question.expired", kept.pk),
        ("question.escalated", escalated.pk),
    ]
    assert state_of(kept) == state_of(escalated) == ("open", Status.WAITING)
    assert kept.expired_at is not None
    assert escalated.escalated_at is not None
    for question in (kept, escalated):
        answer_question(actor=cast.hugo.user, question_id=question.pk, value="Late, but here")
        assert state_of(question) == ("answered", Status.NOT_STARTED)
    assert_invariants()


@pytest.mark.parametrize("park", [True, False])
def test_fail_costs_an_attempt_and_the_last_one_fails_the_task(cast, asked, park):
    question, last = asked("fail", park=park), asked("fail", park=park, max_attempts=1)
    with one_event_for_each_task():
        assert engine.tick().unanswered == 2
    assert state_of(question) == ("failed", Status.NOT_STARTED)
    assert state_of(last) == ("failed", Status.FAILED)
    task = Task.objects.get(pk=question.task_id)
    assert (task.attempts, task.open_questions) == (1, 0)
    assert task.last_failure["code"] == "question_expired"
    assert task.deferred_until > clock.now()
    run = Run.objects.get(pk=question.run_id)
    assert (run.status, run.failure["code"]) == ("parked" if park else "failed", "question_expired")
    with pytest.raises(QuestionEnded, match="not answered in time"):
        answer_question(actor=cast.hugo.user, question_id=question.pk, value="Too late")
    with pytest.raises(LeaseLost):
        runs.heartbeat_run(actor=cast.atlas.user, run_id=run.pk)
    assert_invariants()


def test_fail_of_a_run_that_has_ended_otherwise_ends_the_question_only(cast, asked):
    question = asked("fail")
    runs.release_run(actor=cast.atlas.user, run_id=question.run_id)
    assert engine.tick().unanswered == 1
    assert state_of(question) == ("failed", Status.NOT_STARTED)
    assert Task.objects.get(pk=question.task_id).attempts == 0
    assert_invariants()


def test_answers_to_what_else_was_asked_reach_whoever_takes_the_task_after_a_failed_wait(cast, new_task):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task())
    fails, other = (
        ask_run(actor=cast.atlas.user, run_id=run.pk, prompt=prompt, park=park, **expiry).questions[0]
        for prompt, park, expiry in (
            ("In time?", False, {"expires_in_seconds": 60, "on_expiry": "fail"}),
            ("And this?", True, {}),
        )
    )
    let_pass(fails)
    assert engine.tick().unanswered == 1
    assert state_of(fails) == ("failed", Status.NOT_STARTED)
    assert state_of(other) == ("open", Status.NOT_STARTED)
    assert not other.is_parked, "nothing waits for it now"
    Task.objects.update(deferred_until=None)
    again = claims.claim_task(actor=cast.atlas.user, task=Task.objects.get(pk=run.task_id))
    answer_question(actor=cast.hugo.user, question_id=other.pk, value="Yes")
    again.refresh_from_db()
    [directive] = deliver([again], actor=cast.atlas.user)[again.pk]
    assert (directive["question"], directive["value"]) == (other.pk, "Yes")
    assert_invariants()


def test_fail_of_an_earlier_runs_question_is_told_to_the_run_that_goes_on(cast, asked):
    question = asked("fail")
    runs.release_run(actor=cast.atlas.user, run_id=question.run_id)
    run = claims.claim_task(actor=cast.atlas.user, task=Task.objects.get(pk=question.task_id))
    assert engine.tick().unanswered == 1
    run.refresh_from_db()
    [directive] = deliver([run], actor=cast.atlas.user)[run.pk]
    assert (directive["question"], directive["state"]) == (question.pk, "failed")
    assert_invariants()


def test_expiry_of_an_answered_question_does_nothing(cast, asked):
    question = asked("fail", park=True)
    answer_question(actor=cast.hugo.user, question_id=question.pk, value="Just in time")
    assert expire_question(question.pk) is False
    assert expire_question(0) is False
    assert state_of(question) == ("answered", Status.NOT_STARTED)


def test_time_in_which_no_server_answered_does_not_count(cast, asked):
    question = asked("default", park=True)
    now = clock.now()
    Question.objects.update(asked_at=now - timedelta(hours=2), expires_at=now - timedelta(minutes=50))
    ServerState.objects.create(pk=1, answering_until=now - timedelta(hours=1))
    assert expiring_questions() == []
    assert timekeeping.mark_answering() > timedelta(minutes=59)
    question.refresh_from_db()
    assert question.expires_at - now > timedelta(minutes=9)
    assert expiring_questions() == []


def test_every_outcome_is_declared():
    from tasks.verbs.catalogue import ON_EXPIRY

    assert set(ON_EXPIRY) == set(OnExpiry.values)
