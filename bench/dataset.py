"""Data to measure on, made by the database itself: a million tasks with all that hangs on them in a few minutes.

Run with ``DATABASE_URL`` set: ``python -m bench.dataset ready --tasks 20000`` or ``… mixed --tasks 1000000``;
prints what a client needs to work with it, as JSON. Everything is a function of the row's number, so two data sets of
different sizes have the same shape.
"""

import argparse
import json
import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection

from tasks.actions.agents import create_token
from tasks.models import Agent, AgentSkill, Label, Membership, Project, Role, Skill

PROJECTS = 10
AGENTS = 100
SKILLS = ("python", "docs", "security", "frontend", "data", "review")
LABELS = 20
YEAR_SECONDS = 365 * 86400

SERIES = {
    "postgresql": "SELECT i FROM generate_series(1, {n}) AS series (i)",
    "sqlite": "WITH RECURSIVE series (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < {n}) "
    "SELECT i FROM series",
}
AGO = {
    "postgresql": "(now() - make_interval(secs => {seconds}))",
    "sqlite": "datetime('now', (-1 * ({seconds})) || ' seconds')",
}
UUID = {"postgresql": "gen_random_uuid()", "sqlite": "lower(hex(randomblob(16)))"}


def ago(seconds: str) -> str:
    """SQL for a time so many seconds (a whole-number expression) in the past; below 0 it lies ahead."""
    return AGO[connection.vendor].format(seconds=seconds)


def dice(row: str, number: int, sides: int) -> str:
    """SQL for a number below ``sides`` that looks random but is the same for the same row and ``number``."""
    return f"((({row} + {number * 1_000_003}) * 2654435761 % 4294967296) / 65536 % {sides})"


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def make_team(projects: int, agents: int, capacity: int) -> tuple[list[Project], list[Agent]]:
    """Projects ``P0``…, agents ``agent-0``… who may work in all of them, and ``root``, a superuser."""
    User.objects.create_superuser("root", password=None)
    made = Project.objects.bulk_create([Project(key=f"P{n}", name=f"Project {n}") for n in range(projects)])
    users = User.objects.bulk_create([User(username=f"agent-{n}", password="!") for n in range(agents)])
    team = Agent.objects.bulk_create(
        [Agent(user=user, slug=user.username, name=user.username.title(), max_concurrent=capacity) for user in users]
    )
    Membership.objects.bulk_create(
        [Membership(project=project, user=user, role=Role.WORKER) for project in made for user in users]
    )
    skills = Skill.objects.bulk_create([Skill(name=name) for name in SKILLS])
    AgentSkill.objects.bulk_create(
        [
            AgentSkill(agent=agent, skill=skill, level=1 + (place + number) % 5)
            for number, agent in enumerate(team)
            for place, skill in enumerate(skills)
            if (place + number) % 2 == 0
        ]
    )
    Label.objects.bulk_create([Label(project=project, name=f"label-{n}") for project in made for n in range(LABELS)])
    return made, team


def tokens_of(agents: list[Agent]) -> list[str]:
    return [create_token(actor=None, agent=agent, name="bench")[1] for agent in agents]


def add_tasks(tasks: int, projects: list[Project], *, ready: bool) -> None:
    """``tasks`` rows: all ready to begin, or in every status as in a project that has run for a year."""
    first, count = projects[0].pk, len(projects)
    status = "'not_started'"
    if not ready:
        status = (
            "CASE WHEN d < 700 THEN 'completed' WHEN d < 740 THEN 'cancelled' WHEN d < 760 THEN 'failed' "
            "WHEN d < 780 THEN 'in_review' WHEN d < 790 THEN 'in_progress' WHEN d < 800 THEN 'waiting' "
            "ELSE 'not_started' END"
        )
    # Spread over a year, the newest some hours old.
    age = f"({YEAR_SECONDS} + 10000 - i * {YEAR_SECONDS // tasks})"
    blocked = "0" if ready else "CASE WHEN d >= 940 THEN 1 ELSE 0 END"
    deferred = "NULL" if ready else f"CASE WHEN d BETWEEN 930 AND 939 THEN {ago('-86400 * (1 + i % 30)')} END"
    due = f"CASE WHEN {dice('i', 3, 10)} < 3 THEN {ago(f'{age} - 86400 * (5 + i % 60)')} END"
    execute(
        f"""
        INSERT INTO tasks_task (project_id, number, title, description, status, priority, parent_id, criteria, due_at,
            start_after, estimate_minutes, review_required, max_attempts, external_id, progress_percent, progress_note,
            progress_at, attempts, lease_losses, run_count, open_blockers, deferred_until, overdue_since, result,
            summary, created_by_id, created_at, updated_at, started_at, completed_at, version)
        SELECT {first} + i % {count}, 1 + i / {count}, 'Task ' || i || ': make the nightly import faster',
            'It reads each row by itself. Measure first, then read in blocks; keep the order of the rows.',
            {status}, CASE WHEN p < 1 THEN 4 WHEN p < 3 THEN 3 WHEN p < 8 THEN 2 ELSE 1 END, NULL, '[]', {due},
            NULL, 60, FALSE, 3, NULL, CASE WHEN d < 700 THEN 100 ELSE 0 END, '',
            NULL, 0, 0, CASE WHEN d < 800 THEN 1 ELSE 0 END, {blocked}, {deferred}, {ago("0")}, NULL,
            CASE WHEN d < 700 THEN 'Reads blocks of 500 rows now.' ELSE '' END, NULL, {ago(age)}, {ago(age)},
            CASE WHEN d < 800 THEN {ago(f"{age} - 600")} END, CASE WHEN d < 700 THEN {ago(f"{age} - 4000")} END, 1
        FROM (SELECT i, {"999" if ready else dice("i", 1, 1000)} AS d, {dice("i", 2, 10)} AS p
              FROM ({SERIES[connection.vendor].format(n=tasks)}) AS numbers) AS rows
        """
    )
    execute(f"UPDATE tasks_project SET last_number = {tasks // count + 1}")


def add_what_hangs_on_them(agents: list[Agent]) -> None:
    """Assignments, runs, dependencies, labels, required skills and events for the rows of ``add_tasks``."""
    first, count = agents[0].pk, len(agents)
    agent = f"{first} + {dice('id', 4, count)}"
    # Two of five waiting tasks have an assignee; whatever was begun has the one who began it.
    assigned = f"status <> 'not_started' OR {dice('id', 5, 5)} < 2"
    ended = "status IN ('completed', 'failed', 'cancelled')"
    execute(
        f"""
        INSERT INTO tasks_assignment (task_id, agent_id, source, assigned_by_id, note, created_at, ended_at, end_reason,
            end_note)
        SELECT id, {agent}, 'manual', NULL, '', created_at, CASE WHEN {ended} THEN updated_at END,
            CASE WHEN {ended} THEN 'closed' ELSE '' END, ''
        FROM tasks_task WHERE {assigned}
        """
    )
    active = "status = 'in_progress'"
    execute(
        f"""
        INSERT INTO tasks_run (id, task_id, agent_id, number, status, started_at, ended_at, lease_seconds,
            lease_expires_at, last_heartbeat_at, last_progress_at, stalled_at, progress_percent, progress_note,
            checkpoint, summary, result, criteria, failure, late_result, late_result_at, adopted_at, input_tokens,
            output_tokens, cost)
        SELECT {UUID[connection.vendor]}, id, {agent}, 1,
            CASE WHEN {active} THEN 'active' WHEN status = 'waiting' THEN 'parked'
                 WHEN status IN ('completed', 'in_review') THEN 'completed' ELSE 'failed' END,
            started_at, CASE WHEN {active} THEN NULL ELSE updated_at END, 14400, {ago("-14400")}, {ago("0")},
            {ago("0")}, NULL, progress_percent, '', '{{}}', summary, NULL, '[]', NULL, NULL, NULL, NULL, 1000, 100, 0.02
        FROM tasks_task WHERE started_at IS NOT NULL AND status <> 'cancelled'
        """
    )
    # A blocked task waits for the nearest earlier one of its project that anyone can begin; three of ten done tasks
    # once waited for one that is done.
    execute(
        f"""
        INSERT INTO tasks_dependency (task_id, depends_on_id, created_at)
        SELECT task_id, other, created_at FROM (
            SELECT task.id AS task_id, task.created_at, (
                SELECT other.id FROM tasks_task AS other
                WHERE other.project_id = task.project_id AND other.id < task.id AND other.open_blockers = 0
                    AND (other.status = 'completed') = (task.status = 'completed')
                    AND other.status IN ('completed', 'not_started')
                ORDER BY other.id DESC LIMIT 1) AS other
            FROM tasks_task AS task
            WHERE task.open_blockers > 0 OR (task.status = 'completed' AND {dice("task.id", 6, 10)} < 3)) AS pairs
        WHERE other IS NOT NULL
        """
    )
    execute(
        "UPDATE tasks_task SET open_blockers = 0 WHERE open_blockers > 0 "
        "AND NOT EXISTS (SELECT 1 FROM tasks_dependency WHERE task_id = tasks_task.id)"
    )
    label = f"(SELECT min(id) FROM tasks_label WHERE project_id = tasks_task.project_id) + {dice('id', 7, LABELS)}"
    execute(
        f"INSERT INTO tasks_task_labels (task_id, label_id) SELECT id, {label} FROM tasks_task "
        f"WHERE {dice('id', 8, 10)} < 3"
    )
    skill = f"(SELECT min(id) FROM tasks_skill) + {dice('id', 9, len(SKILLS))}"
    execute(
        f"INSERT INTO tasks_requiredskill (task_id, skill_id, min_level) SELECT id, {skill}, 1 + {dice('id', 10, 3)} "
        f"FROM tasks_task WHERE {dice('id', 11, 10)} < 3"
    )
    add_events(agent)


def add_events(agent: str) -> None:
    """The life of each task as its events tell it: created, begun, ended."""

    def add(kind: str, at: str, data: str, where: str) -> None:
        execute(
            f"""
            INSERT INTO tasks_event (at, project_id, project_key, task_id, task_ref, run_id, agent_id, agent_slug,
                actor_id, actor_name, kind, data, recipient_id)
            SELECT {at}, project_id, 'P' || (number % 10), id, 'P0-' || number, NULL, {agent}, 'agent-1', NULL, 'root',
                '{kind}', '{data}', NULL
            FROM tasks_task WHERE {where}
            """
        )

    add("task.created", "created_at", "{}", "TRUE")
    begun = '{"from": "not_started", "to": "in_progress", "verb": "claim"}'
    add("task.status_changed", "started_at", begun, "started_at IS NOT NULL")
    done = '{"from": "in_progress", "to": "completed", "verb": "complete"}'
    add("task.status_changed", "completed_at", done, "completed_at IS NOT NULL")


def settle() -> None:
    """Statistics for the planner, and the visibility map, as autovacuum would have left them."""
    execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def make_ready(tasks: int, agents: int) -> dict[str, Any]:
    """One project with ``tasks`` that anyone may take, and ``agents`` with a token each."""
    projects, team = make_team(1, agents, 100)
    add_tasks(tasks, projects, ready=True)
    return {"tokens": tokens_of(team)}


def make_mixed(tasks: int) -> dict[str, Any]:
    """Ten projects and a hundred agents with a year's work behind and before them."""
    projects, team = make_team(PROJECTS, AGENTS, 100)
    add_tasks(tasks, projects, ready=False)
    add_what_hangs_on_them(team)
    # Someone with free hands, who may pull from three projects.
    user = User.objects.create(username="walker", password="!")
    walker = Agent.objects.create(user=user, slug="walker", name="Walker", max_concurrent=10)
    Membership.objects.bulk_create([Membership(project=p, user=user, role=Role.WORKER) for p in projects[:3]])
    AgentSkill.objects.bulk_create(
        [AgentSkill(agent=walker, skill=skill, level=4) for skill in Skill.objects.order_by("pk")[:3]]
    )
    return {"tokens": tokens_of([walker]), "project": projects[0].key}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["ready", "mixed"])
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--agents", type=int, default=8)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    if connection.vendor == "sqlite":
        # Only to build it: nothing is lost when this process dies.
        execute("PRAGMA synchronous=OFF")
    made = make_ready(options.tasks, options.agents) if options.kind == "ready" else make_mixed(options.tasks)
    settle()
    print(json.dumps(made))


if __name__ == "__main__":
    main()
