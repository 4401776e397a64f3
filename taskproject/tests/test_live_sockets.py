"""The live stream over sockets and event streams: in order, no gaps or repeats, and only for those who may see it."""

import asyncio
import json
from datetime import timedelta

import pytest
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.utils import timezone

from messaging.stream import hub as hub_module
from messaging.stream.hub import hub
from messaging.stream.visitors import Visitor
from taskproject.asgi import application
from taskproject.tests.asgi_client import talk
from taskproject.tests.live_socket import PATIENCE, Socket, bearer, later, run, session_of, write
from tasks import clock
from tasks.events import kinds
from tasks.events.reading import START, Cursor, read_events
from tasks.events.recording import event, record
from tasks.models import Agent, AgentToken, Event
from tasks.presence import presence

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(hub_module, "AUDIT_SECONDS", 0.1)


def test_socket_gets_what_comes_and_a_reconnect_misses_and_repeats_nothing(cast):
    headers = bearer(cast.atlas)
    write(cast, "before")

    async def story() -> None:
        socket = await Socket(**headers).hello()
        await later(write, cast, "one")
        await later(write, cast, "two")
        assert await socket.read_until("two") == ["one", "two"]
        await socket.leave()
        for number in range(3):
            await later(write, cast, f"away {number}")
        back = await Socket(f"?after={socket.cursor}", **headers).hello()
        await later(write, cast, "three")
        assert await back.read_until("three") == ["away 0", "away 1", "away 2", "three"]
        await back.leave()

    run(story)


def test_replay_of_many_pages_joins_the_live_stream_without_a_seam(cast, monkeypatch):
    monkeypatch.setattr(hub_module, "BATCH", 5)
    headers = bearer(cast.atlas)
    for number in range(23):
        write(cast, f"old {number}")

    async def story() -> None:
        first = await Socket(**headers).hello()
        socket = Socket(f"?after={START}", **headers)
        writing = asyncio.gather(*(later(write, cast, f"new {number}") for number in range(17)))
        await socket.hello()
        await writing
        await later(write, cast, "last")
        await socket.read_until("last")
        table = [e.data["title"] for e in (await later(read_events, user=cast.root, limit=1000))[0]]
        assert socket.words() == table
        await first.read_until("last")
        assert first.words() == table[23:]
        for opened in (first, socket):
            await opened.leave()

    run(story)


def test_followers_see_their_projects_and_their_private_events_alone(cast):
    atlas, zed = bearer(cast.atlas), bearer(cast.zed)

    async def story() -> None:
        mine, other = await Socket(**atlas).hello(), await Socket(**zed).hello()
        await later(write, cast, "ours")
        await later(write, cast, "for bert", recipient=cast.bert.user)
        await later(write, cast, "for atlas", recipient=cast.atlas.user)
        await later(
            record, event(kinds.TASK_CREATED, at=timezone.now(), actor=None, project=cast.other, title="elsewhere")
        )
        assert await mine.read_until("for atlas") == ["ours", "for atlas"]
        assert await other.read_until("elsewhere") == ["elsewhere"]
        for opened in (mine, other):
            await opened.leave()

    run(story)


def test_query_narrows_to_project_task_and_kinds(cast, new_task):
    task = new_task("Named")
    headers = bearer(cast.atlas)

    async def story() -> None:
        narrow = await Socket(f"?task={task.ref}&kinds=task.deleted", **headers).hello()
        await later(write, cast, "no task")
        await later(record, event(kinds.TASK_DELETED, at=timezone.now(), actor=None, task=task, title="yes"))
        assert await narrow.read_until("yes") == ["yes"]
        await narrow.leave()

    run(story)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?task=OTHER-1", 4404),
        ("?project=OTHER", 4404),
        ("?after=!", 4400),
        ("?tsak=OPS-1", 4400),
        ("?kinds=task.asigned", 4400),
    ],
)
def test_socket_for_what_is_not_to_be_seen_is_closed(cast, query, code):
    headers = bearer(cast.atlas)

    async def story() -> None:
        socket = await Socket(query, **headers).connect()
        assert await socket.closed_with() == code

    run(story)


#: What each role gets from a socket for everything, for OPS, and for one of its tasks: a close code, or events.
SOCKETS = {
    "nobody": (4401, 4401, 4401),
    "zed": ([], 4404, 4404),
    "mona": ([], 4404, 4404),
    "vera": (["seen"], ["seen"], []),
    "hugo": (["seen"], ["seen"], []),
    "atlas": (["seen"], ["seen"], []),
    "rita": (["seen"], ["seen"], []),
    "ada": (["seen"], ["seen"], []),
    "root": (["seen"], ["seen"], []),
}


@pytest.mark.parametrize("role", SOCKETS)
@pytest.mark.parametrize("place", range(3), ids=["all", "project", "task"])
def test_socket_by_role_shows_what_the_matrix_says(cast, new_task, role, place):
    task = new_task("Named")
    query = ("", "?project=OPS", f"?task={task.ref}")[place]
    expected = SOCKETS[role][place]
    member = getattr(cast, role, None)
    if member is None:
        headers = {"authorization": "Bearer tp_wrong"}
    else:
        headers = session_of(member) if isinstance(member, User) else bearer(member)

    async def story() -> None:
        socket = await Socket(query, **headers).connect()
        if isinstance(expected, int):
            assert await socket.closed_with() == expected
            return
        assert json.loads(await socket.wire.receive_from(timeout=PATIENCE))["type"] == "hello"
        await later(write, cast, "seen")
        if expected:
            assert await socket.read_until("seen") == expected
        else:
            assert await socket.wire.receive_nothing(timeout=0.5)
        await socket.leave()

    run(story)


def test_browser_is_let_in_by_session_from_exactly_our_origin(cast):
    headers = session_of(cast.ada.user)

    async def story() -> None:
        socket = await Socket(**headers).hello()
        await later(write, cast, "seen")
        await socket.read_until("seen")
        await socket.leave()
        for origin in ("http://evil.example", "http://localhost:8001", "https://localhost:8000", "null"):
            connected, _ = await Socket(**(headers | {"origin": origin})).wire.connect(timeout=PATIENCE)
            assert not connected, origin
        without = {name: value for name, value in headers.items() if name != "origin"}
        connected, _ = await Socket(**without).wire.connect(timeout=PATIENCE)
        assert not connected

    run(story)


def test_socket_without_valid_credentials_is_closed_with_4401(cast):
    async def story() -> None:
        for headers in ({"authorization": "Bearer tp_wrong"}, {"origin": "http://localhost", "host": "localhost"}):
            assert await (await Socket(**headers).connect()).closed_with() == 4401

    run(story)


def test_agent_that_only_listens_is_seen_and_one_that_is_refused_is_not(cast):
    headers, of_bert = bearer(cast.atlas), bearer(cast.bert)
    long_ago = clock.now() - timedelta(minutes=10)

    def forget() -> None:
        AgentToken.objects.update(last_used_at=long_ago)
        Agent.objects.update(last_seen_at=long_ago)
        presence.forget()

    async def story() -> None:
        socket, refused = await Socket(**headers).hello(), await Socket(**of_bert).hello()
        await later(AgentToken.objects.filter(agent=cast.bert).update, revoked_at=long_ago)
        await refused.closed_with()
        await later(forget)
        until = asyncio.get_running_loop().time() + PATIENCE
        while (await later(Agent.objects.get, pk=cast.atlas.pk)).last_seen_at == long_ago:
            assert asyncio.get_running_loop().time() < until, "atlas listens and is taken for silent"
            await asyncio.sleep(0.05)
            await later(presence.flush)
        assert (await later(AgentToken.objects.get, agent=cast.atlas)).last_used_at > long_ago
        assert (await later(Agent.objects.get, pk=cast.bert.pk)).last_seen_at == long_ago
        await socket.leave()

    run(story)


def test_streams_of_one_user_are_limited_and_those_of_others_are_not(cast, monkeypatch):
    monkeypatch.setattr(hub_module, "MOST_STREAMS_OF_ONE", 2)
    headers, of_bert = bearer(cast.atlas), bearer(cast.bert)
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/v1/events",
        "query_string": b"",
        "http_version": "1.1",
        "headers": [(b"accept", b"text/event-stream"), (b"authorization", headers["authorization"].encode())],
    }

    async def story() -> None:
        first, second = await Socket(**headers).hello(), await Socket(**headers).hello()
        assert await (await Socket(**headers).connect()).closed_with() == 4429
        sent = await talk(application, scope)
        assert sent[0]["status"] == 429
        assert b"streams of yours are open" in sent[1]["body"]
        other = await Socket(**of_bert).hello()
        await first.leave()
        third = await Socket(**headers).hello()
        for socket in (second, third, other):
            await socket.leave()

    run(story)


def test_cursor_beyond_retention_is_reset(cast, settings):
    write(cast, "old")
    Event.objects.update(at=timezone.now() - timedelta(days=30))
    write(cast, "new")
    headers = bearer(cast.atlas)

    async def story() -> None:
        socket = await Socket(f"?after={START}", **headers).connect()
        assert json.loads(await socket.wire.receive_from(timeout=PATIENCE)) == {"type": "reset"}
        await socket.closed_with()

    run(story)


def test_batch_has_only_what_lies_behind_the_replay():
    events = [(Cursor(number), b"{}") for number in (4, 5, 6)]
    batch = hub_module.Batch(events, Cursor(6))
    assert batch.behind(Cursor(3)) is batch
    assert [cursor.id for cursor, _ in batch.behind(Cursor(5)).events] == [6]
    assert batch.behind(Cursor(6)) is None


def test_follower_that_never_reads_is_given_up_before_it_costs_memory(monkeypatch):
    monkeypatch.setattr(hub_module, "MOST_WAITING_BYTES", 100)
    follower = hub_module.Follower(Visitor(1, None), hub_module.Narrowing())
    for _ in range(5):
        follower.offer([hub_module.Batch([(START, b"x" * 40)], START)])
    assert follower.ended == "too_slow"
    assert (follower.waiting_bytes, len(follower.waiting)) == (0, 0)


def test_one_large_hand_out_makes_nobody_slow_and_goes_in_frames_of_bounded_size(monkeypatch):
    monkeypatch.setattr(hub_module, "MOST_WAITING_BYTES", 100)
    monkeypatch.setattr(hub_module, "MOST_FRAME_BYTES", 100)
    events = [(Cursor(number), b"x" * 40) for number in range(1, 8)]
    batches = hub_module.in_batches(events, Cursor(9))
    assert [[place.id for place, _ in batch.events] for batch in batches] == [[1, 2], [3, 4], [5, 6], [7]]
    assert [batch.cursor.id for batch in batches] == [2, 4, 6, 9]
    assert hub_module.in_batches([(START, b"x" * 500)], START)[0].size == 500
    assert hub_module.in_batches([], START) == []
    follower = hub_module.Follower(Visitor(1, None), hub_module.Narrowing())
    follower.offer(batches)
    assert follower.ended is None
    assert len(follower.waiting) == 4


async def read_stream(query: bytes, headers: dict[str, str], until: str) -> str:
    """What ``GET /api/v1/events`` sends as an event stream, up to a given text."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/v1/events",
        "query_string": query,
        "headers": [(b"accept", b"text/event-stream")]
        + [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    wire = ApplicationCommunicator(application, scope)
    await wire.send_input({"type": "http.request", "body": b""})
    start = await wire.receive_output(timeout=PATIENCE)
    text = f"{start['status']}\n"
    while until not in text:
        text += (await wire.receive_output(timeout=PATIENCE))["body"].decode()
    await wire.send_input({"type": "http.disconnect"})
    await wire.wait(timeout=PATIENCE)
    return text


def test_event_stream_replays_from_its_last_event_id_and_refuses_as_a_problem(cast):
    headers = bearer(cast.atlas)
    write(cast, "one")
    write(cast, "two")

    async def story() -> None:
        whole = await read_stream(b"", headers, "event: hello")
        ids = [line.removeprefix("id: ") for line in whole.splitlines() if line.startswith("id: ")]
        assert whole.startswith("200\n")
        assert [word in whole for word in ('"title":"one"', '"title":"two"')] == [True, True]
        rest = await read_stream(b"", headers | {"last_event_id": ids[0]}, "event: hello")
        assert [word in rest for word in ('"title":"one"', '"title":"two"')] == [False, True]
        refused = await read_stream(b"project=OTHER", headers, "not_found")
        assert refused.startswith("404\n")
        refused = await read_stream(b"kinds=task.asigned", headers, "validation_error")
        assert refused.startswith("400\n")
        assert "did you mean 'task.assigned'" in refused
        assert hub.followers == set()

    run(story)
