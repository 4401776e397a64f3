"""Facts about the running site, read the same way for ``/readyz``, ``/metrics`` and ``manage.py doctor``.

Each costs the same whatever is stored: nothing here counts further than an index and ``COUNTED`` rows go.
"""

from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count

from messaging.followers import Follower
from messaging.notifications import making as notifications
from messaging.webhooks import making as webhooks
from tasks import clock
from tasks.actions import timekeeping
from tasks.events.settled import settled
from tasks.models import EngineState, Event, Run, Task
from tasks.transitions import Status

#: An engine ticks once a second.
ENGINE_SILENT_AFTER_SECONDS = 15.0
#: Work that an engine should have done this long ago is a problem.
LATE_AFTER_SECONDS = 30.0
#: Transactions of ours end within moments.
HELD_UP_AFTER_SECONDS = 10.0
#: How far ready tasks are counted, and among how many that are not blocked: most of those may be deferred.
COUNTED, LOOKED_AT = 10_000, 50_000

FOLLOWERS: tuple[Follower, ...] = (notifications.follower, webhooks.follower)


def _seconds_since(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else max(0.0, (now - moment).total_seconds())


def engine_silence(now: datetime) -> float | None:
    """Seconds since an engine last began a tick; None if none ever has."""
    last = timekeeping.last_tick()
    return None if last is None else _seconds_since(last, now)


def server_silence(now: datetime) -> float | None:
    """Seconds since a server last noted that it can answer; None if none ever has."""
    last = timekeeping.last_mark()
    return None if last is None else _seconds_since(last, now)


def stream_lag(now: datetime) -> tuple[int, float]:
    """Up to which event the stream is complete, and for how many seconds the next one has waited."""
    place = settled.place()
    waiting = Event.objects.filter(pk__gt=place).order_by("pk").values_list("at", flat=True).first()
    return place, _seconds_since(waiting, now)


def follower_lag(follower: Follower, now: datetime) -> float:
    """For how many seconds the oldest event that it has yet to handle has waited."""
    return _seconds_since(follower.waiting_since(), now)


def missing_migrations() -> list[str]:
    """Migrations of this code that the database does not have, as ``app.name``."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


@dataclass(frozen=True)
class Vitals:
    """What readiness depends on."""

    missing_migrations: tuple[str, ...] = ()
    engine_silence: float | None = None
    stream_lag: float = 0.0
    follower_lags: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """How much there is to do; ``ready`` stops at ``COUNTED``."""

    ready: int = 0
    running: int = 0
    stalled: int = 0
    leases_lost: int = 0


def read_vitals(missing: list[str]) -> Vitals:
    """Read what readiness depends on; without the tables of a missing migration, nothing else can be read."""
    if missing:
        return Vitals(missing_migrations=tuple(missing))
    now = clock.now()
    return Vitals(
        engine_silence=engine_silence(now),
        stream_lag=stream_lag(now)[1],
        follower_lags={follower.name: follower_lag(follower, now) for follower in FOLLOWERS},
    )


def _count_ready(now: datetime) -> int:
    unblocked = Task.objects.filter(status=Status.NOT_STARTED, open_blockers=0).order_by()
    sql, params = unblocked.values("deferred_until", "on_hold")[:LOOKED_AT].query.sql_with_params()
    due = (
        f"SELECT 1 FROM ({sql}) AS unblocked "  # noqa: S608
        "WHERE NOT on_hold AND (deferred_until IS NULL OR deferred_until <= %s) LIMIT %s"
    )
    with connection.cursor() as cursor:
        moment = connection.ops.adapt_datetimefield_value(now)
        cursor.execute(f"SELECT COUNT(*) FROM ({due}) AS ready", [*params, moment, COUNTED])  # noqa: S608
        return int(cursor.fetchone()[0])


def read_work() -> Work:
    running = Run.objects.active().aggregate(count=Count("pk"), stalled=Count("stalled_at"))
    lost = EngineState.objects.values_list("leases_lost", flat=True).first()
    return Work(
        ready=_count_ready(clock.now()), running=running["count"], stalled=running["stalled"], leases_lost=lost or 0
    )
