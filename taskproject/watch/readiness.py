"""Whether this process is ready to serve, and what is not. Public, so it names no host, no error and no data."""

import time
from dataclasses import dataclass
from typing import Any

from taskproject.watch import facts
from taskproject.watch.watcher import Reading

#: An older reading says that the database does not answer.
FRESH_SECONDS = 6.0


@dataclass(frozen=True)
class Check:
    name: str
    ok: bool
    detail: str


def is_fresh(reading: Reading | None) -> bool:
    return reading is not None and time.monotonic() - reading.at < FRESH_SECONDS


def checks_of(reading: Reading | None) -> list[Check]:
    """What was examined, in this order; what could not be examined is left out."""
    if reading is None or not is_fresh(reading):
        return [Check("database", False, "The database does not answer.")]
    checks, vitals = [Check("database", True, "It answers.")], reading.vitals
    if vitals.missing_migrations:
        return [*checks, Check("migrations", False, "Migrations are missing; run `python manage.py migrate`.")]
    return [*checks, Check("migrations", True, "All applied."), _engine(vitals), _stream(vitals), _followers(vitals)]


def _engine(vitals: facts.Vitals) -> Check:
    silence = vitals.engine_silence
    if silence is None:
        return Check("engine", False, "No engine has run yet; start one.")
    if silence > facts.ENGINE_SILENT_AFTER_SECONDS:
        return Check("engine", False, f"No engine has run for {silence:.0f} s; start one.")
    return Check("engine", True, f"The last tick was {silence:.1f} s ago.")


def _stream(vitals: facts.Vitals) -> Check:
    if vitals.stream_lag > facts.HELD_UP_AFTER_SECONDS:
        detail = f"Held up for {vitals.stream_lag:.0f} s by a transaction that has not ended."
        return Check("stream", False, detail)
    return Check("stream", True, "Up to date.")


def _followers(vitals: facts.Vitals) -> Check:
    late = {name: lag for name, lag in vitals.follower_lags.items() if lag > facts.LATE_AFTER_SECONDS}
    if late:
        behind = ", ".join(f"{name} by {lag:.0f} s" for name, lag in late.items())
        return Check("followers", False, f"Behind: {behind}.")
    return Check("followers", True, "Up to date.")


def answer_of(reading: Reading | None) -> tuple[int, dict[str, Any]]:
    """The HTTP status and the body: 200, or 503 with the names of what is not ready."""
    checks = checks_of(reading)
    failed = [check.name for check in checks if not check.ok]
    body = {
        "ready": not failed,
        "not_ready": failed,
        "checks": {check.name: {"ok": check.ok, "detail": check.detail} for check in checks},
    }
    return (503 if failed else 200), body
