"""What ``manage.py doctor`` examines: each examination reports its findings in one sentence each."""

import asyncio
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from channels.layers import get_channel_layer
from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connection
from django.utils import timezone
from limits import parse
from redis.exceptions import RedisError

from taskproject import sqlite
from taskproject.checks import foreign_migrations, made_by_another_version
from taskproject.limiter import RedisLimiter
from taskproject.models import Pruned
from taskproject.pruning import retentions
from taskproject.texts import counted
from taskproject.watch import facts
from tasks import clock
from tasks.actions import timekeeping
from tasks.actions.tasks import recount_blockers, repair_blockers
from tasks.actions.unanswered import recount_questions, repair_questions
from tasks.events.settled import ids_at_a_time
from tasks.history.rebuilding import check, rebuild
from tasks.models import Episode, Run, Task
from tasks.search.keeping import rebuild as rebuild_words
from tasks.transitions import Status

LATE_AFTER = timedelta(seconds=facts.LATE_AFTER_SECONDS)
CHANNEL_SECONDS = 3.0
SHOWN_REFS = 10
#: How many of the newest episodes are compared with their events, and of tasks with the words that are searched.
SAMPLE = 200
#: How far rows past their retention are counted, of each kind; an engine that runs leaves fewer than the latter.
COUNTED, ENOUGH_TO_PRUNE = 100_000, 10_000


class Level(StrEnum):
    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    name: str
    level: Level
    detail: str


def examine(*, fix: bool = False) -> Iterator[Finding]:
    """All findings in turn; ``fix`` corrects wrong counters. Never raises because the database is down."""
    yield from _configuration()
    yield from _guarded("channels", _channels)
    yield from _guarded("limits", _limits)
    answers = False
    for finding in _guarded("database", _database):
        answers = answers or finding.level is Level.OK
        yield finding
    if not answers:
        return
    up_to_date = True
    for finding in _guarded("migrations", _migrations):
        up_to_date = finding.level is Level.OK
        yield finding
    if not up_to_date:
        return
    yield from _guarded("servers", _servers)
    yield from _guarded("engine", _engine)
    yield from _guarded("stream", _stream)
    yield from _guarded("followers", _followers)
    yield from _guarded("counters", lambda: _counters(fix))
    yield from _guarded("history", lambda: _history(fix))
    yield from _guarded("search", lambda: _search(fix))
    yield from _guarded("pruning", _pruning)


def _guarded(name: str, examination: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """An examination that fails is a finding, not a traceback."""
    try:
        yield from examination()
    except Exception as error:
        yield Finding(name, Level.PROBLEM, f"Cannot be examined: {_first_line(error)}.")


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__


def _configuration() -> Iterator[Finding]:
    has_findings = False
    for message in checks.run_checks():
        has_findings = True
        level = Level.PROBLEM if message.level >= checks.WARNING else Level.NOTE
        yield Finding("configuration", level, f"{message.msg} {message.hint or ''}".strip())
    key = settings.DATA_DIR / "secret_key"
    if key.exists() and stat.S_IMODE(key.stat().st_mode) & 0o077:
        has_findings = True
        yield Finding("configuration", Level.PROBLEM, f"Others can read {key}; run `chmod 600 {key}`.")
    if not has_findings:
        yield Finding("configuration", Level.OK, "The system checks found nothing.")


def _database() -> Iterator[Finding]:
    began = time.perf_counter()
    try:
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        yield Finding("database", Level.PROBLEM, f"Cannot be reached: {_first_line(error)}.")
        return
    took = f"answers in {(time.perf_counter() - began) * 1000:.0f} ms"
    if connection.vendor != "sqlite":
        version = ".".join(map(str, connection.get_database_version()))
        yield Finding("database", Level.OK, f"{connection.display_name} {version}, {took}.")
        return
    version = ".".join(map(str, sqlite.library_version()))
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        journal = cursor.fetchone()[0]
    if journal == "wal" and not sqlite.wal_is_safe():
        yield Finding("database", Level.PROBLEM, f"WAL mode, which SQLite {version} can corrupt; see the README.")
        return
    why = "safe since SQLite 3.51.3" if journal == "wal" else "safe"
    yield Finding("database", Level.OK, f"SQLite {version}, journal mode {journal} ({why}), {took}.")


def _migrations() -> Iterator[Finding]:
    if foreign := foreign_migrations():
        yield Finding("migrations", Level.PROBLEM, made_by_another_version(foreign))
        return
    if missing := facts.missing_migrations():
        names = ", ".join(missing[:5])
        more = " and more" if len(missing) > 5 else ""
        yield Finding(
            "migrations", Level.PROBLEM, f"Not applied: {names}{more}; run `python manage.py migrate` or start `up`."
        )
    else:
        yield Finding("migrations", Level.OK, "All applied.")


def _channels() -> Iterator[Finding]:
    name = "Redis" if settings.REDIS_URL else "in memory"
    began = time.perf_counter()
    try:
        asyncio.run(asyncio.wait_for(_round_trip(), CHANNEL_SECONDS))
    except TimeoutError:
        yield Finding("channels", Level.PROBLEM, f"The channel layer ({name}) loses messages or takes over 3 s.")
    except Exception as error:
        yield Finding("channels", Level.PROBLEM, f"The channel layer ({name}) fails: {_first_line(error)}.")
    else:
        took = (time.perf_counter() - began) * 1000
        yield Finding("channels", Level.OK, f"The channel layer ({name}) answers in {took:.0f} ms.")


async def _round_trip() -> None:
    layer = get_channel_layer()
    channel = await layer.new_channel("doctor")
    sent = {"type": "doctor.ping", "value": secrets.token_hex(8)}
    await layer.send(channel, sent)
    received = await layer.receive(channel)
    if received != sent:
        raise RuntimeError("another message came back")
    if close := getattr(layer, "close_pools", None):
        await close()


def _limits() -> Iterator[Finding]:
    """Counting writes, which a Redis that still carries messages may refuse: a replica, or one without memory left."""
    if not settings.REDIS_URL:
        yield Finding("limits", Level.OK, "Each process counts requests alone.")
        return
    try:
        RedisLimiter(settings.REDIS_URL).hit(parse("1000/minute"), "doctor")
    except (RedisError, OSError) as error:
        detail = f"Requests cannot be counted in Redis ({_first_line(error)}); each process counts them alone."
        yield Finding("limits", Level.PROBLEM, detail)
    else:
        yield Finding("limits", Level.OK, "All processes count requests together, in Redis.")


def _servers() -> Iterator[Finding]:
    silence = facts.server_silence(clock.now())
    if silence is None:
        yield Finding("servers", Level.OK, "None has run yet.")
    elif silence > timekeeping.OUTAGE_AFTER.total_seconds():
        detail = f"None has answered for {_rounded(silence)}; leases do not end meanwhile."
        yield Finding("servers", Level.NOTE, detail)
    else:
        yield Finding("servers", Level.OK, f"One was ready {silence:.1f} s ago.")


def _engine() -> Iterator[Finding]:
    now = clock.now()
    silence = facts.engine_silence(now)
    late_runs = Run.objects.expired(timekeeping.ends_before(now) - LATE_AFTER).count()
    late_tasks = Task.objects.filter(status=Status.NOT_STARTED, deferred_until__lt=now - LATE_AFTER).count()
    if late_runs or late_tasks:
        waiting = f"{counted(late_runs, 'expired lease')}, {counted(late_tasks, 'task')} to wake"
        detail = f"Waiting for an engine: {waiting}; start one."
        yield Finding("engine", Level.PROBLEM, detail)
    if silence is None:
        detail = "None has run yet; start one with `python manage.py up` or `python manage.py engine`."
        yield Finding("engine", Level.NOTE, detail)
    elif silence > facts.ENGINE_SILENT_AFTER_SECONDS:
        detail = f"None has run for {_rounded(silence)}; leases do not expire meanwhile."
        yield Finding("engine", Level.NOTE, detail)
    else:
        yield Finding("engine", Level.OK, f"The last tick was {silence:.1f} s ago.")


def _rounded(seconds: float) -> timedelta:
    return timedelta(seconds=round(seconds))


def _stream() -> Iterator[Finding]:
    """Events are read in the order of their ids, up to the first that an open transaction may still bring."""
    if (block := ids_at_a_time()) != 1:
        detail = (
            f"Sessions take event ids {block} at a time, out of order; run ALTER SEQUENCE tasks_event_id_seq CACHE 1."
        )
        yield Finding("stream", Level.PROBLEM, detail)
    place, lag = facts.stream_lag(clock.now())
    if lag < facts.HELD_UP_AFTER_SECONDS:
        yield Finding("stream", Level.OK, f"It is complete up to event {place}.")
        return
    detail = f"Held up for {_rounded(lag)} behind event {place} by a transaction that recorded an event and has not "
    yield Finding("stream", Level.PROBLEM, f"{detail}ended.")


def _followers() -> Iterator[Finding]:
    now = clock.now()
    for follower in facts.FOLLOWERS:
        lag = facts.follower_lag(follower, now)
        if not lag:
            yield Finding("followers", Level.OK, f"The follower of {follower.name} is up to date.")
            continue
        level = Level.PROBLEM if lag > facts.LATE_AFTER_SECONDS else Level.NOTE
        detail = f"The follower of {follower.name} is behind by {_rounded(lag)}; start an engine, or read its log."
        yield Finding("followers", level, detail)


def _counters(fix: bool) -> Iterator[Finding]:
    yield _recounted("counters", "blocker counts", recount_blockers(), repair_blockers if fix else None)
    yield _recounted("questions", "counts of open questions", recount_questions(), repair_questions if fix else None)


def _history(fix: bool) -> Iterator[Finding]:
    newest = sorted(set(Episode.objects.order_by("-pk").values_list("task_id", flat=True)[:SAMPLE]))
    differing = rebuild(newest) if fix else check(newest)
    if not differing:
        examined = counted(len(newest), "task")
        yield Finding("history", Level.OK, f"The history of {examined} that began last is as the events say.")
        return
    first, wrong = differing[0], counted(len(differing), "task")
    detail = f"The history of {wrong} is not what the events say: {first.task}, {first.what}"
    if fix:
        yield Finding("history", Level.NOTE, f"{detail}. Rebuilt; `python manage.py rebuild_history` examines all.")
    else:
        yield Finding("history", Level.PROBLEM, f"{detail}; run `python manage.py rebuild_history`.")


def _search(fix: bool) -> Iterator[Finding]:
    newest = list(Task.objects.order_by("-pk").values_list("pk", flat=True)[:SAMPLE])
    unknown = list(Task.objects.filter(text=None).order_by("pk").values_list("pk", flat=True)[:SAMPLE])
    wrong = rebuild_words(sorted({*newest, *unknown}), write=fix)
    if not wrong:
        yield Finding("search", Level.OK, f"The search knows the words of the newest {counted(len(newest), 'task')}.")
        return
    detail = f"The search does not know the words of {counted(len(wrong), 'task')}, first {wrong[0]}"
    if fix:
        yield Finding("search", Level.NOTE, f"{detail}. Put right; `python manage.py rebuild_search` examines all.")
    else:
        yield Finding("search", Level.PROBLEM, f"{detail}; run `python manage.py rebuild_search`.")


def _pruning() -> Iterator[Finding]:
    last = Pruned.objects.order_by("-at").values_list("at", flat=True).first()
    when = "never" if last is None else f"{_rounded((timezone.now() - last).total_seconds())} ago"
    waiting = {kind.name: len(kind.past().values_list("pk")[:COUNTED]) for kind in retentions}
    total = sum(waiting.values())
    if total < ENOUGH_TO_PRUNE:
        yield Finding("pruning", Level.OK, f"{counted(total, 'row')} past their retention; last pruned {when}.")
        return
    most = max(waiting, key=lambda name: waiting[name])
    shown = f"{waiting[most]:,}{' or more' if waiting[most] == COUNTED else ''} {most}"
    detail = f"Much is past its retention, most of it {shown}; last pruned {when}. Run an engine, or `manage.py prune`."
    yield Finding("pruning", Level.NOTE, detail)


def _recounted(
    name: str, what: str, wrong: dict[str, tuple[int, int]], repair: Callable[[], list[str]] | None
) -> Finding:
    """What a recount found, and ``repair`` corrected."""
    if not wrong:
        return Finding(name, Level.OK, f"The {what} of all open tasks are correct.")
    shown = ", ".join(f"{ref} ({stored}, is {right})" for ref, (stored, right) in list(wrong.items())[:SHOWN_REFS])
    more = f" and {len(wrong) - SHOWN_REFS} more" if len(wrong) > SHOWN_REFS else ""
    if repair is not None:
        corrected = counted(len(repair()), "task")
        return Finding(name, Level.NOTE, f"Corrected the {what} of {corrected}: {shown}{more}.")
    return Finding(name, Level.PROBLEM, f"Wrong {what}: {shown}{more}; run `python manage.py doctor --fix`.")
