"""Named predicates over tasks and related rows; the one place that defines *ready* or *overdue* in SQL."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from taskproject.prepared.querysets import prepared
from taskproject.reach import caller_of, reach_of
from tasks.transitions import OPEN, Status

if TYPE_CHECKING:
    from tasks.models import (  # noqa: F401
        Agent,
        Artifact,
        Assignment,
        Event,
        FollowUp,
        Invitation,
        InvitationLink,
        Membership,
        Message,
        Project,
        Question,
        Run,
        Task,
    )


def _other_model(queryset: models.QuerySet, relation: str) -> Any:
    """The model at the other end of a relation; looked up, since the models import this module."""
    return queryset.model._meta.get_field(relation).related_model


#: Users who see every project; the same as ``sees_all``.
SEES_ALL = Q(is_active=True, is_superuser=True)


def is_superuser(user: Any) -> bool:
    """Whether ``user`` is a superuser who may sign in, whatever their credentials reach."""
    return bool(user.is_active and user.is_superuser)


def sees_all(user: Any) -> bool:
    """Whether ``user`` sees every project, with or without a role in it: a superuser whose credentials are not limited
    to projects.
    """
    return is_superuser(user) and reach_of(user).projects is None


def seen_by(user: Any, to_project: str = "") -> Q:
    """The rows whose project ``user`` sees. ``to_project``: how a row refers to it, as in ``project__``.

    With ``AgentQuerySet.visible_to`` and ``permissions`` the only place that decides which projects a caller sees.
    """
    return seen_as(**sight_of(user), to_project=to_project, among="in")


def sight_of(user: Any) -> dict[str, Any]:
    """What decides which projects ``user`` sees: the arguments of ``seen_as``, for a prepared statement."""
    reach = reach_of(user).projects
    return {
        "member": user.pk,
        "reach": list(reach or ()),
        "is_member": not is_superuser(user),
        "is_limited": reach is not None,
    }


def seen_as(
    member: Any, reach: Any, to_project: str = "", *, is_member: bool, is_limited: bool, among: str = "any"
) -> Q:
    """``seen_by`` of whoever has this ``sight_of``, whose ids may be parameters of a prepared statement."""
    where = {f"{to_project}memberships__user": member} if is_member else {}
    if is_limited:
        where[f"{to_project}pk__{among}"] = reach
    return Q(**where)


def projects_seen_by(user: Any) -> list[int]:
    """The ids of the projects that ``user`` sees; many for somebody who sees all."""
    ids: list[int] = _seen_projects.all(**sight_of(user))
    return ids


@prepared
def _seen_projects(member: Any, reach: Any, *, is_member: bool, is_limited: bool) -> models.QuerySet:
    projects = apps.get_model("tasks", "Project").objects.filter(
        seen_as(member, reach, is_member=is_member, is_limited=is_limited)
    )
    return projects.order_by().values_list("pk", flat=True)


class ProjectQuerySet(models.QuerySet["Project"]):
    def visible_to(self, user: Any) -> Self:
        """Projects of which ``user`` is a member, as far as their credentials reach; for a superuser all of those."""
        return self.filter(seen_by(user))

    def limited(self) -> Self:
        """Those with a limit of the tasks in progress or in review; without regard to whether it is reached."""
        return self.filter(Q(limit_in_progress__isnull=False) | Q(limit_in_review__isnull=False))

    def creatable_by(self, user: Any) -> Self:
        """Those in which ``user`` may create tasks, as ``permissions.may_in_project`` says of each."""
        if is_superuser(user):
            return self.visible_to(user)
        works = Q(role="manager") | Q(role__in=("worker", "reviewer"), project__workers_create=True)
        memberships = _other_model(self, "memberships").objects.filter(works, user=user)
        return self.visible_to(user).filter(pk__in=memberships.values("project"))

    def with_members(self) -> Self:
        """With their memberships, and the user and agent of each."""
        # Joined: SQLite refuses the lookup with which Django would prefetch the users of a thousand memberships.
        members = _other_model(self, "memberships").objects.select_related("user__agent")
        return self.prefetch_related(models.Prefetch("memberships", members))


class OfProjectQuerySet(models.QuerySet):
    """Rows that belong to a project: visible to its members and superusers, and nobody else."""

    def visible_to(self, user: Any) -> Self:
        if sees_all(user):
            return self
        projects = _other_model(self, "project").objects.visible_to(user)
        # A list, not a subquery: given the few ids, the planner walks the index in order.
        return self.filter(project_id__in=list(projects.order_by().values_list("pk", flat=True)))

    def found_by(self, user: Any) -> Self:
        """The same rows in one query, for lookups by key, where no index is walked in order."""
        return self.filter(seen_by(user, "project__"))


# What is derived of a task, for queries and for conditions. ``now``: a time or an expression; None: the database's.


def not_deferred(now: Any = None) -> Q:
    return Q(deferred_until__isnull=True) | Q(deferred_until__lte=now or Now())


def ready(now: Any = None) -> Q:
    """Not started, every dependency completed, no open child, not on hold, and not deferred."""
    return Q(status=Status.NOT_STARTED, open_blockers=0, on_hold=False) & not_deferred(now)


def blocked() -> Q:
    """Not started, and a dependency is not completed or a child is open."""
    return Q(status=Status.NOT_STARTED, open_blockers__gt=0)


def held() -> Q:
    """Not started, and on hold."""
    return Q(status=Status.NOT_STARTED, on_hold=True)


def deferred(now: Any = None) -> Q:
    return Q(status=Status.NOT_STARTED, deferred_until__gt=now or Now())


def overdue(now: Any = None) -> Q:
    """Open after its due date."""
    return Q(status__in=OPEN, due_at__lt=now or Now())


class TaskQuerySet(OfProjectQuerySet):
    def not_deferred(self, now: datetime | None = None) -> Self:
        return self.filter(not_deferred(now))

    def ready(self, now: datetime | None = None) -> Self:
        return self.filter(ready(now))

    def blocked(self) -> Self:
        return self.filter(blocked())

    def held(self) -> Self:
        return self.filter(held())

    def deferred(self, now: datetime | None = None) -> Self:
        return self.filter(deferred(now))

    def open(self) -> Self:
        return self.filter(status__in=OPEN)

    def overdue(self, now: datetime | None = None) -> Self:
        return self.filter(overdue(now))

    def assigned_to(self, agent: Any) -> Self:
        """Tasks that an agent (or its id) has a part in."""
        # Not EXISTS: for that SQLite tries every other task; so it begins at the agent's assignments.
        assignments = _other_model(self, "assignments").objects.filter(agent=agent, ended_at__isnull=True)
        return self.filter(pk__in=assignments.order_by().values("task"))

    def unassigned(self) -> Self:
        assignments = _other_model(self, "assignments").objects
        return self.filter(~Exists(assignments.filter(task=OuterRef("pk"), ended_at__isnull=True)))

    def fits_skills_of(self, agent: Any) -> Self:
        """Tasks whose every required skill an agent (or its id) has at the required level."""
        needs = _other_model(self, "required_skills").objects.filter(task=OuterRef("pk"))
        skills = _other_model(_other_model(_other_model(self, "assignments").objects, "agent").objects, "skills")
        met = skills.objects.filter(agent=agent, skill=OuterRef("skill"), level__gte=OuterRef("min_level"))
        return self.filter(~Exists(needs.filter(~Exists(met))))

    def in_claim_order(self) -> Self:
        """Most urgent first, then the nearest due date, then the oldest; walks ``task_pool``."""
        return self.order_by("-priority", "due_order", "pk")


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    def active(self) -> Self:
        return self.filter(ended_at__isnull=True)

    def unstarted(self) -> Self:
        """Active, and the task has not been started: an agent's upcoming work, besides its runs."""
        return self.active().filter(task__status=Status.NOT_STARTED)


class RunQuerySet(models.QuerySet["Run"]):
    def active(self) -> Self:
        return self.filter(ended_at__isnull=True)

    def expired(self, now: datetime) -> Self:
        return self.active().filter(lease_expires_at__lt=now)


class ArtifactQuerySet(models.QuerySet["Artifact"]):
    def visible_to(self, user: Any) -> Self:
        """Those of the tasks that ``user`` sees."""
        return self.filter(seen_by(user, "run__task__project__"))

    def of_task(self, task: "Task | int") -> Self:
        return self.filter(run__task=task)

    def listed(self) -> Self:
        """Without their content, which a list of them must not read."""
        return self.defer("content")


class FollowUpQuerySet(models.QuerySet["FollowUp"]):
    def visible_to(self, user: Any) -> Self:
        """Those of the tasks that ``user`` sees."""
        return self.filter(seen_by(user, "task__project__"))

    def open(self) -> Self:
        """Those that wait for a manager: the result that they came with counts."""
        return self.filter(state="open")

    def undecided(self) -> Self:
        """These, and those that wait for a review."""
        return self.filter(state__in=("held", "open"))


class AgentQuerySet(models.QuerySet["Agent"]):
    def visible_to(self, user: Any) -> Self:
        """The user's own agent, those that share a project with ``user``, and those that ``user`` owns."""
        if sees_all(user):
            return self
        shared = _other_model(self, "user").objects.filter(seen_by(user, "memberships__project__"))
        return self.filter(Q(user=user) | Q(user__in=shared) | self.owned_by(user))

    def owned_by(self, user: Any) -> Q:
        """The LLM agents for whose owner ``user`` acts, without regard to superusers; see ``permissions.owns``."""
        memberships = _other_model(self, "owner_project").members.through.objects
        managed = memberships.filter(user=user, role="manager").values("project")
        reach = reach_of(user).projects
        if reach is not None:
            # What a person owns may work anywhere, so limited credentials show it only where they reach.
            return Q(owner_project__in=managed.filter(project__in=reach))
        return Q(owner_user=user) | Q(owner_project__in=managed)

    def with_load(self) -> Self:
        """Adds ``active_runs`` and ``open_assignments``, the numbers that count against capacity."""

        def count(queryset: models.QuerySet) -> models.functions.Coalesce:
            # Rows, not ids: these are in no index of an agent.
            counted = queryset.filter(agent=OuterRef("pk")).order_by().values("agent").annotate(n=models.Count("*"))
            return models.functions.Coalesce(models.Subquery(counted.values("n")), 0)

        assignments = _other_model(self, "assignments").objects
        runs = _other_model(self, "runs").objects
        return self.annotate(active_runs=count(runs.active()), open_assignments=count(assignments.unstarted()))


class EventQuerySet(OfProjectQuerySet):
    def in_order(self) -> Self:
        return self.order_by("pk")


class MembershipQuerySet(models.QuerySet["Membership"]):
    def working(self) -> Self:
        """Of those who may be given work in the project, paused there or not."""
        return self.exclude(role="viewer")

    def managing(self) -> Self:
        """Of managers whose accounts are not disabled."""
        active = self.filter(role="manager", user__is_active=True)
        return active.exclude(user__agent__enabled=False)

    def taking_work(self) -> Self:
        """Of those who may take work in the project now."""
        return self.working().filter(paused_at__isnull=True)


def _maker_manages(invitations: Any) -> Any:
    """Those whose maker may still bring somebody into the project."""
    memberships = _other_model(invitations, "project").members.through.objects
    managing = memberships.filter(project=OuterRef("project"), user=OuterRef("invited_by"), role="manager")
    makers = Q(invited_by__is_superuser=True) | Exists(managing)
    return invitations.filter(makers, invited_by__is_active=True)


class InvitationLinkQuerySet(models.QuerySet["InvitationLink"]):
    def unended(self, now: datetime) -> Self:
        """Those that are not revoked, used up or expired at ``now``."""
        return self.filter(Q(once=False) | Q(uses=0), revoked_at=None, expires_at__gt=now)

    def standing(self, now: datetime) -> Self:
        """Those by which somebody can join: also, whoever made the link may still bring somebody in."""
        links: Self = _maker_manages(self.unended(now))
        return links


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self) -> Self:
        return self.filter(ended_at__isnull=True)

    def standing(self) -> Self:
        """Open, and whoever made it may still bring somebody in."""
        return _maker_manages(self.open())

    def of_managers(self, user: Any) -> Self:
        """Those of the projects that ``user`` manages, as far as their credentials reach."""
        visible = _other_model(self, "project").objects.visible_to(user)
        if is_superuser(user):
            return self.filter(project__in=visible.values("pk"))
        memberships = _other_model(self, "project").members.through.objects.filter(user=user, role="manager")
        return self.filter(project__in=memberships.filter(project__in=visible.values("pk")).values("project"))

    def answered_by(self, user: Any) -> Self:
        """Those that ``user`` answers: to themself, if a person, and to the LLM agents that they own; superusers also
        those to LLM agents without an active owner.

        None with credentials that are limited to projects: an invitation names another one.
        """
        agent = getattr(user, "agent", None)
        if (agent is not None and agent.kind == "llm") or reach_of(user).projects is not None:
            return self.none()
        agents = _other_model(self, "user").agent.related.related_model.objects
        owned = agents.filter(agents.owned_by(user), kind="llm")
        if sees_all(user):
            orphaned = Q(owner_user=None) | Q(owner_user__is_active=False)
            owned = owned | agents.filter(orphaned, kind="llm", owner_project=None)
        return self.filter(Q(user=user) | Q(user__agent__in=owned))

    def end(self, how: str, *, at: datetime, by: Any) -> int:
        """End those that are open; returns how many were."""
        return self.open().update(ended_at=at, ended_as=how, ended_by=by)


class QuestionQuerySet(OfProjectQuerySet):
    """Questions, visible to the members of their projects."""

    def to_show(self) -> Self:
        """With everything that ``asked.question_outputs`` and ``permissions.may_answer_question`` read."""
        return self.select_related(
            "project", "task__project", "run__agent__user", "to_user__agent", "answered_by__agent"
        )

    def open(self) -> Self:
        return self.filter(ended_at__isnull=True)

    def answerable_by(self, user: Any) -> Self:
        """Those that ``user`` may answer; in Python: ``permissions.may_answer_question``.

        Nobody answers what they asked, nor what whoever made their token asked. An LLM agent answers what is addressed
        to it by name; a person what is addressed to them, to a role that they have, or to nobody in particular; a
        manager everything in their projects.
        """
        agent = getattr(user, "agent", None)
        if not user.is_active or (agent is not None and not agent.enabled):
            return self.none()
        askers = [pk for pk in caller_of(user) if pk is not None]
        others = self.exclude(run__agent__user__in=askers)
        reach = reach_of(user).projects
        is_llm = agent is not None and agent.kind == "llm"
        if is_superuser(user) and not is_llm:
            return others if reach is None else others.filter(project__in=reach)
        memberships = _other_model(self, "project").members.through.objects.filter(user=user)
        if reach is not None:
            memberships = memberships.filter(project__in=reach)

        def where(*roles: str) -> Any:
            return memberships.filter(role__in=roles).order_by().values("project")

        working = where("worker", "reviewer", "manager")
        named = Q(to_user=user, project__in=working)
        if is_llm:
            return others.filter(named)
        anyone = Q(to_user__isnull=True, to_role__in=("", "worker"), project__in=working)
        reviewers = Q(to_role="reviewer", project__in=where("reviewer", "manager"))
        return others.filter(named | anyone | reviewers | Q(project__in=where("manager")))


class MessageQuerySet(OfProjectQuerySet):
    """A direct message is visible to its two participants alone, where they still see its project."""

    def visible_to(self, user: Any) -> Self:
        return super().visible_to(user).filter(self._not_of_others(user))

    def found_by(self, user: Any) -> Self:
        return super().found_by(user).filter(self._not_of_others(user))

    @staticmethod
    def _not_of_others(user: Any) -> Q:
        return Q(to__isnull=True) | Q(to=user) | Q(author=user)

    def to_show(self) -> Self:
        """With what ``thread.message_outputs`` reads of other rows, but not the task's long texts."""
        long = ("task__description", "task__result", "task__summary", "task__criteria", "task__last_failure")
        return self.select_related("project", "task", "to__agent").defer(*long)

    def of_channel(self, project: "Project | int | OuterRef") -> Self:
        """What was said in the project's channel."""
        return self.filter(project=project, task__isnull=True, to__isnull=True)

    def between(self, user: Any, other: Any) -> Self:
        """What two users wrote to each other."""
        return self.filter(Q(author=user, to=other) | Q(author=other, to=user))
