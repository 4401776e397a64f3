"""The door itself: a WSGI view without a framework, with a connection for each thread and the project's token check."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import psycopg
from psycopg.rows import dict_row

Answer = dict[str, Any]
Row = dict[str, Any]
Connection = psycopg.Connection[Row]
StartResponse = Callable[[str, list[tuple[str, str]]], object]

PRIORITIES = {1: "low", 2: "normal", 3: "high", 4: "urgent"}
_TOKEN = """
    SELECT token.expires_at, token.revoked_at, agent.id, agent.slug, agent.user_id,
        agent.enabled AND auth_user.is_active AS is_open, statement_timestamp() AS now
    FROM tasks_agenttoken AS token JOIN tasks_agent AS agent ON agent.id = token.agent_id
    JOIN auth_user ON auth_user.id = agent.user_id WHERE token.digest = %s
"""


class Caller(NamedTuple):
    agent: int
    slug: str
    user: int


class Project(NamedTuple):
    """The only project of the data."""

    id: int
    key: str
    lease_seconds: int


class Refused(Exception):
    """An answer other than 200; its text is the status."""


class Door:
    """The WSGI application. ``claim`` takes as many tasks as asked for and returns runs; ``complete`` ends runs, given
    by id with their summaries, and returns a task for each.
    """

    def __init__(
        self,
        claim: Callable[[Connection, Project, Caller, int], list[Answer]],
        complete: Callable[[Connection, Project, Caller, Sequence[tuple[str, str]]], list[Answer]],
    ) -> None:
        self._claim = claim
        self._complete = complete
        self._local = threading.local()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        try:
            status, body = "200 OK", orjson.dumps(self._answer(environ))
        except Refused as refused:
            status, body = str(refused), b"{}"
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, environ: dict[str, Any]) -> Answer:
        connection = self._connection()
        caller = self._caller(connection, environ.get("HTTP_AUTHORIZATION", ""))
        body = orjson.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"{}")
        match environ["PATH_INFO"].split("/")[3:]:
            case ["tasks", "claim_next"]:
                runs = self._claim(connection, self._local.project, caller, body.get("limit", 1))
                return {"runs": runs, "reason": None if runs else "no_ready_task", "retry_after_seconds": None}
            case ["runs", "complete_many"]:
                given = [(run["id"], run["summary"]) for run in body["runs"]]
                tasks = self._complete(connection, self._local.project, caller, given)
                return {
                    "results": [
                        {"id": run, "task": task, "unblocked": []} for (run, _), task in zip(given, tasks, strict=True)
                    ]
                }
            case ["runs", run, "complete"]:
                [task] = self._complete(connection, self._local.project, caller, [(run, body["summary"])])
                return {"task": task, "unblocked": []}
        raise Refused("404 Not Found")

    def _connection(self) -> Connection:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, row_factory=dict_row)
            connection.prepare_threshold = 0
            self._local.connection = connection
            project = connection.execute("SELECT id, key, lease_seconds FROM tasks_project").fetchone()
            assert project is not None
            self._local.project = Project(**project)
        return connection

    @staticmethod
    def _caller(connection: Connection, header: str) -> Caller:
        scheme, _, secret = header.partition(" ")
        token = connection.execute(_TOKEN, [hashlib.sha256(secret.encode()).hexdigest()]).fetchone()
        if (
            scheme != "Bearer"
            or token is None
            or token["revoked_at"] is not None
            or (token["expires_at"] is not None and token["expires_at"] <= token["now"])
            or not token["is_open"]
        ):
            raise Refused("401 Unauthorized")
        return Caller(token["id"], token["slug"], token["user_id"])


def as_task(row: Row, caller: Caller, run: Row | None = None) -> Answer:
    """The API's ``Task``, of a row of the table; ``run``: its active run."""
    overdue = run is not None and row["due_at"] is not None and row["due_at"] < row["updated_at"]
    active = None
    if run is not None:
        active = {
            "agent": caller.slug,
            "number": run["run_number"],
            "started_at": in_utc(run["begun_at"]),
            "lease_expires_at": in_utc(run["lease_expires_at"]),
            "last_progress_at": in_utc(run["begun_at"]),
            "is_stalled": False,
            "steps": 0,
            "settled": 0,
        }
    return {
        "ref": row["ref"],
        "project": row["project_key"],
        "title": row["title"],
        "description": row["description"],
        "status": row["status"],
        "priority": PRIORITIES[row["priority"]],
        "labels": [],
        "due_at": in_utc(row["due_at"]),
        "start_after": in_utc(row["start_after"]),
        "on_hold": row["on_hold"],
        "estimate_minutes": row["estimate_minutes"],
        "required_skills": [],
        "assignees": [caller.slug],
        "depends_on": [],
        "blocked_by": [],
        "is_ready": False,
        "is_overdue": overdue,
        "parent": None,
        "criteria": row["criteria"],
        "progress": {
            "percent": row["progress_percent"],
            "note": row["progress_note"],
            "at": in_utc(row["progress_at"]),
        },
        "active_run": active,
        "ready_at": None,
        "last_failure": row["last_failure"],
        "attempts": row["attempts"],
        "max_attempts": row["max_attempts"],
        "review_required": row["review_required"],
        "result": row["result"],
        "summary": row["summary"],
        "created_by": None,
        "external_id": row["external_id"],
        "created_at": in_utc(row["created_at"]),
        "updated_at": in_utc(row["updated_at"]),
        "started_at": in_utc(row["started_at"]),
        "completed_at": in_utc(row["completed_at"]),
        "version": row["version"],
    }


def as_run(run_id: str, row: Row, caller: Caller) -> Answer:
    """The API's ``Run`` of a task just claimed."""
    return {
        "id": run_id,
        "status": "active",
        "lease_expires_at": in_utc(row["lease_expires_at"]),
        "directives": [],
        "unread": 0,
        "task": as_task(row, caller, row),
        "number": row["run_number"],
        "started_at": in_utc(row["begun_at"]),
        "context": {
            "attempts": [],
            "checkpoint": {},
            "answers": [],
            "feedback": [],
            "dependencies": [],
            "thread": [],
        },
    }


def in_utc(moment: datetime | None) -> str | None:
    """A time as the API shows it."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
