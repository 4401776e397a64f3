"""Questions in the admin: listed for managers, answered by a form of their kind."""

import pytest
from django.urls import reverse

from tasks.actions import claims
from tasks.actions.questions import ask_run
from tasks.models import Question
from tasks.tests.admin_pages import messages_of, signed_in

pytestmark = pytest.mark.django_db
LIST = reverse("admin:tasks_question_changelist")


@pytest.fixture
def asked(cast, new_task):
    def ask(**fields):
        run = claims.claim_task(actor=cast.atlas.user, task=new_task())
        fields = {"prompt": "Which <b>key</b>?"} | fields
        return ask_run(actor=cast.atlas.user, run_id=run.pk, park=True, **fields).questions[0]

    return ask


def answer_at(question):
    return reverse("admin:tasks_question_answer", args=[question.pk])


def test_list_offers_an_answer_to_managers_and_shows_none_to_others(cast, asked):
    question = asked()
    page = signed_in(cast.ada.user).get(LIST).content.decode()
    assert answer_at(question) in page
    assert "Which &lt;b&gt;key&lt;/b&gt;?" in page
    assert answer_at(question) not in signed_in(cast.mona.user).get(LIST).content.decode()
    assert signed_in(cast.mona.user).get(answer_at(question)).status_code == 403
    assert signed_in(cast.ada.user).get(f"{LIST}?state=answered").content.decode().count("Which") == 0


FORM = {
    "properties": {"region": {"type": "string", "enum": ["eu", "us"]}, "count": {"type": "integer"}},
    "required": ["region"],
}


@pytest.mark.parametrize(
    ("fields", "posted", "value"),
    [
        ({}, {"value": "The old one"}, "The old one"),
        ({"kind": "confirm"}, {"value": "no"}, False),
        ({"kind": "choice", "options": [{"label": "A"}, {"label": "B"}]}, {"value": "__other__", "other": "C"}, "C"),
        (
            {"kind": "choice", "options": [{"label": "A"}, {"label": "B"}], "multi": True, "strict": True},
            {"value": ["A", "B"]},
            ["A", "B"],
        ),
        ({"kind": "form", "schema": FORM}, {"value.region": "eu", "value.count": "3"}, {"region": "eu", "count": 3}),
    ],
)
def test_form_of_each_kind_answers(cast, asked, fields, posted, value):
    question = asked(**fields)
    ada = signed_in(cast.ada.user)
    page = ada.get(answer_at(question)).content.decode()
    assert all(f'name="{name}"' in page for name in posted)
    assert ada.post(answer_at(question), {}).context["form"].non_field_errors()
    assert Question.objects.get().state == "open"
    done = ada.post(answer_at(question), posted | {"note": "So it is."}, follow=True)
    assert messages_of(done) == ["Answered the question about OPS-1."]
    question.refresh_from_db()
    assert (question.value, question.note, question.answered_by) == (value, "So it is.", cast.ada.user)
    again = ada.post(answer_at(question), posted | {"note": "Again"}, follow=True)
    assert again.status_code == 200
    assert Question.objects.get().note == "So it is."
