"""claim_next that waits: for a task that comes, with an Idempotency-Key, and what else ends the wait."""

import threading

import pytest

from taskproject.api.waiting import WAITING, Waiting
from taskproject.models import IdempotencyKey
from taskproject.reach import caller_of
from tasks.actions import claims
from tasks.actions.agents import revoke_token, set_availability
from tasks.actions.projects import remove_member
from tasks.models import AgentToken, Availability, Run
from tasks.tests.api_client import let_wait
from tasks.tests.racing import in_thread
from tasks.waiting.work import WorkRoom, work_room

pytestmark = pytest.mark.django_db(transaction=True)

ASKED = {"limit": 1, "wait_seconds": 30}


@pytest.fixture
def atlas(api):
    """``api.atlas``, whose calls may wait."""
    let_wait(api.atlas.client)
    yield api.atlas
    work_room.close()


@pytest.fixture
def meanwhile(monkeypatch):
    """``meanwhile(step, …)``: at the first time that a call begins to wait the first step happens, and so on."""
    steps: list = []
    threads: list[threading.Thread] = []
    sit = WorkRoom.sit

    def begin_to_wait(self, seat, wake):
        sit(self, seat, wake)
        if steps:
            threads.append(in_thread(steps.pop(0)))

    monkeypatch.setattr(WorkRoom, "sit", begin_to_wait)
    yield lambda *happens: steps.extend(happens)
    for thread in threads:
        thread.join()
    assert not steps


def test_caller_who_takes_all_their_places_is_refused(cast, api, new_task):
    server = let_wait(api.atlas.client)
    for _ in range(server.places_of_callers.most):
        server.places_of_callers.take(caller_of(cast.atlas.user))
    for headers in ({}, {"idempotency_key": "k"}):
        refused = api.atlas.post("/tasks/claim_next", ASKED, **headers)
        assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
        assert int(refused.headers["Retry-After"]) > 0
    assert api.atlas.post("/tasks/claim_next", {}).json()["reason"] == "no_ready_task"
    new_task("Ready")
    assert api.atlas.post("/tasks/claim_next", ASKED, idempotency_key="k").json()["runs"]
    work_room.close()


def test_claim_next_waits_until_a_task_comes(cast, atlas, new_task, meanwhile):
    meanwhile(lambda: new_task("Late"))
    answer = atlas.post("/tasks/claim_next", ASKED).json()
    assert [run["task"]["title"] for run in answer["runs"]] == ["Late"]


def test_claim_next_with_a_key_waits_before_its_transaction_and_is_answered_twice_the_same(
    cast, atlas, new_task, meanwhile
):
    meanwhile(lambda: new_task("Late"))
    first = atlas.post("/tasks/claim_next", ASKED, idempotency_key="k")
    again = atlas.post("/tasks/claim_next", ASKED, idempotency_key="k")
    assert [run["task"]["title"] for run in first.json()["runs"]] == ["Late"]
    assert (again.status_code, again.json()) == (200, first.json())
    assert Run.objects.count() == 1


def test_claim_next_with_a_key_that_waits_logs_no_error(cast, atlas, new_task, meanwhile, caplog):
    meanwhile(lambda: new_task("Late"))
    assert atlas.post("/tasks/claim_next", ASKED, idempotency_key="k").json()["runs"]
    assert caplog.messages == []


def test_claim_next_with_a_key_that_times_out_keeps_its_answer(cast, atlas, new_task):
    asked = {"wait_seconds": 1}
    first = atlas.post("/tasks/claim_next", asked, idempotency_key="k").json()
    assert (first["runs"], first["reason"]) == ([], "no_ready_task")
    new_task()
    assert atlas.post("/tasks/claim_next", asked, idempotency_key="k").json() == first
    assert IdempotencyKey.objects.count() == 1


def test_claim_next_that_comes_too_late_for_one_task_waits_for_the_next(cast, api, atlas, new_task, meanwhile):
    def come_and_go() -> None:
        claims.claim_task(actor=cast.bert.user, task=new_task("Gone"))
        new_task("Still there")

    meanwhile(come_and_go)
    answer = atlas.post("/tasks/claim_next", ASKED).json()
    assert [run["task"]["title"] for run in answer["runs"]] == ["Still there"]


def test_agent_that_is_paused_while_it_waits_is_answered(cast, atlas, meanwhile):
    meanwhile(lambda: set_availability(actor=cast.ada.user, agent=cast.atlas, availability=Availability.PAUSED))
    assert atlas.post("/tasks/claim_next", ASKED).json()["reason"] == "paused"


def test_agent_that_is_removed_while_it_waits_is_answered(cast, atlas, new_task, meanwhile):
    meanwhile(lambda: remove_member(actor=cast.ada.user, project=cast.ops, user=cast.atlas.user))
    assert atlas.post("/tasks/claim_next", ASKED).json()["reason"] == "no_project"


def test_agent_whose_token_is_revoked_while_it_waits_is_given_nothing(cast, atlas, new_task, meanwhile):
    def revoke_and_create() -> None:
        revoke_token(actor=cast.root, token=AgentToken.objects.get())
        new_task()

    meanwhile(revoke_and_create)
    assert atlas.post("/tasks/claim_next", ASKED).status_code == 401
    assert not Run.objects.exists()


def test_claim_next_that_cannot_wait_is_answered_at_once_with_when_to_ask_again(cast, api):
    answer = api.atlas.post("/tasks/claim_next", ASKED).json()
    assert (answer["runs"], answer["reason"], answer["retry_after_seconds"]) == ([], "no_ready_task", 5)


def test_agent_that_asks_again_does_not_begin_a_claim(cast, atlas, monkeypatch):
    assert atlas.post("/tasks/claim_next", {"wait_seconds": 1}).json()["reason"] == "no_ready_task"
    monkeypatch.setattr(claims, "claim_next", None)
    assert atlas.post("/tasks/claim_next", {"wait_seconds": 1}).json()["reason"] == "no_ready_task"


def test_agent_that_has_filled_up_between_two_calls_is_answered_at_once(cast, atlas, new_task):
    cast.atlas.max_concurrent = 1
    cast.atlas.save()
    assert atlas.post("/tasks/claim_next", {"wait_seconds": 1}).json()["reason"] == "no_ready_task"
    claims.claim_task(actor=cast.atlas.user, task=new_task())
    assert atlas.post("/tasks/claim_next", ASKED).json()["reason"] == "at_capacity"


def test_agent_that_was_paused_between_two_calls_is_answered_at_once(cast, atlas):
    assert atlas.post("/tasks/claim_next", {"wait_seconds": 1}).json()["reason"] == "no_ready_task"
    set_availability(actor=cast.ada.user, agent=cast.atlas, availability=Availability.PAUSED)
    assert atlas.post("/tasks/claim_next", ASKED).json()["reason"] == "paused"


def test_claim_next_with_a_key_whose_wait_is_cut_short_is_refused_with_nothing_done(cast, api, new_task):
    waiting = Waiting()
    asked = {"HTTP_IDEMPOTENCY_KEY": "k", WAITING: waiting}
    answer = api.atlas.client.post("/api/v1/tasks/claim_next", ASKED, format="json", **asked)
    waiting.end()
    work_room.close()
    # The server sends this only where it stops; otherwise it runs the request again.
    assert (waiting.asked, waiting.answer_stands) == (True, False)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert not IdempotencyKey.objects.exists()
    new_task()
    again = api.atlas.post("/tasks/claim_next", ASKED, idempotency_key="k")
    assert len(again.json()["runs"]) == 1
