"""Invitation links: made and revoked by managers, and used by whoever was given one."""

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F

from tasks import clock
from tasks.actions.projects import lock_team, put_member, require_manages_members
from tasks.actions.transactions import in_transaction
from tasks.errors import Invalid, InvitationEnded, NotFound, NotPermitted
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import Agent, AgentKind, InvitationLink, Membership, Project, Role
from tasks.permissions import is_llm, require_full_reach
from tasks.tokens import digest_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_DAYS: Final = 90
#: Links of one project that stand at the same time.
MOST_LINKS: Final = 50
ASK_AGAIN: Final = "Ask the person who sent it for a new one."
TAKEN: Final = "This name is taken; choose another."


@in_transaction
def make_link(
    *, actor: "User", project: Project, role: Role, days: int = 7, once: bool = True, note: str = ""
) -> tuple[InvitationLink, str]:
    """A link by which whoever has it joins ``project`` as ``role``, and its secret, which nobody can read again.

    Raises ``NotPermitted`` unless the actor manages the project's members; ``Invalid``.
    """
    if is_llm(actor):
        raise NotPermitted("Only people may invite by a link.")
    lock_team(project, [])
    require_manages_members(actor, project)
    if not 1 <= days <= MOST_DAYS:
        raise Invalid({"days": f"Choose 1 to {MOST_DAYS} days."})
    now = clock.now()
    if InvitationLink.objects.filter(project=project).standing(now).count() >= MOST_LINKS:
        raise Invalid({"role": f"{project.key} has {MOST_LINKS} open links; revoke some first."})
    secret = secrets.token_urlsafe(32)
    link = InvitationLink.objects.create(
        project=project, role=role, digest=digest_of(secret), note=note, once=once, invited_by=actor,
        created_at=now, expires_at=now + timedelta(days=days),
    )  # fmt: skip
    record(event(kinds.MEMBER_LINK_MADE, at=now, actor=actor, project=project, role=str(role.value), once=once))
    return link, secret


@in_transaction
def revoke_link(*, actor: "User", link: InvitationLink) -> None:
    """End a link; for managers of its project. Repeating it, or revoking one that has ended, changes nothing.

    Raises ``NotPermitted``.
    """
    lock_team(link.project, [])
    require_manages_members(actor, link.project)
    now = clock.now()
    if InvitationLink.objects.filter(pk=link.pk).unended(now).update(revoked_at=now):
        record(event(kinds.MEMBER_LINK_REVOKED, at=now, actor=actor, project=link.project, role=link.role))


def link_of(secret: str) -> InvitationLink:
    """The link with this secret, ended or not, with its project and maker. Raises ``NotFound``."""
    links = InvitationLink.objects.select_related("project", "invited_by__agent")
    link = links.filter(digest=digest_of(secret)).first()
    if link is None:
        raise NotFound("This invitation link is not valid.", "Copy it whole, or ask for a new one.")
    return link


def require_standing(link: InvitationLink) -> None:
    """Raise ``InvitationEnded`` with the reason unless somebody can join by the link."""
    now = clock.now()
    if InvitationLink.objects.filter(pk=link.pk).standing(now).exists():
        return
    if link.revoked_at is not None:
        raise InvitationEnded("This invitation link was revoked.", ASK_AGAIN)
    if link.once and link.uses:
        raise InvitationEnded("This invitation link was for one person and has been used.", ASK_AGAIN)
    if link.expires_at <= now:
        raise InvitationEnded("This invitation link has expired.", ASK_AGAIN)
    raise InvitationEnded("Whoever made this invitation link no longer manages the project.", "Ask a manager.")


@in_transaction
def join_by_link(*, actor: "User", secret: str) -> Membership:
    """Make the actor a member with the link's role. Whoever is a member stays what they are and uses up nothing.

    Raises ``NotFound``, ``InvitationEnded``, ``NotPermitted`` for LLM agents: their owner answers for them.
    """
    require_full_reach(actor, "join projects")
    if is_llm(actor):
        raise NotPermitted("An LLM agent does not join by a link.", "Its owner accepts invitations for it.")
    project = link_of(secret).project
    lock_team(project, [actor])
    if (
        present := Membership.objects.filter(project=project, user=actor).select_related("project").first()
    ) is not None:
        return present
    return _join(actor, secret)


def sign_up_by_link(*, secret: str, username: str, name: str, password: str) -> "User":
    """Make an account for a person, who joins the link's project; all or nothing. ``password`` has been validated.

    Raises ``NotFound``, ``InvitationEnded``; ``Invalid`` with the field.
    """
    # Hashing takes long: not for a name that is refused anyway, and nobody should wait for it at a lock.
    _require_free(username)
    return _sign_up(secret, username, name, make_password(password))


@in_transaction
def _sign_up(secret: str, username: str, name: str, hashed: str) -> "User":
    lock_team(link_of(secret).project, [])
    require_standing(link_of(secret))
    user = _new_account(username, name, hashed)
    _join(user, secret)
    return user


def _new_account(username: str, name: str, hashed: str) -> "User":
    _require_free(username)
    try:
        with transaction.atomic():
            user: User = get_user_model().objects.create(username=username, password=hashed)
            agent = Agent(user=user, slug=username, name=name, kind=AgentKind.HUMAN)
            agent.full_clean(validate_unique=False)
            agent.save(force_insert=True)
    except ValidationError as error:
        of_form = {"slug": "username", "name": "name"}
        raise Invalid({of_form.get(key, key): list(texts) for key, texts in error.message_dict.items()}) from None
    except IntegrityError:
        # Somebody else chose the name at the same time.
        raise Invalid({"username": TAKEN}) from None
    return user


def _require_free(username: str) -> None:
    if (
        get_user_model().objects.filter(username__iexact=username).exists()
        or Agent.objects.filter(slug=username).exists()
    ):
        raise Invalid({"username": TAKEN})


def _join(user: "User", secret: str) -> Membership:
    """Use the link for ``user``, whose team is locked."""
    link = link_of(secret)
    require_standing(link)
    now = clock.now()
    if not InvitationLink.objects.filter(pk=link.pk).unended(now).update(uses=F("uses") + 1):
        require_standing(link_of(secret))
        raise InvitationEnded("This invitation link has ended.", ASK_AGAIN)
    return put_member(user, link.project, user, Role(link.role), None, kind=kinds.MEMBER_JOINED)
