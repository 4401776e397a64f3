"""A limited token sees its projects alone on sockets, event streams and long polls, even if its agent joins others."""

import json

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator

from messaging.stream import hub as hub_module
from messaging.stream.visitors import admit
from messaging.stream.waiting import ReadersRoom, readers_room
from taskproject.asgi import application
from taskproject.tests.asgi_client import talk
from taskproject.tests.live_socket import Socket, later, run, write
from tasks import clock
from tasks.actions.agents import create_token, revoke_token
from tasks.actions.projects import set_member
from tasks.events import kinds
from tasks.events.reading import START
from tasks.events.recording import event, record
from tasks.models import AgentKind, AgentToken, Role
from tasks.tests.api_client import let_wait
from tasks.tests.cast import make_agent
from tasks.tests.racing import in_thread
from tasks.tests.test_token_reach import caller

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(hub_module, "AUDIT_SECONDS", 0.1)


@pytest.fixture
def secret(cast):
    """Of a token of hugo for OTHER, made by mona; since then he has been in OPS and OTHER."""
    set_member(actor=None, project=cast.other, user=cast.hugo.user, role=Role.WORKER)
    return create_token(actor=cast.mona.user, agent=cast.hugo, name="t")[1]


def test_streams_of_a_token_that_another_made_for_a_person_count_apart(cast, secret):
    own = create_token(actor=cast.hugo.user, agent=cast.hugo, name="own")[1]
    mine, lent = (admit({"authorization": f"Bearer {each}"}, address="").caller for each in (own, secret))
    assert mine == (cast.hugo.user_id, None)
    assert lent == (cast.hugo.user_id, cast.mona.user_id)


def write_other(cast, word: str) -> None:
    record(event(kinds.TASK_CREATED, at=clock.now(), actor=None, project=cast.other, title=word))


def test_socket_replays_and_follows_only_what_the_token_reaches(cast, secret):
    write(cast, "hidden before")
    write_other(cast, "seen before")

    async def story() -> None:
        socket = await Socket(f"?after={START}&kinds=task.created", authorization=f"Bearer {secret}").hello()
        await socket.read_until("seen before")
        # A role that changes has the rights of all followers read again.
        await later(set_member, actor=None, project=cast.ops, user=cast.hugo.user, role=Role.REVIEWER)
        await later(write, cast, "hidden after")
        await later(write_other, cast, "seen after")
        assert await socket.read_until("seen after") == ["seen before", "seen after"]
        # The manager who made it also ends it.
        token = await later(AgentToken.objects.select_related("agent__user").get)
        await later(revoke_token, actor=cast.mona.user, token=token)
        assert await socket.closed_with() == 4401

    run(story)


def test_superusers_limited_token_follows_its_projects_alone(cast):
    chief = make_agent("chief", kind=AgentKind.HUMAN)
    chief.user.is_superuser = True
    chief.user.save()
    _, secret = create_token(actor=chief.user, agent=chief, name="t", projects=["OTHER"])

    async def story() -> None:
        socket = await Socket(authorization=f"Bearer {secret}").hello()
        await later(write, cast, "hidden")
        await later(write_other, cast, "seen")
        assert await socket.read_until("seen") == ["seen"]
        await socket.leave()

    run(story)


def test_socket_and_stream_for_a_project_beyond_it_are_not_found(cast, secret):
    headers = [(b"authorization", f"Bearer {secret}".encode()), (b"accept", b"text/event-stream")]
    scope = {"type": "http", "method": "GET", "path": "/api/v1/events", "query_string": b"project=OPS"}
    refused = async_to_sync(talk)(application, scope | {"headers": headers}, {"type": "http.disconnect"})
    assert refused[0]["status"] == 404

    async def story() -> None:
        socket = await Socket("?project=OPS", authorization=f"Bearer {secret}").connect()
        assert await socket.closed_with() == 4404

    run(story)


def test_event_stream_replays_only_what_the_token_reaches(cast, secret):
    write(cast, "hidden")
    write_other(cast, "seen")
    headers = [(b"authorization", f"Bearer {secret}".encode()), (b"accept", b"text/event-stream")]
    scope = {"type": "http", "method": "GET", "path": "/api/v1/events", "query_string": b"", "headers": headers}
    read: list[bytes] = []

    async def story() -> None:
        wire = ApplicationCommunicator(application, scope)
        await wire.send_input({"type": "http.request", "body": b"", "more_body": False})
        while b"seen" not in b"".join(read):
            read.append((await wire.receive_output(15)).get("body", b""))
        await wire.send_input({"type": "http.disconnect"})
        await wire.wait(15)

    run(story)
    assert b"hidden" not in b"".join(read)


def test_long_poll_is_woken_only_by_what_the_token_reaches(cast, secret, monkeypatch):
    client = caller(secret)
    let_wait(client)
    cursor = client.get("/api/v1/events?after=now").json()["cursor"]
    threads = []
    sit = ReadersRoom.sit

    def begin_to_wait(self, seat, wake):
        sit(self, seat, wake)
        if not threads:
            threads.append(in_thread(lambda: (write(cast, "hidden"), write_other(cast, "seen"))))

    monkeypatch.setattr(ReadersRoom, "sit", begin_to_wait)
    answer = client.get(f"/api/v1/events?wait=20&after={cursor}").json()
    threads[0].join()
    readers_room.close()
    assert [event["data"]["title"] for event in answer["events"]] == ["seen"], json.dumps(answer)
