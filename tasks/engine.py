"""What happens by time: leases end, deferred tasks wake, runs stall, due dates pass, what is past its retention goes.

Any number of engines may run, in any number of processes: each step is a verb that changes a row only if it still is
as it was read. One ``tick`` does what is due; ``run`` ticks about once a second until it is stopped.
"""

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Protocol

from django.db import connection

from taskproject.pruning import Sweeper, retentions
from tasks.actions import passing_time, questions
from tasks.models import Run
from tasks.outage import AWAY, Outage

logger = logging.getLogger(__name__)

TICK_SECONDS = 1.0
#: How long a companion may take to end once the engine does.
COMPANION_SECONDS = 5.0


@dataclass
class Ticked:
    """How many of each kind one tick handled."""

    expired: int = 0
    revoked: int = 0
    undeferred: int = 0
    stalled: int = 0
    due_soon: int = 0
    overdue: int = 0
    unanswered: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


class Companion(Protocol):
    """What another app adds to every engine beside its ticks; like a tick, safe beside others of its kind."""

    name: str

    def catch_up(self) -> int:
        """Do everything that is due now; returns how much that was."""

    def run(self, stop: threading.Event) -> None:
        """Go on until ``stop`` is set, in a thread of its own; waits out outages."""


#: Filled by the project, which knows all apps.
companions: list[Companion] = []


def tick() -> Ticked:
    """Do everything that is due now. Safe beside other engines; raises one of ``AWAY`` if the database is away."""
    passing_time.begin_tick()
    done = Ticked()
    done.expired = _end_all(passing_time.expired_runs, passing_time.expire_run)
    if done.expired:
        passing_time.count_lost_leases(done.expired)
    done.revoked = _end_all(passing_time.unstopped_runs, passing_time.revoke_run)
    while ids := questions.expiring_questions():
        ended = sum(_give_up_on(pk) for pk in ids)
        done.unanswered += ended
        if not ended:
            break
    done.undeferred = _until_few(passing_time.wake_deferred)
    done.stalled = _until_few(passing_time.report_stalled)
    done.due_soon = _until_few(passing_time.report_due_soon)
    done.overdue = _until_few(passing_time.report_overdue)
    return done


def _end_all(due: Callable[[], list[Run]], end: Callable[..., bool]) -> int:
    """End runs batch by batch, until none can be; returns how many."""
    total = 0
    while runs := due():
        ended = sum(_end(run, end) for run in runs)
        total += ended
        if not ended:
            break
    return total


def _end(run: Run, end: Callable[..., bool]) -> bool:
    """End runs one by one: one that fails must not keep all others from ending."""
    try:
        return end(run=run)
    except AWAY:
        raise
    except Exception:
        logger.exception("Run %s of task %s could not be ended; the others are.", run.number, run.task_id)
        return False


def _give_up_on(question: int) -> bool:
    """The same for questions that nobody answered."""
    try:
        return questions.expire_question(question)
    except AWAY:
        raise
    except Exception:
        logger.exception("Question %s could not be ended at its expiry; the others are.", question)
        return False


def _until_few(step: Callable[[], int]) -> int:
    total = 0
    while (count := step()) == passing_time.BATCH:
        total += count
    return total + count


def catch_up() -> dict[str, int]:
    """Let each companion do what is due now; returns how much that was, by name."""
    return {companion.name: companion.catch_up() for companion in companions}


def run(stop: threading.Event, *, report: Callable[[Ticked], None] | None = None) -> None:
    """Tick until ``stop`` is set, with the companions beside; ``report`` is called with what each tick did.

    An outage of the database is logged once and waited out.
    """
    beside = [
        threading.Thread(target=companion.run, args=(stop,), name=companion.name, daemon=True)
        for companion in companions
    ]
    # Make up for an outage before anything ends because of it.
    with contextlib.suppress(*AWAY):
        passing_time.begin_tick()
    for thread in beside:
        thread.start()
    try:
        _tick_until(stop, report)
    finally:
        for thread in beside:
            thread.join(COMPANION_SECONDS)


def _tick_until(stop: threading.Event, report: Callable[[Ticked], None] | None) -> None:
    outage = Outage(logger, "The engine")
    sweeper = Sweeper(retentions)
    while not stop.is_set():
        try:
            done = tick()
            if report is not None:
                report(done)
            sweeper.step()
            outage.end()
        except AWAY as error:
            outage.begin(error)
        except Exception:
            logger.exception("A tick of the engine failed; the engine continues.")
        stop.wait(TICK_SECONDS)
    connection.close()
