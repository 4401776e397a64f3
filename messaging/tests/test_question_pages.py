"""Questions on pages without any script: the control of each kind, answers and refusals, and who sees what."""

import pytest

from messaging.tests.inbox_rows import OPTIONS, asked, begun
from tasks import clock
from tasks.models import Question, Role

pytestmark = pytest.mark.django_db

FORM = {
    "type": "object",
    "properties": {
        "list": {"type": "string", "enum": ["all", "beta"], "title": "List"},
        "times": {"type": "integer", "minimum": 1, "maximum": 9},
        "dry": {"type": "boolean", "default": True},
    },
    "required": ["list", "times"],
}


@pytest.fixture
def post(client, cast, new_task):
    """``post({"kind": "text"}, {"value": "x"})``: hugo answers a new question so; returns the answer and the row."""

    def posted(fields, data, user=cast.hugo.user, **options):
        _, run = begun(cast, new_task)
        question = asked(run, **fields)
        client.force_login(user)
        answer = client.post(f"/questions/{question.pk}/answer", data, **options)
        return answer, Question.objects.get(pk=question.pk)

    return posted


@pytest.mark.parametrize(
    ("fields", "data", "value"),
    [
        ({"kind": "text"}, {"value": "Dear\r\nreaders "}, "Dear\nreaders"),
        ({"kind": "confirm"}, {"value": "no"}, False),
        ({}, {"value": "Production"}, "Production"),
        ({}, {"value": "__other__", "other": "Both"}, "Both"),
        ({"multi": True}, {"value": ["Staging", "__other__"], "other": ""}, ["Staging"]),
        ({"multi": True}, {"value": ["Staging", "__other__"], "other": "Mine"}, ["Staging", "Mine"]),
        (
            {"kind": "form", "schema": FORM},
            {"value.list": "beta", "value.times": "3"},
            {"list": "beta", "times": 3, "dry": False},
        ),
    ],
)
def test_answer_of_each_kind_is_taken_and_leads_to_the_task(post, fields, data, value):
    answer, question = post(fields, data | {"note": "Mind the cat."})
    assert (answer.status_code, answer.url) == (302, f"/tasks/{question.task.ref}")
    assert (question.state, question.value, question.note) == ("answered", value, "Mind the cat.")


@pytest.mark.parametrize(
    ("fields", "data", "words"),
    [
        ({"kind": "text"}, {}, "Choose or type an answer."),
        ({"kind": "text"}, {"value": "  "}, "Choose or type an answer."),
        ({"strict": True}, {"value": "Stagin"}, "did you mean"),
        ({"kind": "confirm"}, {"value": "maybe"}, "Choose or type an answer."),
        ({"kind": "form", "schema": FORM}, {"value.list": "beta", "value.times": "99"}, "Must be at most 9."),
        ({"kind": "text"}, {"value": "Hello", "note": "x" * 2001}, "At most 2,000 characters"),
    ],
)
def test_refused_answer_is_shown_with_its_reason_and_what_was_typed(post, fields, data, words):
    answer, question = post(fields, data)
    page = answer.content.decode()
    assert (answer.status_code, question.state) == (409, "open")
    assert words in page.replace("&#x27;", "'")
    if "value.list" in data:
        assert 'value="99"' in page
        assert "selected" in page


def test_answer_leads_back_to_a_page_of_this_site_alone(post):
    for path, led in (("/inbox/?group=questions", "/inbox/?group=questions"), ("//evil.example/", None), ("x", None)):
        answer, question = post({}, {"value": "Staging", "next": path})
        assert answer.url == (led or f"/tasks/{question.task.ref}")


def test_question_of_others_is_not_there_and_readers_may_not_answer(post, client, cast):
    for user, status in ((cast.mona.user, 404), (cast.vera, 409), (cast.atlas.user, 409)):
        answer, question = post({}, {"value": "Staging"}, user=user)
        assert (answer.status_code, question.state) == (status, "open")
        assert client.get(f"/questions/{question.pk}").status_code == (404 if status == 404 else 200)
    assert client.get("/questions/999999").status_code == 404
    assert client.get(f"/questions/{2**64}").status_code == 404
    assert client.get(f"/questions/{question.pk}/answer").status_code == 405
    client.logout()
    assert client.post(f"/questions/{question.pk}/answer", {"value": "Staging"}).url.startswith("/login/")


def test_control_says_who_asks_whom_and_what_happens_if_nobody_answers(client, cast, new_task):
    task, run = begun(cast, new_task)
    fields = {"to_role": Role.REVIEWER, "expires_at": clock.now(), "on_expiry": "default", "default": "Staging"}
    asked(run, **fields)
    client.force_login(cast.rita.user)
    page = " ".join(client.get(f"/tasks/{task.ref}").content.decode().split())
    assert "<strong>atlas</strong> asks reviewers of OPS" in page
    assert "it takes the default: Staging" in page
    assert "recommended" in page
    assert OPTIONS[0]["description"] in page
    assert "Other…" in page
    client.force_login(cast.hugo.user)
    page = client.get(f"/tasks/{task.ref}").content.decode()
    assert "the answer is for reviewers of OPS or a manager" in page
    assert "question-form" not in page


def test_task_page_and_the_list_for_a_card_show_open_and_ended_questions(post, client, cast):
    _, question = post({}, {"value": "Staging", "note": "<b>Mind</b>"})
    second = asked(question.run, kind="confirm", prompt="And now?")
    for path in (f"/tasks/{question.task.ref}", f"/tasks/{question.task.ref}/questions"):
        page = client.get(path).content.decode()
        assert "hugo answered: Staging" in page
        assert "&lt;b&gt;Mind&lt;/b&gt;" in page
        assert f'action="/questions/{second.pk}/answer"' in page
    client.force_login(cast.mona.user)
    assert client.get(path).status_code == 404


def test_strict_choice_offers_no_other_text(client, cast, new_task):
    client.force_login(cast.hugo.user)
    for multi in (False, True):
        _, run = begun(cast, new_task)
        question = asked(run, strict=True, multi=multi)
        page = client.get(f"/questions/{question.pk}").content.decode()
        assert 'name="other"' not in page
        assert page.count('value="Staging"') == 1
