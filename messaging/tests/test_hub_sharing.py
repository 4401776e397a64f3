"""Followers that may see the same events share one batch, even if somebody else gets a private event."""

import asyncio

import pytest

from messaging.stream.hub import Batch, Follower, Hub
from messaging.stream.visitors import Visitor
from tasks import clock
from tasks.events import kinds
from tasks.events.narrowing import Narrowing
from tasks.events.reading import Cursor
from tasks.events.recording import event, record
from tasks.models import Event

pytestmark = pytest.mark.django_db


def test_private_event_costs_its_recipient_alone_a_batch(cast):
    def created(**more):
        return event(kinds.PROJECT_CREATED, at=clock.now(), actor=None, project=cast.ops, name="Operations", **more)

    record(created(), created(recipient=cast.hugo.user))
    hub = Hub()
    followers = {}
    for name in ("hugo", "atlas", "bert"):
        visitor = Visitor(getattr(cast, name).user_id, frozenset({cast.ops.pk}))
        followers[name] = Follower(visitor, Narrowing())
        hub.followers.add(followers[name])
    hub._hand_out(list(Event.objects.order_by("pk")), Cursor(2))
    batches = {name: follower.waiting[0] for name, follower in followers.items()}
    assert batches["atlas"] is batches["bert"]
    assert [len(batches[name].events) for name in ("hugo", "atlas")] == [2, 1]


def test_stream_that_is_just_being_let_in_ends_with_the_server_too(cast):
    hub = Hub()
    visitor = Visitor(cast.atlas.user_id, frozenset({cast.ops.pk}))
    entered, comes = Follower(visitor, Narrowing()), Follower(visitor, Narrowing())
    hub.enter(entered)
    hub.close_for_good()
    hub.enter(comes)

    async def batches() -> list[Batch]:
        return [batch for follower in (entered, comes) async for batch in hub.stream(follower, None)]

    assert asyncio.run(batches()) == []
    assert (entered.ended, comes.ended) == ("stopping", "stopping")
    hub.leave(entered)
    hub.leave(comes)
