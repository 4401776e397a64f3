"""Directives and the verbs of a run at once: as if one had come after the other, and never in a deadlock."""

from collections.abc import Callable, Sequence

import pytest

from tasks.actions import assignments, claims, lifecycle, runs, transactions
from tasks.actions.directives import delivery
from tasks.actions.messages import ack_message, post_message, withdraw_message
from tasks.errors import DomainError, StopRequested
from tasks.models import Event, Message, Run, Task
from tasks.tests.invariants import assert_invariants
from tasks.tests.racing import at_once
from tasks.tests.sizes import MEETINGS

ROUNDS = range(MEETINGS)
FINAL = ("acknowledged", "declined", "withdrawn", "undelivered")

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture(autouse=True)
def _no_second_try_after_a_deadlock(monkeypatch):
    """The lock order must be enough; the funnel's retry after deadlocks would hide failures."""
    monkeypatch.setattr(transactions, "DEADLOCK_DETECTED", "not caught")


@pytest.fixture
def held(cast, new_task):
    """``held()`` → a task of its own, atlas's run of it, and what may happen to them."""

    class Held:
        def __init__(self):
            self.task = new_task()
            self.run = claims.claim_task(actor=cast.atlas.user, task=self.task)
            self.mine = {"actor": cast.atlas.user, "run_id": self.run.pk}

        def send(self, kind="instruction", **more):
            return post_message(actor=cast.ada.user, task=self.task, body="x", kind=kind, **more)

        def reply(self):
            run = Run.objects.select_related("task__project", "agent__user").get(pk=self.run.pk)
            return [each["id"] for each in delivery.deliver([run], actor=cast.atlas.user).get(run.pk, [])]

        def withdraw(self, message):
            return withdraw_message(actor=cast.ada.user, message=message)

        def ack(self, message):
            return ack_message(actor=cast.atlas.user, message=message)

        def cancel(self):
            return lifecycle.cancel_task(actor=cast.ada.user, task=self.task)

        def unassign(self):
            return assignments.unassign_task(actor=cast.ada.user, task=self.task, agents=[cast.atlas])

    return Held


def codes(outcomes: Sequence[object]) -> list[str | None]:
    """The error code of each outcome, None for success; anything but a domain error is a failure of the test."""
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, DomainError):
            raise outcome
    return [outcome.code if isinstance(outcome, DomainError) else None for outcome in outcomes]


def ends(message: Message) -> list[str]:
    """The final states that events tell of ``message``; there must be exactly one, that of its row, or none."""
    events = Event.objects.filter(kind__startswith="message.", data__message=message.pk).order_by("pk")
    ended = [event.kind.removeprefix("message.") for event in events]
    ended = [state for state in ended if state in FINAL]
    state = Message.objects.get(pk=message.pk).state
    assert ended == ([state] if state in FINAL else [])
    return ended


def test_instruction_sent_while_the_run_ends_reaches_it_or_is_refused(held):
    for seed in ROUNDS:
        for end in ("complete", "cancel", "unassign"):
            here = held()
            calls: dict[str, Callable[[], object]] = {
                "complete": lambda here=here: runs.complete_run(**here.mine, summary="done"),
                "cancel": here.cancel,
                "unassign": here.unassign,
            }
            outcomes = at_once(here.send, calls[end], seed=seed)
            sent, ended = codes(outcomes)
            assert ended is None
            assert sent in (None, "no_active_run")
            if sent is None:
                assert ends(outcomes[0]) == ["undelivered"]
        assert_invariants()


def test_kept_instruction_is_never_lost_between_two_runs(cast, held):
    for seed in ROUNDS:
        here = held()

        def change_hands(here=here):
            runs.release_run(**here.mine)
            return claims.claim_task(actor=cast.bert.user, task=here.task)

        sent, claimed = at_once(lambda here=here: here.send(keep=True), change_hands, seed=seed)
        codes([sent, claimed])
        message = Message.objects.get(pk=sent.pk)
        assert (message.state, message.run_id) in (("queued", claimed.pk), ("queued", None))
        if message.run_id is None:
            assert Task.objects.get(pk=here.task.pk).has_kept_directives
        else:
            assert Run.objects.get(pk=claimed.pk).has_directives


def test_withdrawn_instruction_is_not_delivered_and_a_delivered_one_is_not_withdrawn(held):
    for seed in ROUNDS:
        here = held()
        message = here.send()
        outcomes = at_once(here.reply, lambda here=here, message=message: here.withdraw(message), seed=seed)
        _, withdrawn = codes(outcomes)
        if withdrawn is None:
            assert outcomes[0] == []
            assert ends(message) == ["withdrawn"]
        else:
            assert (withdrawn, outcomes[0], ends(message)) == ("directive_ended", [f"m{message.pk}"], [])


def test_acknowledged_or_withdrawn_but_not_both(held):
    for seed in ROUNDS:
        here = held()
        message = here.send()
        acked, withdrawn = codes(
            at_once(
                lambda here=here, message=message: here.ack(message),
                lambda here=here, message=message: here.withdraw(message),
                seed=seed,
            )
        )
        assert sorted([acked, withdrawn], key=str) == [None, "directive_ended"]
        assert ends(message) == ["acknowledged" if acked is None else "withdrawn"]


def test_acknowledged_twice_at_once_ends_once(held):
    for seed in ROUNDS:
        here = held()
        message = here.send()
        beat = {**here.mine, "ack": [f"m{message.pk}"]}
        outcomes = at_once(
            lambda beat=beat: runs.heartbeat_run(**beat),
            lambda here=here, message=message: here.ack(message),
            lambda beat=beat: runs.progress_run(**beat, percent=5),
            seed=seed,
        )
        assert codes(outcomes) == [None] * 3
        assert ends(message) == ["acknowledged"]


def test_progress_while_a_stop_is_delivered_comes_before_it_or_is_refused(held):
    for seed in ROUNDS:
        here = held()
        stop = here.send("stop")
        outcomes = at_once(
            here.reply, lambda here=here: runs.progress_run(**here.mine, percent=50, note="on"), seed=seed
        )
        assert codes(outcomes)[1] in (None, "stop_requested")
        run = Run.objects.get(pk=here.run.pk)
        assert run.stop_delivered_at is not None
        if isinstance(outcomes[1], StopRequested):
            assert run.progress_percent == 0
            assert [each["id"] for each in outcomes[1].data["directives"]] == [f"m{stop.pk}"]
        else:
            assert run.last_progress_at <= run.stop_delivered_at
        runs.complete_run(**here.mine, summary="What there is.")
        assert ends(stop) == ["acknowledged"]
        assert_invariants()


def test_two_replies_at_once_deliver_once_in_order(held):
    for seed in ROUNDS:
        here = held()
        messages = [here.send(), here.send("stop"), here.send()]
        wanted = [f"m{message.pk}" for message in messages]
        assert at_once(here.reply, here.reply, seed=seed) == [wanted, wanted]
        assert Event.objects.filter(kind="message.delivered", run=here.run.pk).count() == 3


def test_all_at_once_end_without_deadlock_and_each_directive_once(cast, held):
    for seed in ROUNDS:
        here = held()
        first, second = here.send(keep=True), here.send()
        outcomes = at_once(
            lambda here=here: here.send("stop"),
            here.reply,
            lambda here=here, first=first: here.withdraw(first),
            lambda here=here, second=second: here.ack(second),
            lambda here=here, second=second: runs.release_run(**here.mine, ack=[f"m{second.pk}"]),
            lambda here=here: here.send(keep=True),
            lambda here=here: claims.claim_next(actor=cast.bert.user, projects=[cast.ops]),
            seed=seed,
        )
        codes(outcomes)
        for message in Message.objects.filter(task=here.task):
            ends(message)
        assert_invariants()
        here.cancel()
        assert not Message.objects.filter(task=here.task, state__in=("queued", "delivered")).exists()
