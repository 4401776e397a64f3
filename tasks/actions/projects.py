"""Projects and their members: who belongs to them and which rules apply."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from tasks import clock
from tasks.actions.agents import FIELDS_OF_ABILITY
from tasks.actions.assignments import take_off
from tasks.actions.funnel import end_records_of_nobody
from tasks.actions.locking import lock_runs, lock_tasks
from tasks.actions.transactions import in_transaction
from tasks.errors import Invalid, NotPermitted
from tasks.events import kinds
from tasks.events.declaration import Kind
from tasks.events.recording import event, name_of, record
from tasks.models import (
    Agent,
    Assignment,
    AssignmentMode,
    Invitation,
    InvitationEnd,
    InvitationLink,
    Membership,
    Project,
    Role,
    Run,
    Task,
)
from tasks.permissions import (
    agent_of,
    is_llm,
    may_bring_in,
    may_create_projects,
    may_in_project,
    may_take_out,
    require_full_reach,
)
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
    "stop_grace_seconds",
    "limit_in_progress",
    "limit_in_review",
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
    if not may_create_projects(actor):
        raise NotPermitted("Only staff may create projects.")
    require_full_reach(actor, "create projects")
    project = Project(key=key, name=name, **rules)
    _validated(project)
    try:
        with transaction.atomic():
            project.save(force_insert=True)
    except IntegrityError:
        # Somebody else chose the key at the same moment: now it is refused like any other that is taken.
        _validated(project)
        raise
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

    Raises ``NotPermitted``, also if ``user`` has to be invited (``may_bring_in``); ``Invalid`` if an LLM agent would
    become manager or viewer, or the last active manager leave.
    """
    lock_team(project, [user])
    require_manages_members(actor, project)
    previous = Membership.objects.filter(project=project, user=user).first()
    if previous is None and not may_bring_in(actor, user):
        raise NotPermitted(f"{name_of(user)} has to be invited to {project.key}.")
    had = has_a_manager(project)
    membership = put_member(actor, project, user, role, previous)
    require_a_manager(actor, project, had=had)
    return membership


@in_transaction
def remove_member(*, actor: "User | None", project: Project, user: "User") -> None:
    """End the membership: assignments in the project end, an active run is revoked, the project is no longer visible.

    For managers of the project, the person, and whoever owns the LLM agent. Repeating it changes nothing.
    Raises ``NotPermitted``; ``Invalid`` if no active manager would be left.
    """
    lock_team(project, [user])
    if not may_take_out(actor, project, user):
        require_manages_members(actor, project)
    membership = Membership.objects.filter(project=project, user=user).first()
    if membership is not None:
        lock_work_of(project, [user])
        had = has_a_manager(project)
        take_out(actor, project, membership)
        require_a_manager(actor, project, had=had)


# -- parts of verbs: the team is locked, the rights are checked, ``require_a_manager`` comes last ---------------------


def lock_team(project: Project, users: Iterable["User | None"]) -> None:
    """One change of members at a time, so that two managers cannot remove each other; and none during a claim.

    Locks the accounts too: somebody else may make them a member of another project at the same time.
    """
    present = [user for user in users if user is not None]
    agents = sorted(agent.pk for user in present if (agent := agent_of(user)) is not None)
    others = sorted(user.pk for user in present if agent_of(user) is None)
    list(Agent.objects.select_for_update(no_key=True).filter(pk__in=agents).order_by("pk").values_list("pk"))
    accounts = get_user_model().objects.select_for_update(no_key=True)
    list(accounts.filter(pk__in=others).order_by("pk").values_list("pk"))
    Project.objects.select_for_update(no_key=True).filter(pk=project.pk).values_list("pk").first()


def require_manages_members(actor: "User | None", project: Project) -> None:
    if not may_in_project(actor, "manage_members", project):
        raise NotPermitted(f"Only a manager of {project.key} may change its members.")


def require_role_fits(user: "User", role: Role) -> None:
    """Raise ``Invalid`` if an LLM agent would become manager or viewer."""
    if is_llm(user) and role not in (Role.WORKER, Role.REVIEWER):
        raise Invalid({"role": f"{name_of(user)} is an LLM agent; it can be worker or reviewer."})


def has_a_manager(project: Project) -> bool:
    """Whether somebody can manage the project: disabled accounts cannot."""
    return Membership.objects.filter(project=project).managing().exists()


def require_a_manager(actor: "User | None", project: Project, *, had: bool) -> None:
    """Raise ``Invalid`` if the project ``had`` a manager before and has none now; superusers may leave it so."""
    if actor is None or sees_all(actor):
        return
    if had and not has_a_manager(project):
        raise Invalid(
            {"role": f"{project.key} would be left without an active manager; make somebody else a manager first."}
        )


def put_member(
    actor: "User | None",
    project: Project,
    user: "User",
    role: Role,
    previous: Membership | None,
    *,
    kind: Kind = kinds.MEMBER_ADDED,
) -> Membership:
    """Give ``user`` the ``role``, as a new member if there is no ``previous``; ``kind``: the event of joining."""
    require_role_fits(user, role)
    if previous is not None and previous.role == role:
        return previous
    now = clock.now()
    membership, _ = Membership.objects.update_or_create(project=project, user=user, defaults={"role": role})
    Invitation.objects.filter(project=project, user=user).end(InvitationEnd.ACCEPTED, at=now, by=actor)
    if previous is not None:
        kind = kinds.MEMBER_ROLE_CHANGED
        _end_invitations_by(user, project, now)
    agent, name, named = agent_of(user), name_of(user), str(role.value)
    record(event(kind, at=now, actor=actor, project=project, agent=agent, member=name, role=named))
    return membership


def lock_work_of(project: Project, users: Iterable["User"]) -> None:
    """Lock what those who are to be taken out have: all runs, then all tasks, the lock order of every verb."""
    assigned = Assignment.objects.active().filter(agent__user__in=[user.pk for user in users]).values("task")
    held = Task.objects.filter(project=project, status__in=sorted(OPEN), pk__in=assigned)
    lock_runs(Run.objects.active().filter(task__in=held))
    lock_tasks(held.values_list("pk", flat=True))


def take_out(actor: "User | None", project: Project, membership: Membership) -> None:
    """End the membership with all that the member has in the project, after ``lock_work_of``."""
    user = membership.user
    agent = agent_of(user)
    if agent is not None:
        held = Task.objects.filter(project=project, status__in=sorted(OPEN)).assigned_to(agent)
        for task in held.select_related("project").order_by("pk"):
            take_off(task, [agent], actor=actor)
    membership.delete()
    now = clock.now()
    _end_invitations_by(user, project, now)
    about = {} if agent is None else {name: getattr(agent, name) for name in FIELDS_OF_ABILITY}
    record(
        event(kinds.MEMBER_REMOVED, at=now, actor=actor, project=project, agent=agent, member=name_of(user), **about)
    )


def _end_invitations_by(user: "User", project: Project, now: datetime) -> None:
    """What a former manager started ends with their role: others may invite again."""
    if not may_in_project(user, "manage_members", project):
        made = Invitation.objects.filter(project=project, invited_by=user)
        made.end(InvitationEnd.WITHDRAWN, at=now, by=None)
        InvitationLink.objects.filter(project=project, invited_by=user).unended(now).update(revoked_at=now)
