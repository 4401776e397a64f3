"""Who may do what: roles in a project, and ``may(actor, verb, task)`` for the verbs of the table."""

from typing import TYPE_CHECKING

from tasks.errors import NotPermitted
from tasks.models import Agent, AgentKind, Membership, Project, Role, Run, Task
from tasks.querysets import sees_all
from tasks.transitions import TRANSITIONS, Who
from tasks.verbs.catalogue import doing_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet


# Verbs that move no task, and the least role that each requires.
_ROLE_FOR = {
    "view": Role.VIEWER,
    "comment": Role.WORKER,
    "assign": Role.MANAGER,
    "unassign": Role.MANAGER,
    "delete": Role.MANAGER,
    "edit_project": Role.MANAGER,
    "manage_members": Role.MANAGER,
}


def agent_of(user: "User | None") -> Agent | None:
    """The agent of ``user``, if any."""
    return getattr(user, "agent", None)


def is_llm(user: "User | None") -> bool:
    agent = agent_of(user)
    return agent is not None and agent.kind == AgentKind.LLM


def role_in(user: "User | None", project: Project | int) -> Role | None:
    """The role of ``user`` in a project; manager for superusers and the engine, None for strangers."""
    if user is None or sees_all(user):
        return Role.MANAGER
    project_id = project if isinstance(project, int) else project.pk
    role = Membership.objects.filter(user=user, project_id=project_id).values_list("role", flat=True).first()
    return Role(role) if role else None


def has_role(user: "User | None", project: Project | int, least: Role) -> bool:
    role = role_in(user, project)
    return role is not None and role.includes(least)


def may_in_project(actor: "User | None", verb: str, project: Project) -> bool:
    """Whether ``actor`` may use a verb on the project as a whole, such as ``create``."""
    if verb == "create":
        return has_role(actor, project, Role.WORKER if project.workers_create else Role.MANAGER)
    return has_role(actor, project, _ROLE_FOR[verb])


def may(actor: "User | None", verb: str, task: Task, *, run: Run | None = None) -> bool:
    """Whether ``actor`` may use ``verb`` on ``task``.

    Ignores the status: an illegal move is reported as such, not as a missing permission.
    ``run`` is the run being written (verbs of holders) or reviewed (its author may not judge it).
    """
    if actor is None:
        return True
    role = role_in(actor, task.project_id)
    if role is None:
        return False
    if verb in ("edit", "edit_dependencies"):
        return role is Role.MANAGER or (task.created_by_id == actor.pk and role.includes(Role.WORKER))
    if verb in _ROLE_FOR:
        return role.includes(_ROLE_FOR[verb])
    who = TRANSITIONS[verb].who
    agent = agent_of(actor)
    if Who.REVIEWER in who:
        return role.includes(Role.REVIEWER) and not (run is not None and agent is not None and run.agent_id == agent.pk)
    if Who.STAFF in who and role is Role.MANAGER:
        return True
    if Who.HOLDER in who and run is not None and agent is not None and run.agent_id == agent.pk:
        return True
    if Who.AGENT in who or Who.PERSON in who:
        return agent is not None and agent.enabled and role.includes(Role.WORKER)
    return False


def require(actor: "User | None", verb: str, task: Task, *, run: Run | None = None) -> None:
    """Raise ``NotPermitted`` with the reason unless ``may``."""
    if may(actor, verb, task, run=run):
        return
    who = TRANSITIONS[verb].who if verb in TRANSITIONS else ()
    if Who.REVIEWER in who and run is not None and (agent := agent_of(actor)) and run.agent_id == agent.pk:
        raise NotPermitted("{} was done by you.", f"Somebody else must {doing_of(verb, 'it')}.", about=task.ref)
    if who:
        least = " or ".join(each.label for each in sorted(who))
    elif verb in ("edit", "edit_dependencies"):
        least = f"its creator or a manager of {task.project.key}"
    else:
        least = f"a {_ROLE_FOR[verb]} of {task.project.key}"
    raise NotPermitted(f"Only {least} may {doing_of(verb, '{}')}.", about=task.ref)


def require_in_project(actor: "User | None", verb: str, project: Project) -> None:
    if may_in_project(actor, verb, project):
        return
    if verb == "create" and not project.workers_create:
        raise NotPermitted(f"Only a manager of {project.key} may create tasks there.")
    raise NotPermitted(f"Your role in {project.key} does not allow you to {verb.replace('_', ' ')}.")


def may_stop_agent(actor: "User | None", agent: Agent) -> bool:
    """Who may pause an agent and revoke its tokens: a superuser, or a manager of any project the agent is in."""
    if actor is None or sees_all(actor):
        return True
    if is_llm(actor):
        return False
    return Membership.objects.filter(user=agent.user_id, project__in=_managed_by(actor)).exists()


def may_manage_agent(actor: "User | None", agent: Agent) -> bool:
    """Who may change what applies wherever the agent works: a superuser, or a manager of every project it is in."""
    if actor is None or sees_all(actor):
        return True
    beyond = Membership.objects.filter(user=agent.user_id).exclude(project__in=_managed_by(actor))
    return may_stop_agent(actor, agent) and not beyond.exists()


def _managed_by(actor: "User") -> "QuerySet[Membership, int]":
    return Membership.objects.filter(user=actor, role=Role.MANAGER).values_list("project", flat=True)


def where_evidence_shows(user: "User") -> set[int] | None:
    """The projects (ids) whose evidence on agents ``user`` may see: those they manage; None: all."""
    if sees_all(user):
        return None
    return set() if is_llm(user) else set(_managed_by(user))


def may_issue_token(actor: "User | None", agent: Agent) -> bool:
    """Who may create a token, which gives access to everything the agent sees: a superuser, a person for themselves, or
    a manager of every project that the agent is in. Nobody else gets a superuser's.
    """
    if actor is None or sees_all(actor):
        return True
    if is_llm(actor):
        return False
    if agent.user_id == actor.pk:
        return True
    return not agent.user.is_superuser and may_manage_agent(actor, agent)


def is_staff_somewhere(user: "User | None") -> bool:
    """A superuser, or a manager of at least one project: who may create agents, skills and projects."""
    if user is None or sees_all(user):
        return True
    return Membership.objects.filter(user=user, role=Role.MANAGER).exists()
