"""``GET /events?wait=``: who loses the right to read meanwhile gets nothing, and who went away holds no thread."""

import threading

import pytest
from django.contrib.sessions.models import Session
from django.db import connections

from messaging.api import events
from tasks.actions.agents import revoke_token
from tasks.actions.projects import remove_member
from tasks.models import AgentToken

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def meanwhile(monkeypatch):
    """``meanwhile(*steps)``: they happen, in another thread, once the request has begun to wait."""
    wait_until = events.wait_until

    def arrange(*steps) -> None:
        def happen() -> None:
            try:
                for step in steps:
                    step()
            finally:
                connections.close_all()

        def begin_to_wait(*args):
            thread = threading.Thread(target=happen)
            thread.start()
            try:
                return wait_until(*args)
            finally:
                thread.join()

        monkeypatch.setattr(events, "wait_until", begin_to_wait)

    return arrange


def test_long_poll_tells_what_happens_while_it_waits(cast, api, new_task, meanwhile):
    cursor = api.atlas.get("/events?after=now").json()["cursor"]
    meanwhile(lambda: new_task("News"))
    answer = api.atlas.get(f"/events?after={cursor}&wait=20")
    assert [event["data"]["title"] for event in answer.json()["events"]] == ["News"]


def test_long_poll_with_a_token_that_is_revoked_meanwhile_tells_nothing(cast, api, new_task, meanwhile):
    cursor = api.atlas.get("/events?after=now").json()["cursor"]
    token = AgentToken.objects.get()
    meanwhile(lambda: revoke_token(actor=cast.root, token=token), lambda: new_task("Secret"))
    answer = api.atlas.get(f"/events?after={cursor}&wait=20")
    assert answer.status_code == 401
    assert "Secret" not in answer.content.decode()


def test_long_poll_of_a_session_that_ends_meanwhile_tells_nothing(cast, api, new_task, meanwhile):
    cursor = api.vera.get("/events?after=now").json()["cursor"]
    meanwhile(lambda: Session.objects.all().delete(), lambda: new_task("Secret"))
    # 403, not 401: a session has no scheme to be challenged with.
    assert api.vera.get(f"/events?after={cursor}&wait=20").status_code in (401, 403)


def test_long_poll_of_a_member_who_is_removed_meanwhile_tells_nothing(cast, api, new_task, meanwhile):
    cursor = api.bert.get("/events?after=now").json()["cursor"]
    meanwhile(
        lambda: remove_member(actor=cast.ada.user, project=cast.ops, user=cast.bert.user), lambda: new_task("Secret")
    )
    answer = api.bert.get(f"/events?after={cursor}&wait=1")
    assert (answer.status_code, answer.json()["events"]) == (200, [])


def test_long_poll_of_a_client_that_went_away_ends(cast, api):
    cursor = api.atlas.get("/events?after=now").json()["cursor"]
    asked = []

    def gone() -> bool:
        asked.append(True)
        return True

    answer = api.atlas.client.get(f"/api/v1/events?after={cursor}&wait=30", **{events.CLIENT_GONE: gone})
    assert (answer.status_code, len(asked)) == (200, 1)
