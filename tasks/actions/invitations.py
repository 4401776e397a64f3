"""Invitations to projects: made, answered, withdrawn."""

import re
from typing import TYPE_CHECKING, Final

from tasks import clock
from tasks.actions.projects import lock_team, put_member, require_manages_members, require_role_fits
from tasks.actions.transactions import in_transaction
from tasks.errors import Invalid, InvitationEnded, NotFound, NotPermitted
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import Invitation, InvitationEnd, Membership, Project, Role
from tasks.permissions import may_answer, require_full_reach, shares_a_project

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Open invitations of one project; each might be a name that nobody has.
MOST_OPEN: Final = 200
#: What a username or slug can consist of. Checked before anything is looked up, so that it reveals no names.
NAME: Final = re.compile(r"[\w.@+-]{1,150}")


def require_possible_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise Invalid({"members": f"{name[:150]!r} cannot be a name; use letters, digits and @ . + - _ only."})


def invite(actor: "User", project: Project, name: str, user: "User | None", role: Role) -> Invitation:
    """Invite whoever has this ``name``, which may be nobody: the actor must not learn whether there is somebody.

    Repeating it changes nothing; another role replaces the invitation. Part of a running verb, which has locked the
    team and checked the actor's rights. Raises ``Invalid``.
    """
    require_possible_name(name)
    if user is not None and shares_a_project(actor, user):
        require_role_fits(user, role)
    pending = Invitation.objects.open().filter(project=project)
    present = pending.filter(name=name)
    standing = present.standing().filter(role=role).first()
    if standing is not None:
        return standing
    now = clock.now()
    present.end(InvitationEnd.WITHDRAWN, at=now, by=actor)
    if pending.count() >= MOST_OPEN:
        raise Invalid({"members": f"{project.key} has {MOST_OPEN} open invitations; withdraw some first."})
    invitation = Invitation.objects.create(
        project=project, name=name, user=user, role=role, invited_by=actor, created_at=now
    )
    record(event(kinds.MEMBER_INVITED, at=now, actor=actor, project=project, member=name, role=str(role.value)))
    return invitation


def withdraw(actor: "User | None", invitation: Invitation) -> None:
    """End an open invitation. Part of a running verb, which has locked the team and checked the actor's rights."""
    now = clock.now()
    if Invitation.objects.filter(pk=invitation.pk).end(InvitationEnd.WITHDRAWN, at=now, by=actor):
        project = invitation.project
        record(event(kinds.MEMBER_INVITATION_WITHDRAWN, at=now, actor=actor, project=project, member=invitation.name))


def _locked(invitation: Invitation) -> Invitation:
    """The invitation as it is now, its team locked."""
    lock_team(invitation.project, [invitation.user])
    rows = Invitation.objects.select_related("project", "user__agent", "invited_by")
    present = rows.filter(pk=invitation.pk).first()
    if present is None:
        raise NotFound("This invitation no longer exists.")
    return present


def _require_open(invitation: Invitation) -> None:
    """Raise ``InvitationEnded`` unless it can be answered."""
    if invitation.ended_at is not None:
        raise InvitationEnded(f"The invitation to {invitation.project.key} was {invitation.ended_as}.")
    if not Invitation.objects.standing().filter(pk=invitation.pk).exists():
        raise InvitationEnded(
            f"Whoever invited {invitation.name} no longer manages {invitation.project.key}.",
            "Ask a manager for another invitation.",
        )


def _answerable(actor: "User", invitation: Invitation) -> "tuple[Invitation, User]":
    require_full_reach(actor, "answer invitations")
    invitation = _locked(invitation)
    if invitation.user is None or not may_answer(actor, invitation.user):
        raise NotPermitted(f"Only {invitation.name}, or whoever owns it, may answer this invitation.")
    return invitation, invitation.user


@in_transaction
def accept_invitation(*, actor: "User", invitation: Invitation) -> Invitation:
    """Join the project, or let an LLM agent that the actor owns join. Repeating it changes nothing.

    Raises ``NotPermitted``, ``InvitationEnded``, ``Invalid`` if an LLM agent cannot have the role.
    """
    invitation, user = _answerable(actor, invitation)
    if invitation.ended_as == InvitationEnd.ACCEPTED:
        return invitation
    _require_open(invitation)
    project, role = invitation.project, Role(invitation.role)
    if Membership.objects.filter(project=project, user=user).exists():
        # Somebody else brought them in meanwhile: the role that they have stays.
        Invitation.objects.filter(project=project, user=user).end(InvitationEnd.ACCEPTED, at=clock.now(), by=actor)
    else:
        put_member(actor, project, user, role, None, kind=kinds.MEMBER_JOINED)
    invitation.refresh_from_db()
    return invitation


@in_transaction
def decline_invitation(*, actor: "User", invitation: Invitation) -> Invitation:
    """Decline, for oneself or an LLM agent that the actor owns. Repeating it changes nothing.

    Raises ``NotPermitted``, ``InvitationEnded``.
    """
    invitation, _ = _answerable(actor, invitation)
    if invitation.ended_as == InvitationEnd.DECLINED:
        return invitation
    _require_open(invitation)
    now, project = clock.now(), invitation.project
    Invitation.objects.filter(pk=invitation.pk).end(InvitationEnd.DECLINED, at=now, by=actor)
    # The project learns neither who owns the agent nor by which other name the account goes.
    record(event(kinds.MEMBER_INVITATION_DECLINED, at=now, actor=None, project=project, member=invitation.name))
    invitation.refresh_from_db()
    return invitation


@in_transaction
def withdraw_invitation(*, actor: "User", invitation: Invitation) -> Invitation:
    """Take an invitation back; for managers of its project. Repeating it changes nothing.

    Raises ``NotPermitted``, ``InvitationEnded`` if it was answered.
    """
    invitation = _locked(invitation)
    require_manages_members(actor, invitation.project)
    if invitation.ended_as in (InvitationEnd.ACCEPTED, InvitationEnd.DECLINED):
        raise InvitationEnded(f"{invitation.name} has already {invitation.ended_as} the invitation.")
    withdraw(actor, invitation)
    invitation.refresh_from_db()
    return invitation
