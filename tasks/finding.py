"""Finds what a path or query names, among what the actor may see; for them nothing else exists."""

from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet

from taskproject.prepared.querysets import prepared
from taskproject.strict_json import unstorable
from tasks.errors import Invalid, NotFound
from tasks.models import Agent, Artifact, FollowUp, Invitation, Message, Project, Question, Task
from tasks.permissions import speaks_for
from tasks.querysets import TaskQuerySet, seen_as, sees_all, sight_of
from tasks.refs import parse_ref

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def find_project(actor: "User", key: str) -> Project:
    """The project with this key, with its members loaded. Raises ``NotFound``."""
    projects = Project.objects.visible_to(actor)
    # What no database can store none can look for.
    project = None if unstorable(key) else projects.with_members().filter(key=key.upper()).first()
    if project is None:
        raise no_project(key)
    return project


def no_project(key: str) -> NotFound:
    return NotFound(f"There is no project {key!r} that you are a member of.")


def find_task(actor: "User", ref: str) -> Task:
    """The task with this ref, with its project loaded. Raises ``NotFound``."""
    parsed = parse_ref(ref)
    task: Task | None = None
    if parsed is not None:
        task = _task_to_use.first(key=parsed[0], number=parsed[1], **sight_of(actor))
    if task is None:
        raise no_task(ref)
    return task


@prepared
def _task_to_use(
    key: Any, number: Any, member: Any, reach: Any, *, is_member: bool, is_limited: bool
) -> QuerySet[Task]:
    seen = seen_as(member, reach, "project__", is_member=is_member, is_limited=is_limited)
    return Task.objects.filter(seen, project__key=key, number=number).select_related("project").order_by()


def task_named(actor: "User", ref: str) -> TaskQuerySet:
    """The task with this ref, as a query of at most one row."""
    tasks: TaskQuerySet = Task.objects.order_by()
    parsed = parse_ref(ref)
    if parsed is None:
        return tasks.none()
    key, number = parsed
    return tasks.filter(project__key=key, number=number).found_by(actor)


def no_task(ref: str) -> NotFound:
    return NotFound(f"There is no task {ref!r} in the projects that you are a member of.")


def find_artifact(actor: "User", pk: int) -> Artifact:
    """The artifact with this id, with its content, run and task. Raises ``NotFound``."""
    artifacts = Artifact.objects.visible_to(actor).select_related("run__task__project", "run__agent")
    artifact = artifacts.filter(pk=pk).first()
    if artifact is None:
        raise NotFound("There is no artifact with this id in the projects that you are a member of.")
    return artifact


def find_follow_up(actor: "User", pk: int) -> FollowUp:
    """The follow-up with this id, with its task. Raises ``NotFound``."""
    follow_up = FollowUp.objects.visible_to(actor).select_related("task__project").filter(pk=pk).first()
    if follow_up is None:
        raise NotFound("There is no follow-up with this id in the projects that you are a member of.")
    return follow_up


def find_agent(actor: "User", slug: str) -> Agent:
    """The agent with this slug, if ``actor`` shares a project with it. Raises ``NotFound``."""
    agent = Agent.objects.visible_to(actor).select_related("user").filter(slug=slug).first()
    if agent is None:
        raise NotFound(f"There is no agent {slug!r} in the projects that you are a member of.")
    return agent


def find_owner(actor: "User", *, project: str | None = None, user: str | None = None) -> "User | Project":
    """The project with this key, or the person with this slug or username, for ``actor`` to make the owner of an agent.

    A superuser may name anyone, everyone else only themself and projects that they manage; all other names get the same
    answer. Raises ``Invalid``.
    """
    if project is not None:
        owner = Project.objects.visible_to(actor).filter(key=project.upper()).first()
        if owner is not None and speaks_for(actor, owner):
            return owner
        raise Invalid({"owner": f"You manage no project {project!r}."})
    person = get_user_model().objects.filter(Q(agent__slug=user) | Q(username=user)).order_by("pk").first()
    if person is not None and speaks_for(actor, person):
        return person
    known = "There is no user or agent" if sees_all(actor) else "Name yourself or a project that you manage, not"
    raise Invalid({"owner": f"{known} {user!r}."})


def find_invitation(actor: "User", pk: int) -> Invitation:
    """The invitation with this id, if ``actor`` answers it or manages its project. Raises ``NotFound``."""
    rows = Invitation.objects.select_related("project", "user__agent", "invited_by")
    mine = rows.answered_by(actor).filter(pk=pk).first()
    invitation = mine or rows.of_managers(actor).filter(pk=pk).first()
    if invitation is None:
        raise NotFound("There is no invitation with this id that you may answer or withdraw.")
    return invitation


def find_question(actor: "User | None", pk: int) -> Question:
    """The question with this id, with all that shows and judges it loaded; for the engine any. Raises ``NotFound``."""
    rows = Question.objects.to_show().filter(pk=pk)
    question: Question | None = (rows if actor is None else rows.found_by(actor)).first()
    if question is None:
        raise NotFound(f"There is no question {pk} in the projects that you are a member of.")
    return question


def find_message(actor: "User", pk: int) -> Message:
    """The message with this id, if ``actor`` may read it, with what is shown of other rows. Raises ``NotFound``."""
    message = Message.objects.found_by(actor).to_show().filter(pk=pk).first() if pk < 2**63 else None
    if message is None:
        raise NotFound("There is no message with this id that you may read.")
    return message
