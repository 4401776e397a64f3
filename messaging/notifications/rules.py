"""Who is notified of what: a small function per kind of notification, from an event to the users it concerns.

A rule is called for events whose kind declares its notification. Rules read a ``Scene``, which loads what a whole batch
of events needs in a few queries. Whatever they return, nobody is notified of their own action, of a project they are
not a member of (unless they are invited to it), twice of one event, or of a kind they muted; see ``making.wanted``.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from django.contrib.auth.models import User
from django.db.models import Q

from messaging.models import NotificationKind
from messaging.watching import watchers_of
from tasks.events import kinds
from tasks.models import (
    Agent,
    AgentKind,
    Assignment,
    Event,
    Invitation,
    Membership,
    Message,
    OnExpiry,
    Question,
    Role,
    Task,
)
from tasks.permissions import agent_of
from tasks.querysets import SEES_ALL
from tasks.transitions import Status

#: The members of an event's data that name agents.
NAMING = ("agents", "taken_from")
#: Those that name people, one or several.
PEOPLE = ("mentions", "author")
#: Ids of users.
Users = Iterable[int | None]


class Scene:
    """What the rules need to know about a batch of events, as of now, with one query per question for all events."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events

    @cached_property
    def tasks(self) -> dict[int, Task]:
        ids = {event.task_id for event in self.events if event.task_id}
        return Task.objects.only("created_by").in_bulk(ids)

    @cached_property
    def _users_of_agents(self) -> dict[int | str, int]:
        """The users of the agents named by events, by the agent's id and by its slug."""
        ids = {event.agent_id for event in self.events if event.agent_id}
        slugs = {slug for event in self.events for name in NAMING for slug in event.data.get(name, ())}
        users: dict[int | str, int] = {}
        rows = Agent.objects.filter(Q(pk__in=ids) | Q(slug__in=slugs)).values_list("pk", "slug", "user")
        for pk, slug, user in rows:
            users[pk] = users[slug] = user
        return users

    @cached_property
    def _assignments(self) -> dict[int, list[Assignment]]:
        by_task: dict[int, list[Assignment]] = defaultdict(list)
        rows = Assignment.objects.filter(task__in=list(self.tasks)).select_related("agent")
        for row in rows.only("task", "created_at", "ended_at", "agent__user"):
            by_task[row.task_id].append(row)
        return by_task

    @cached_property
    def _judges(self) -> dict[int, list[tuple[int, Role]]]:
        by_project: dict[int, list[tuple[int, Role]]] = defaultdict(list)
        projects = {event.project_id for event in self.events}
        rows = Membership.objects.filter(project__in=projects, role__in=(Role.REVIEWER, Role.MANAGER))
        for project, user, role in rows.values_list("project", "user", "role"):
            by_project[project].append((user, Role(role)))
        return by_project

    def answering(self, event: Event) -> list[int]:
        """Who answers the pending invitation that ``event`` is about: nobody if no account has the name."""
        rows = Invitation.objects.standing().filter(project=event.project_id, name=event.data["member"])
        invitation = rows.select_related("user__agent").first()
        if invitation is None or invitation.user is None:
            return []
        agent = agent_of(invitation.user)
        accounts = User.objects.filter(is_active=True)
        if agent is None or agent.kind == AgentKind.HUMAN:
            accounts = accounts.filter(pk=invitation.user.pk)
        elif agent.owner_project_id is not None:
            managers = Membership.objects.filter(project=agent.owner_project_id, role=Role.MANAGER)
            accounts = accounts.filter(pk__in=managers.values("user"))
        else:
            owner = accounts.filter(owned_agents=agent)
            accounts = owner if owner.exists() else accounts.filter(SEES_ALL)
        return list(accounts.values_list("pk", flat=True))

    def agent(self, event: Event) -> int | None:
        """The user of the agent of the run or assignment."""
        return self._users_of_agents.get(event.agent_id) if event.agent_id else None

    def named(self, event: Event, name: str) -> list[int | None]:
        """The users of the agents whose slugs are in the event's data under ``name``, one of ``NAMING``."""
        return [self._users_of_agents.get(slug) for slug in event.data.get(name, ())]

    def creator(self, event: Event) -> int | None:
        task = self.tasks.get(event.task_id) if event.task_id else None
        return task.created_by_id if task else None

    def assignees(self, event: Event) -> list[int]:
        """Who had the task when the event happened, including assignments that ended with it."""
        return [
            row.agent.user_id
            for row in self._assignments.get(event.task_id or 0, ())
            if row.created_at <= event.at and (row.ended_at is None or row.ended_at >= event.at)
        ]

    @cached_property
    def _watchers(self) -> dict[int, set[int]]:
        return watchers_of(self.tasks)

    def watchers(self, event: Event) -> set[int]:
        """Who watches the event's task now."""
        return self._watchers.get(event.task_id or 0, set())

    @cached_property
    def _people(self) -> dict[str, int]:
        names = {name for event in self.events for key in PEOPLE for name in _listed(event.data.get(key))}
        rows = User.objects.filter(Q(agent__slug__in=names) | Q(agent=None, username__in=names))
        return {slug or name: pk for pk, slug, name in rows.values_list("pk", "agent__slug", "username")}

    def people(self, event: Event, name: str) -> list[int | None]:
        """The users whose slugs or usernames are in the event's data under ``name``, one of ``PEOPLE``."""
        return [self._people.get(known) for known in _listed(event.data.get(name))]

    @cached_property
    def _open_questions(self) -> dict[int, Question]:
        ids = {pk for event in self.events for pk in questions_of(event)}
        return Question.objects.open().in_bulk(ids)

    def questions(self, event: Event) -> list[Question]:
        """The questions that the event is about, and that are still open."""
        return [self._open_questions[pk] for pk in questions_of(event) if pk in self._open_questions]

    @cached_property
    def _people_at_work(self) -> dict[int, list[tuple[int, Role]]]:
        by_project: dict[int, list[tuple[int, Role]]] = defaultdict(list)
        projects = {question.project_id for question in self._open_questions.values()}
        rows = Membership.objects.working().filter(project__in=projects).exclude(user__agent__kind=AgentKind.LLM)
        for project, user, role in rows.values_list("project", "user", "role"):
            by_project[project].append((user, Role(role)))
        return by_project

    def addressees(self, event: Event) -> list[int]:
        """Whom the event's open questions are for: a member by name, the people of a role or, asked of everyone, all
        people who work in the project.
        """
        users: list[int] = []
        for question in self.questions(event):
            if question.to_user_id is not None:
                users.append(question.to_user_id)
                continue
            least = Role(question.to_role or Role.WORKER)
            users += [user for user, role in self._people_at_work[question.project_id] if role.includes(least)]
        return users

    @cached_property
    def _authors(self) -> dict[int, int | None]:
        ids = {event.data["in_reply_to"] for event in self.events if "in_reply_to" in event.data}
        return dict(Message.objects.filter(pk__in=ids).values_list("pk", "author"))

    def answered_author(self, event: Event) -> int | None:
        """Who wrote the message that this one answers."""
        return self._authors.get(event.data.get("in_reply_to", 0))

    def managers(self, event: Event) -> list[int]:
        return [user for user, role in self._judges[event.project_id] if role is Role.MANAGER]

    def reviewers(self, event: Event) -> list[int]:
        """Who may approve: reviewers and managers."""
        return [user for user, _ in self._judges[event.project_id]]

    def caretakers(self, event: Event) -> list[int | None]:
        """Those who decide when a task is in trouble: its creator and the managers."""
        return [self.creator(event), *self.managers(event)]


def questions_of(event: Event) -> list[int]:
    """The ids of the questions that an event is about."""
    data = event.data
    return [*data.get("questions", ()), *([data["question"]] if isinstance(data.get("question"), int) else ())]


def _listed(names: object) -> Sequence[str]:
    """A member of an event's data that is a name, names, or absent."""
    return [names] if isinstance(names, str) else names if isinstance(names, list) else []


def _leads_to(event: Event, status: Status) -> bool:
    return event.data.get("to") == status


def assigned(event: Event, scene: Scene) -> Users:
    """The agents that got the task, including one for whom it was started, but not those that took it themselves."""
    if event.kind == kinds.TASK_STATUS_CHANGED:
        return [scene.agent(event)] if event.data.get("source") else []
    return scene.named(event, "agents")


def unassigned(event: Event, scene: Scene) -> Users:
    """The agents taken off the task, by staff or because their offer lapsed, or whose run staff ended; everyone who had
    a task that was cancelled.
    """
    match event.data.get("verb"):
        case "cancel":
            return scene.assignees(event)
        case "release":
            return [scene.agent(event)]
    lost = "agents" if event.kind in (kinds.TASK_UNASSIGNED, kinds.TASK_OFFER_LAPSED) else "taken_from"
    return scene.named(event, lost)


def declined(event: Event, scene: Scene) -> Users:
    """The creator and managers: somebody else has to be found."""
    return scene.caretakers(event)


def nobody_found(event: Event, scene: Scene) -> Users:
    """The creator and managers, if nobody can be given the task until somebody acts."""
    return scene.caretakers(event)


def completed(event: Event, scene: Scene) -> Users:
    """The task's creator; after a review, also the author, whose work was accepted. Managers have the board."""
    return [scene.creator(event), scene.agent(event)] if _leads_to(event, Status.COMPLETED) else []


def failed(event: Event, scene: Scene) -> Users:
    """The task's creator and the managers, when it is given up, not after an attempt that will be repeated."""
    return scene.caretakers(event) if _leads_to(event, Status.FAILED) else []


def stalled(event: Event, scene: Scene) -> Users:
    """The creator, the managers, and the agent itself, which may just have forgotten to report."""
    return [*scene.caretakers(event), scene.agent(event)]


def dependency_failed(event: Event, scene: Scene) -> Users:
    """The creator and managers, who decide what to do, and those waiting to start."""
    if "failed" not in event.data and "cancelled" not in event.data:
        # Most imports do not wait for anything that failed.
        return []
    return [*scene.caretakers(event), *scene.assignees(event)]


def review_asked(event: Event, scene: Scene) -> Users:
    """Everyone who may approve the result, except its author."""
    if not _leads_to(event, Status.IN_REVIEW):
        return []
    return [user for user in scene.reviewers(event) if user != scene.agent(event)]


def changes_requested(event: Event, scene: Scene) -> Users:
    """The author of the result."""
    return [scene.agent(event)] if event.data.get("verb") == "request_changes" else []


def due_soon(event: Event, scene: Scene) -> Users:
    """Those who have the task; while nobody has it, the creator and managers."""
    return scene.assignees(event) or scene.caretakers(event)


def overdue(event: Event, scene: Scene) -> Users:
    """Those who have the task, the creator and the managers."""
    return [*scene.assignees(event), *scene.caretakers(event)]


def invited(event: Event, scene: Scene) -> Users:
    """The person, or whoever owns the LLM agent, as long as the invitation waits for an answer."""
    return scene.answering(event)


def webhook_disabled(event: Event, scene: Scene) -> Users:
    """The managers, one of whom has to mend the receiver; whoever registered it is one of them, or is no longer."""
    return scene.managers(event)


def watched_changed(event: Event, scene: Scene) -> Users:
    """Those who watch the task, when its status changes."""
    moved = event.data.get("to") is not None and event.data.get("to") != event.data.get("from")
    return scene.watchers(event) if moved else []


def question_for_me(event: Event, scene: Scene) -> Users:
    """Those whom an open question is for, each time it opens or is not answered in time; then the managers too, if it
    goes to them.
    """
    if event.kind == kinds.QUESTION_EXPIRED and event.data.get("on_expiry") != OnExpiry.KEEP:
        return []
    users = set(scene.addressees(event))
    return users | set(scene.managers(event)) if event.kind == kinds.QUESTION_ESCALATED else users


def question_answered(event: Event, scene: Scene) -> Users:
    """The agent that asked."""
    return [scene.agent(event)]


def undelivered(event: Event, scene: Scene) -> Users:
    """Who gave the instruction that was declined, or that its holder never got or acknowledged."""
    return scene.people(event, "author")


def mention(event: Event, scene: Scene) -> Users:
    """The members whom a message names."""
    return scene.people(event, "mentions")


def direct_message(event: Event, scene: Scene) -> Users:
    """Whom a message was written to."""
    return [event.recipient_id]


def message(event: Event, scene: Scene) -> Users:
    """Those who watch the task, and who wrote what it answers; not the holder of a run, whom an instruction reaches as
    a directive.
    """
    if event.recipient_id is not None:
        return []
    return (scene.watchers(event) | {scene.answered_author(event)}) - {scene.agent(event)}


RULES: dict[NotificationKind, Callable[[Event, Scene], Users]] = {
    NotificationKind.ASSIGNED: assigned,
    NotificationKind.UNASSIGNED: unassigned,
    NotificationKind.DECLINED: declined,
    NotificationKind.NOBODY_FOUND: nobody_found,
    NotificationKind.COMPLETED: completed,
    NotificationKind.FAILED: failed,
    NotificationKind.STALLED: stalled,
    NotificationKind.DEPENDENCY_FAILED: dependency_failed,
    NotificationKind.REVIEW_ASKED: review_asked,
    NotificationKind.CHANGES_REQUESTED: changes_requested,
    NotificationKind.DUE_SOON: due_soon,
    NotificationKind.OVERDUE: overdue,
    NotificationKind.INVITED: invited,
    NotificationKind.WEBHOOK_DISABLED: webhook_disabled,
    NotificationKind.QUESTION_FOR_ME: question_for_me,
    NotificationKind.QUESTION_ANSWERED: question_answered,
    NotificationKind.UNDELIVERED: undelivered,
    NotificationKind.MENTION: mention,
    NotificationKind.DIRECT_MESSAGE: direct_message,
    NotificationKind.MESSAGE: message,
    NotificationKind.WATCHED_CHANGED: watched_changed,
}
#: In the order of ``NotificationKind``.
BY_SPECIFICITY = tuple(kind for kind in NotificationKind if kind in RULES)


def concerned(event: Event, scene: Scene) -> dict[int, NotificationKind]:
    """Whom ``event`` concerns, each by the most specific of the kinds that the catalogue declares for it.

    Never includes the actor. Empty for deleted tasks.
    """
    declared = kinds.CATALOGUE.get(event.kind)
    if declared is None or (event.task_id is not None and event.task_id not in scene.tasks):
        return {}
    kind_by_user: dict[int, NotificationKind] = {}
    for kind in BY_SPECIFICITY:
        if kind.value not in declared.declared.notifies:
            continue
        for user in RULES[kind](event, scene):
            if user is not None and user != event.actor_id:
                kind_by_user.setdefault(user, kind)
    return kind_by_user


def members_among(pairs: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """The pairs (project id, user id) of current members; superusers are members of every project."""
    pairs = set(pairs)
    users = {user for _, user in pairs}
    rows = Membership.objects.filter(project__in={project for project, _ in pairs}, user__in=users)
    present = set(rows.filter(user__is_active=True).values_list("project", "user"))
    superusers = User.objects.filter(SEES_ALL, pk__in=users)
    all_seeing = set(superusers.values_list("pk", flat=True))
    return {(project, user) for project, user in pairs if user in all_seeing or (project, user) in present}
