"""Questions over the API: asked, listed, awaited, answered; and what a person sees of them on the way."""

import pytest

from tasks.actions import claims
from tasks.actions.questions import answer_question, ask_run
from tasks.models import Question
from tasks.tests.api_client import let_wait
from tasks.tests.racing import in_thread
from tasks.waiting.answers import QuestionsRoom, questions_room

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(cast, new_task):
    return claims.claim_task(actor=cast.atlas.user, task=new_task())


def ask(run, count=1, **fields):
    parts = [{"prompt": f"Question {number}?"} for number in range(count)]
    return ask_run(actor=run.agent.user, run_id=run.pk, questions=parts, **fields).questions


def test_ask_and_answer_over_the_api_from_end_to_end(api, run):
    body = {
        "questions": [
            {"prompt": "Where?", "kind": "choice", "options": [{"label": "Here"}, {"label": "There"}], "to": "manager"},
            {"prompt": "Sure?", "kind": "confirm", "urgency": "urgent"},
        ],
        "park": True,
        "checkpoint": {"step": 1},
    }
    asked = api.atlas.post(f"/runs/{run.pk}/ask", body)
    assert asked.status_code == 200
    assert asked.json()["run"]["status"] == "parked"
    where, sure = asked.json()["questions"]
    assert (where["task"], where["agent"], where["to"], where["state"], where["parked"]) == (
        "OPS-1",
        "atlas",
        "manager",
        "open",
        True,
    )
    assert api.hugo.post(f"/questions/{where['id']}/answer", {"value": "Here"}).status_code == 403
    assert api.ada.post(f"/questions/{where['id']}/answer", {"value": ["Here"]}).json()["errors"] == {
        "value": ["Must be text."]
    }
    items = [{"id": where["id"], "value": "Here", "note": "Mind the step."}, {"id": sure["id"], "value": "yes"}]
    first, other = api.ada.post("/questions/answer_many", {"answers": items}).json()["results"]
    assert first["question"]["answered_by"] == "ada"
    assert other["problem"]["code"] == "validation_error"
    refused = api.root.post(f"/questions/{where['id']}/answer", {"value": "There"})
    assert (refused.status_code, refused.json()["code"]) == (409, "already_answered")
    assert (refused.json()["answered_by"], refused.json()["value"]) == ("ada", "Here")
    assert api.ada.post(f"/questions/{sure['id']}/answer", {"value": False}).json()["value"] is False
    [again] = api.atlas.post("/tasks/claim_next", {}).json()["runs"]
    assert [(each["prompt"], each["value"]) for each in again["context"]["answers"]] == [
        ("Where?", "Here"),
        ("Sure?", False),
    ]
    assert again["context"]["checkpoint"] == {"step": 1}


def test_questions_are_filtered_and_paged_with_a_fixed_number_of_queries(api, cast, run, django_assert_max_num_queries):
    questions = ask(run, 4)
    answer_question(actor=cast.hugo.user, question_id=questions[0].pk, value="x")
    with django_assert_max_num_queries(8):
        page = api.hugo.get("/questions?limit=2&state=open").json()
    assert [each["id"] for each in page["results"]] == [questions[3].pk, questions[2].pk]
    rest = api.hugo.get(page["next"].partition("/api/v1")[2]).json()
    assert [each["id"] for each in rest["results"]] == [questions[1].pk]
    assert [each["id"] for each in api.hugo.get("/questions?state=answered,defaulted").json()["results"]] == [
        questions[0].pk
    ]
    assert len(api.hugo.get("/questions?mine=to_me&state=open&task=OPS-1").json()["results"]) == 3
    assert api.bert.get("/questions?mine=to_me").json()["results"] == []
    assert len(api.atlas.get("/questions?mine=asked&project=OPS").json()["results"]) == 4
    for wrong in ("state=opne", "mine=yes", "kind=text", "project=NONE"):
        assert api.hugo.get(f"/questions?{wrong}").status_code in (400, 404)
    assert "did you mean 'open'" in api.hugo.get("/questions?state=opne").json()["detail"]


@pytest.mark.django_db(transaction=True)
def test_question_is_awaited_until_it_ends(api, cast, run, monkeypatch):
    let_wait(api.atlas.client)
    [question] = ask(run)
    sit, threads = QuestionsRoom.sit, []

    def begin_to_wait(self, seat, wake):
        sit(self, seat, wake)
        if not threads:
            value = {"actor": cast.hugo.user, "question_id": question.pk, "value": "Now"}
            threads.append(in_thread(lambda: answer_question(**value)))

    monkeypatch.setattr(QuestionsRoom, "sit", begin_to_wait)
    answer = api.atlas.get(f"/questions/{question.pk}?wait=30").json()
    assert (answer["state"], answer["value"]) == ("answered", "Now")
    threads[0].join()
    assert api.atlas.get(f"/questions/{question.pk}?wait=31").status_code == 400
    questions_room.close()


def test_withdraw_over_the_api_and_unknown_ids(api, run):
    [question] = ask(run)
    assert api.atlas.post(f"/questions/{question.pk}/withdraw", {"note": "Found it."}).json()["state"] == "withdrawn"
    refused = api.hugo.post(f"/questions/{question.pk}/answer", {"value": "x"})
    assert (refused.status_code, refused.json()["code"]) == (409, "question_ended")
    assert api.hugo.get("/questions/999999").status_code == 404
    assert api.hugo.get("/questions/999999999999999").status_code == 404
    assert Question.objects.count() == 1
