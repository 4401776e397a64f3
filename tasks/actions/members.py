"""The members of a project by their names: some change at once, others are invited; one request, all or nothing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from django.contrib.auth import get_user_model
from django.db.models import Q

from tasks import clock
from tasks.actions.invitations import invite, withdraw
from tasks.actions.projects import (
    edit_project,
    has_a_manager,
    lock_team,
    lock_work_of,
    put_member,
    require_a_manager,
    require_manages_members,
    take_out,
)
from tasks.actions.transactions import in_transaction
from tasks.errors import Invalid, nearest, unknown_name
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import Agent, Invitation, Membership, Project, Role
from tasks.permissions import agent_of, may_answer, may_bring_in, may_in_project, shares_a_project
from tasks.querysets import sees_all

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Kept(Enum):
    """The role stays what it is."""

    KEPT = "kept"


KEPT: Final = Kept.KEPT
#: Names of one request for which a nearer one is looked for.
MOST_HINTS: Final = 5


@dataclass(frozen=True)
class MemberWish:
    """Who is to have which role; None: none any more; KEPT: the one they have.

    ``paused``: whether the agent is to take no work in the project; None: as it is. ``user``: the account, if it is
    known, instead of its name.
    """

    name: str
    role: "Role | Kept | None"
    user: "User | None" = None
    paused: bool | None = None


class Outcome(StrEnum):
    ADDED = "added"
    ROLE_CHANGED = "role_changed"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    INVITED = "invited"
    INVITATION_WITHDRAWN = "invitation_withdrawn"
    NOT_A_MEMBER = "not_a_member"
    PAUSED = "paused"
    RESUMED = "resumed"


@dataclass(frozen=True)
class MemberChange:
    """What became of a wish. ``hint``: a name that the actor knows and may have meant."""

    name: str
    role: Role | None
    outcome: Outcome
    invitation: Invitation | None = None
    hint: str | None = None

    @property
    def sentence(self) -> str:
        """What happened, and what to do if that was not meant."""
        said = {
            Outcome.ADDED: f"{self.name} is now a {self.role}.",
            Outcome.ROLE_CHANGED: f"{self.name} is now a {self.role}.",
            Outcome.UNCHANGED: f"{self.name} is already a {self.role}.",
            Outcome.REMOVED: f"{self.name} is no longer a member.",
            Outcome.INVITED: f"{self.name} is invited as {self.role} and joins by accepting, if this account exists.",
            Outcome.INVITATION_WITHDRAWN: f"The invitation of {self.name} was withdrawn.",
            Outcome.NOT_A_MEMBER: f"{self.name} is not a member.",
            Outcome.PAUSED: f"{self.name} takes no more work here.",
            Outcome.RESUMED: f"{self.name} takes work here again.",
        }[self.outcome]
        return f"{said} Did you mean {self.hint}?" if self.hint else said


def users_named(names: Collection[str]) -> "dict[str, User]":
    """The users with these slugs or usernames, by those of ``names``; the older account if two have one."""
    # By the slugs first: an OR over both tables would read all accounts for each name.
    agents = Agent.objects.filter(slug__in=names).values_list("user", flat=True)
    users = get_user_model().objects.select_related("agent")
    by_name: dict[str, User] = {}
    for user in users.filter(Q(username__in=names) | Q(pk__in=list(agents))).order_by("-pk"):
        agent = agent_of(user)
        by_name |= dict.fromkeys([user.get_username(), *([agent.slug] if agent else [])], user)
    return by_name


@in_transaction
def change_members(
    *, actor: "User | None", project: Project, wishes: Sequence[MemberWish], rules: dict[str, Any] | None = None
) -> list[MemberChange]:
    """Add or invite, change, and remove members, after changing the project's ``rules``, if given; all or nothing.

    Whoever may not simply be brought in (``may_bring_in``) is invited, and so is a name that nobody has: the answer is
    the same. A superuser, who sees everybody, gets an error instead. People who are not managers may only leave.
    Raises ``NotPermitted``; ``Invalid``, also if no active manager would be left.
    """
    named = users_named([wish.name for wish in wishes if wish.user is None])
    users = [wish.user or named.get(wish.name) for wish in wishes]
    _require_once(actor, wishes, users)
    lock_team(project, users)
    if rules:
        project = edit_project(actor=actor, project=project, changes=rules)
    if not may_in_project(actor, "manage_members", project) and not _only_leaves(actor, wishes, users):
        require_manages_members(actor, project)
    if leaving := [user for wish, user in zip(wishes, users, strict=True) if wish.role is None and user is not None]:
        lock_work_of(project, leaving)
    hints, had = _Hints(actor), has_a_manager(project)
    changes = [_change(actor, project, wish, user, hints) for wish, user in zip(wishes, users, strict=True)]
    require_a_manager(actor, project, had=had)
    return changes


def _require_once(actor: "User | None", wishes: Sequence[MemberWish], users: Sequence["User | None"]) -> None:
    seen: set[int | str] = set()
    for wish, user in zip(wishes, users, strict=True):
        # Whoever does not know that two names belong to one account must not learn it here.
        known = user is not None and (actor is None or shares_a_project(actor, user))
        account = user.pk if user is not None and known else wish.name
        if account in seen:
            raise Invalid({"members": f"{wish.name} is listed twice."})
        seen.add(account)


def _only_leaves(actor: "User | None", wishes: Sequence[MemberWish], users: Sequence["User | None"]) -> bool:
    """Whether the actor only takes out those for whom they answer."""
    return actor is not None and all(
        wish.role is None and user is not None and may_answer(actor, user)
        for wish, user in zip(wishes, users, strict=True)
    )


def pause_member(*, actor: "User", project: Project, agent: Agent, paused: bool) -> MemberChange:
    """Let ``agent`` take no work in ``project``, or again: see ``change_members``. Repeating it changes nothing."""
    wish = MemberWish(agent.slug, KEPT, agent.user, paused=paused)
    [change] = change_members(actor=actor, project=project, wishes=[wish])
    return change


def _change(
    actor: "User | None", project: Project, wish: MemberWish, user: "User | None", hints: "_Hints"
) -> MemberChange:
    membership = Membership.objects.select_related("user").filter(project=project, user=user).first() if user else None
    if wish.role is None:
        return _remove(actor, project, wish.name, membership, hints)
    if wish.role is KEPT or wish.paused is not None:
        if membership is None:
            raise Invalid({"members": f"{wish.name} is not a member of {project.key}; only members can be paused."})
        if wish.role is not KEPT:
            membership = put_member(actor, project, membership.user, wish.role, membership)
        return _pause(actor, project, wish, membership)
    if membership is not None or (user is not None and may_bring_in(actor, user)):
        assert user is not None
        before = membership.role if membership else None
        put_member(actor, project, user, wish.role, membership)
        outcome = Outcome.ADDED if before is None else Outcome.ROLE_CHANGED
        return MemberChange(wish.name, wish.role, Outcome.UNCHANGED if before == wish.role else outcome)
    if actor is None or sees_all(actor):
        known = Agent.objects.values_list("slug", flat=True)
        raise Invalid({"members": unknown_name(wish.name, known, what="agent or user")})
    invitation = invite(actor, project, wish.name, user, wish.role)
    return MemberChange(wish.name, wish.role, Outcome.INVITED, invitation, hints.of(wish.name))


def _pause(actor: "User | None", project: Project, wish: MemberWish, membership: Membership) -> MemberChange:
    """Let the agent take no work in the project, or again; what it works on stays its own."""
    role, agent = Role(membership.role), agent_of(membership.user)
    if wish.paused is None or wish.paused == (membership.paused_at is not None):
        return MemberChange(wish.name, role, Outcome.UNCHANGED)
    if agent is None:
        raise Invalid({"members": f"{wish.name} is not an agent and is given no work."})
    now = clock.now()
    Membership.objects.filter(pk=membership.pk).update(paused_at=now if wish.paused else None)
    kind = kinds.MEMBER_PAUSED if wish.paused else kinds.MEMBER_RESUMED
    record(event(kind, at=now, actor=actor, project=project, agent=agent, member=agent.slug))
    return MemberChange(wish.name, role, Outcome.PAUSED if wish.paused else Outcome.RESUMED)


def _remove(
    actor: "User | None", project: Project, name: str, membership: Membership | None, hints: "_Hints"
) -> MemberChange:
    if membership is not None:
        take_out(actor, project, membership)
        return MemberChange(name, None, Outcome.REMOVED)
    invitation = Invitation.objects.open().filter(project=project, name=name).select_related("project").first()
    if invitation is not None:
        withdraw(actor, invitation)
        return MemberChange(name, None, Outcome.INVITATION_WITHDRAWN, invitation)
    return MemberChange(name, None, Outcome.NOT_A_MEMBER, hint=hints.of(name))


class _Hints:
    """For the first few names of a request, the nearest that the actor sees anyway: each is compared with all of them,
    while the project is locked.
    """

    def __init__(self, actor: "User | None") -> None:
        self._actor = actor
        self._left = MOST_HINTS

    def of(self, name: str) -> str | None:
        """None if ``name`` is one of those that the actor sees, or nothing is near it."""
        if self._actor is None or not self._left or name in self._known:
            return None
        self._left -= 1
        return nearest(name, self._known)

    @cached_property
    def _known(self) -> dict[str, None]:
        return dict.fromkeys(Agent.objects.visible_to(self._actor).order_by("slug").values_list("slug", flat=True))
