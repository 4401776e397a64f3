"""Projects and their members: who belongs to them and which rules apply."""

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError

from tasks import clock
from tasks.actions.assignments import unassign_task
from tasks.actions.funnel import end_records_of_nobody, in_transaction, lock_runs, lock_tasks
from tasks.errors import Invalid, NotPermitted
from tasks.events import kinds
from tasks.events.recording import event, name_of, record
from tasks.models import Agent, AssignmentMode, Membership, Project, Role, Run, Task
from tasks.permissions import agent_of, is_llm, is_staff_somewhere, may_in_project, require_full_reach
from tasks.querysets import sees_all
from tasks.transitions import OPEN, Status

if TYPE_CHECKING:
    from django.contrib.auth.models import User

EDITABLE_FIELDS = (
    "name",
    "description",
    "mode",
    "allow_pull",
    "workers_create",
    "review_required",
    "lease_seconds",
    "stalled_after_seconds",
    "policy",
    "share_weight",
    "patience_minutes",
    "accept_within_llm_seconds",
    "accept_within_human_seconds",
)


def _validated(project: Project) -> None:
    try:
        project.full_clean()
    except ValidationError as error:
        raise Invalid({name: list(texts) for name, texts in error.message_dict.items()}) from None


@in_transaction
def create_project(*, actor: "User | None", key: str, name: str, **rules: Any) -> Project:
    """Create a project; whoever creates it becomes its manager. ``rules``: any of ``EDITABLE_FIELDS``.

    Raises ``NotPermitted`` unless the actor is a superuser, Django staff or a manager somewhere; ``Invalid``.
    """
    if is_llm(actor) or not (is_staff_somewhere(actor) or (actor is not None and actor.is_staff)):
        raise NotPermitted("Only staff may create projects.")
    require_full_reach(actor, "create projects")
    project = Project(key=key, name=name, **rules)
    _validated(project)
    project.save(force_insert=True)
    if actor is not None:
        Membership.objects.create(project=project, user=actor, role=Role.MANAGER)
    record(event(kinds.PROJECT_CREATED, at=clock.now(), actor=actor, project=project, name=name))
    return project


@in_transaction
def edit_project(*, actor: "User | None", project: Project, changes: dict[str, Any]) -> Project:
    """Change a project's rules (``EDITABLE_FIELDS``). Raises ``NotPermitted``, ``Invalid``."""
    project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if not may_in_project(actor, "edit_project", project):
        raise NotPermitted(f"Only a manager of {project.key} may change its rules.")
    if unknown := set(changes) - set(EDITABLE_FIELDS):
        raise Invalid({sorted(unknown)[0]: "Cannot be changed."})
    changed = [name for name, value in changes.items() if getattr(project, name) != value]
    for name in changed:
        setattr(project, name, changes[name])
    _validated(project)
    if changed:
        project.save(update_fields=changed)
        if "mode" in changed and project.mode != AssignmentMode.AUTO:
            end_records_of_nobody(Task.objects.filter(project=project, status=Status.NOT_STARTED), clock.now())
        record(event(kinds.PROJECT_EDITED, at=clock.now(), actor=actor, project=project, fields=changed))
    return project


@in_transaction
def set_member(*, actor: "User | None", project: Project, user: "User", role: Role) -> Membership:
    """Make ``user`` a member of ``project`` with ``role``, or change the role.

    Raises ``NotPermitted``; ``Invalid`` if an LLM agent would become manager or viewer, or the last manager leave.
    """
    agent = agent_of(user)
    _lock_team(project, agent)
    if not may_in_project(actor, "manage_members", project):
        raise NotPermitted(f"Only a manager of {project.key} may change its members.")
    if is_llm(user) and role not in (Role.WORKER, Role.REVIEWER):
        raise Invalid({"role": f"{name_of(user)} is an LLM agent; it can be worker or reviewer."})
    previous = Membership.objects.filter(project=project, user=user).first()
    if previous is not None and previous.role == role:
        return previous
    if previous is not None and previous.role == Role.MANAGER:
        _require_another_manager(actor, project, user)
    membership, _ = Membership.objects.update_or_create(project=project, user=user, defaults={"role": role})
    record(
        event(
            kinds.MEMBER_ROLE_CHANGED if previous else kinds.MEMBER_ADDED,
            at=clock.now(),
            actor=actor,
            project=project,
            agent=agent,
            member=name_of(user),
            role=str(role.value),
        )
    )
    return membership


@in_transaction
def remove_member(*, actor: "User | None", project: Project, user: "User") -> None:
    """End the membership: assignments in the project end, an active run is revoked, the project is no longer visible.

    Raises ``NotPermitted``; ``Invalid`` for the last manager.
    """
    agent = agent_of(user)
    _lock_team(project, agent)
    if not may_in_project(actor, "manage_members", project):
        raise NotPermitted(f"Only a manager of {project.key} may change its members.")
    membership = Membership.objects.filter(project=project, user=user).first()
    if membership is None:
        return
    if membership.role == Role.MANAGER:
        _require_another_manager(actor, project, user)
    if agent is not None:
        held = Task.objects.filter(project=project, status__in=sorted(OPEN)).assigned_to(agent)
        # All runs, then all tasks: the lock order of every verb.
        lock_runs(Run.objects.active().filter(task__in=held))
        lock_tasks(held.values_list("pk", flat=True))
        for task in held.select_related("project").order_by("pk"):
            unassign_task(actor=actor, task=task, agents=[agent])
    membership.delete()
    record(
        event(
            kinds.MEMBER_REMOVED,
            at=clock.now(),
            actor=actor,
            project=project,
            agent=agent,
            member=name_of(user),
        )
    )


def _lock_team(project: Project, agent: Agent | None) -> None:
    """One change of members at a time, so that two managers cannot remove each other; and none during a claim."""
    if agent is not None:
        Agent.objects.select_for_update(no_key=True).filter(pk=agent.pk).values_list("pk").first()
    Project.objects.select_for_update(no_key=True).filter(pk=project.pk).values_list("pk").first()


def _require_another_manager(actor: "User | None", project: Project, user: "User") -> None:
    others = Membership.objects.filter(project=project, role=Role.MANAGER).exclude(user=user)
    if not others.exists() and not (actor is None or sees_all(actor)):
        raise Invalid({"role": f"{project.key} would be left without a manager; make somebody else a manager first."})
