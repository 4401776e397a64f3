"""Waiting for SQLite's single writer: in order, no thread passed over, none waiting forever."""

import sqlite3
import threading
import time
from threading import Lock

import pytest
from django.db import OperationalError, connection, transaction

from taskproject.sqlite.turns import Stuck, Turns
from tasks.tests.racing import at_once

only_on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="Only on SQLite: PostgreSQL has many writers")


def wait_until_queued(turns, count):
    until = time.monotonic() + 10
    while len(turns._waiting) < count:
        assert time.monotonic() < until
        time.sleep(0.001)


def test_turns_are_handed_on_in_the_order_of_asking():
    turns, served = Turns(), []
    assert turns.take(1)

    def wait(number):
        assert turns.take(10)
        served.append(number)
        turns.pass_on()

    waiting = []
    for number in range(5):
        waiting.append(threading.Thread(target=wait, args=[number]))
        waiting[-1].start()
        wait_until_queued(turns, number + 1)
    turns.pass_on()
    for thread in waiting:
        thread.join(10)
    assert served == [0, 1, 2, 3, 4]
    assert turns.take(0)


def test_turn_not_had_in_time_leaves_the_queue():
    turns = Turns()
    assert turns.take(1)
    assert not turns.take(0.01)
    assert not turns._waiting
    turns.pass_on()
    assert turns.take(0)


def test_line_that_does_not_move_takes_no_more_than_enough(monkeypatch):
    monkeypatch.setattr("taskproject.sqlite.turns.STUCK_SECONDS", 1000.0)
    turns = Turns()
    assert turns.take(1)
    waiting = threading.Thread(target=turns.take, args=[10])
    waiting.start()
    wait_until_queued(turns, 1)
    assert not turns.take(0, most_waiting=1), "it has not waited long"
    monkeypatch.setattr("taskproject.sqlite.turns.STUCK_SECONDS", 0.0)
    assert not turns.take(0), "who serves no request may always wait"
    assert not turns.take(0, most_waiting=2)
    with pytest.raises(Stuck):
        turns.take(10, most_waiting=1)
    turns.pass_on()
    waiting.join(10)


def test_line_that_stops_moving_sends_away_those_beyond_enough(monkeypatch):
    monkeypatch.setattr("taskproject.sqlite.turns.STUCK_SECONDS", 0.05)
    turns, sent_away, served = Turns(), [], []
    assert turns.take(1)

    def wait(number):
        try:
            turns.take(30, most_waiting=2)
        except Stuck:
            sent_away.append(number)
        else:
            served.append(number)
            turns.pass_on()

    waiting = []
    for number in range(4):
        waiting.append(threading.Thread(target=wait, args=[number]))
        waiting[-1].start()
        until = time.monotonic() + 10
        while len(turns._waiting) <= number and not sent_away:
            assert time.monotonic() < until
    for thread in waiting[2:]:
        thread.join(10)
    assert sorted(sent_away) == [2, 3]
    turns.pass_on()
    for thread in waiting:
        thread.join(10)
    assert served == [0, 1]
    assert turns.take(0)


def test_line_that_moves_takes_everybody_however_long_the_first_has_waited(monkeypatch):
    monkeypatch.setattr("taskproject.sqlite.turns.STUCK_SECONDS", 1000.0)
    turns = Turns()
    assert turns.take(1)
    waiting = [threading.Thread(target=turns.take, args=[10]) for _ in range(2)]
    for number, thread in enumerate(waiting):
        thread.start()
        wait_until_queued(turns, number + 1)
    turns._moved_at -= 2000
    assert turns._is_stuck(turns._waiting[1], 1)
    turns.pass_on()
    assert not turns._is_stuck(turns._waiting[0], 0), "it has just moved"
    turns.pass_on()
    for thread in waiting:
        thread.join(10)


class Gate:
    """A lock whose second acquire is interrupted, after ``happens``."""

    def __init__(self, happens):
        self.lock, self.happens, self.asked = Lock(), happens, 0

    def acquire(self, timeout=-1):
        self.asked += 1
        if self.asked == 2:
            self.happens()
            raise KeyboardInterrupt
        return self.lock.acquire(timeout=timeout)

    def release(self):
        self.lock.release()


@pytest.mark.parametrize("is_given", [False, True])
def test_interrupt_while_waiting_loses_no_turn(monkeypatch, is_given):
    turns = Turns()
    assert turns.take(1)
    monkeypatch.setattr(threading, "Lock", lambda: Gate(turns.pass_on if is_given else lambda: None))
    with pytest.raises(KeyboardInterrupt):
        turns.take(10)
    assert not turns._waiting
    if not is_given:
        turns.pass_on()
    assert turns.take(0)


def test_turn_is_passed_on_by_one_who_asks_again_at_once():
    turns, order = Turns(), []
    assert turns.take(1)

    def other():
        assert turns.take(10)
        order.append("other")
        turns.pass_on()

    thread = threading.Thread(target=other)
    thread.start()
    wait_until_queued(turns, 1)
    turns.pass_on()
    assert turns.take(10)
    order.append("greedy")
    turns.pass_on()
    thread.join(10)
    assert order == ["other", "greedy"]


@only_on_sqlite
@pytest.mark.django_db(transaction=True)
def test_turn_is_free_after_commit_rollback_and_close():
    for end in (lambda: None, lambda: transaction.set_rollback(True), connection.close):
        with transaction.atomic():
            connection.cursor().execute("SELECT 1")
            assert connection._turns is not None
            end()
        assert connection._turns is None


@only_on_sqlite
@pytest.mark.django_db(transaction=True)
def test_writer_outside_the_process_is_waited_for_and_then_reported(monkeypatch):
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.05)
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="locked"), transaction.atomic():
            pass
        assert connection._turns is None
        other.execute("ROLLBACK")
        with transaction.atomic():
            assert connection._turns is not None
    finally:
        other.close()
        connection.close()


@only_on_sqlite
@pytest.mark.django_db(transaction=True)
def test_writers_that_come_at_once_all_get_their_turn(cast):
    def bump():
        for _ in range(20):
            with transaction.atomic():
                number = type(cast.ops).objects.values_list("last_number", flat=True).get(pk=cast.ops.pk)
                type(cast.ops).objects.filter(pk=cast.ops.pk).update(last_number=number + 1)

    before = type(cast.ops).objects.get(pk=cast.ops.pk).last_number
    at_once(*[bump] * 8)
    assert type(cast.ops).objects.get(pk=cast.ops.pk).last_number == before + 160


@only_on_sqlite
@pytest.mark.django_db(transaction=True)
def test_statements_outside_a_transaction_all_get_their_turn(cast):
    def rename():
        for number in range(20):
            type(cast.ops).objects.filter(pk=cast.ops.pk).update(name=f"x{number}")
        return connection._turns

    assert at_once(*[rename] * 8) == [None] * 8
