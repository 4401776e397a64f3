"""Yardstick: the rows that our verbs write for a claim and a completion, by one prepared statement each, bare.

One holder per task is kept as ours is: by the lock of the picked row, the conditional update and the unique indexes.
``bench.doors.comparing`` makes sure that the rows are the same.
"""

from collections.abc import Sequence
from typing import LiteralString

from bench.doors.door import Answer, Caller, Connection, Door, Project, as_run, as_task

_TASK: LiteralString = """
    title, description, status, priority, due_at, start_after, on_hold, estimate_minutes, criteria, progress_percent,
    progress_note, progress_at, last_failure, attempts, max_attempts, review_required, result, summary, external_id,
    created_at, updated_at, started_at, completed_at, version
"""

_CLAIM: LiteralString = """
WITH picked AS MATERIALIZED (
    SELECT id FROM tasks_task
    WHERE project_id = %(project)s AND status = 'not_started' AND open_blockers = 0 AND NOT on_hold
        AND (deferred_until IS NULL OR deferred_until <= now())
    ORDER BY priority DESC, due_order, id LIMIT {limit} FOR NO KEY UPDATE SKIP LOCKED
), task AS (
    UPDATE tasks_task AS task SET status = 'in_progress', updated_at = now(), version = version + 1,
        started_at = coalesce(started_at, now()), run_count = run_count + 1, deferred_until = NULL,
        progress_percent = 0, progress_note = '', progress_at = NULL
    FROM picked WHERE task.id = picked.id AND status = 'not_started'
    RETURNING task.*, %(key)s || '-' || number AS ref, gen_random_uuid() AS run_id
), assignment AS (
    INSERT INTO tasks_assignment (task_id, agent_id, source, assigned_by_id, note, created_at, end_reason, end_note)
    SELECT id, %(agent)s, 'pull', %(user)s, '', now(), '', '' FROM task
), run AS (
    INSERT INTO tasks_run (id, task_id, agent_id, number, status, started_at, lease_seconds, lease_expires_at,
        last_heartbeat_at, last_progress_at, has_directives, progress_percent, progress_note, checkpoint, summary,
        criteria, input_tokens, output_tokens, cost)
    SELECT run_id, id, %(agent)s, run_count, 'active', now(), %(lease)s, now() + make_interval(secs => %(lease)s),
        now(), now(), FALSE, 0, '', '{{}}', '', '[]', 0, 0, 0 FROM task
), before AS (
    UPDATE tasks_statusinterval AS before SET ended_at = greatest(began_at, now())
    FROM task WHERE before.task_id = task.id AND before.ended_at IS NULL AND before.status = 'not_started'
    RETURNING before.*
), interval_since AS (
    INSERT INTO tasks_statusinterval (project_id, task_id, task_ref, episode, status, reason, began_at, agent_id,
        version, is_pulled, run_number, outcome, code, input_tokens, output_tokens, cost, verdict, reviewer, priority,
        label_set_id)
    SELECT before.project_id, before.task_id, before.task_ref, before.episode, 'in_progress', '', now(), %(agent)s, '',
        TRUE, task.run_count, '', '', 0, 0, 0, '', '', before.priority, before.label_set_id
    FROM before JOIN task ON task.id = before.task_id
), episode AS (
    UPDATE tasks_episode AS episode SET agent_id = %(agent)s, runs = runs + 1,
        started_at = coalesce(episode.started_at, now()), version = ''
    FROM before WHERE episode.task_id = before.task_id AND episode.number = before.episode
), event AS (
    INSERT INTO tasks_event (at, project_id, project_key, task_id, task_ref, run_id, agent_id, agent_slug, actor_id,
        actor_name, kind, data)
    SELECT now(), project_id, %(key)s, id, ref, run_id, %(agent)s, %(slug)s, %(user)s, %(slug)s,
        'task.status_changed', jsonb_build_object('verb', 'claim', 'from', 'not_started', 'to', 'in_progress',
            'source', 'pull', 'run', run_count) FROM task
)
SELECT {columns}, ref, %(key)s AS project_key, run_id, run_count AS run_number, now() AS begun_at,
    now() + make_interval(secs => %(lease)s) AS lease_expires_at FROM task
"""

_COMPLETE: LiteralString = """
WITH run AS (
    UPDATE tasks_run AS run SET status = 'completed', ended_at = now(), summary = given.summary, result = NULL,
        criteria = '[]', progress_percent = 100, last_heartbeat_at = now(), last_progress_at = now(), stalled_at = NULL
    FROM {given} WHERE run.id = given.id AND run.ended_at IS NULL AND run.agent_id = %(agent)s
    RETURNING run.*
), task AS (
    UPDATE tasks_task AS task SET status = 'completed', updated_at = now(), version = version + 1,
        summary = run.summary, result = NULL, progress_percent = 100, progress_at = now(), last_failure = NULL,
        completed_at = now()
    FROM run WHERE task.id = run.task_id AND task.status = 'in_progress' AND NOT task.review_required
    RETURNING task.*, %(key)s || '-' || task.number AS ref, run.id AS run_id, run.number AS run_number
), assignment AS (
    UPDATE tasks_assignment AS assignment SET ended_at = now(), end_reason = 'closed'
    FROM task WHERE assignment.task_id = task.id AND assignment.ended_at IS NULL
), before AS (
    UPDATE tasks_statusinterval AS before SET ended_at = greatest(began_at, now()), outcome = 'completed',
        input_tokens = 0, output_tokens = 0, cost = 0, priority = task.priority
    FROM task WHERE before.task_id = task.id AND before.ended_at IS NULL AND before.status = 'in_progress'
    RETURNING before.task_id, before.episode, before.began_at, before.ended_at
), episode AS (
    UPDATE tasks_episode AS episode SET agent_id = %(agent)s, credit = 'agent', due_at = task.due_at,
        "end" = 'completed', ended_at = now(), ended_from = 'here', estimate_minutes = task.estimate_minutes,
        is_imported = FALSE, priority = task.priority,
        worked_seconds = worked_seconds + extract(epoch FROM before.ended_at - before.began_at)
    FROM before JOIN task ON task.id = before.task_id
    WHERE episode.task_id = before.task_id AND episode.number = before.episode
), event AS (
    INSERT INTO tasks_event (at, project_id, project_key, task_id, task_ref, run_id, agent_id, agent_slug, actor_id,
        actor_name, kind, data)
    SELECT now(), project_id, %(key)s, id, ref, run_id, %(agent)s, %(slug)s, %(user)s, %(slug)s, 'task.status_changed',
        jsonb_strip_nulls(jsonb_build_object('verb', 'complete', 'from', 'in_progress', 'to', 'completed',
            'outcome', 'completed', 'summary', summary, 'run', run_number,
            'priority', CASE priority WHEN 1 THEN 'low' WHEN 2 THEN 'normal' WHEN 3 THEN 'high' ELSE 'urgent' END,
            'due_at', to_char(due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
            'estimate_minutes', estimate_minutes)) FROM task
)
SELECT {columns}, ref, %(key)s AS project_key, run_id FROM task
"""
_COMPLETE_ONE = _COMPLETE.format(
    given="(SELECT %(run)s::uuid AS id, %(summary)s::text AS summary) AS given", columns=_TASK
)
_COMPLETE_MANY = _COMPLETE.format(
    given="unnest(%(runs)s::uuid[], %(summaries)s::text[]) AS given (id, summary)", columns=_TASK
)
#: A plan for any number of tasks would not trust the index; each number has a text of its own.
_CLAIMS: dict[int, LiteralString] = {}


def claim(connection: Connection, project: Project, caller: Caller, limit: int) -> list[Answer]:
    text = _CLAIMS.setdefault(limit, _CLAIM.replace("{limit}", str(int(limit))).format(columns=_TASK))
    rows = connection.execute(text, _known(project, caller) | {"lease": project.lease_seconds}).fetchall()
    return [as_run(str(row["run_id"]), row, caller) for row in rows]


def complete(
    connection: Connection, project: Project, caller: Caller, given: Sequence[tuple[str, str]]
) -> list[Answer]:
    known = _known(project, caller)
    if len(given) == 1:
        [(run, summary)] = given
        rows = connection.execute(_COMPLETE_ONE, known | {"run": run, "summary": summary}).fetchall()
    else:
        runs, summaries = [run for run, _ in given], [summary for _, summary in given]
        rows = connection.execute(_COMPLETE_MANY, known | {"runs": runs, "summaries": summaries}).fetchall()
    by_run = {str(row["run_id"]): row for row in rows}
    return [as_task(by_run[run], caller) for run, _ in given]


def _known(project: Project, caller: Caller) -> dict[str, object]:
    return {
        "project": project.id,
        "key": project.key,
        "agent": caller.agent,
        "slug": caller.slug,
        "user": caller.user,
    }


application = Door(claim, complete)
