"""Who is told of a question: whom it is for, each time it opens or was not answered in time; then the agent."""

from datetime import time, timedelta

import pytest

from messaging.models import Mail, Notification
from messaging.notifications import rules
from messaging.notifications.choices import change_choices
from messaging.notifications.reading import count_unread
from messaging.notifications.sentences import note, sentence
from tasks import clock
from tasks.actions import claims
from tasks.actions.lifecycle import cancel_task
from tasks.actions.questions import answer_question, ask_run, expire_question, expiring_questions, withdraw_question
from tasks.models import Event, Question

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("manager_mia")]


@pytest.fixture(autouse=True)
def _nobody_watches(monkeypatch) -> None:
    monkeypatch.setattr(rules, "watchers_of", lambda tasks: {})


@pytest.fixture
def ask(cast, new_task, notified):
    """``ask(**fields)``: atlas asks; returns the questions and who was told of what."""
    run = claims.claim_task(actor=cast.atlas.user, task=new_task())
    notified()

    def ask(**fields):
        fields = fields if "questions" in fields else {"prompt": "Which <b>key</b>?"} | fields
        questions = ask_run(actor=cast.atlas.user, run_id=run.pk, **fields).questions
        return questions, notified()

    return ask


def of(kind, *names):
    return {(name, kind) for name in names}


def test_question_is_told_to_whom_it_is_for_each_anew(cast, ask):
    _, everyone = ask()
    assert everyone == of("question_for_me", "hugo", "rita", "ada", "mia")
    _, by_name = ask(to="hugo")
    assert by_name == of("question_for_me", "hugo")
    _, by_role = ask(to="reviewer", prompt="Is it right?")
    assert by_role == of("question_for_me", "rita", "ada", "mia")
    assert count_unread(cast.hugo.user) == 2, "a second question is a second notice"
    row = Notification.objects.filter(recipient=cast.hugo.user).first()
    assert (sentence(row), note(row)) == ("atlas asks you about OPS-1.", "Which <b>key</b>?")


def test_answer_is_told_to_the_agent_and_nobody_else_need_look_any_more(cast, ask, notified):
    (first, second), _ = ask(questions=[{"prompt": "One?"}, {"prompt": "Two?"}])
    answer_question(actor=cast.hugo.user, question_id=first.pk, value="1")
    assert notified() == of("question_answered", "atlas")
    assert count_unread(cast.ada.user) == 1, "the second is open"
    answer_question(actor=cast.hugo.user, question_id=second.pk, value="2")
    notified()
    assert [count_unread(user) for user in (cast.ada.user, cast.rita.user, cast.hugo.user)] == [0, 0, 0]
    read = Event.objects.filter(kind="notification.read").values_list("recipient__username", flat=True)
    assert sorted(read) == ["ada", "hugo", "mia", "rita"]
    (third,), _ = ask(prompt="Three?")
    withdraw_question(actor=cast.atlas.user, question_id=third.pk)
    notified()
    assert count_unread(cast.ada.user) == 0
    (fourth,), _ = ask(prompt="Four?")
    cancel_task(actor=cast.ada.user, task=fourth.task)
    notified()
    left = Notification.objects.filter(kind="question_for_me", read_at=None)
    assert not left.exists(), "the task was cancelled, and its question with it"


def test_question_that_is_over_before_anybody_was_told_is_told_to_nobody(cast, ask, new_task, notified):
    run = claims.claim_task(actor=cast.bert.user, task=new_task())
    (question,) = ask_run(actor=cast.bert.user, run_id=run.pk, prompt="Really?").questions
    withdraw_question(actor=cast.bert.user, question_id=question.pk)
    assert notified() == set()


@pytest.mark.parametrize(
    ("on_expiry", "names"), [("keep", ["hugo"]), ("escalate", ["hugo", "ada", "mia"]), ("default", [])]
)
def test_question_that_nobody_answers_in_time_is_told_again_if_it_stays_open(cast, ask, notified, on_expiry, names):
    default = {"default": "The old one"} if on_expiry == "default" else {}
    (question,), _ = ask(to="hugo", expires_in_seconds=3600, on_expiry=on_expiry, **default)
    Question.objects.filter(pk=question.pk).update(expires_at=clock.now() - timedelta(seconds=1))
    for each in expiring_questions():
        expire_question(each)
    again = notified()
    assert of("question_for_me", *names) <= again
    assert again - of("question_for_me", *names) <= of("question_answered", "atlas")


def test_urgent_question_breaks_quiet_hours_only_for_those_who_chose_so(cast, ask):
    quiet = {"quiet_from": time(0), "quiet_until": time(0)}
    for person, anyway in ((cast.hugo.user, True), (cast.rita.user, False)):
        person.email = f"{person.username}@example.org"
        person.save()
        change_choices(user=person, times=quiet | {"urgent_anyway": anyway})

    def sent_now() -> dict[str, bool]:
        asked = Event.objects.filter(kind="question.asked").latest("pk")
        return {mail.recipient.username: mail.due_at <= mail.created_at for mail in Mail.objects.filter(event=asked)}

    ask(urgency="urgent")
    assert sent_now() == {"hugo": True, "rita": False}
    ask(urgency="high", prompt="And this?")
    assert sent_now() == {"hugo": False, "rita": False}
