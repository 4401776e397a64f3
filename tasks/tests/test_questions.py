"""Questions: asked while a run goes on or parks, answered by people, and what that does to the task."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from taskproject.reach import Reach, limited
from tasks import asked as reading
from tasks import clock
from tasks.actions import assignments, claims, lifecycle, offering, passing_time, runs
from tasks.actions.directives.delivery import deliver
from tasks.actions.messages import post_message
from tasks.actions.questions import answer_question, answer_questions, ask_run, withdraw_question
from tasks.actions.tasks import delete_task, edit_task
from tasks.actions.uploads import add_artifact
from tasks.briefing import contexts_of
from tasks.errors import (
    AlreadyAnswered,
    Invalid,
    LeaseLost,
    NotFound,
    NotPermitted,
    QuestionEnded,
    StopRequested,
    Superseded,
    VersionMismatch,
)
from tasks.models import Artifact, Assignment, Event, Membership, Question, Role, Run, Task
from tasks.permissions import may_answer_question
from tasks.tests.invariants import assert_invariants
from tasks.tests.one_event import one_event_for_each_task
from tasks.transitions import Status

pytestmark = pytest.mark.django_db
OPTIONS = [{"label": "Staging", "recommended": True}, {"label": "Production"}]


@pytest.fixture
def held(cast, new_task):
    """``held()`` → atlas's run of a new task; ``held(task)`` of that one."""

    def claim(task=None, **fields):
        return claims.claim_task(actor=cast.atlas.user, task=task or new_task(**fields))

    return claim


def ask(run, **fields):
    fields = fields if "questions" in fields else {"prompt": "Which key?"} | fields
    return ask_run(actor=run.agent.user, run_id=run.pk, **fields).questions


def answer(who, question, value="The old one", **more):
    return answer_question(actor=getattr(who, "user", who), question_id=question.pk, value=value, **more)


def task_of(question):
    return Task.objects.select_related("project").get(pk=question.task_id)


def test_ask_parked_waits_and_goes_on_with_the_same_agent(cast, held):
    run = held()
    with one_event_for_each_task() as events:
        [question] = ask(run, park=True, checkpoint={"step": 3})
    run.refresh_from_db()
    task = task_of(question)
    assert (run.status, task.status, task.attempts, task.open_questions) == ("parked", Status.WAITING, 0, 1)
    assert (events[0].kind, events[0].data["to"], events[0].data["outcome"]) == ("question.asked", "waiting", "parked")
    assert claims.may_take_more(actor=cast.atlas.user)
    with pytest.raises(LeaseLost) as lost:
        runs.heartbeat_run(actor=cast.atlas.user, run_id=run.pk)
    assert lost.value.data["reason"] == "parked"

    with one_event_for_each_task() as events:
        answer(cast.hugo, question, note="Hurry.")
    task.refresh_from_db()
    assert (task.status, task.open_questions) == (Status.NOT_STARTED, 0)
    assert {"verb": "answer", "from": "waiting", "to": "not_started"}.items() <= events[0].data.items()
    assert claims.claim_next(actor=cast.bert.user, projects=[cast.ops]).reason == "no_ready_task"
    [again] = claims.claim_next(actor=cast.atlas.user, projects=[cast.ops]).runs
    context = contexts_of([again], waiting=[again.task_id], discussed=[again.task_id])[again.pk]
    assert context["checkpoint"] == {"step": 3}
    [given] = context["answers"]
    assert (given["question"], given["value"], given["note"], given["from"]) == (
        question.pk,
        "The old one",
        "Hurry.",
        "hugo",
    )
    assert told(again) == []
    assert_invariants()


def test_answer_of_parked_task_is_offered_until_it_lapses(cast, held):
    """Whoever asked is gone: after the time to accept, everybody may have the task."""
    [question] = ask(held(), park=True)
    answer(cast.hugo, question)
    mine = Assignment.objects.active().get(task=question.task_id)
    assert mine.accept_by is not None
    assert mine.accept_by - question.asked_at >= timedelta(seconds=cast.ops.accept_within_llm_seconds)
    Assignment.objects.filter(pk=mine.pk).update(accept_by=clock.now() - timedelta(seconds=1))
    assert offering.lapse_offers() == [question.task_id]
    assert claims.claim_next(actor=cast.bert.user, projects=[cast.ops]).runs
    assert_invariants()


def test_answer_keeps_what_staff_assigned_and_nothing_for_the_gone(cast, held, new_task):
    [by_hand] = ask(held(new_task(assignees=[cast.atlas])), park=True)
    answer(cast.hugo, by_hand)
    assert Assignment.objects.active().get(task=by_hand.task_id).accept_by is None
    [pulled] = ask(held(), park=True)
    Membership.objects.filter(user=cast.atlas.user).update(role=Role.VIEWER)
    answer(cast.hugo, pulled)
    assert not Assignment.objects.active().filter(task=pulled.task_id).exists()
    [left] = ask_run(
        actor=cast.bert.user, run_id=claims.claim_task(actor=cast.bert.user, task=new_task()).pk, prompt="?", park=True
    ).questions
    assignments.unassign_task(actor=cast.ada.user, task=task_of(left))
    answer(cast.hugo, left)
    assert task_of(left).status == Status.NOT_STARTED
    assert not Assignment.objects.active().filter(task=left.task_id).exists()
    assert_invariants()


def told(run):
    """What the next reply to the holder of ``run`` brings."""
    run = Run.objects.select_related("task__project", "agent__user").get(pk=run.pk)
    return deliver([run], actor=run.agent.user).get(run.pk, [])


def test_ask_running_on_gets_each_answer_as_a_directive_until_acknowledged(cast, held):
    run = held()
    first, second = ask(run, questions=[{"prompt": "One?"}, {"prompt": "Two?", "kind": "confirm"}])
    run.refresh_from_db()
    assert (run.status, told(run)) == ("active", [])
    # In any order.
    answer(cast.hugo, second, True)
    answer(cast.rita, first, "1", note="Soon.")
    brought = told(run)
    assert [(each["id"], each["kind"], each["value"]) for each in brought] == [
        (f"q{second.pk}", "answer", True),
        (f"q{first.pk}", "answer", "1"),
    ]
    assert (brought[1]["question"], brought[1]["body"], brought[1]["from"]) == (first.pk, "Soon.", "rita")
    second.refresh_from_db()
    assert second.delivered_at is not None
    assert told(run) == brought
    runs.heartbeat_run(actor=cast.atlas.user, run_id=run.pk, ack=[f"q{second.pk}"])
    assert [each["question"] for each in told(run)] == [first.pk]
    with pytest.raises(Invalid, match="no directive"):
        runs.heartbeat_run(actor=cast.atlas.user, run_id=run.pk, ack=["q999999"])
    ask(run, prompt="Three?", ack=[f"q{first.pk}", f"q{second.pk}"])
    assert told(run) == []
    assert task_of(first).status == Status.IN_PROGRESS
    assert_invariants()


def test_end_without_an_answer_is_told_unless_the_run_took_it_back(cast, held):
    run = held()
    mine, theirs = ask(run, questions=[{"prompt": "One?"}, {"prompt": "Two?"}])
    withdraw_question(actor=cast.atlas.user, question_id=mine.pk)
    withdraw_question(actor=cast.ada.user, question_id=theirs.pk, note="No need.")
    [only] = told(run)
    assert (only["question"], only["state"], only["value"], only["body"]) == (theirs.pk, "withdrawn", None, "No need.")


def test_ask_after_a_stop_is_refused(cast, held):
    run = held()
    post_message(actor=cast.ada.user, task=run.task, body="Stop.", kind="stop")
    assert [each["kind"] for each in told(run)] == ["stop"]
    with pytest.raises(StopRequested):
        ask(run, park=True)
    assert not Question.objects.exists()


def test_answer_after_the_run_ended_is_in_the_next_runs_context(cast, held):
    run = held()
    [question] = ask(run)
    runs.release_run(actor=cast.atlas.user, run_id=run.pk)
    answer(cast.hugo, question)
    again = claims.claim_task(actor=cast.bert.user, task=task_of(question))
    assert [
        each["question"]
        for each in contexts_of([again], waiting=[again.task_id], discussed=[again.task_id])[again.pk]["answers"]
    ] == [question.pk]
    assert told(again) == []
    [late] = ask(again)
    runs.release_run(actor=cast.bert.user, run_id=again.pk)
    third = held(task_of(question))
    runs.heartbeat_run(actor=cast.atlas.user, run_id=third.pk)
    answer(cast.hugo, late)
    assert [each["question"] for each in told(third)] == [late.pk]


def test_waiting_task_goes_on_with_its_last_answer_only(cast, held):
    run = held()
    [before] = ask(run)
    only, two = ask(run, questions=[{"prompt": "One?"}, {"prompt": "Two?"}], park=True)
    assert task_of(only).open_questions == 3
    answer(cast.hugo, two)
    withdraw_question(actor=cast.atlas.user, question_id=only.pk)
    assert (task_of(only).status, task_of(only).open_questions) == (Status.WAITING, 1)
    answer(cast.hugo, before)
    assert task_of(only).status == Status.NOT_STARTED
    assert_invariants()


def test_answer_first_wins_and_the_same_again_is_the_same(cast, held):
    [question] = ask(held())
    answer(cast.hugo, question, "a")
    with one_event_for_each_task() as events:
        assert answer(cast.hugo, question, "a").value == "a"
    assert events == []
    for who, value in ((cast.hugo, "b"), (cast.rita, "a"), (cast.rita, "b")):
        with pytest.raises(AlreadyAnswered) as refused:
            answer(who, question, value)
        data = refused.value.data
        assert (data["answered_by"], data["value"]) == ("hugo", "a")
        assert refused.value.detail == "hugo answered this question: a"
    assert Question.objects.get().value == "a"


def test_answer_wrong_value_changes_nothing(cast, held):
    [question] = ask(held(), kind="choice", options=OPTIONS, strict=True)
    with pytest.raises(Invalid) as refused:
        answer(cast.hugo, question, "Stagin")
    assert refused.value.data["errors"] == {"value": ["There is no option 'Stagin'; did you mean 'Staging'?"]}
    assert task_of(question).open_questions == 1


def test_answer_many_each_has_its_own_outcome(cast, held):
    parts = [{"prompt": "One?"}, {"prompt": "Two?", "kind": "confirm"}, {"prompt": "Three?"}]
    only, two, three = ask(held(), questions=parts)
    items = [
        {"question_id": only.pk, "value": "x"},
        {"question_id": two.pk, "value": "x"},
        {"question_id": 0, "value": "x"},
        {"question_id": three.pk, "value": "y", "note": "n"},
    ]
    done = answer_questions(actor=cast.hugo.user, items=items)
    assert [getattr(each, "state", None) or each.code for each in done] == [
        "answered",
        "validation_error",
        "not_found",
        "answered",
    ]


#: Whom the question is for → who may answer it; atlas asks, and ada's person-token was made by atlas's user.
RIGHTS = {
    "": {"hugo", "rita", "ada", "root"},
    "worker": {"hugo", "rita", "ada", "root"},
    "reviewer": {"rita", "ada", "root"},
    "manager": {"ada", "root"},
    "hugo": {"hugo", "ada", "root"},
    "@rita": {"rita", "ada", "root"},
    "bert": {"bert", "ada", "root"},
}


def test_answer_rights_in_python_and_sql_are_the_same(cast, held, subtests):
    run = held()
    everyone = {name: getattr(getattr(cast, name), "user", getattr(cast, name)) for name in
                ("root", "ada", "rita", "hugo", "vera", "atlas", "bert", "mona", "zed")}  # fmt: skip
    for to, expected in RIGHTS.items():
        with subtests.test(to=to):
            [question] = ask(run, prompt=f"To {to}?", to=to)
            question = Question.objects.to_show().get(pk=question.pk)
            rows = Question.objects.open().filter(pk=question.pk)
            by_python = {name for name, user in everyone.items() if may_answer_question(user, question)}
            by_sql = {name for name, user in everyone.items() if rows.answerable_by(user).exists()}
            assert by_python == by_sql == expected
            elsewhere = limited(User.objects.get(username="ada"), Reach(projects=frozenset({cast.other.pk})))
            by_asker = limited(User.objects.get(username="ada"), Reach(made_by=cast.atlas.user.pk))
            for user in (elsewhere, by_asker):
                assert not may_answer_question(user, question)
                assert not rows.answerable_by(user).exists()
            withdraw_question(actor=cast.ada.user, question_id=question.pk)


def test_answer_without_right_is_refused_with_the_reason(cast, held):
    [question] = ask(held(), to="hugo")
    for who, words in (
        (cast.atlas, "You asked this question; somebody else must answer it."),
        (cast.bert, "An agent answers only what is addressed to it by name."),
        (cast.rita, "Only the person whom this question is for, or a manager of OPS, may answer it."),
        (cast.vera, "Only those who work in OPS may answer its questions."),
    ):
        with pytest.raises(NotPermitted, match=words):
            answer(who, question)
    with pytest.raises(NotFound):
        answer(cast.zed, question)


def test_ask_of_a_person_is_not_answered_by_themself(cast, new_task):
    run = claims.start_task(actor=cast.ada.user, task=new_task())
    [question] = ask(run, park=True)
    with pytest.raises(NotPermitted, match="You asked this question"):
        answer(cast.ada, question)
    answer(cast.hugo, question)
    assert Assignment.objects.active().get(task=question.task_id).agent == cast.ada


@pytest.mark.parametrize(
    ("fields", "member", "words"),
    [
        ({"prompt": " "}, "prompt", "Ask something."),
        ({"prompt": ""}, "prompt", "Ask something."),
        ({"questions": []}, "questions", "at least one"),
        ({"questions": [{"prompt": "?"}] * 5}, "questions", "At most 4"),
        ({"questions": [{"prompt": "?"}], "to": "hugo"}, "to", "Give either questions"),
        ({"questions": [{"prompt": "?"}, {"prompt": "?", "to": "hugi"}]}, "questions", "No. 2: to: .*'hugo'"),
        ({"kind": "choice"}, "options", "requires options"),
        ({"kind": "confirm", "default": "yes"}, "default", "true or false"),
        ({"on_expiry": "default", "expires_in_seconds": 5}, "default", "Give one"),
        ({"on_expiry": "fail"}, "on_expiry", "expires_in_seconds"),
        ({"to": "nobody"}, "to", "no member of OPS"),
        ({"to": "zed"}, "to", "no member of OPS"),
        ({"to": "vera"}, "to", "only reads"),
        ({"to": "viewer"}, "to", "only read"),
        ({"to": "atlas"}, "to", "their own question"),
        ({"version": 99}, "version", "has version"),
    ],
)
def test_ask_wrong_input_is_refused_and_nothing_is_done(cast, held, fields, member, words):
    run = held()
    before = Event.objects.count()
    with pytest.raises(Invalid) as refused:
        ask(run, **fields)
    [(field, [sentence])] = refused.value.data["errors"].items()
    assert field == member
    assert re.search(words, sentence)
    assert (Question.objects.count(), Event.objects.count()) == (0, before)
    assert Task.objects.get().open_questions == 0


def test_ask_more_than_anybody_reads_is_refused(cast, held):
    run = held()
    for _ in range(5):
        ask(run, questions=[{"prompt": "?"}] * 4)
    with pytest.raises(Invalid, match="At most 20"):
        ask(run)


def test_ask_default_of_false_is_one(held):
    [question] = ask(held(), kind="confirm", default=False, on_expiry="default", expires_in_seconds=60)
    assert question.default is False


def test_ask_same_key_is_the_same_question(cast, held):
    run = held()
    [question] = ask(run, dedupe_key="key")
    with one_event_for_each_task() as events:
        assert ask(run, dedupe_key="key", prompt="Worded otherwise?") == [question]
    assert events == []
    assert ask(run, dedupe_key="key", park=True) == [question]
    assert task_of(question).status == Status.WAITING
    answer(cast.hugo, question)
    again = held(task_of(question))
    asked = ask_run(actor=cast.atlas.user, run_id=again.pk, prompt="Which key?", dedupe_key="key", park=True)
    assert ([each.value for each in asked.questions], asked.run.status) == (["The old one"], "active")
    # What was taken back is asked again.
    [other] = ask(again, dedupe_key="other")
    withdraw_question(actor=cast.atlas.user, question_id=other.pk)
    assert ask(again, dedupe_key="other") != [other]
    assert_invariants()


def test_answer_of_edited_task_is_superseded_and_the_task_goes_on(cast, held):
    run = held()
    version = Task.objects.get().version
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=10)
    [question] = ask(run, version=version, park=True)
    assignments.assign_task(actor=cast.ada.user, task=task_of(question), agents=[cast.bert])
    edit_task(actor=cast.ada.user, task=task_of(question), changes={"title": "Otherwise"})
    for _ in range(2):
        with pytest.raises(Superseded) as refused:
            answer(cast.hugo, question)
    assert "was edited by ada" in refused.value.detail
    question.refresh_from_db()
    assert (question.state, task_of(question).status) == ("superseded", Status.NOT_STARTED)
    again = held(task_of(question))
    edit_task(actor=cast.ada.user, task=task_of(question), changes={"title": "Once more"})
    with pytest.raises(VersionMismatch):
        ask(again, version=version)
    assert_invariants()


def test_answer_of_unedited_task_is_taken_although_its_version_grew(cast, held):
    run = held()
    [question] = ask(run, version=Task.objects.get().version)
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=50, note="on")
    assert answer(cast.hugo, question).state == "answered"


def test_answer_of_replaced_artifact_is_superseded(cast, held):
    run = held()

    def send(text):
        add_artifact(actor=cast.atlas.user, run_id=run.pk, name="plan.md", kind="text", content=text.encode())
        return Artifact.objects.get().sha256

    old = send("one")
    [question] = ask(run, artifact=old.upper())
    assert reading.question_output(Question.objects.to_show().get())["artifact"] == old
    send("two")
    with pytest.raises(Superseded, match="artifact of OPS-1"):
        answer(cast.hugo, question)
    with pytest.raises(Invalid, match="has this hash"):
        ask(run, artifact=old)
    [again] = ask(run, artifact=Artifact.objects.get().sha256)
    assert answer(cast.hugo, again).state == "answered"


def test_withdraw_by_the_asker_and_managers_alone(cast, held):
    run = held()
    first, second = ask(run, questions=[{"prompt": "One?"}, {"prompt": "Two?"}], park=True)
    for who in (cast.hugo, cast.bert, cast.rita):
        with pytest.raises(NotPermitted):
            withdraw_question(actor=who.user, question_id=first.pk)
    withdraw_question(actor=cast.atlas.user, question_id=first.pk)
    assert withdraw_question(actor=cast.ada.user, question_id=first.pk).state == "withdrawn"
    with pytest.raises(QuestionEnded, match="was withdrawn"):
        answer(cast.hugo, first)
    with one_event_for_each_task() as events:
        withdraw_question(actor=cast.ada.user, question_id=second.pk, note="Not needed.")
    assert {"verb": "withdraw", "to": "not_started", "note": "Not needed."}.items() <= events[0].data.items()
    answer_first = ask(held(task_of(first)))[0]
    answer(cast.hugo, answer_first)
    with pytest.raises(AlreadyAnswered):
        withdraw_question(actor=cast.ada.user, question_id=answer_first.pk)
    assert_invariants()


def test_end_of_the_task_withdraws_what_is_open(cast, held, new_task, subtests):
    def end(how):
        run = held(new_task(review_required=how == "in_review"))
        [question] = ask(run)
        match how:
            case "completed" | "in_review":
                runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
            case "failed":
                runs.fail_run(actor=cast.atlas.user, run_id=run.pk, code="x", detail="y", retryable=False)
            case "cancelled":
                lifecycle.cancel_task(actor=cast.ada.user, task=run.task)
        return question

    for how in ("completed", "in_review", "failed", "cancelled"):
        with subtests.test(how=how):
            question = end(how)
            question.refresh_from_db()
            task = task_of(question)
            assert (task.status, task.open_questions, question.state) == (how, 0, "withdrawn")
        moved = Event.objects.filter(task=task, data__to=how).get()
        assert moved.data["questions"] == [question.pk]
        with pytest.raises(QuestionEnded):
            answer(cast.hugo, question)
    assert_invariants()


def test_end_of_the_run_leaves_questions_open_while_the_task_goes_on(cast, held, let_lease_end, subtests):
    for how in ("failed", "released", "expired", "revoked"):
        with subtests.test(how=how):
            run = held()
            [question] = ask(run)
            match how:
                case "failed":
                    runs.fail_run(actor=cast.atlas.user, run_id=run.pk, code="x", detail="y")
                case "released":
                    runs.release_run(actor=cast.atlas.user, run_id=run.pk)
                case "expired":
                    let_lease_end(run)
                    passing_time.expire_run(run=run)
                case "revoked":
                    assignments.unassign_task(actor=cast.ada.user, task=run.task)
            task = task_of(question)
            assert (task.status, task.open_questions) == (Status.NOT_STARTED, 1)
            assert answer(cast.hugo, question).state == "answered"
            assert task_of(question).open_questions == 0
    assert_invariants()


def test_waiting_task_deleted_or_cancelled_takes_its_questions_along(cast, held):
    [question] = ask(held(), park=True)
    lifecycle.cancel_task(actor=cast.ada.user, task=task_of(question))
    question.refresh_from_db()
    assert question.state == "withdrawn"
    [other] = ask(held(), park=True)
    delete_task(actor=cast.ada.user, task=task_of(other))
    assert not Question.objects.filter(pk=other.pk).exists()
    assert_invariants()


def test_open_question_keeps_a_run_from_stalling(cast, held):
    run = held()
    [question] = ask(run)
    long_ago = clock.now() - timedelta(hours=2)
    Run.objects.filter(pk=run.pk).update(last_progress_at=long_ago)
    assert passing_time.report_stalled() == 0
    answer(cast.hugo, question)
    assert passing_time.report_stalled() == 0
    Question.objects.update(ended_at=long_ago)
    assert passing_time.report_stalled() == 1


def test_ask_without_the_run_is_refused(cast, held, new_task):
    run = held()
    with pytest.raises(NotFound):
        ask_run(actor=cast.bert.user, run_id=run.pk, prompt="?")
    runs.release_run(actor=cast.atlas.user, run_id=run.pk)
    with pytest.raises(LeaseLost):
        ask(run)


def test_answers_of_a_first_run_cost_no_query(held, django_assert_num_queries):
    run = held()
    with django_assert_num_queries(0):
        assert reading.answers_for([run]) == {}
