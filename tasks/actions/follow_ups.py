"""What becomes of the follow-ups that a run names with its result."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tasks import clock
from tasks.actions.dependencies import lock_graph
from tasks.actions.names import skills_named
from tasks.actions.tasks import NewTask, create_task
from tasks.actions.transactions import verb
from tasks.errors import AlreadyDecided, NotFound
from tasks.events import kinds
from tasks.events.recording import event, name_of, record
from tasks.models import FollowUp, FollowUpState, Priority, Run, Skill, Task
from tasks.permissions import agent_of, may_in_project, require
from tasks.transitions import Status
from tasks.verbs import catalogue

if TYPE_CHECKING:
    from uuid import UUID

    from django.contrib.auth.models import User

Given = Sequence[Mapping[str, Any]]


def require_known_skills(given: Given | None) -> None:
    """Raise ``Invalid`` if follow-ups require skills that nobody could have."""
    needs = [(need["skill"], need["min_level"]) for each in given or () for need in each.get("required_skills") or ()]
    if needs:
        skills_named(needs, field="follow_ups")


def lock_projects_of(actor: "User", run_ids: Iterable["UUID"]) -> None:
    """Lock the projects of the caller's runs, where follow-ups may become tasks: before runs and tasks, as always."""
    runs = Run.objects.filter(pk__in=list(run_ids), agent=agent_of(actor))
    for project in sorted(set(runs.values_list("task__project", flat=True))):
        lock_graph(project)


def name_follow_ups(run: Run, given: Given, *, at: datetime) -> None:
    """Store the follow-ups of a result, in place of those that wait for the review of an earlier one."""
    held = FollowUp.objects.filter(task=run.task_id, state=FollowUpState.HELD)
    held.update(state=FollowUpState.REPLACED, ended_at=at)
    FollowUp.objects.bulk_create(
        FollowUp(
            task_id=run.task_id,
            run=run,
            title=each["title"],
            description=each.get("description") or "",
            priority=Priority[(each.get("priority") or "normal").upper()],
            required_skills=list(each.get("required_skills") or ()),
            created_at=at,
        )
        for each in given
    )


def lock_if_held(task: Task) -> None:
    """Lock the project of ``task`` if follow-ups of it wait for its review."""
    if FollowUp.objects.filter(task=task, state=FollowUpState.HELD).exists():
        lock_graph(task.project_id)


def let_follow_ups_go(task: Task, *, at: datetime) -> list[Task]:
    """The result of ``task`` counts: its follow-ups become tasks of their authors, or wait for a manager.

    The project is locked where there are any. Returns the new tasks.
    """
    held = FollowUp.objects.filter(task=task, state=FollowUpState.HELD).select_related("run__agent__user")
    created = []
    for follow_up in held:
        author = follow_up.run.agent.user
        if not may_in_project(author, "create", task.project):
            FollowUp.objects.filter(pk=follow_up.pk).update(state=FollowUpState.OPEN)
            continue
        new = _create(follow_up, task, actor=author)
        FollowUp.objects.filter(pk=follow_up.pk).update(state=FollowUpState.ACCEPTED, ended_at=at, created=new)
        created.append(new)
    return created


def open_follow_ups_if_done(tasks: Sequence[Task]) -> None:
    """Let those of earlier results wait for a manager, now that these tasks need no review."""
    if done := [task.pk for task in tasks if task.status == Status.COMPLETED]:
        FollowUp.objects.filter(task__in=done, state=FollowUpState.HELD).update(state=FollowUpState.OPEN)


def _create(follow_up: FollowUp, origin: Task, *, actor: "User") -> Task:
    """The task that ``follow_up`` proposes. Skills that were removed since are left out."""
    needs = {need["skill"]: need["min_level"] for need in follow_up.required_skills}
    known = Skill.objects.filter(name__in=needs).order_by("name").values_list("name", flat=True)
    new = NewTask(
        title=follow_up.title,
        description=follow_up.description,
        priority=follow_up.priority,
        required_skills=[(name, needs[name]) for name in known],
        follows=origin,
    )
    return create_task(actor=actor, project=origin.project, new=new)


@verb(catalogue.ACCEPT_FOLLOW_UP)
def accept_follow_up(*, actor: "User", follow_up: FollowUp) -> FollowUp:
    """Make the proposed task. Repeating it changes nothing.

    Raises ``NotPermitted``, ``NotFound``, ``AlreadyDecided`` if it was dismissed or replaced.
    """
    return _decide(actor, follow_up, FollowUpState.ACCEPTED, "")


@verb(catalogue.DISMISS_FOLLOW_UP)
def dismiss_follow_up(*, actor: "User", follow_up: FollowUp, note: str = "") -> FollowUp:
    """Make no task of the proposal. Repeating it changes nothing.

    Raises ``NotPermitted``, ``NotFound``, ``AlreadyDecided`` if it became a task or was replaced.
    """
    return _decide(actor, follow_up, FollowUpState.DISMISSED, note)


def _decide(actor: "User", follow_up: FollowUp, state: FollowUpState, note: str) -> FollowUp:
    rows = FollowUp.objects.select_related("task__project", "run__agent", "created__project", "decided_by__agent")
    current = rows.filter(pk=follow_up.pk).first()
    if current is None:
        raise NotFound("This follow-up no longer exists.")
    task = current.task
    require(actor, catalogue.ACCEPT_FOLLOW_UP.right, task)
    lock_graph(task.project_id)
    now = clock.now()
    decided = {"state": state, "ended_at": now, "decided_by": actor, "note": note}
    if not FollowUp.objects.filter(pk=current.pk).undecided().update(**decided):
        current = rows.get(pk=current.pk)
        if current.state != state:
            raise AlreadyDecided(current.state, by=name_of(current.decided_by))
        return current
    about: dict[str, Any] = {"at": now, "actor": actor, "task": task, "agent": current.run.agent}
    facts: dict[str, Any] = {"title": current.title, "decision": state.value}
    if note:
        facts["note"] = note
    if state == FollowUpState.ACCEPTED:
        created = _create(current, task, actor=actor)
        FollowUp.objects.filter(pk=current.pk).update(created=created)
        facts["created"] = created.ref
    record(event(kinds.TASK_FOLLOW_UP_DECIDED, **about, **facts))
    return rows.get(pk=current.pk)
