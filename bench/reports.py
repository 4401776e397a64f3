"""Predefined reports over many tasks with their events, against hand-written SQL for the same numbers.

    DATA_DIR=data/bench python bench/reports.py 1000000

seeds the database of the settings (which must hold no tasks, or those of an earlier run) and prints, per report, both
times and their ratio. The target is at most 1.5 with 1,000,000 tasks.
"""

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")

import django

django.setup()  # before the models below can be imported

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, models, transaction
from django.http import QueryDict
from tqdm import tqdm

from reports.exports import answer
from reports.parameters import read_question
from reports.predefined import REPORTS
from tasks.models import Agent, Assignment, Event, Membership, Project, Role, Run, RunStatus, Task
from tasks.transitions import Status

START = datetime(2025, 1, 1, tzinfo=UTC)
#: What the events of a claim and of a completion say.
BEGUN = '{"verb": "claim", "from": "not_started", "to": "in_progress", "run": 1, "source": "pull"}'
DONE = (
    '{"verb": "complete", "from": "in_progress", "to": "completed",'
    ' "run": 1, "outcome": "completed", "summary": "done"}'
)
YEAR, NOW = 365 * 86_400, START + timedelta(days=400)
AGENTS = 40
QUERY = "project=BENCH&from=2025-01-01&to=2026-01-01&bucket={bucket}&tz=Europe/Berlin"
IS_POSTGRESQL = connection.vendor == "postgresql"


def copies(model: type[models.Model], template: models.Model, rows: str, **changed: str) -> str:
    """SQL that inserts a copy of ``template`` per row of ``rows``, with these columns as SQL expressions of it."""
    fields = [field for field in model._meta.concrete_fields if not field.generated and field.column not in ("id",)]
    if "id" in changed:
        fields.insert(0, model._meta.pk)
    columns = [field.column for field in fields]
    values = [changed.get(column, f't."{column}"') for column in columns]
    names = ", ".join(f'"{column}"' for column in columns)
    table = model._meta.db_table
    return f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} FROM ({rows}) s, {table} t WHERE t.id = %s"


def moment(seconds: str) -> str:
    """``START`` plus ``seconds`` (an SQL expression), as both databases store times."""
    if IS_POSTGRESQL:
        return f"(TIMESTAMPTZ '{START.isoformat()}' + ({seconds}) * INTERVAL '1 second')"
    return f"STRFTIME('%%Y-%%m-%%d %%H:%%M:%%S', {int(START.timestamp())} + ({seconds}), 'unixepoch')"


def seed(count: int) -> None:
    """``count`` tasks over a year, 90 % of them completed: three events and a run each; written in pure SQL."""
    user = User.objects.create_superuser("bench")
    project = Project.objects.create(key="BENCH", name="Benchmark", last_number=count)
    agents = []
    for index in range(AGENTS):
        agent_user = User.objects.create_user(f"agent-{index}")
        agents.append(Agent.objects.create(user=agent_user, slug=f"agent-{index}", name=f"Agent {index}"))
        Membership.objects.create(project=project, user=agent_user, role=Role.WORKER)
    task = Task.objects.create(
        project=project, number=0, title="A task", created_at=START, updated_at=START, created_by=user
    )
    run = Run.objects.create(
        task=task, agent=agents[0], number=1, status=RunStatus.COMPLETED, started_at=START, ended_at=START,
        last_heartbeat_at=START, last_progress_at=START, summary="done",
    )  # fmt: skip
    event = Event.objects.create(
        project=project, project_key="BENCH", at=START, kind="seed", task=task, task_ref="BENCH-0"
    )
    assignment = Assignment.objects.create(task=task, agent=agents[0], created_at=START)
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n"
    created = f"CAST(i AS BIGINT) * {YEAR - 200_000} / {count}"
    started = f"{created} + (CAST(i AS BIGINT) * 7919) %% 86400"
    ended = f"{started} + 60 + (CAST(i AS BIGINT) * 104729) %% 36000"
    done = "(i %% 10 <> 0)"
    agent = f"{agents[0].pk} + (i %% 1000) * (i %% 1000) * {AGENTS} / 1000000"
    base = f"SELECT id, number AS i FROM tasks_task WHERE number > 0 AND project_id = {project.pk}"
    uuid = "gen_random_uuid()" if IS_POSTGRESQL else "LOWER(HEX(RANDOMBLOB(16)))"
    moves = {
        "task.created": (created, '{"title": "A task"}', True),
        "task.status_changed": (started, BEGUN, False),
        "task.status_changed ": (ended, DONE, False),
    }
    steps: list[tuple[str, int | Any]] = [
        (
            copies(
                Task,
                task,
                numbers,
                number="i",
                created_at=moment(created),
                updated_at=moment(created),
                status=f"CASE WHEN {done} THEN 'completed' ELSE 'not_started' END",
                started_at=f"CASE WHEN {done} THEN {moment(started)} END",
                completed_at=f"CASE WHEN {done} THEN {moment(ended)} END",
            ),
            task.pk,
        ),
        (
            copies(
                Run,
                run,
                f"{base} AND {done.replace('i ', 'number ')}",
                id=uuid,
                task_id="s.id",
                agent_id=agent,
                status="CASE i %% 50 WHEN 1 THEN 'failed' WHEN 2 THEN 'expired' ELSE 'completed' END",
                started_at=moment(started),
                ended_at=moment(ended),
            ),
            run.pk if IS_POSTGRESQL else run.pk.hex,
        ),
        (
            copies(Assignment, assignment, f"{base} AND number %% 20 = 0", task_id="s.id", agent_id=agent),
            assignment.pk,
        ),
    ]
    for kind, (at, data, for_all) in moves.items():
        rows = base if for_all else f"{base} AND {done.replace('i ', 'number ')}"
        as_json = f"'{data}'::jsonb" if IS_POSTGRESQL else f"'{data}'"
        sql = copies(
            Event, event, rows, kind=f"'{kind.strip()}'", at=moment(at), task_id="s.id", data=as_json,
            task_ref="'BENCH-' || i", agent_id=agent, agent_slug="'agent'",
        )  # fmt: skip
        steps.append((sql, event.pk))
    with connection.cursor() as cursor:
        for sql, template in tqdm(steps, desc="seed", unit="step"):
            with transaction.atomic():
                cursor.execute(sql, [template])
        cursor.execute("VACUUM ANALYZE" if IS_POSTGRESQL else "ANALYZE")


def completed_by_hand(bucket: str) -> str:
    local = "DATE_TRUNC(%s, at AT TIME ZONE 'Europe/Berlin')" if IS_POSTGRESQL else day(bucket, "at")
    word = "data ->> 'to'" if IS_POSTGRESQL else "JSON_EXTRACT(data, '$.to')"
    return f"""
        SELECT {local.replace("%s", f"'{bucket}'")} AS b, COUNT(*) FROM tasks_event
        WHERE project_id = (SELECT id FROM tasks_project WHERE key = 'BENCH') AND kind = 'task.status_changed'
          AND at >= '2024-12-31 23:00:00' AND at < '2025-12-31 23:00:00' AND {word} = 'completed'
        GROUP BY 1 ORDER BY 1"""


def day(bucket: str, column: str) -> str:
    """What a SQLite user would group by; in UTC, since SQLite knows no time zones."""
    forms = {"day": "%Y-%m-%d", "week": "%Y-%W", "month": "%Y-%m"}
    return f"STRFTIME('{forms[bucket]}', {column})"


def time_to_complete_by_hand(bucket: str) -> str:
    where = """
        WHERE project_id = (SELECT id FROM tasks_project WHERE key = 'BENCH')
          AND completed_at >= '2024-12-31 23:00:00' AND completed_at < '2025-12-31 23:00:00'"""
    if IS_POSTGRESQL:
        measures = ", ".join(
            f"COUNT({c}), AVG({c}), PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY {c}),"
            f" PERCENTILE_CONT(0.85) WITHIN GROUP (ORDER BY {c}), PERCENTILE_CONT(0.95) WITHIN GROUP (ORDER BY {c})"
            for c in ("lead", "cycle")
        )
        return f"""
            SELECT b, {measures} FROM (
              SELECT DATE_TRUNC('{bucket}', completed_at AT TIME ZONE 'Europe/Berlin') AS b,
                EXTRACT(EPOCH FROM completed_at - created_at)::float8 AS lead,
                EXTRACT(EPOCH FROM completed_at - started_at)::float8 AS cycle
              FROM tasks_task {where}) f
            GROUP BY ROLLUP (b) ORDER BY b"""
    parts = []
    for column in ("lead", "cycle"):
        for key, partition in (("b", "PARTITION BY b"), ("'all'", "")):
            picks = ", ".join(
                f"MAX(CASE WHEN r = CAST({p} * (n - 1) AS INT) THEN v END)"
                f" + ({p} * (n - 1) - CAST({p} * (n - 1) AS INT)) * (MAX(CASE WHEN r = MIN(n - 1,"
                f" CAST({p} * (n - 1) AS INT) + 1) THEN v END) - MAX(CASE WHEN r = CAST({p} * (n - 1) AS INT)"
                " THEN v END))"
                for p in (0.5, 0.85, 0.95)
            )
            parts.append(f"""
                SELECT '{column}', {key}, n, AVG(v), {picks} FROM (
                  SELECT b, {column} AS v, ROW_NUMBER() OVER ({partition} ORDER BY {column}) - 1 AS r,
                    COUNT(*) OVER ({partition}) AS n
                  FROM f WHERE {column} IS NOT NULL) GROUP BY {key}""")
    return f"""
        WITH f AS MATERIALIZED (
          SELECT {day(bucket, "completed_at")} AS b,
            ROUND((JULIANDAY(completed_at) - JULIANDAY(created_at)) * 86400, 3) AS lead,
            ROUND((JULIANDAY(completed_at) - JULIANDAY(started_at)) * 86400, 3) AS cycle
          FROM tasks_task {where})
        {" UNION ALL ".join(parts)}"""


def workload_by_hand(bucket: str) -> str:
    word = "data ->> 'to'" if IS_POSTGRESQL else "JSON_EXTRACT(data, '$.to')"
    worked = (
        "EXTRACT(EPOCH FROM LEAST(r.ended_at, '2025-12-31 23:00:00') - GREATEST(r.started_at, '2024-12-31 23:00:00'))"
        if IS_POSTGRESQL
        else "(JULIANDAY(MIN(r.ended_at, '2025-12-31 23:00:00')) - JULIANDAY(MAX(r.started_at, '2024-12-31 23:00:00')))"
        " * 86400"
    )
    project = "project_id = (SELECT id FROM tasks_project WHERE key = 'BENCH')"
    return f"""
        SELECT agent_id, 1 AS what, CAST(COUNT(*) AS REAL), 0, 0 FROM tasks_event
        WHERE {project} AND kind = 'task.status_changed' AND {word} = 'completed'
          AND at >= '2024-12-31 23:00:00' AND at < '2025-12-31 23:00:00' GROUP BY 1
        UNION ALL
        SELECT r.agent_id, 2, SUM({worked}), COUNT(CASE WHEN r.status = 'failed' THEN 1 END),
          COUNT(CASE WHEN r.status = 'expired' THEN 1 END)
        FROM tasks_run r JOIN tasks_task k ON k.id = r.task_id
        WHERE k.{project} AND r.started_at < '2025-12-31 23:00:00' AND r.ended_at > '2024-12-31 23:00:00' GROUP BY 1
        UNION ALL
        SELECT r.agent_id, 3, COUNT(*), 0, 0 FROM tasks_run r JOIN tasks_task k ON k.id = r.task_id
        WHERE k.{project} AND r.ended_at IS NULL GROUP BY 1
        UNION ALL
        SELECT a.agent_id, 4, COUNT(*), 0, 0 FROM tasks_assignment a JOIN tasks_task k ON k.id = a.task_id
        WHERE k.{project} AND a.ended_at IS NULL AND k.status = 'not_started' GROUP BY 1
        UNION ALL
        SELECT NULL, 5, COUNT(*), 0, 0 FROM tasks_task k
        WHERE k.{project} AND k.status = 'not_started'
          AND NOT EXISTS (SELECT 1 FROM tasks_assignment a WHERE a.task_id = k.id AND a.ended_at IS NULL)"""


BY_HAND: dict[str, Callable[[str], str]] = {
    "completed": completed_by_hand,
    "time_to_complete": time_to_complete_by_hand,
    "workload": workload_by_hand,
}


def seconds(work: Callable[[], Any]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def measure(slug: str, bucket: str, times: int) -> tuple[float, float]:
    """The shortest of ``times`` alternating runs of each: interference only ever makes a run longer."""
    user = User.objects.get(username="bench")

    def ours() -> None:
        question = read_question(QueryDict(QUERY.format(bucket=bucket)), user=user, now=NOW)
        answer(REPORTS[slug], question.scope, question.period, now=NOW)

    def by_hand() -> None:
        with connection.cursor() as cursor:
            cursor.execute(BY_HAND[slug](bucket))
            cursor.fetchall()

    seconds(by_hand)
    both = [(seconds(ours), seconds(by_hand)) for _ in range(times)]
    return min(mine for mine, _ in both), min(other for _, other in both)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", type=int, nargs="?", default=100_000, help="how many tasks to seed (100000)")
    parser.add_argument("--times", type=int, default=5, help="runs of each, of which the shortest counts (5)")
    given = parser.parse_args()
    call_command("migrate", verbosity=0)
    if not Project.objects.filter(key="BENCH").exists():
        seed(given.tasks)
    tasks, events = Task.objects.filter(status=Status.COMPLETED).count(), Event.objects.count()
    print(f"{connection.vendor}: {tasks:,} completed tasks, {events:,} events; best of {given.times} alternating runs")
    print(f"{'report':<18}{'bucket':<8}{'ours':>10}{'by hand':>10}{'ratio':>8}")
    for slug in BY_HAND:
        for bucket in ("day", "week", "month") if slug != "workload" else ("week",):
            ours, by_hand = measure(slug, bucket, given.times)
            print(f"{slug:<18}{bucket:<8}{ours:>8.2f} s{by_hand:>8.2f} s{ours / by_hand:>8.2f}")


if __name__ == "__main__":
    main()
