"""What must not cost anybody their work: a time in which no server could answer, and a clock that is set back.

**Nobody could answer.** Servers note every ``MARK_SECONDS`` that they can answer (``mark_answering``). While none does,
leases and offers do not end (``ends_before``), whatever the engines do. The first server that can answer again extends,
in the transaction that moves the mark, only what could not be renewed: a lease lasts at least as long as it had left
when the outage began, but no more than half its length; so whoever renews at least twice per lease keeps it, and
whoever died does not keep it for the length of the outage. An engine that was away extends nothing: servers renewed.

**The clock was set back** (``ClockWatch``). What was computed from the later time would come too late: leases, offers,
rests and signs of life are moved back by as much. A clock that is set forward looks like an outage, and is treated so.
"""

import logging
from datetime import datetime, timedelta

from django.db.models import Case, DateTimeField, F, Q, QuerySet, Value, When
from django.db.models.functions import Greatest

from tasks import clock
from tasks.actions.locking import lock_runs
from tasks.actions.transactions import in_transaction
from tasks.models import Agent, AgentToken, Assignment, EngineState, Question, Run, ServerState, Task
from tasks.transitions import Status

logger = logging.getLogger(__name__)

#: How often a server notes that it can answer.
MARK_SECONDS = 2.0
#: A shorter outage needs no repair: the shortest lease is 30 s, and whoever renews it twice has 15 s left.
OUTAGE_AFTER = timedelta(seconds=10)
#: Less is a correction of the clock that nobody needs to notice.
SET_AFTER = timedelta(seconds=5)


def mark_answering() -> timedelta:
    """Note that a server can answer; returns how long none could, zero unless that was an outage.

    Any number of servers may call it; one of them repairs what an outage would cost.
    """
    now = clock.now()
    last = _answering_until()
    if last is None:
        ServerState.objects.get_or_create(pk=1, defaults={"answering_until": now})
        return timedelta(0)
    gap = now - last
    if timedelta(0) <= gap < timedelta(seconds=MARK_SECONDS / 2):
        return timedelta(0)  # another server has just done it
    if gap <= OUTAGE_AFTER:
        ServerState.objects.filter(pk=1, answering_until=last).update(answering_until=now)
        return timedelta(0)
    return gap if _end_outage(last, now) else timedelta(0)


def ends_before(now: datetime) -> datetime:
    """The time up to which leases and offers end: ``now``, but not much later than a server could answer.

    Where no server has ever noted it, such as in a script, that is ``now``.
    """
    last = _answering_until()
    return now if last is None else min(now, last + OUTAGE_AFTER)


def _answering_until() -> datetime | None:
    return ServerState.objects.values_list("answering_until", flat=True).first()


@in_transaction
def _end_outage(last: datetime, now: datetime) -> bool:
    """Move the mark from ``last`` to ``now`` and extend what ran in between; False if another server was faster."""
    if not ServerState.objects.filter(pk=1, answering_until=last).update(answering_until=now):
        return False
    # Whoever renewed later than this needs nothing: there was an answer.
    unheard = Q(last_heartbeat_at__lte=last + OUTAGE_AFTER, lease_expires_at__gt=last)
    leases = _locked(Run.objects.active().filter(unheard))
    lengths = leases.order_by().values_list("lease_seconds", flat=True).distinct()
    kept = 0
    for seconds in [length for length in lengths if length is not None]:
        half = timedelta(seconds=seconds / 2)
        alike = leases.filter(lease_seconds=seconds)
        # In this order: what the second extends must not meet the first.
        kept += alike.filter(lease_expires_at__gte=last + half, lease_expires_at__lt=now + half).update(
            lease_expires_at=now + half
        )
        kept += alike.filter(lease_expires_at__lt=last + half).update(
            lease_expires_at=F("lease_expires_at") + (now - last)
        )
    offers = Assignment.objects.active().filter(accept_by__gt=last)
    kept += offers.filter(created_at__lte=last).update(accept_by=F("accept_by") + (now - last))
    kept += offers.filter(created_at__gt=last).update(accept_by=F("accept_by") + (Value(now) - F("created_at")))
    # Who could not be reached could not answer either.
    questions = Question.objects.open().filter(expired_at__isnull=True, expires_at__gt=last)
    kept += questions.filter(asked_at__lte=last).update(expires_at=F("expires_at") + (now - last))
    kept += questions.filter(asked_at__gt=last).update(expires_at=F("expires_at") + (Value(now) - F("asked_at")))
    if kept:
        away = (now - last).total_seconds()
        logger.warning("No server could answer for %.0f s; %d leases, offers and questions continue.", away, kept)
    return True


def _locked(runs: QuerySet[Run]) -> QuerySet[Run]:
    """The same runs, locked in the order in which every verb locks them."""
    return Run.objects.filter(pk__in=[run.pk for run in lock_runs(runs)])


class ClockWatch:
    """How evenly the database's clock runs, by this process's own clock."""

    def __init__(self) -> None:
        self._seen: datetime | None = None
        self._seen_at = 0.0
        #: Whether the clock was set forward, as far as known: then older rows may be from before that.
        self.was_set_forward = False

    def tick(self, now: datetime, last: datetime) -> timedelta:
        """How far the clock was set back since the last tick of any engine, at ``last``; zero if it was not."""
        seen, seen_at, here = self._seen, self._seen_at, clock.monotonic()
        self._seen, self._seen_at = now, here
        expected = now if seen is None else seen + timedelta(seconds=here - seen_at)
        if now - expected > SET_AFTER:
            self.was_set_forward = True
        # Only what no engine has corrected yet: its tick lies ahead, or was this one's own.
        if last - now > SET_AFTER or (last == seen and expected - now > SET_AFTER):
            return max(last, expected) - now
        return timedelta(0)


watch = ClockWatch()


def set_right(by: timedelta, *, last: datetime, now: datetime) -> None:
    """Move back by ``by`` what was computed from a clock that showed as much more. Within the engine's transaction.

    What lies in the future was written before the clock was set. Older signs of life of a lease were too, unless the
    clock had been set forward in between. Rows of the second in which it was set are left as they are.
    """
    ServerState.objects.filter(answering_until__gt=now).update(answering_until=now)
    Agent.objects.filter(last_seen_at__gt=now).update(last_seen_at=F("last_seen_at") - by)
    AgentToken.objects.filter(last_used_at__gt=now).update(last_used_at=F("last_used_at") - by)
    before = Q(last_heartbeat_at__gt=now)
    if not watch.was_set_forward:
        before |= Q(last_heartbeat_at__lt=last - by)
    runs = _locked(Run.objects.active())
    runs.filter(last_progress_at__gt=now).update(last_progress_at=F("last_progress_at") - by)
    runs.filter(before).update(
        lease_expires_at=F("lease_expires_at") - by, last_heartbeat_at=F("last_heartbeat_at") - by
    )
    rests = Task.objects.filter(status=Status.NOT_STARTED, deferred_until__gt=now, updated_at__gt=now)
    moment = DateTimeField()
    rested = F("deferred_until") - by
    later = Greatest(rested, F("start_after"), output_field=moment)
    rests.filter(Q(start_after__isnull=True) | Q(deferred_until__gt=F("start_after"))).update(
        deferred_until=Case(When(start_after__isnull=True, then=rested), default=later, output_field=moment),
        version=F("version") + 1,
        updated_at=now,
    )
    Assignment.objects.active().filter(accept_by__gt=now, created_at__gt=now).update(
        accept_by=F("accept_by") - by, created_at=F("created_at") - by
    )
    Question.objects.open().filter(expired_at__isnull=True, asked_at__gt=now).update(
        expires_at=F("expires_at") - by, asked_at=F("asked_at") - by
    )
    watch.was_set_forward = False
    logger.warning("The database's clock was set back by %.0f s; leases, offers and rests too.", by.total_seconds())


def last_mark() -> datetime | None:
    """When a server last noted that it can answer; None if none ever has."""
    return _answering_until()


def last_tick() -> datetime | None:
    """When an engine last began a tick; None if none ever has."""
    return EngineState.objects.values_list("last_tick_at", flat=True).first()
