"""Agents, their skills and their tokens."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from tasks import clock
from tasks.actions.funnel import in_transaction
from tasks.actions.names import skills_named
from tasks.errors import Invalid, NotPermitted
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import Agent, AgentKind, AgentSkill, AgentToken, Availability, Membership, Skill
from tasks.permissions import is_llm, is_staff_somewhere, may_issue_token, may_manage_agent, may_stop_agent
from tasks.querysets import sees_all
from tasks.tokens import digest_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

EDITABLE_FIELDS = ("name", "enabled", "availability", "max_concurrent", "version", "working_hours", "time_zone")
TOKEN_PREFIX = "tp_"  # noqa: S105 - shows people what the text is; not a secret


def _validated(instance: Any, **kwargs: Any) -> None:
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
) -> Agent:
    """Create an agent and, unless ``user`` is given, its Django user, without a password and not admin staff.

    Raises ``NotPermitted``, ``Invalid`` (slug or username taken, unknown skill).
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
    agent = Agent(user=user, slug=slug, name=name or slug, kind=kind, max_concurrent=max_concurrent)
    _validated(agent)
    agent.save(force_insert=True)
    set_agent_skills(agent, skills)
    return agent


def set_agent_skills(agent: Agent, skills: Sequence[tuple[str, int]]) -> None:
    """Set the ``skills`` (name, level) of ``agent``. Raises ``Invalid``. Part of a running verb."""
    rows = skills_named(skills, field="skills")
    agent.skills.all().delete()
    AgentSkill.objects.bulk_create([AgentSkill(agent=agent, skill=skill, level=level) for skill, level in rows])


@in_transaction
def edit_agent(
    *, actor: "User | None", agent: Agent, changes: dict[str, Any], skills: Sequence[tuple[str, int]] | None = None
) -> Agent:
    """Change an agent (``EDITABLE_FIELDS``) and, if given, its skills.

    An agent may change only its own availability and version. Managers of all its projects may change the rest, which
    applies wherever it works; a manager of any of them may pause it or make it available again.
    Raises ``NotPermitted``, ``Invalid``.
    """
    agent = Agent.objects.select_for_update(of=("self",), no_key=True).select_related("user").get(pk=agent.pk)
    own = {"availability", "version"}
    is_self = actor is not None and agent.user_id == actor.pk
    manages = may_manage_agent(actor, agent) and not (is_self and actor is not None and not sees_all(actor))
    may_stop = may_stop_agent(actor, agent)
    free = own if is_self else {"availability"} if may_stop else set()
    if not manages and not (free and skills is None and set(changes) <= free):
        what = f"only the {' and '.join(sorted(free))} of {agent.slug}" if free else f"nothing of {agent.slug}"
        raise NotPermitted(f"You may change {what}; the rest is for managers of all its projects.")
    if unknown := set(changes) - set(EDITABLE_FIELDS):
        raise Invalid({sorted(unknown)[0]: "Cannot be changed."})
    changed = [name for name, value in changes.items() if getattr(agent, name) != value]
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
        now = clock.now()
        kind = kinds.AGENT_AVAILABILITY_CHANGED if changed == ["availability"] else kinds.AGENT_EDITED
        data = {"availability": agent.availability} if changed == ["availability"] else {"fields": changed}
        memberships = Membership.objects.filter(user=agent.user_id).select_related("project")
        record(*(event(kind, at=now, actor=actor, project=m.project, agent=agent, **data) for m in memberships))
    return agent


def set_availability(*, actor: "User", agent: Agent, availability: Availability) -> Agent:
    """Pause an agent or make it available again."""
    return edit_agent(actor=actor, agent=agent, changes={"availability": availability})


@in_transaction
def create_token(
    *, actor: "User | None", agent: Agent, name: str, expires_at: datetime | None = None
) -> tuple[AgentToken, str]:
    """Create a token for ``agent``; returns the row and the token itself, which is shown only once and never stored.

    Raises ``NotPermitted`` (agents cannot create tokens; a token gives access to every project of the agent, so
    managing one of them is not enough), ``Invalid``.
    """
    if not may_issue_token(actor, agent):
        raise NotPermitted(f"Only a manager of all projects of {agent.slug} may create tokens for it.")
    if expires_at is not None and expires_at <= clock.now():
        raise Invalid({"expires_at": "Must be in the future."})
    plain = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = AgentToken(
        agent=agent, name=name, digest=digest_of(plain), hint=plain[:8], created_by=actor, expires_at=expires_at
    )
    _validated(token, exclude=["created_by"])
    token.save(force_insert=True)
    return token, plain


@in_transaction
def revoke_token(*, actor: "User | None", token: AgentToken) -> None:
    """Invalidate a token at once. Repeating it changes nothing. Raises ``NotPermitted``."""
    if is_llm(actor) or not may_stop_agent(actor, token.agent):
        raise NotPermitted(f"Only a manager of a project of {token.agent.slug} may revoke its tokens.")
    AgentToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=clock.now())
