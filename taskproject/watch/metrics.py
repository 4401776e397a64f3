"""Metrics in Prometheus' text format. Each process counts for itself; with ``METRICS_DIR`` any of them answers for all.

Labels hold only what this project names itself (routes, methods, statuses, followers), never what a caller sent.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from messaging.stream.hub import hub
from taskproject.watch.readiness import is_fresh
from taskproject.watch.watcher import Reading
from tasks.waiting.work import work_room

CONTENT_TYPE = CONTENT_TYPE_LATEST
#: Calls whose time is measured, by the name of their route.
TIMED = {"api-claim": "claim", "api-claim-next": "claim_next", "api-heartbeat": "heartbeat"}
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_own = CollectorRegistry()
REQUESTS = Counter("taskproject_requests", "Requests answered, by route.", ["method", "route", "status"], registry=_own)
CALL_SECONDS = Histogram(
    "taskproject_call_seconds",
    "Time of an agent's call in the application, without the wait for work.",
    ["call"],
    buckets=BUCKETS,
    registry=_own,
)
DELIVERIES = Counter(
    "taskproject_webhook_attempts", "Attempts to send something to a webhook, by outcome.", ["outcome"], registry=_own
)
STREAMS = Gauge(
    "taskproject_sockets_open", "Open sockets and event streams.", multiprocess_mode="livesum", registry=_own
)
WAITING = Gauge("taskproject_agents_waiting", "Agents that wait for work.", multiprocess_mode="livesum", registry=_own)


def count_request(method: str, route: str, status: int) -> None:
    """``method`` and ``route`` as in ``Notes``."""
    REQUESTS.labels(method, route or "unknown", str(status)).inc()


def time_call(route_name: str, seconds: float) -> None:
    """Count the time of a call if its route is one of ``TIMED``."""
    if (call := TIMED.get(route_name)) is not None:
        CALL_SECONDS.labels(call).observe(seconds)


def count_delivery(outcome: str) -> None:
    """``outcome``: delivered, retried, failed, or overtaken."""
    DELIVERIES.labels(outcome).inc()


def sample() -> None:
    """Take this process's gauges."""
    STREAMS.set(len(hub.followers))
    WAITING.set(len(work_room))


class _OfTheSite(Collector):
    """What the database knows: the same whichever process is asked."""

    def __init__(self, reading: Reading | None) -> None:
        self.reading = reading

    def collect(self) -> Iterator[Metric]:
        reading, fresh = self.reading, is_fresh(self.reading)
        yield GaugeMetricFamily("taskproject_database_up", "Whether the database answers.", value=float(fresh))
        if reading is None or not fresh:
            return
        vitals, work = reading.vitals, reading.work
        if vitals.engine_silence is not None:
            help_text = "Seconds since an engine last began a tick."
            yield GaugeMetricFamily("taskproject_engine_silence_seconds", help_text, value=vitals.engine_silence)
        help_text = "For how long the next event of the stream has waited."
        yield GaugeMetricFamily("taskproject_stream_lag_seconds", help_text, value=vitals.stream_lag)
        lags = GaugeMetricFamily(
            "taskproject_follower_lag_seconds", "For how long a follower's next event has waited.", labels=["follower"]
        )
        for name, lag in vitals.follower_lags.items():
            lags.add_metric([name], lag)
        yield lags
        if work is not None:
            tasks = GaugeMetricFamily(
                "taskproject_tasks",
                "Tasks that are ready (up to 10,000, of the first 50,000 unblocked), run, or stall.",
                labels=["state"],
            )
            for state in ("ready", "running", "stalled"):
                tasks.add_metric([state], getattr(work, state))
            yield tasks
            yield CounterMetricFamily(
                "taskproject_leases_lost", "Runs ended because nobody renewed them.", value=work.leases_lost
            )


def render(reading: Reading | None) -> bytes:
    """All metrics, of all processes that share ``METRICS_DIR``."""
    sample()
    registry = CollectorRegistry()
    if settings.METRICS_DIR:
        _forget_dead_processes(Path(settings.METRICS_DIR))
        MultiProcessCollector(registry, path=settings.METRICS_DIR)
    else:
        registry.register(_Others(_own))
        ProcessCollector(registry=registry)
    registry.register(_OfTheSite(reading))
    return generate_latest(registry)


class _Others(Collector):
    """The metrics of another registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry

    def collect(self) -> Iterator[Metric]:
        yield from self.registry.collect()


def _forget_dead_processes(folder: Path) -> None:
    """A process that was killed holds no socket any more; what it counted still counts."""
    for path in folder.glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        if not pid.isdecimal():
            continue
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            with suppress(OSError):
                mark_process_dead(int(pid), path=str(folder))
        except OSError:
            continue  # another user's process: alive
