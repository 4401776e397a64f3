"""The link to one question: shows on GET, answers on POST, once, for whom it was made and as long as they may."""

import threading

import pytest
from django.db import connections
from django.test import Client

from taskproject.guessing import WRONG_TOKENS
from tasks.actions import claims, projects
from tasks.actions.questions import answer_question, ask_run, withdraw_question
from tasks.links import question_path, read_link, revoke_links
from tasks.models import Event, Question, QuestionLink, Role, Task
from tasks.tests.test_markdown import HOSTILE

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    """Nobody is signed in, and CSRF is asked for wherever it is."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def ask(cast, new_task):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task("Rotate the keys", max_attempts=3))

    def ask(**fields):
        (question,) = ask_run(actor=cast.atlas.user, run_id=run.pk, **{"prompt": "Which key?"} | fields).questions
        return question

    return ask


def answers() -> int:
    return Event.objects.filter(kind="question.answered").count()


def words(answer) -> str:
    return answer.content.decode()


def test_get_ten_times_shows_the_question_and_changes_nothing(cast, ask, browser):
    path = question_path(ask(), cast.hugo.user.pk)
    before = list(Question.objects.values())
    for method in (*["get"] * 10, "head"):
        page = getattr(browser, method)(path)
        assert page.status_code == 200
    page = browser.get(path)
    assert "Which key?" in words(page)
    assert "Rotate the keys" in words(page)
    assert page["Referrer-Policy"] == "no-referrer"
    assert page["X-Robots-Tag"] == "noindex"
    assert "no-store" in page["Cache-Control"]
    assert "script" not in page["Content-Security-Policy"]
    assert "<script" not in words(page)
    assert browser.cookies == {}
    assert list(Question.objects.values()) == before
    assert QuestionLink.objects.get().used_at is None


def test_post_answers_as_whom_it_was_made_for_and_once(cast, ask, browser):
    question = ask()
    path = question_path(question, cast.hugo.user.pk)
    # Signed in as somebody else: that has no part in it.
    browser.force_login(cast.rita.user)
    answer = browser.post(path, {"value": "The old one", "note": "Hurry."})
    assert (answer.status_code, "Thank you" in words(answer)) == (200, True)
    question.refresh_from_db()
    assert (question.value, question.note, question.answered_by) == ("The old one", "Hurry.", cast.hugo.user)
    assert QuestionLink.objects.get().used_at is not None
    for value in ("The old one", "Another"):
        assert browser.post(path, {"value": value}).status_code == 410
    assert "has ended" in words(browser.get(path))
    question.refresh_from_db()
    assert (question.value, answers()) == ("The old one", 1)


@pytest.mark.parametrize(
    ("fields", "data", "value"),
    [
        ({"kind": "confirm"}, {"value": "no"}, False),
        ({"kind": "choice", "options": [{"label": "A"}, {"label": "B"}]}, {"value": "B"}, "B"),
        ({"kind": "choice", "options": [{"label": "A"}, {"label": "B"}]}, {"value": "__other__", "other": "C"}, "C"),
        (
            {"kind": "choice", "multi": True, "options": [{"label": "A"}, {"label": "B"}]},
            {"value": ["A", "B"]},
            ["A", "B"],
        ),
        (
            {
                "kind": "form",
                "schema": {
                    "type": "object",
                    "properties": {"n": {"type": "integer"}, "ok": {"type": "boolean"}, "c": {"type": "string"}},
                    "required": ["n"],
                },
            },
            {"value.n": "7", "value.ok": "true"},
            {"n": 7, "ok": True},
        ),
    ],
)
def test_post_answers_each_kind(cast, ask, browser, fields, data, value):
    question = ask(**fields)
    path = question_path(question, cast.hugo.user.pk)
    page = words(browser.get(path))
    for name in data:
        assert f'name="{name}"' in page
    assert browser.post(path, data).status_code == 200
    question.refresh_from_db()
    assert question.value == value


def test_post_of_nonsense_says_so_keeps_what_was_typed_and_the_link(cast, ask, browser):
    path = question_path(ask(kind="choice", options=[{"label": "A"}, {"label": "B"}], strict=True), cast.hugo.user.pk)
    for data in ({}, {"value": "C"}, {"value": "__other__", "other": "C"}):
        answer = browser.post(path, data | {"note": "A <b>note</b>"})
        assert answer.status_code == 400
        assert 'role="alert"' in words(answer)
        assert "A &lt;b&gt;note&lt;/b&gt;" in words(answer)
    assert answers() == 0
    assert browser.post(path, {"value": "A"}).status_code == 200


def test_link_ends_with_its_question_and_with_the_right_to_answer(cast, ask, browser):
    first, second, third, fourth = (ask(prompt=f"Number {number}?") for number in range(4))
    paths = [question_path(question, cast.hugo.user.pk) for question in (first, second, third, fourth)]
    answer_question(actor=cast.rita.user, question_id=first.pk, value="Hers")
    withdraw_question(actor=cast.atlas.user, question_id=second.pk)
    for path in paths[:2]:
        page = browser.get(path)
        assert (page.status_code, "Hers" in words(page)) == (200, False)
        assert browser.post(path, {"value": "Mine"}).status_code == 410
    projects.set_member(actor=cast.root, project=cast.ops, user=cast.hugo.user, role=Role.VIEWER)
    assert browser.post(paths[2], {"value": "Mine"}).status_code == 403
    projects.remove_member(actor=cast.root, project=cast.ops, user=cast.hugo.user)
    page = browser.get(paths[2])
    assert page.status_code == 403
    assert "Number" not in words(page)
    assert "Rotate" not in words(page)
    projects.set_member(actor=cast.root, project=cast.ops, user=cast.hugo.user, role=Role.WORKER)
    cast.hugo.user.is_active = False
    cast.hugo.user.save()
    assert browser.post(paths[3], {"value": "Mine"}).status_code == 403
    assert answers() == 1


def test_link_of_another_text_or_question_is_none_and_guessing_is_slowed(cast, ask, browser):
    path = question_path(ask(), cast.hugo.user.pk)
    other = question_path(ask(prompt="And this?"), cast.hugo.user.pk)
    token, second = path.rpartition("/")[2], other.rpartition("/")[2]
    number, _, code = token.partition("-")
    mixed = f"{number}-{second.partition('-')[2]}"
    for wrong in (mixed, f"{number}-{code[:-1]}", f"{token}0", f"9{token}", "x", f"{number}-{'0' * 64}", "٣-" + code):
        assert read_link(wrong) is None
        assert browser.get(f"/q/{wrong}").status_code == 404
    for _ in range(WRONG_TOKENS.amount):
        last = browser.post("/q/1-x", {"value": "y"})
    assert last.status_code == 429
    assert browser.get(path).status_code == 200, "the right one is served all the same"


def test_revoked_links_are_none_and_a_new_one_is_another(cast, ask, browser):
    question = ask()
    path = question_path(question, cast.hugo.user.pk)
    assert question_path(question, cast.hugo.user.pk) == path
    assert question_path(question, cast.rita.user.pk) != path
    assert revoke_links(cast.hugo.user.pk) == 1
    assert browser.post(path, {"value": "x"}).status_code == 404
    assert question_path(question, cast.hugo.user.pk) != path
    assert QuestionLink.objects.filter(user=cast.rita.user, revoked_at=None).exists()


def test_code_depends_on_the_servers_secret(cast, ask, settings):
    token = question_path(ask(), cast.hugo.user.pk).rpartition("/")[2]
    assert read_link(token) is not None
    settings.SECRET_KEY = "another" * 8
    assert read_link(token) is None


def test_hostile_texts_are_text(cast, ask, browser):
    path = question_path(ask(kind="choice", options=[{"label": "A"}, {"label": "B"}]), cast.hugo.user.pk)
    for text in HOSTILE:
        options = [{"label": text, "description": text, "recommended": True}, {"label": "B"}]
        Question.objects.update(prompt=text, options=options)
        Task.objects.update(title=text[:200])
        page = words(browser.get(path))
        assert "<" not in text or text not in page
        assert page.count("<form") == 1


@pytest.mark.django_db(transaction=True)
def test_two_posts_at_once_are_one_answer(cast, ask):
    path = question_path(ask(), cast.hugo.user.pk)
    gate, statuses = threading.Barrier(2), []

    def post(value):
        try:
            gate.wait()
            statuses.append(Client().post(path, {"value": value}).status_code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=post, args=(value,)) for value in ("One", "Other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses)[0] == 200
    assert sorted(statuses)[1] in (409, 410)
    assert answers() == 1
