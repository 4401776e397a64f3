"""Who may do what: roles in a project, and ``may(actor, verb, task)`` for the verbs of the table."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Exists, OuterRef

from taskproject.prepared.querysets import prepared
from taskproject.reach import caller_of, reach_of
from tasks.errors import NotPermitted
from tasks.models import Agent, AgentKind, AgentToken, Invitation, Membership, Project, Question, Role, Run, Task
from tasks.querysets import MembershipQuerySet, is_superuser, sees_all
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
    "decide_follow_up": Role.MANAGER,
    "delete": Role.MANAGER,
    "edit_project": Role.MANAGER,
    "manage_members": Role.MANAGER,
}


#: What a task's creator may do, too.
EDITS = frozenset({"edit", "edit_dependencies", "hold", "unhold"})


def agent_of(user: "User | None") -> Agent | None:
    """The agent of ``user``, if any."""
    return getattr(user, "agent", None)


def is_llm(user: "User | None") -> bool:
    agent = agent_of(user)
    return agent is not None and agent.kind == AgentKind.LLM


def memberships_of(user: "User") -> MembershipQuerySet:
    """Where ``user`` is a member, as far as their credentials reach."""
    memberships = Membership.objects.filter(user=user)
    reach = reach_of(user).projects
    return memberships if reach is None else memberships.filter(project__in=reach)


def within_reach(user: "User") -> dict[str, Any]:
    """``user`` and how far their credentials reach, as arguments of a prepared statement."""
    reach = reach_of(user).projects
    return {"user": user.pk, "reach": sorted(reach or ()), "limited": reach is not None}


class _Unread:
    """What nobody has read yet."""


UNREAD: Final = _Unread()
#: The role that a membership gives, None without one; or that nobody has read it.
Membered = str | None | _Unread


@prepared
def _roles(user: Any, project: Any) -> "QuerySet[Membership, Any]":
    return Membership.objects.filter(user=user, project=project).order_by().values_list("role", flat=True)


def role_in(user: "User | None", project: Project | int, *, member: Membered = UNREAD) -> Role | None:
    """The role of ``user`` in a project; manager for superusers and the engine, None for strangers, and where their
    credentials do not reach. ``member``: the role by membership, from those who have read it with something else.
    """
    if user is None or sees_all(user):
        return Role.MANAGER
    project_id = project if isinstance(project, int) else project.pk
    if not reach_of(user).includes(project_id):
        return None
    if is_superuser(user):
        return Role.MANAGER
    role = _roles.first(user=user.pk, project=project_id) if isinstance(member, _Unread) else member
    return Role(role) if role else None


def has_role(user: "User | None", project: Project | int, least: Role) -> bool:
    role = role_in(user, project)
    return role is not None and role.includes(least)


def may_in_project(actor: "User | None", verb: str, project: Project) -> bool:
    """Whether ``actor`` may use a verb on the project as a whole, such as ``create``."""
    if verb == "create":
        return has_role(actor, project, Role.WORKER if project.workers_create else Role.MANAGER)
    return has_role(actor, project, _ROLE_FOR[verb])


def _is_author(actor: "User", run: Run) -> bool:
    """Whether ``actor`` did the work of ``run``, or calls with a token that its author made for somebody else."""
    return run.agent.user_id in caller_of(actor)


def may(actor: "User | None", verb: str, task: Task, *, run: Run | None = None, member: Membered = UNREAD) -> bool:
    """Whether ``actor`` may use ``verb`` on ``task``.

    Ignores the status: an illegal move is reported as such, not as a missing permission.
    ``run`` is the run being written (verbs of holders) or reviewed (its author may not judge it); ``member`` as in
    ``role_in``.
    """
    if actor is None:
        return True
    role = role_in(actor, task.project_id, member=member)
    if role is None:
        return False
    if verb in EDITS:
        return role is Role.MANAGER or (task.created_by_id == actor.pk and role.includes(Role.WORKER))
    if verb in _ROLE_FOR:
        return role.includes(_ROLE_FOR[verb])
    who = TRANSITIONS[verb].who
    agent = agent_of(actor)
    if Who.REVIEWER in who:
        return role.includes(Role.REVIEWER) and not (run is not None and _is_author(actor, run))
    if Who.STAFF in who and role is Role.MANAGER:
        return True
    if Who.HOLDER in who and run is not None and agent is not None and run.agent_id == agent.pk:
        return True
    if Who.AGENT in who or Who.PERSON in who:
        return agent is not None and agent.enabled and role.includes(Role.WORKER)
    return False


def require(actor: "User | None", verb: str, task: Task, *, run: Run | None = None, member: Membered = UNREAD) -> None:
    """Raise ``NotPermitted`` with the reason unless ``may``."""
    if may(actor, verb, task, run=run, member=member):
        return
    who = TRANSITIONS[verb].who if verb in TRANSITIONS else ()
    if Who.REVIEWER in who and run is not None and (agent := agent_of(actor)) and run.agent_id == agent.pk:
        raise NotPermitted("{} was done by you.", f"Somebody else must {doing_of(verb, 'it')}.", about=task.ref)
    if who:
        least = " or ".join(each.label for each in sorted(who))
    elif verb in EDITS:
        least = f"its creator or a manager of {task.project.key}"
    else:
        least = f"a {_ROLE_FOR[verb]} of {task.project.key}"
    raise NotPermitted(f"Only {least} may {doing_of(verb, '{}')}.", about=task.ref)


def _why_not_answer(actor: "User", question: Question) -> tuple[str, str] | None:
    """Fact and advice for why ``actor`` may not answer, as ``require_may_answer_question`` says it."""
    if question.run.agent.user_id in caller_of(actor):
        return "You asked this question.", "Somebody else must answer it."
    role, agent = role_in(actor, question.project_id), agent_of(actor)
    if role is None or not role.includes(Role.WORKER) or not actor.is_active or (agent and not agent.enabled):
        return f"Only those who work in {question.project.key} may answer its questions.", ""
    if question.to_user_id == actor.pk:
        return None
    if is_llm(actor):
        return "An agent answers only what is addressed to it by name.", ""
    if role is Role.MANAGER:
        return None
    managers = f"a manager of {question.project.key}"
    if question.to_user_id is not None:
        return f"Only the person whom this question is for, or {managers}, may answer it.", ""
    if question.to_role and not role.includes(Role(question.to_role)):
        least = managers if question.to_role == Role.MANAGER else f"a {question.to_role} or {managers}"
        return f"Only {least} may answer this question.", ""
    return None


def may_answer_question(actor: "User | None", question: Question) -> bool:
    """Whether ``actor`` may answer ``question``, open or not. In SQL: ``QuestionQuerySet.answerable_by``.

    Nobody answers what they asked, nor what whoever made their token asked. An LLM agent answers what is addressed to
    it by name; a person what is addressed to them, to a role that they have, or to nobody in particular; a manager
    everything in their projects, so that no work waits for one who is away. Reads the question's run with its agent.
    """
    return actor is None or _why_not_answer(actor, question) is None


def require_may_answer_question(actor: "User | None", question: Question) -> None:
    """Raise ``NotPermitted`` with the reason unless ``may_answer_question``."""
    if actor is not None and (reason := _why_not_answer(actor, question)):
        raise NotPermitted(*reason)


def may_withdraw_question(actor: "User | None", question: Question) -> bool:
    """Whether ``actor`` may take ``question`` back: the agent that asked it, or a manager of the project."""
    if actor is None:
        return True
    role = role_in(actor, question.project_id)
    if role is None:
        return False
    return role is Role.MANAGER or question.run.agent.user_id == actor.pk


def may_instruct(actor: "User | None", task: Task) -> bool:
    """Whether ``actor`` may give the holder of a run of ``task`` instructions: people who may assign it."""
    return actor is None or (not is_llm(actor) and may(actor, "assign", task))


def require_in_project(actor: "User | None", verb: str, project: Project) -> None:
    if may_in_project(actor, verb, project):
        return
    if verb == "create" and not project.workers_create:
        raise NotPermitted(f"Only a manager of {project.key} may create tasks there.")
    raise NotPermitted(f"Your role in {project.key} does not allow you to {verb.replace('_', ' ')}.")


def owns(actor: "User | None", agent: Agent) -> bool:
    """Whether ``actor`` acts for the owner of ``agent``: who alone pauses it everywhere, says what it can do, and makes
    and revokes its tokens.

    A person owns themself. An LLM agent is owned by a person, or by a project, for which its managers act. Superusers
    act for every owner, and they alone where there is none.
    """
    if actor is None or sees_all(actor):
        return True
    if is_llm(actor):
        return False
    if agent.kind == AgentKind.HUMAN:
        return agent.user_id == actor.pk and reaches_all_of(actor, agent.user_id)
    if agent.owner_project_id is not None:
        return has_role(actor, agent.owner_project_id, Role.MANAGER)
    return agent.owner_user_id == actor.pk and reaches_all_of(actor, agent.user_id)


def speaks_for(actor: "User | None", owner: "User | Project") -> bool:
    """Whether ``actor`` may make ``owner`` the owner of an agent: themself, or a project that they manage."""
    if actor is None or sees_all(actor):
        return True
    if is_llm(actor):
        return False
    if isinstance(owner, Project):
        return has_role(actor, owner, Role.MANAGER)
    return owner.pk == actor.pk and reach_of(actor).projects is None


def manages_all_projects_of(actor: "User | None", user: "User | int") -> bool:
    """Whether ``user`` (or their id) is in at least one project, and in none that ``actor`` does not manage."""
    if actor is None or sees_all(actor):
        return True
    if is_llm(actor):
        return False
    memberships = Membership.objects.filter(user=user)
    return memberships.exists() and not memberships.exclude(project__in=_managed_by(actor)).exists()


def manages_a_project_of(actor: "User | None", agent: Agent) -> bool:
    """Whether ``actor`` manages a project that ``agent`` is in; a superuser: always."""
    if actor is None or sees_all(actor):
        return True
    return not is_llm(actor) and Membership.objects.filter(user=agent.user_id, project__in=_managed_by(actor)).exists()


def may_bring_in(actor: "User | None", user: "User") -> bool:
    """Whether ``actor`` may make ``user`` a member of a project without asking; otherwise ``user`` is invited.

    Superusers, the owner of an LLM agent, whoever manages all projects that ``user`` is in already, and whoever made
    the account of a person who has never used it: there is nobody yet to ask.
    """
    if actor is None or sees_all(actor):
        return True
    if is_llm(actor):
        return False
    agent = agent_of(user)
    if agent is not None and agent.kind == AgentKind.LLM and owns(actor, agent):
        return True
    if manages_all_projects_of(actor, user):
        return True
    return agent is not None and agent.created_by_id == actor.pk and _is_unused(agent)


def _is_unused(agent: Agent) -> bool:
    """A person's account that is in no project, and with which nobody has ever signed in or called."""
    return _is_untouched(agent) and not Membership.objects.filter(user=agent.user_id).exists()


def _is_untouched(agent: Agent) -> bool:
    return agent.kind == AgentKind.HUMAN and agent.last_seen_at is None and agent.user.last_login is None


def may_offer_sign_in(actor: "User | None", agent: Agent) -> bool:
    """Whether ``actor`` may make a link with which the person of ``agent`` sets their first password.

    Whoever made the account, until a password is set or it is used, as long as they manage every project that it is in
    or is invited to: whoever has the link could act in those.
    """
    user = agent.user
    if actor is None or is_llm(actor) or agent.created_by_id != actor.pk or not actor.is_active:
        return False
    if not _is_untouched(agent) or not user.is_active or user.is_staff or user.is_superuser:
        return False
    if user.has_usable_password() or reach_of(actor).projects is not None:
        return False
    if is_superuser(actor):
        return True
    invited = Invitation.objects.filter(user=user, ended_at__isnull=True)
    return manages_all_projects_of(actor, user) and not invited.exclude(project__in=_managed_by(actor)).exists()


def may_answer(actor: "User", user: "User") -> bool:
    """Whether ``actor`` answers invitations to ``user``: the person, or whoever owns the LLM agent."""
    if is_llm(user):
        return owns(actor, user.agent)
    return user.pk == actor.pk


def may_take_out(actor: "User | None", project: Project, user: "User") -> bool:
    """Whether ``actor`` may end the membership of ``user``: a manager, the person, or whoever owns the LLM agent."""
    if may_in_project(actor, "manage_members", project):
        return True
    return actor is not None and reach_of(actor).includes(project.pk) and may_answer(actor, user)


def shares_a_project(actor: "User", user: "User") -> bool:
    """Whether ``actor`` knows of ``user`` anyway: themself, a member of one of their projects, or an agent they own."""
    if sees_all(actor) or actor.pk == user.pk:
        return True
    agent = agent_of(user)
    if agent is not None and agent.kind == AgentKind.LLM and owns(actor, agent):
        return True
    return Membership.objects.filter(user=user, project__in=memberships_of(actor).values("project")).exists()


def may_describe(actor: "User | None", agent: Agent) -> bool:
    """Who may say what ``agent`` can do and how much: the owner of an LLM agent. Of a person, somebody else who manages
    all projects that they are in, since it applies nowhere else; nobody sets their own capacity.
    """
    if actor is None or sees_all(actor):
        return True
    if agent.kind == AgentKind.LLM:
        return owns(actor, agent)
    return agent.user_id != actor.pk and manages_all_projects_of(actor, agent.user_id)


def _managed_by(actor: "User") -> "QuerySet[Any, int]":
    """The projects (ids) that ``actor`` manages as far as their credentials reach; not for those who see all."""
    if is_superuser(actor):
        return Project.objects.visible_to(actor).order_by().values_list("pk", flat=True)
    return memberships_of(actor).filter(role=Role.MANAGER).order_by().values_list("project", flat=True)


def managed_among(user: "User", projects: Collection[int]) -> set[int]:
    """Those of ``projects`` (ids) in which ``user`` is a manager, as ``role_in`` has it, by one query."""
    return set(projects) if sees_all(user) else set(projects) & set(_managed_by(user))


def reaches_all_of(actor: "User | None", user: "User | int") -> bool:
    """Whether the credentials of ``actor`` reach every project of ``user`` (or their id).

    What applies wherever ``user`` is must not be changed with less.
    """
    reach = None if actor is None else reach_of(actor).projects
    return reach is None or not Membership.objects.filter(user=user).exclude(project__in=reach).exists()


def require_full_reach(actor: "User | None", what: str) -> None:
    """Raise ``NotPermitted`` if ``actor`` calls with a limited token; ``what`` is refused, as in *create projects*."""
    if actor is not None and reach_of(actor).projects is not None:
        raise NotPermitted(f"This token is limited to projects and may not {what}.", "Use one that is not limited.")


def where_evidence_shows(user: "User") -> set[int] | None:
    """The projects (ids) whose evidence on agents ``user`` may see: those they manage; None: all."""
    if sees_all(user):
        return None
    return set() if is_llm(user) else set(_managed_by(user))


def bound_of_new_token(actor: "User | None", agent: Agent) -> frozenset[int] | None:
    """The projects (ids) beyond which no token reaches that ``actor`` makes for ``agent``; None: no bound.

    Its owner makes tokens as far as their own credentials reach. A manager of a project of a person may make one for
    the projects that both are in and the maker manages now. Nobody else gets a superuser's. Raises ``NotPermitted``.
    """
    if actor is None or sees_all(actor):
        return None
    if agent.user_id == actor.pk or not agent.user.is_superuser:
        if owns(actor, agent):
            return reach_of(actor).projects
        if shared := _managed_of_person(actor, agent):
            return shared
    raise NotPermitted(f"Only {_who_has_tokens(agent)} may create tokens for it.")


def _managed_of_person(actor: "User", agent: Agent) -> frozenset[int]:
    """The projects (ids) of a person that ``actor`` manages."""
    if agent.kind != AgentKind.HUMAN or is_llm(actor):
        return frozenset()
    theirs = Membership.objects.filter(user=agent.user_id, project__in=_managed_by(actor)).order_by()
    return frozenset(theirs.values_list("project", flat=True))


def _who_has_tokens(agent: Agent) -> str:
    owner = f"the owner of {agent.slug}"
    return owner if agent.kind == AgentKind.LLM else f"{owner} or a manager of one of their projects"


def tokens_in_hand_of(actor: "User | None", agent: Agent) -> "QuerySet[AgentToken]":
    """The tokens of ``agent`` that ``actor`` may list and revoke: for the owner all, for a manager of a project of a
    person those that reach only projects which ``actor`` manages. Credentials that are limited show no others.
    Raises ``NotPermitted``.
    """
    tokens = AgentToken.objects.filter(agent=agent)
    if actor is None or sees_all(actor):
        return tokens
    if owns(actor, agent):
        if (within := reach_of(actor).projects) is None:
            return tokens
    elif not (within := _managed_of_person(actor, agent)):
        raise NotPermitted(f"Only {_who_has_tokens(agent)} may see and revoke its tokens.")
    reached = AgentToken.projects.through.objects.filter(agenttoken=OuterRef("pk"))
    beyond = reached.exclude(project__in=within)
    return tokens.filter(Exists(reached), ~Exists(beyond), is_limited=True)


def is_staff_somewhere(user: "User | None") -> bool:
    """A superuser, or a manager of at least one project: who may create agents, skills and projects."""
    if user is None or sees_all(user):
        return True
    return _managed_by(user).exists()


def may_create_projects(user: "User | None") -> bool:
    """Whether ``user`` may create projects: staff somewhere, or Django's."""
    return not is_llm(user) and (is_staff_somewhere(user) or (user is not None and user.is_staff))
