"""Agents, their skills and their tokens."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from taskproject.reach import reach_of
from taskproject.strict_json import unstorable
from tasks import clock
from tasks.actions.names import skills_named
from tasks.actions.transactions import in_transaction
from tasks.errors import Invalid, NotPermitted
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import Agent, AgentKind, AgentSkill, AgentToken, Availability, Membership, Project, Skill
from tasks.permissions import (
    bound_of_new_token,
    is_llm,
    is_staff_somewhere,
    may_describe,
    owns,
    reaches_all_of,
    require_full_reach,
    speaks_for,
    tokens_in_hand_of,
)
from tasks.querysets import sees_all
from tasks.tokens import digest_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

EDITABLE_FIELDS = ("name", "enabled", "availability", "max_concurrent", "version", "working_hours", "time_zone")
#: What decides when, and how much, an agent can work: their former values are kept in the events.
FIELDS_OF_ABILITY = ("enabled", "availability", "max_concurrent", "working_hours", "time_zone")
#: What a manager of all projects of a person may say about them, besides their skills.
DESCRIBING_FIELDS = frozenset({"name", "max_concurrent", "working_hours", "time_zone"})
#: What agents may change of themselves: never their capacity.
OWN_FIELDS: Final = {
    AgentKind.LLM: frozenset({"availability", "version"}),
    AgentKind.HUMAN: frozenset({"name", "availability", "version", "working_hours", "time_zone"}),
}
OWN_OWNER = "A person owns themself; only an LLM agent has another owner."
TOKEN_PREFIX = "tp_"  # noqa: S105 - shows people what the text is; not a secret


def _validated(instance: Any, **kwargs: Any) -> None:
    texts = {field.name: getattr(instance, field.attname) for field in instance._meta.concrete_fields}
    problems = {name: unstorable(text) for name, text in texts.items() if isinstance(text, str)}
    if any(problems.values()):
        raise Invalid({name: problem for name, problem in problems.items() if problem})
    try:
        instance.full_clean(**kwargs)
    except ValidationError as error:
        raise Invalid({name: list(texts) for name, texts in error.message_dict.items()}) from None


@in_transaction
def create_skill(*, actor: "User | None", name: str, description: str = "") -> Skill:
    """Add a skill that agents may have and tasks may require. Raises ``NotPermitted``, ``Invalid``."""
    if is_llm(actor) or not is_staff_somewhere(actor):
        raise NotPermitted("Only staff may add skills.")
    skill = Skill(name=name, description=description)
    _validated(skill)
    skill.save(force_insert=True)
    return skill


@in_transaction
def create_agent(
    *,
    actor: "User | None",
    slug: str,
    name: str = "",
    kind: AgentKind = AgentKind.LLM,
    max_concurrent: int = 1,
    skills: Sequence[tuple[str, int]] = (),
    user: "User | None" = None,
    owner: "User | Project | None" = None,
) -> Agent:
    """Create an agent and, unless ``user`` is given, its Django user, without a password and not admin staff.

    ``owner``: who owns an LLM agent; default: whoever creates it. A person owns themself.
    Raises ``NotPermitted``, ``Invalid`` (slug or username taken, unknown skill, an owner for a person).
    """
    if is_llm(actor) or not is_staff_somewhere(actor):
        raise NotPermitted("Only staff may create agents.")
    users = get_user_model().objects
    if user is None:
        if users.filter(username=slug).exists():
            raise Invalid({"slug": f"The name {slug!r} is taken."})
        user = users.create_user(username=slug)
    elif slug != user.get_username() and users.filter(username=slug).exists():
        raise Invalid({"slug": f"The name {slug!r} is another user's."})
    agent = Agent(user=user, slug=slug, name=name or slug, kind=kind, max_concurrent=max_concurrent, created_by=actor)
    if kind == AgentKind.LLM:
        _set_owner(actor, agent, owner or actor)
    elif owner is not None:
        raise Invalid({"owner": OWN_OWNER})
    _validated(agent)
    agent.save(force_insert=True)
    set_agent_skills(agent, skills)
    return agent


def _set_owner(actor: "User | None", agent: Agent, owner: "User | Project | None") -> None:
    if actor is not None and owner == actor:
        require_full_reach(actor, "make you the owner of an agent")
    if owner is not None and not speaks_for(actor, owner):
        raise NotPermitted("You may give an agent to yourself or to a project that you manage.")
    if not isinstance(owner, Project | None) and (is_llm(owner) or not owner.is_active):
        raise Invalid({"owner": "An agent is owned by a project or by a person with an active account."})
    agent.owner_project = owner if isinstance(owner, Project) else None
    agent.owner_user = None if isinstance(owner, Project) else owner


@in_transaction
def hand_over_agent(*, actor: "User | None", agent: Agent, owner: "User | Project") -> Agent:
    """Give an LLM agent to another owner: a project, or a person. Repeating it changes nothing.

    Raises ``NotPermitted`` unless the actor acts for its owner and speaks for the new one; ``Invalid`` for a person.
    """
    agent = Agent.objects.select_for_update(of=("self",), no_key=True).select_related("user").get(pk=agent.pk)
    if not owns(actor, agent):
        raise NotPermitted(f"Only the owner of {agent.slug} may hand it over.")
    if agent.kind != AgentKind.LLM:
        raise Invalid({"owner": OWN_OWNER})
    if agent.owner_user_id is not None:
        # Who has a person's limited token must not get the person's agents with it.
        require_full_reach(actor, "give away an agent of yours")
    before = (agent.owner_project_id, agent.owner_user_id)
    _set_owner(actor, agent, owner)
    if before == (agent.owner_project_id, agent.owner_user_id):
        return agent
    agent.save(update_fields=["owner_project", "owner_user"])
    # Its projects learn that it changed, not whose it is: not all of them may know the owner.
    record_change(actor, agent, ["owner"])
    return agent


def record_change(
    actor: "User | None", agent: Agent, changed: list[str], before: Mapping[str, Any] | None = None
) -> None:
    """Record, in each project of ``agent``, what changed; ``before``: former values of ``FIELDS_OF_ABILITY``."""
    now = clock.now()
    only_availability = changed == ["availability"]
    kind = kinds.AGENT_AVAILABILITY_CHANGED if only_availability else kinds.AGENT_EDITED
    data: dict[str, Any] = {"availability": agent.availability} if only_availability else {"fields": changed}
    if not only_availability:
        data |= {f"{name}_before": value for name, value in (before or {}).items()}
    memberships = Membership.objects.filter(user=agent.user_id).select_related("project").order_by("pk")
    record(*(event(kind, at=now, actor=actor, project=m.project, agent=agent, **data) for m in memberships))


def set_agent_skills(agent: Agent, skills: Sequence[tuple[str, int]]) -> None:
    """Set the ``skills`` (name, level) of ``agent``. Raises ``Invalid``. Part of a running verb."""
    rows = skills_named(skills, field="skills")
    agent.skills.all().delete()
    AgentSkill.objects.bulk_create([AgentSkill(agent=agent, skill=skill, level=level) for skill, level in rows])


def _require_may_edit(actor: "User | None", agent: Agent, wanted: set[str], skills: bool) -> None:
    """Raise ``NotPermitted`` unless ``actor`` may change the ``wanted`` fields, and the skills if so."""
    if actor is None or sees_all(actor) or (agent.kind == AgentKind.LLM and owns(actor, agent)):
        return
    if agent.user_id == actor.pk and not reaches_all_of(actor, actor):
        raise NotPermitted("This token does not reach all projects in which this applies.", "Use one that does.")
    describes = may_describe(actor, agent)
    free: frozenset[str] = DESCRIBING_FIELDS if describes else frozenset()
    if agent.user_id == actor.pk:
        free = OWN_FIELDS[AgentKind(agent.kind)]
    if free and wanted <= free and (describes or not skills):
        return
    names = [name.replace("_", " ") for name in sorted(free)] + (["skills"] if describes else [])
    what = f"only {', '.join(names)} of {agent.slug}" if names else f"nothing of {agent.slug}"
    others = "its owner" if agent.kind == AgentKind.LLM else "themself and administrators"
    raise NotPermitted(f"You may change {what}; the rest is for {others}.")


@in_transaction
def edit_agent(
    *, actor: "User | None", agent: Agent, changes: dict[str, Any], skills: Sequence[tuple[str, int]] | None = None
) -> Agent:
    """Change an agent (``EDITABLE_FIELDS``) and, if given, its skills.

    The owner of an LLM agent may change everything, the agent itself its availability and version. People change what
    is theirs (``OWN_FIELDS``); others say what they can do (``may_describe``), and only administrators disable them.
    Raises ``NotPermitted``, ``Invalid``.
    """
    agent = Agent.objects.select_for_update(of=("self",), no_key=True).select_related("user").get(pk=agent.pk)
    _require_may_edit(actor, agent, set(changes), skills is not None)
    if unknown := set(changes) - set(EDITABLE_FIELDS):
        raise Invalid({sorted(unknown)[0]: "Cannot be changed."})
    changed = [name for name, value in changes.items() if getattr(agent, name) != value]
    before = {name: getattr(agent, name) for name in changed if name in FIELDS_OF_ABILITY}
    had_version = bool(agent.version)
    for name in changed:
        setattr(agent, name, changes[name])
    _validated(agent)
    if changed:
        columns = list(changed)
        if "version" in changed and had_version:
            # Its earlier evidence counts less from now on.
            agent.version_since = clock.now()
            columns.append("version_since")
        agent.save(update_fields=columns)
    if skills is not None:
        set_agent_skills(agent, skills)
        changed.append("skills")
    if changed:
        record_change(actor, agent, changed, before)
    return agent


def set_availability(*, actor: "User", agent: Agent, availability: Availability) -> Agent:
    """Pause an agent or make it available again."""
    return edit_agent(actor=actor, agent=agent, changes={"availability": availability})


@in_transaction
def create_token(
    *,
    actor: "User | None",
    agent: Agent,
    name: str,
    expires_at: datetime | None = None,
    projects: Collection[str] | None = None,
    read_only: bool = False,
) -> tuple[AgentToken, str]:
    """Create a token for ``agent``; returns the row and the token itself, which is shown only once and never stored.

    ``projects``: keys of the only projects that it is to reach, now and later; default: all that the agent is in,
    whenever it joins, if the owner makes it. One made by somebody else, or with a token that is limited itself, is
    frozen to what its maker manages, or reaches, of them now. One made with a token that expires does so with it, or
    earlier. Raises ``NotPermitted`` (agents cannot create tokens),
    ``Invalid``.
    """
    bound = bound_of_new_token(actor, agent)
    if expires_at is not None and expires_at <= clock.now():
        raise Invalid({"expires_at": "Must be in the future."})
    if actor is not None and (latest := reach_of(actor).until) is not None:
        # Else whoever finds a token that ends soon makes one that does not.
        expires_at = expires_at or latest
        if expires_at > latest:
            raise Invalid({"expires_at": "Must not be after the token with which you call expires."})
    listed = None if projects is None and bound is None else _listed(actor, agent, projects)
    plain = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = AgentToken(
        agent=agent,
        name=name,
        digest=digest_of(plain),
        hint=plain[:8],
        # Whoever made the credentials of this call makes what is made with them.
        created_by_id=None if actor is None else reach_of(actor).made_by or actor.pk,
        expires_at=expires_at,
        read_only=read_only,
        is_limited=listed is not None,
    )
    _validated(token, exclude=["created_by"])
    token.save(force_insert=True)
    if listed:
        token.projects.add(*listed)
    return token, plain


def _listed(actor: "User | None", agent: Agent, keys: Collection[str] | None) -> list[Project]:
    """The projects that a new token is limited to: those named by ``keys``, else all that ``actor`` may name."""
    possible = Project.objects.visible_to(agent.user) if actor is None else projects_for_token(actor, agent)
    by_key = {project.key: project for project in possible}
    if keys is None:
        keys = list(by_key)
    if not keys:
        raise Invalid({"projects": "Name at least one project; leave it out for a token that is not limited."})
    if unknown := [key for key in keys if key.upper() not in by_key]:
        raise Invalid({"projects": f"{agent.slug} is in no project {unknown[0]!r} that you can choose."})
    return [by_key[key] for key in dict.fromkeys(key.upper() for key in keys)]


def projects_for_token(actor: "User", agent: Agent) -> "QuerySet[Project]":
    """The projects that ``actor`` may name in a new token of ``agent``: those of the agent that ``actor`` sees, as far
    as ``bound_of_new_token`` lets it reach. Raises ``NotPermitted``.
    """
    bound = bound_of_new_token(actor, agent)
    projects = Project.objects.visible_to(agent.user).filter(pk__in=Project.objects.visible_to(actor).values("pk"))
    return projects if bound is None else projects.filter(pk__in=bound)


@in_transaction
def revoke_token(*, actor: "User | None", token: AgentToken) -> None:
    """Invalidate a token at once. Repeating it changes nothing. Raises ``NotPermitted``."""
    if not tokens_in_hand_of(actor, token.agent).filter(pk=token.pk).exists():
        raise NotPermitted(f"Only the owner of {token.agent.slug} may revoke this token.")
    AgentToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=clock.now())
