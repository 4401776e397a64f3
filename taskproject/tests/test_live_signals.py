"""Signals on the socket: who is typing and who is there; from and to those who may, and never stored."""

import asyncio
import json

import pytest
from channels.layers import channel_layers

from messaging.conversation.here import people
from messaging.stream import hub as hub_module
from messaging.stream import signals as signals_module
from messaging.stream.hub import Follower
from messaging.stream.signals import Budget, Signals, Typing
from messaging.stream.visitors import Visitor
from taskproject.tests.live_socket import PATIENCE, Socket, bearer, later, run, session_of, write
from taskproject.tests.redis_server import RedisServer
from tasks import clock
from tasks.actions.agents import create_token
from tasks.actions.projects import remove_member
from tasks.events.narrowing import Narrowing
from tasks.models import Event
from tasks.presence import presence

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(hub_module, "AUDIT_SECONDS", 0.1)
    monkeypatch.setattr(signals_module, "PRESENCE_SECONDS", 0.1)


async def types(socket: Socket, conversation: str) -> None:
    await socket.wire.send_to(text_data=json.dumps({"type": "typing", "conversation": conversation}))


async def heard(socket: Socket, kind: str = "typing") -> dict:
    while (frame := json.loads(await socket.wire.receive_from(timeout=PATIENCE)))["type"] != kind:
        pass
    return frame


async def words_before_anything_else(socket: Socket, word: str) -> None:
    """Reads on up to the event with this word; a signal on the way would fail."""
    await socket.read_until(word)


def test_typing_reaches_those_who_read_the_conversation_and_asked_for_it(cast, new_task):
    task = new_task()
    headers = {name: bearer(getattr(cast, name)) for name in ("atlas", "bert", "hugo", "zed")}
    root, stored = session_of(cast.root), Event.objects.count()

    async def story() -> None:
        asking = "?signals=typing"
        atlas, hugo = [await Socket(asking, **headers[name]).hello() for name in ("atlas", "hugo")]
        elsewhere = await Socket(f"{asking}&kinds=task.deleted&project=OPS&task={task.ref}", **headers["hugo"]).hello()
        quiet = [
            await Socket("", **headers["bert"]).hello(),
            await Socket(asking, **headers["zed"]).hello(),
            await Socket(asking, **root).hello(),
        ]
        await types(atlas, task.ref.lower())
        said = {"type": "typing", "conversation": task.ref, "who": "atlas", "seconds": 6}
        assert await heard(hugo) == said
        assert await heard(elsewhere) == said
        assert await heard(quiet[2]) == said
        await types(atlas, "@hugo")
        assert (await heard(hugo))["conversation"] == "@atlas"
        await types(atlas, "OPS")
        assert (await heard(hugo))["conversation"] == "OPS"
        # Not to a superuser, who reads no direct messages.
        assert (await heard(quiet[2]))["conversation"] == "OPS"
        await later(write, cast, "end")
        for socket in (atlas, quiet[0]):
            await words_before_anything_else(socket, "end")
        for socket in (atlas, hugo, elsewhere, *quiet):
            await socket.leave()

    run(story)
    assert Event.objects.count() == stored + 1


def test_typing_where_one_may_not_write_and_hostile_frames_reach_nobody(cast, new_task, monkeypatch):
    monkeypatch.setattr(signals_module, "BURST", 100)
    task = new_task()
    _, reads = create_token(actor=None, agent=cast.bert, name="reads", read_only=True)
    headers, zed = bearer(cast.hugo), bearer(cast.zed)
    vera = session_of(cast.vera)
    frames = [
        " ",
        "{",
        "[" * 400,
        "null",
        '"typing"',
        '{"type":"typing"}',
        '{"type":"typing","conversation":5}',
        '{"type":"typing","conversation":"\\u0000"}',
        '{"type":"typing","conversation":"\\ud800"}',
        '{"type":"typing","conversation":"@"}',
        '{"type":"typing","conversation":"OTHER"}',
        '{"type":"events","events":[]}',
        json.dumps({"type": "typing", "conversation": "OPS", "x": "y" * 1000}),
    ]

    async def story() -> None:
        hugo = await Socket("?signals=typing", **headers).hello()
        viewer = await Socket(**vera).hello()
        reader = await Socket(authorization=f"Bearer {reads}").hello()
        stranger = await Socket(**zed).hello()
        for socket in (viewer, reader, stranger):
            for conversation in (task.ref, "OPS"):
                await types(socket, conversation)
        await types(stranger, "@hugo")
        await types(reader, "@hugo")
        for frame in frames:
            await viewer.wire.send_to(text_data=frame)
        await viewer.wire.send_to(bytes_data=b'{"type":"typing","conversation":"OPS"}')
        await later(write, cast, "end")
        for socket in (hugo, viewer, reader):
            await words_before_anything_else(socket, "end")
        # The socket of a viewer still works, and they may write to one member.
        await types(viewer, "@hugo")
        assert (await heard(hugo))["who"] == "vera"
        for socket in (hugo, viewer, reader, stranger):
            await socket.leave()

    run(story)


def test_typing_ends_with_the_membership(cast):
    atlas, hugo = bearer(cast.atlas), bearer(cast.hugo)

    async def story() -> None:
        writer = await Socket(**atlas).hello()
        reader = await Socket("?signals=typing", **hugo).hello()
        await types(writer, "OPS")
        await heard(reader)
        await later(remove_member, actor=None, project=cast.ops, user=cast.hugo.user)
        assert await reader.closed_with() == 4403
        await writer.leave()

    run(story)


def test_one_caller_is_heard_a_few_times_a_second():
    budget = Budget(0.0)
    assert [budget.take(0.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert [budget.take(1.0) for _ in range(3)] == [True, True, False]
    assert [budget.take(100.0) for _ in range(6)].count(True) == 5


def test_signals_wait_for_no_slow_reader():
    follower = Follower(Visitor(1, None), Narrowing(), frozenset({"typing"}))
    for _ in range(200):
        follower.pass_on("x")
    assert len(follower.waiting) == hub_module.MOST_SIGNALS_WAITING
    assert follower.ended is None


def test_presence_is_told_when_one_comes_and_when_it_changes(cast, api):
    ada, atlas, zed = session_of(cast.ada.user), bearer(cast.atlas), bearer(cast.zed)
    at = clock.now()

    async def story() -> None:
        page = await Socket("?signals=presence", **ada).hello()
        stranger = await Socket("?signals=presence", **zed).hello()
        while (frame := await heard(page, "presence"))["here"] != ["ada"]:
            await later(people.flush)
        assert frame == {"type": "presence", "project": "OPS", "here": ["ada"]}
        agent = await Socket(**atlas).hello()
        while (await heard(page, "presence"))["here"] != ["ada", "atlas"]:
            pass
        await later(write, cast, "end")
        for socket in (page, agent):
            await socket.leave()
        assert (await heard(stranger, "presence"))["project"] == "OTHER"
        await stranger.leave()

    async def flushing() -> None:
        while True:
            await later(people.flush)
            await later(presence.flush)
            await asyncio.sleep(0.05)

    async def with_flushes() -> None:
        task = asyncio.create_task(flushing())
        try:
            await story()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(with_flushes)
    here = api.vera.get("/projects/OPS/presence").json()["results"]
    assert [(row["name"], row["kind"]) for row in here] == [("ada", "human"), ("atlas", "llm")]
    assert all(row["last_seen_at"] >= at.isoformat()[:19] for row in here)
    people.note({cast.ada.user_id: at})
    cast.ada.user.seen.__class__.objects.update(at=at.replace(year=2020))
    assert [row["name"] for row in api.vera.get("/projects/OPS/presence").json()["results"]] == ["atlas"]


def test_unknown_signal_and_one_over_an_event_stream_are_refused(cast, api):
    headers = bearer(cast.atlas)

    async def story() -> None:
        socket = await Socket("?signals=tpying", **headers).connect()
        assert await socket.closed_with() == 4400

    run(story)
    assert api.atlas.get("/events?signals=typing").status_code == 400


def test_typing_reaches_another_process_and_survives_its_redis(cast, settings):
    """Two hubs stand for two processes: they share nothing but Redis."""
    server = RedisServer()
    settings.REDIS_URL = server.url
    settings.CHANNEL_LAYERS = {
        "default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [server.url]}}
    }
    channel_layers.backends.clear()
    said = Typing(sender=1, who="ada", project_id=cast.ops.pk, project="OPS")

    class Elsewhere:
        def __init__(self) -> None:
            self.followers = {Follower(Visitor(2, None), Narrowing(), frozenset({"typing"}))}

    async def story() -> None:
        here, there = Elsewhere(), Elsewhere()
        signals = [Signals(hub) for hub in (here, there)]
        for each in signals:
            each.start()
        [follower] = there.followers
        while not follower.waiting:
            signals[0]._carry(said)
            await asyncio.sleep(0.05)
        assert json.loads(follower.waiting[0].frame())["who"] == "ada"
        # What it has sent itself, a process does not hear again.
        assert not next(iter(here.followers)).waiting
        server.kill()
        signals[0]._carry(said)
        await asyncio.sleep(0.1)
        follower.waiting.clear()
        server.start()
        while not follower.waiting:
            signals[0]._carry(said)
            await asyncio.sleep(0.1)
        for each in signals:
            each.stop()
        await asyncio.sleep(0)

    try:
        asyncio.run(asyncio.wait_for(story(), PATIENCE * 2))
    finally:
        server.close()
        channel_layers.backends.clear()
