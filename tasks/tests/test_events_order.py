"""The order of the stream is the one in which things happened: a reader that folds it is at the right status."""

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

import pytest
from django.db import connection, transaction

from tasks import clock
from tasks.events import kinds
from tasks.events.reading import Cursor, present_cursor, read_all
from tasks.events.recording import event, record
from tasks.events.settled import Settled
from tasks.flow import read_flow
from tasks.models import Event, Project, Task
from tasks.tests.racing import at_once, in_thread
from tasks.tests.sizes import FOLDED_SEEDS, FOLDED_VERBS
from tasks.tests.test_races_of_verbs import Mischief
from tasks.transitions import Status

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CLIENTS = 8
#: Seconds.
PATIENCE = 60


def contradictions(events: Sequence[Event]) -> list[str]:
    """Where an event says that a task came from a status in which the events before did not leave it, or that a run
    begins before the one before it has ended.
    """
    status: dict[int | None, str] = defaultdict(lambda: Status.NOT_STARTED.value)
    begun: dict[int | None, int] = defaultdict(int)
    ended: dict[int | None, int] = defaultdict(int)
    contradicted = []
    for each in events:
        task, data = each.task_id, each.data
        if "to" not in data:
            continue
        if data["from"] != status[task]:
            contradicted.append(f"{each.pk} {each}: from {data['from']}, was {status[task]}")
        status[task] = data["to"]
        if data["to"] == Status.IN_PROGRESS:
            if not data["run"] - 1 == begun[task] == ended[task]:
                contradicted.append(f"{each.pk} {each}: run {data['run']} begins, {ended[task]} ended last")
            begun[task] = data["run"]
        elif data["from"] == Status.IN_PROGRESS:
            ended[task] = data.get("revoked_run", data["run"])
            if ended[task] != begun[task]:
                contradicted.append(f"{each.pk} {each}: run {ended[task]} ends, {begun[task]} began last")
    return contradicted


class Reader:
    """Follows the stream while others write, as another server would: with knowledge of its own."""

    def __init__(self, start: Cursor, done: threading.Event) -> None:
        self.events: list[Event] = []
        self._place, self._done = start, done
        self._settled = Settled()
        self.thread = in_thread(self._run)

    def _run(self) -> None:
        while True:
            is_last = self._done.is_set()
            until = self._settled.place()
            if until > self._place.id:
                self.events += Event.objects.filter(pk__gt=self._place.id, pk__lte=until).in_order()
                self._place = Cursor(until)
            elif is_last and not self._settled.has_gap:
                return
            else:
                time.sleep(0.005)


@contextlib.contextmanager
def transactions_open_beside(cast) -> Iterator[None]:
    """Two sessions with open transactions: one has changed rows, but recorded nothing; one has recorded an event, and
    ends after a while. SQLite lets nobody write beside an open transaction.
    """
    if connection.vendor == "sqlite":
        yield
        return
    has_begun, may_end = threading.Barrier(3), threading.Event()

    def change_rows() -> None:
        with transaction.atomic():
            Project.objects.filter(pk=cast.other.pk).update(name="Changed")
            has_begun.wait(PATIENCE)
            assert may_end.wait(PATIENCE * 10)

    def record_something() -> None:
        with transaction.atomic():
            record(event(kinds.PROJECT_EDITED, at=clock.now(), actor=None, project=cast.other, fields=["name"]))
            has_begun.wait(PATIENCE)
            may_end.wait(0.3)

    threads = [in_thread(change_rows), in_thread(record_something)]
    has_begun.wait(PATIENCE)
    try:
        yield
    finally:
        may_end.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("seed", range(FOLDED_SEEDS))
def test_stream_under_concurrent_verbs_contradicts_itself_nowhere(cast, new_task, seed):
    """Eight clients use all verbs on few tasks; two readers follow meanwhile, and both see what the table has."""
    for _ in range(6):
        new_task()
    start, done = present_cursor(), threading.Event()
    readers = [Reader(start, done) for _ in range(2)]
    with transactions_open_beside(cast):
        outcomes = at_once(*(Mischief(cast, f"fold-{seed}-{n}", FOLDED_VERBS) for n in range(CLIENTS)), seed=seed)
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    done.set()
    for reader in readers:
        reader.thread.join(PATIENCE)
        assert not reader.thread.is_alive()
    table = list(Event.objects.filter(pk__gt=start.id).in_order())
    for reader in readers:
        assert [row.pk for row in reader.events] == [row.pk for row in table]
    assert sum("to" in row.data for row in table) > FOLDED_VERBS
    assert contradictions(table) == []
    for task in Task.objects.all():
        last = [row.data["to"] for row in table if row.task_id == task.pk and "to" in row.data]
        assert task.status == (last[-1] if last else Status.NOT_STARTED)


def test_release_and_claim_at_once_are_recorded_in_the_order_in_which_they_happened(cast, new_task):
    """The claim begins before the release commits, and waits for its lock: it takes its ids after it has it."""
    from tasks.actions import claims, lifecycle
    from tasks.errors import DomainError

    task = new_task()
    for turn in range(10):
        holder, other = (cast.atlas, cast.bert) if turn % 2 else (cast.bert, cast.atlas)
        if Task.objects.get(pk=task.pk).status == Status.NOT_STARTED:
            claims.claim_task(actor=holder.user, task=task)

        def claim(other=other) -> None:
            with contextlib.suppress(DomainError):
                claims.claim_task(actor=other.user, task=task)

        at_once(lambda: lifecycle.release_task(actor=cast.ada.user, task=task), claim, seed=turn)
    events, _ = read_all(Cursor(0), 1000)
    assert contradictions(events) == []
    entries = read_flow(task, cast.ada.user, now=clock.now()).items
    assert [entry.id for entry in entries] == sorted((entry.id for entry in entries), reverse=True)


def test_contradictions_are_found_where_there_are_some():
    def moved(pk: int, source: str, target: str, run: int) -> Event:
        return Event(pk=pk, kind="task.status_changed", task_id=1, data={"from": source, "to": target, "run": run})

    claimed, released = moved(1, "not_started", "in_progress", 1), moved(2, "in_progress", "not_started", 1)
    again = moved(3, "not_started", "in_progress", 2)
    assert contradictions([claimed, released, again]) == []
    assert len(contradictions([claimed, again, released])) == 3
