"""``GET /events?wait=``: it is answered by what may be seen, and who loses the right to read meanwhile gets nothing."""

import threading

import pytest
from django.contrib.sessions.models import Session

from messaging.stream.waiting import ReadersRoom, readers_room
from taskproject.reach import caller_of
from tasks.actions.agents import revoke_token
from tasks.actions.projects import remove_member
from tasks.models import AgentToken
from tasks.tests.api_client import let_wait
from tasks.tests.racing import in_thread

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def waiting_api(api):
    """``api.atlas``, ``bert`` and ``vera``, whose calls may wait."""
    for calls in (api.atlas, api.bert, api.vera):
        let_wait(calls.client)
    yield api
    readers_room.close()


@pytest.fixture
def meanwhile(monkeypatch):
    """``meanwhile(step, …)``: they happen, in another thread, once the request has begun to wait."""
    threads: list[threading.Thread] = []
    sit = ReadersRoom.sit

    def arrange(*steps) -> None:
        def happen() -> None:
            for step in steps:
                step()

        def begin_to_wait(self, seat, wake):
            sit(self, seat, wake)
            if not threads:
                threads.append(in_thread(happen))

        monkeypatch.setattr(ReadersRoom, "sit", begin_to_wait)

    yield arrange
    for thread in threads:
        thread.join()


def test_long_poll_returns_what_happens_while_it_waits(cast, waiting_api, new_task, meanwhile):
    cursor = waiting_api.atlas.get("/events?after=now").json()["cursor"]
    meanwhile(lambda: new_task("News"))
    answer = waiting_api.atlas.get(f"/events?after={cursor}&wait=20")
    assert [event["data"]["title"] for event in answer.json()["events"]] == ["News"]


def test_caller_who_takes_all_their_places_is_refused_and_others_wait(cast, api, new_task, meanwhile):
    server = let_wait(api.atlas.client)
    api.bert.client.handler = api.atlas.client.handler
    cursor = api.atlas.get("/events?after=now").json()["cursor"]
    path = f"/events?after={cursor}&wait=20"
    for _ in range(server.places_of_callers.most):
        server.places_of_callers.take(caller_of(cast.atlas.user))
    refused = api.atlas.get(path)
    assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
    assert int(refused.headers["Retry-After"]) > 0
    assert "of your calls are waiting" in refused.json()["detail"]
    meanwhile(lambda: new_task("News"))
    assert [event["data"]["title"] for event in api.bert.get(path).json()["events"]] == ["News"]
    server.places_of_callers.leave(caller_of(cast.atlas.user))
    assert api.atlas.get(path).json()["events"]
    readers_room.close()


def test_long_poll_of_a_task_is_answered_by_what_happens_to_it(cast, waiting_api, new_task, meanwhile):
    task = new_task("Mine")
    cursor = waiting_api.atlas.get(f"/tasks/{task.ref}/events").json()["cursor"]
    meanwhile(lambda: new_task("Another"), lambda: waiting_api.bert.post(f"/tasks/{task.ref}/claim"))
    events = waiting_api.atlas.get(f"/tasks/{task.ref}/events?after={cursor}&wait=20").json()["events"]
    assert events
    assert {event["task"] for event in events} == {task.ref}


def test_long_poll_is_not_woken_by_what_it_did_not_want_or_may_not_see(cast, waiting_api, new_task, meanwhile):
    cursor = waiting_api.atlas.get("/events?after=now").json()["cursor"]
    meanwhile(lambda: new_task("Hidden", project=cast.other), lambda: new_task("Unwanted"))
    before = readers_room.woken
    answer = waiting_api.atlas.get(f"/events?after={cursor}&kinds=task.edited&wait=1")
    assert (answer.status_code, answer.json()["events"]) == (200, [])
    assert readers_room.woken == before


def test_long_poll_with_a_token_revoked_meanwhile_returns_nothing(cast, waiting_api, new_task, meanwhile):
    cursor = waiting_api.atlas.get("/events?after=now").json()["cursor"]
    token = AgentToken.objects.get(agent=cast.atlas)
    meanwhile(lambda: revoke_token(actor=cast.root, token=token), lambda: new_task("Secret"))
    answer = waiting_api.atlas.get(f"/events?after={cursor}&wait=20")
    assert answer.status_code == 401
    assert "Secret" not in answer.content.decode()


def test_long_poll_of_a_session_that_ends_meanwhile_returns_nothing(cast, waiting_api, new_task, meanwhile):
    cursor = waiting_api.vera.get("/events?after=now").json()["cursor"]
    meanwhile(lambda: Session.objects.all().delete(), lambda: new_task("Secret"))
    # 403, not 401: a session has no scheme to be challenged with.
    assert waiting_api.vera.get(f"/events?after={cursor}&wait=20").status_code in (401, 403)


def test_long_poll_of_a_member_removed_meanwhile_returns_nothing(cast, waiting_api, new_task, meanwhile):
    cursor = waiting_api.bert.get("/events?after=now").json()["cursor"]
    meanwhile(
        lambda: remove_member(actor=cast.ada.user, project=cast.ops, user=cast.bert.user), lambda: new_task("Secret")
    )
    answer = waiting_api.bert.get(f"/events?after={cursor}&wait=1")
    assert (answer.status_code, answer.json()["events"]) == (200, [])
