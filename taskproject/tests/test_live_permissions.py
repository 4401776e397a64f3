"""Followers that lose access are sent away within moments: new password, ended session, revoked token, lost project."""

import json

import pytest
from django.contrib.sessions.models import Session

from messaging.stream import hub as hub_module
from messaging.stream.hub import hub
from taskproject.tests.live_socket import PATIENCE, Socket, bearer, later, run, session_of, write
from tasks.actions.agents import create_token, revoke_token
from tasks.actions.projects import remove_member, set_member
from tasks.events.reading import START
from tasks.models import Role

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(hub_module, "AUDIT_SECONDS", 0.1)


def test_revoked_token_and_ended_session_close_the_socket(cast):
    token, secret = create_token(actor=None, agent=cast.atlas, name="t")
    session = session_of(cast.ada.user)

    async def story() -> None:
        agent = await Socket(authorization=f"Bearer {secret}").hello()
        browser = await Socket(**session).hello()
        await later(revoke_token, actor=cast.root, token=token)
        assert await agent.closed_with() == 4401
        await later(cast.ada.user.__class__.objects.filter(pk=cast.ada.user.pk).update, is_active=False)
        assert await browser.closed_with() == 4401

    run(story)


def test_new_password_closes_the_sockets_of_the_sessions_before(cast):
    session, other = session_of(cast.ada.user), session_of(cast.rita.user)

    async def story() -> None:
        browser, bystander = await Socket(**session).hello(), await Socket(**other).hello()
        cast.ada.user.set_password("quite another pass phrase")
        await later(cast.ada.user.save)
        assert await browser.closed_with() == 4401
        await later(write, cast, "after")
        await bystander.read_until("after")
        await bystander.leave()

    run(story)


def test_ended_session_closes_its_socket(cast):
    session = session_of(cast.ada.user)

    async def story() -> None:
        browser = await Socket(**session).hello()
        await later(Session.objects.all().delete)
        assert await browser.closed_with() == 4401

    run(story)


def test_replay_of_a_long_history_ends_with_the_permission(cast, monkeypatch):
    """Between two pages of the table, permissions are checked again."""
    monkeypatch.setattr(hub_module, "BATCH", 2)
    token, secret = create_token(actor=None, agent=cast.atlas, name="t")
    for number in range(6):
        write(cast, f"old {number}")
    replay = hub_module._replay
    pages = []

    def revoke_after_two(*args):
        pages.append(replay(*args))
        if len(pages) == 2:
            revoke_token(actor=cast.root, token=token)
        return pages[-1]

    monkeypatch.setattr(hub_module, "_replay", revoke_after_two)

    async def story() -> None:
        socket = await Socket(f"?after={START}", authorization=f"Bearer {secret}").hello()
        assert await socket.read_until("old 3") == ["old 0", "old 1", "old 2", "old 3"]
        assert await socket.closed_with() == 4401
        assert hub.followers == set()

    run(story)


def test_replay_shows_nothing_of_a_project_that_was_left_meanwhile(cast, monkeypatch):
    monkeypatch.setattr(hub_module, "BATCH", 2)
    headers = bearer(cast.bert)
    for number in range(6):
        write(cast, f"old {number}")
    replay = hub_module._replay
    pages = []

    def remove_after_one(*args):
        pages.append(replay(*args))
        if len(pages) == 1:
            remove_member(actor=cast.ada.user, project=cast.ops, user=cast.bert.user)
        return pages[-1]

    monkeypatch.setattr(hub_module, "_replay", remove_after_one)

    async def story() -> None:
        socket = await Socket(f"?after={START}", **headers).hello()
        assert await socket.read_until("old 1") == ["old 0", "old 1"]
        assert json.loads(await socket.wire.receive_from(timeout=PATIENCE)) == {"type": "reset"}
        assert await socket.closed_with() == 4403

    run(story)


def test_removed_member_gets_no_further_event_and_must_reload(cast):
    headers = bearer(cast.bert)

    async def story() -> None:
        socket = await Socket(**headers).hello()
        await later(write, cast, "as member")
        await socket.read_until("as member")
        await later(remove_member, actor=cast.ada.user, project=cast.ops, user=cast.bert.user)
        await later(write, cast, "as stranger")
        assert json.loads(await socket.wire.receive_from(timeout=PATIENCE)) == {"type": "reset"}
        assert await socket.closed_with() == 4403
        back = await Socket(**headers).hello()
        await later(write, cast, "still as stranger")
        assert await back.wire.receive_nothing(timeout=0.5, interval=0.05)
        await back.leave()

    run(story)


def test_new_member_gets_events_from_the_one_that_added_them(cast):
    headers, of_member = bearer(cast.zed), bearer(cast.atlas)

    async def story() -> None:
        socket, witness = await Socket(**headers).hello(), await Socket(**of_member).hello()
        await later(write, cast, "as stranger")
        # It has already been handed to those who were members then.
        await witness.read_until("as stranger")
        await witness.leave()
        await later(set_member, actor=cast.root, project=cast.ops, user=cast.zed.user, role=Role.WORKER)
        events = json.loads(await socket.wire.receive_from(timeout=PATIENCE))["events"]
        assert [event["kind"] for event in events] == ["member.added"]
        await later(write, cast, "as member")
        assert json.loads(await socket.wire.receive_from(timeout=PATIENCE))["events"][0]["data"]["title"] == "as member"
        await socket.leave()

    run(story)
