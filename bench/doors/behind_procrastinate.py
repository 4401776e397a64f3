"""Yardstick: Procrastinate behind the same bare door, with an event row for each job that is taken and finished.

Jobs are fetched and finished by the queries that Procrastinate itself runs, in one transaction with the event. A job's
arguments hold what the answer shows of a task. ``bench.procrastinate_worker --only-defer`` makes the jobs.
"""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from procrastinate.sql import queries
from psycopg.types.json import Jsonb

from bench.doors.door import PRIORITIES, Answer, Caller, Connection, Door, Project, Row, as_run, as_task

_EVENT = """
    INSERT INTO tasks_event (at, project_id, project_key, task_id, task_ref, run_id, agent_id, agent_slug, actor_id,
        actor_name, kind, data)
    VALUES (now(), %s, %s, %s, %s, %s, %s, %s, %s, %s, 'task.status_changed', %s)
"""
_local = threading.local()


def claim(connection: Connection, project: Project, caller: Caller, limit: int) -> list[Answer]:
    jobs: list[Row] = []
    with connection.transaction():
        known = {"queues": None, "worker_id": _worker(connection)}
        while len(jobs) < limit:
            job = connection.execute(queries["fetch_job"], known).fetchone()
            if job is None or job["id"] is None:
                break
            jobs.append(job)
        facts = {"verb": "claim", "from": "not_started", "to": "in_progress", "source": "pull", "run": 1}
        _record(connection, [_event(project, caller, job["id"], facts) for job in jobs])
    now = datetime.now(UTC)
    lease = timedelta(seconds=project.lease_seconds)
    return [as_run(str(job["id"]), _row(project, job, now, now + lease), caller) for job in jobs]


def complete(
    connection: Connection, project: Project, caller: Caller, given: Sequence[tuple[str, str]]
) -> list[Answer]:
    ids = [int(run) for run, _ in given]
    text = "SELECT id, args, attempts FROM procrastinate_jobs WHERE id = ANY(%s)"
    with connection.transaction():
        jobs = {job["id"]: job for job in connection.execute(text, [ids]).fetchall()}
        events = []
        for run, summary in given:
            job = jobs[int(run)]
            known = {"job_id": job["id"], "status": "succeeded", "delete_job": False}
            connection.execute(queries["finish_job"], known)
            facts = {
                "verb": "complete",
                "from": "in_progress",
                "to": "completed",
                "outcome": "completed",
                "summary": summary,
                "run": 1,
                "priority": PRIORITIES[job["args"]["priority"]],
                "due_at": job["args"]["due_at"],
                "estimate_minutes": job["args"]["estimate_minutes"],
            }
            events.append(_event(project, caller, job["id"], facts))
        _record(connection, events)
    now = datetime.now(UTC)
    done = {"status": "completed", "progress_percent": 100, "progress_at": now, "completed_at": now, "version": 3}
    return [
        as_task({**_row(project, jobs[int(run)], now, now), **done, "summary": summary}, caller)
        for run, summary in given
    ]


def _worker(connection: Connection) -> int:
    """The worker as which this thread takes jobs."""
    known: int | None = getattr(_local, "worker", None)
    if known is None:
        row = connection.execute(queries["register_worker"]).fetchone()
        assert row is not None
        known = _local.worker = int(row["worker_id"])
    return known


def _event(project: Project, caller: Caller, job: int, facts: dict[str, Any]) -> tuple[Any, ...]:
    ref = f"{project.key}-{job}"
    who = (caller.agent, caller.slug, caller.user, caller.slug)
    return (project.id, project.key, job, ref, UUID(int=job), *who, Jsonb(facts))


def _record(connection: Connection, events: list[tuple[Any, ...]]) -> None:
    if len(events) == 1:
        connection.execute(_EVENT, events[0])
    elif events:
        with connection.cursor() as cursor:
            cursor.executemany(_EVENT, events)


def _row(project: Project, job: Row, now: datetime, lease_expires_at: datetime) -> Row:
    """What the answer is made of: the job's arguments, and what the door knows by itself."""
    arguments = job["args"]
    return {
        **arguments,
        "due_at": datetime.fromisoformat(arguments["due_at"]),
        "created_at": datetime.fromisoformat(arguments["created_at"]),
        "ref": f"{project.key}-{job['id']}",
        "project_key": project.key,
        "status": "in_progress",
        "start_after": None,
        "on_hold": False,
        "criteria": [],
        "progress_percent": 0,
        "progress_note": "",
        "progress_at": None,
        "last_failure": None,
        "attempts": job["attempts"],
        "max_attempts": 3,
        "review_required": False,
        "result": None,
        "summary": "",
        "external_id": None,
        "updated_at": now,
        "started_at": now,
        "completed_at": None,
        "version": 2,
        "run_number": 1,
        "begun_at": now,
        "lease_expires_at": lease_expires_at,
    }


application = Door(claim, complete)
