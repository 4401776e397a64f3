"""The past of generated tasks: their runs, their events, and the history that ``rebuild_history`` makes of these."""

from dataclasses import dataclass

from bench.statements import (
    ago,
    as_json,
    dice,
    document,
    execute,
    fill,
    later,
    moment_as_json,
    seconds_between,
    uuid,
)
from tasks.history.facts import PRIORITIES
from tasks.history.labels import digest_of
from tasks.models import Agent, Label, LabelOfSet, LabelSet

CLOSED = "status IN ('completed', 'failed', 'cancelled')"
#: One of twenty completed tasks failed at first, and another one was reviewed.
RETRIED, REVIEWED = "is_retried = 1", "is_reviewed = 1"
INPUT_TOKENS, OUTPUT_TOKENS = 1000, 100
#: What made a run fail, how it ends in the end, and by which verb.
_CODE = "'timeout'"
_OUTCOME = (
    "CASE status WHEN 'in_progress' THEN '' WHEN 'waiting' THEN 'parked' WHEN 'failed' THEN 'failed' "
    "WHEN 'cancelled' THEN 'cancelled' ELSE 'completed' END"
)
_VERB = (
    "CASE status WHEN 'waiting' THEN 'ask' WHEN 'failed' THEN 'fail' WHEN 'cancelled' THEN 'cancel' ELSE 'complete' END"
)
_LABEL = (
    "(SELECT label.name FROM tasks_task_labels AS has JOIN tasks_label AS label ON label.id = has.label_id "
    "WHERE has.task_id = past.id)"
)
#: A task has one label or none, and the set of one is that with this name.
_LABEL_SET = (
    "(SELECT each.label_set_id FROM tasks_labelofset AS each "
    "JOIN tasks_labelset AS kept ON kept.id = each.label_set_id "
    f"WHERE kept.project_id = past.project_id AND each.name = {_LABEL})"
)
_WAITS_FOR = (
    "CASE WHEN started_at IS NOT NULL THEN 'no_agent' WHEN open_blockers > 0 THEN 'dependency' "
    "WHEN deferred_until IS NOT NULL THEN 'deferred' ELSE 'no_agent' END"
)


@dataclass(frozen=True)
class Stretch:
    """A time that the tasks ``where`` spent in one status; all but ``run`` are SQL over ``_past``."""

    where: str
    status: str
    began: str
    ended: str
    reason: str = "''"
    run: int | None = None
    outcome: str = "''"
    code: str = "''"


def _stretches() -> list[Stretch]:
    failed, again = later("started_at", 60), later("started_at", 90)
    code = f"CASE WHEN status = 'failed' THEN {_CODE} ELSE '' END"
    return [
        Stretch("TRUE", "not_started", "created_at", "started_at", _WAITS_FOR),
        Stretch(RETRIED, "in_progress", "started_at", failed, run=1, outcome="'failed'", code=_CODE),
        Stretch(RETRIED, "not_started", failed, again, "'deferred'"),
        Stretch(RETRIED, "in_progress", again, "left_at", run=2, outcome=_OUTCOME),
        Stretch(
            f"started_at IS NOT NULL AND NOT {RETRIED}", "in_progress", "started_at", "left_at",
            run=1, outcome=_OUTCOME, code=code,
        ),
        Stretch(f"status = 'in_review' OR {REVIEWED}", "in_review", "left_at", "completed_at", "'review'"),
        Stretch("status = 'waiting'", "waiting", "left_at", "NULL", "'answer'"),
    ]  # fmt: skip


def _past(agents: list[Agent], where: str) -> str:
    """What the past of the tasks ``where`` is told from, as a table: who worked, how it went, and what it cost."""
    done = "status = 'completed'"
    left = f"CASE WHEN {REVIEWED} THEN {later('completed_at', -30)} WHEN status <> 'in_progress' THEN updated_at END"
    return f"""(
        SELECT *, CASE WHEN started_at IS NOT NULL THEN {left} END AS left_at FROM (
            SELECT task.*, project.key AS project_key, project.key || '-' || task.number AS ref,
                {agents[0].pk} + {dice("task.id", 4, len(agents))} AS agent,
                'agent-' || {dice("task.id", 4, len(agents))} AS slug,
                'v' || (1 + {dice("task.id", 15, 3)}) AS agent_version,
                '0.' || (10 + {dice("task.id", 16, 90)}) AS spent,
                CASE WHEN {done} AND {dice("task.id", 14, 20)} = 0 THEN 1 ELSE 0 END AS is_retried,
                CASE WHEN {done} AND {dice("task.id", 14, 20)} = 1 THEN 1 ELSE 0 END AS is_reviewed
            FROM tasks_task AS task JOIN tasks_project AS project ON project.id = task.project_id) AS told
        ) AS past WHERE {where}"""


def add_history(agents: list[Agent]) -> None:
    """Runs, events, intervals and episodes for all tasks, none of which may have any yet.

    Who worked on a task is ``agents[dice(id, 4, …)]``, as in its assignment.
    """
    _add_label_sets()
    for stretch in _stretches():
        _add_interval(stretch, agents)
        if stretch.run is not None:
            _add_run(stretch, agents)
    execute("UPDATE tasks_task SET run_count = 2 WHERE id IN (SELECT task_id FROM tasks_run WHERE number = 2)")
    _add_episodes(agents)
    _add_events(agents)


def _add_label_sets() -> None:
    """A set for each label."""
    labels = list(Label.objects.order_by("pk"))
    sets = LabelSet.objects.bulk_create(
        [LabelSet(project_id=each.project_id, digest=digest_of([each.name])) for each in labels]
    )
    LabelOfSet.objects.bulk_create(
        [LabelOfSet(label_set=kept, name=each.name) for kept, each in zip(sets, labels, strict=True)]
    )


def _add_interval(stretch: Stretch, agents: list[Agent]) -> None:
    is_run, has_ended = stretch.run is not None, f"({stretch.ended}) IS NOT NULL"
    reviewed = REVIEWED if stretch.status == "in_review" else "FALSE"

    def used(what: object) -> str:
        return f"CASE WHEN {has_ended} THEN {what} ELSE 0 END" if is_run else "0"

    fill(
        "tasks_statusinterval",
        _past(agents, stretch.where),
        project_id="project_id",
        task_id="id",
        task_ref="ref",
        episode=1,
        status=f"'{stretch.status}'",
        reason=stretch.reason,
        began_at=stretch.began,
        ended_at=stretch.ended,
        agent_id="NULL" if stretch.status == "not_started" else "agent",
        version="agent_version" if is_run else "''",
        is_pulled="FALSE",
        run_number=stretch.run if is_run else "NULL",
        outcome=stretch.outcome,
        code=stretch.code,
        input_tokens=used(INPUT_TOKENS),
        output_tokens=used(OUTPUT_TOKENS),
        cost=used("CAST(spent AS NUMERIC)"),
        verdict=f"CASE WHEN {reviewed} THEN 'approved' ELSE '' END",
        reviewer=f"CASE WHEN {reviewed} THEN 'root' ELSE '' END",
        priority="priority",
        label_set_id=_LABEL_SET,
    )


def _add_run(stretch: Stretch, agents: list[Agent]) -> None:
    fill(
        "tasks_run",
        _past(agents, stretch.where),
        id=uuid(),
        task_id="id",
        agent_id="agent",
        number=stretch.run,
        status=f"coalesce(nullif({stretch.outcome}, ''), 'active')",
        started_at=stretch.began,
        ended_at=stretch.ended,
        lease_seconds=14400,
        lease_expires_at=ago("-14400"),
        last_heartbeat_at=ago("0"),
        last_progress_at=ago("0"),
        stalled_at="NULL",
        progress_percent="progress_percent",
        progress_note="''",
        checkpoint="'{}'",
        summary="summary",
        result="NULL",
        criteria="'[]'",
        failure="NULL",
        late_result="NULL",
        late_result_at="NULL",
        adopted_at="NULL",
        input_tokens=INPUT_TOKENS,
        output_tokens=OUTPUT_TOKENS,
        cost="CAST(spent AS NUMERIC)",
    )


def _add_episodes(agents: list[Agent]) -> None:
    started = "started_at IS NOT NULL"
    ended_runs = "(CASE WHEN left_at IS NOT NULL THEN 1 ELSE 0 END + is_retried)"
    fill(
        "tasks_episode",
        _past(agents, "TRUE"),
        project_id="project_id",
        task_id="id",
        task_ref="ref",
        number=1,
        is_reopened="FALSE",
        entered_at="created_at",
        entered_from="'here'",
        started_at="started_at",
        ended_at=f"CASE WHEN {CLOSED} THEN updated_at END",
        ended_from=f"CASE WHEN {CLOSED} THEN 'here' ELSE '' END",
        # An episode's ends are called like the statuses.
        **{'"end"': f"CASE WHEN {CLOSED} THEN status ELSE '' END"},
        is_imported="FALSE",
        agent_id=f"CASE WHEN {started} THEN agent END",
        version=f"CASE WHEN {started} THEN agent_version ELSE '' END",
        credit="CASE WHEN status = 'completed' THEN 'agent' ELSE '' END",
        created_by="'root'",
        priority="priority",
        label_set_id=_LABEL_SET,
        due_at="due_at",
        estimate_minutes="estimate_minutes",
        runs=f"CASE WHEN {started} THEN 1 + is_retried ELSE 0 END",
        failed_runs="CASE WHEN status = 'failed' THEN 1 ELSE is_retried END",
        changes_requested=0,
        # Between the first run and the second it rested for 30 seconds.
        worked_seconds=f"coalesce({seconds_between('started_at', 'left_at')} - 30 * is_retried, 0)",
        input_tokens=f"{INPUT_TOKENS} * {ended_runs}",
        output_tokens=f"{OUTPUT_TOKENS} * {ended_runs}",
        cost=f"CAST(spent AS NUMERIC) * {ended_runs}",
    )


def _add_events(agents: list[Agent]) -> None:
    name = " ".join(f"WHEN {value} THEN '{name}'" for name, value in PRIORITIES.items())
    like = {
        "priority": as_json(f"CASE priority {name} END"),
        "due_at": moment_as_json("due_at"),
        "estimate_minutes": "estimate_minutes",
    }
    like_if_closed = {key: f"CASE WHEN {CLOSED} THEN {value} END" for key, value in like.items()}
    used = {"input_tokens": str(INPUT_TOKENS), "output_tokens": str(OUTPUT_TOKENS), "cost": as_json("spent")}
    last_run = "(1 + is_retried)"

    def add(where: str, at: str, data: dict[str, str], kind: str = "task.status_changed") -> None:
        fill(
            "tasks_event",
            _past(agents, where),
            at=at,
            project_id="project_id",
            project_key="project_key",
            task_id="id",
            task_ref="ref",
            run_id="NULL",
            agent_id="NULL" if kind == "task.created" else "agent",
            agent_slug="''" if kind == "task.created" else "slug",
            actor_id="NULL",
            actor_name="'root'",
            kind=f"'{kind}'",
            data=document(**data),
            recipient_id="NULL",
        )

    def move(verb: str, source: str, target: str, run: str) -> dict[str, str]:
        return {"verb": as_json(verb), "from": as_json(source), "to": as_json(target), "run": run}

    begun = {"agent_version": as_json("agent_version")}
    labels = {"labels": f"coalesce('[' || {as_json(_LABEL)} || ']', '[]')"}
    add(
        "TRUE",
        "created_at",
        {"title": as_json("title"), "waits_for": as_json(_WAITS_FOR), **like, **labels},
        "task.created",
    )
    add("started_at IS NOT NULL", "started_at", move("'claim'", "'not_started'", "'in_progress'", "1") | begun)
    failed = {"outcome": as_json("'failed'"), "code": as_json(_CODE), "waits_for": as_json("'deferred'")}
    add(
        RETRIED, later("started_at", 60), move("'fail'", "'in_progress'", "'not_started'", "1") | failed | used
    )  # fmt: skip
    add(RETRIED, later("started_at", 90), move("'claim'", "'not_started'", "'in_progress'", "2") | begun)
    target = f"CASE WHEN {REVIEWED} THEN 'in_review' ELSE status END"
    ended = {"outcome": as_json(_OUTCOME), "code": as_json(f"CASE WHEN status = 'failed' THEN {_CODE} END")}
    add(
        "left_at IS NOT NULL",
        "left_at",
        move(_VERB, "'in_progress'", target, last_run) | ended | used | like_if_closed,
    )
    add(REVIEWED, "completed_at", move("'approve'", "'in_review'", "'completed'", last_run) | like)
