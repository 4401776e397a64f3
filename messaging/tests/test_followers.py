"""A follower's effect happens once per event: beside others of its kind, after failures, from its first start."""

import threading
import time

import pytest
from django.db import OperationalError, connections

from messaging.followers import Follower
from messaging.models import FollowerCursor, Notification
from messaging.notifications.making import follower, prepare
from tasks.actions import assignments
from tasks.events.kinds import NOTIFYING
from tasks.models import Event
from tasks.tests.racing import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def make_follower() -> Follower:
    return Follower("notifications", kinds=NOTIFYING, prepare=prepare)


def told() -> list[tuple[str, str]]:
    rows = Notification.objects.order_by("pk").values_list("recipient__username", "task__number", "kind")
    return [(f"{name} {number}", kind) for name, number, kind in rows]


def test_first_start_begins_with_the_present(cast, new_task):
    FollowerCursor.objects.all().delete()
    new_task(assignees=[cast.hugo])
    follower = make_follower()
    assert follower.catch_up() == 0
    new_task(assignees=[cast.atlas])
    assert follower.catch_up() == 1
    assert told() == [("atlas 2", "assigned")]


def test_catch_up_goes_on_where_an_earlier_process_was(cast, new_task):
    make_follower().catch_up()
    for _ in range(3):
        new_task(assignees=[cast.hugo])
    assert make_follower().catch_up() == 3
    assert make_follower().catch_up() == 0
    assert len(told()) == 3


def test_two_followers_at_once_handle_each_event_once(cast, new_task):
    make_follower().catch_up()
    tasks = [new_task() for _ in range(30)]
    done = threading.Event()

    def follow() -> int:
        follower, total = make_follower(), 0
        while True:
            last = done.is_set()
            total += follower.catch_up()
            if last:
                return total

    def assign() -> int:
        for task in tasks:
            assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.hugo, cast.atlas])
        done.set()
        return 0

    outcomes = at_once(follow, follow, follow, assign)
    assert sum(outcomes) == 60, outcomes
    expected = [(f"{name} {task.number}", "assigned") for task in tasks for name in ("hugo", "atlas")]
    assert sorted(told()) == sorted(expected)
    heads = dict(Notification.objects.heads().values_list("pk", "bundled"))
    announced = list(Event.objects.filter(kind="notification.created").values_list("data__notification", flat=True))
    assert len(announced) == len(set(announced))
    assert heads.keys() <= set(announced)
    assert sum(heads.values()) == 60


def test_failed_effect_moves_nothing_and_is_tried_again(cast, new_task):
    calls = []

    def effect() -> int:
        calls.append("called")
        Notification.objects.all().delete()
        if len(calls) == 1:
            raise OperationalError("gone")
        return 1

    follower = Follower("test", kinds={"task.created"}, prepare=lambda events: effect)
    follower.catch_up()
    before = FollowerCursor.objects.get(name="test")
    new_task(assignees=[cast.hugo])
    with pytest.raises(OperationalError):
        follower.catch_up()
    now = FollowerCursor.objects.get(name="test")
    assert now.event_id == before.event_id
    assert follower.catch_up() == 1
    assert follower.catch_up() == 0


def test_cursor_set_back_by_hand_notifies_nobody_twice(cast, new_task):
    follower = make_follower()
    follower.catch_up()
    before = FollowerCursor.objects.get(name="notifications")
    new_task(assignees=[cast.hugo])
    follower.catch_up()
    before.save()
    new_task(assignees=[cast.hugo])
    assert follower.catch_up() == 1
    assert told() == [("hugo 1", "assigned"), ("hugo 2", "assigned")]


def test_events_without_effect_are_passed_without_a_write_each(cast, new_task, monkeypatch):
    follower = make_follower()
    follower.catch_up()
    monkeypatch.setattr("messaging.followers.STORE_EVERY_SECONDS", 1000)
    new_task(assignees=[cast.hugo])
    follower.catch_up()
    stored = FollowerCursor.objects.get(name="notifications").moved_at
    for task in (new_task(), new_task()):
        assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.ada])
        follower.catch_up()
    assert FollowerCursor.objects.get(name="notifications").moved_at == stored
    assert follower.waiting_since() is None


def test_run_is_woken_by_the_bell_and_survives_an_outage(cast, new_task, monkeypatch, caplog):
    monkeypatch.setattr("tasks.events.listening.POLL_SECONDS", {"sqlite": 60, "postgresql": 60})
    outages = [OperationalError("the database\n went away")]

    def prepare_or_fail(events):
        if outages:
            raise outages.pop()
        return prepare(events)

    follower = Follower("notifications", kinds=NOTIFYING, prepare=prepare_or_fail)
    follower.catch_up()
    stop = threading.Event()

    def run() -> None:
        try:
            follower.run(stop)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        new_task(assignees=[cast.hugo])
        until = time.monotonic() + 30
        while not told():
            assert time.monotonic() < until, "the bell woke nobody"
            time.sleep(0.02)
    finally:
        stop.set()
        new_task()
        thread.join(30)
    assert not thread.is_alive()
    assert "The follower notifications waits for the database: the database went away" in caplog.text


def test_the_engine_has_the_follower_as_companion():
    from tasks import engine

    assert follower in engine.companions
