"""The fields of a task, each declared once: for the list, its API, the board, and reports."""

import operator
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Final

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q

from tasks import querysets
from tasks.conditions.fields import Context, Field, choice, flag, names, number, search, table, text, time
from tasks.conditions.parameters import parameters
from tasks.conditions.words import MOST_KNOWN
from tasks.models import (
    Agent,
    Assignment,
    Label,
    Membership,
    Priority,
    Project,
    RequiredSkill,
    Run,
    Skill,
    Task,
    counting,
)
from tasks.refs import parse_ref
from tasks.search.matching import matching
from tasks.transitions import Status

ME: Final = "me"
NOT_A_REF = "Must be a ref such as OPS-42."
STATUSES: Final = {status.value: status.value for status in Status}
PRIORITIES: Final = {priority.name.lower(): priority.value for priority in Priority}


def agents_meant(slugs: Sequence[str], context: Context) -> list[int]:
    """Ids of the agents of these slugs, and of the reader's own for ``me``."""
    agents = Q(slug__in=[slug for slug in slugs if slug != ME])
    if ME in slugs:
        agents |= Q(user=context.user)
    # A list, not a subquery: given the ids, the planner begins with their assignments.
    return list(Agent.objects.filter(agents).values_list("pk", flat=True))


def _assigned(slugs: Sequence[str], context: Context) -> Q:
    """Of those shown as the task's assignees: active, or ended together with the task."""
    assigned = Assignment.objects.filter(task=OuterRef("pk"), agent__in=agents_meant(slugs, context))
    return Q(Exists(assigned.filter(counting())))


def _unassigned(context: Context) -> Q:
    return ~Q(Exists(Assignment.objects.active().filter(task=OuterRef("pk"))))


def _labelled(labels: Sequence[str], context: Context) -> Q:
    return Q(Exists(Task.labels.through.objects.filter(task=OuterRef("pk"), label__name__in=labels)))


def _has_label(context: Context) -> Q:
    return Q(Exists(Task.labels.through.objects.filter(task=OuterRef("pk"))))


def _requiring(skills: Sequence[str], context: Context) -> Q:
    return Q(Exists(RequiredSkill.objects.filter(task=OuterRef("pk"), skill__name__in=skills)))


def _requires_any(context: Context) -> Q:
    return Q(Exists(RequiredSkill.objects.filter(task=OuterRef("pk"))))


def _stalled(context: Context) -> Q:
    return Q(Exists(Run.objects.active().filter(task=OuterRef("pk"), stalled_at__isnull=False)))


def _named(refs: Iterable[str]) -> Q:
    numbers: dict[str, list[int]] = defaultdict(list)
    for ref in refs:
        if parsed := parse_ref(ref.strip()):
            numbers[parsed[0]].append(parsed[1])
    named = (Q(project__in=Project.objects.filter(key=key), number__in=each) for key, each in numbers.items())
    return reduce(operator.or_, named, Q(pk__in=()))


def _below(refs: Sequence[str], context: Context) -> Q:
    return Q(parent__in=Task.objects.filter(_named(refs)).values("pk"))


def _created_by(people: Sequence[str], context: Context) -> Q:
    users = Q(username__in=people) | Q(agent__slug__in=people)
    if ME in people:
        users |= Q(pk=context.user.pk)
    return Q(created_by__in=User.objects.filter(users).values("pk"))


def _known_projects(context: Context) -> Iterable[str]:
    return Project.objects.visible_to(context.user).order_by("key").values_list("key", flat=True)[:MOST_KNOWN]


def _known_labels(context: Context) -> Iterable[str]:
    labels = Label.objects.visible_to(context.user).order_by("name").values_list("name", flat=True)
    return labels.distinct()[:MOST_KNOWN]


def _known_agents(context: Context) -> Iterable[str]:
    members = Membership.objects.filter(project__in=Project.objects.visible_to(context.user))
    agents = Agent.objects.filter(user__in=members.values("user")).order_by("slug")
    return [ME, *agents.values_list("slug", flat=True)[:MOST_KNOWN]]


def _known_people(context: Context) -> Iterable[str]:
    members = Membership.objects.filter(project__in=Project.objects.visible_to(context.user))
    people = User.objects.filter(pk__in=members.values("user")).order_by("username")
    named = people.values_list("agent__slug", "username")[:MOST_KNOWN]
    return [ME, *(slug or username for slug, username in named)]


def _known_skills(context: Context) -> Iterable[str]:
    return Skill.objects.order_by("name").values_list("name", flat=True)[:MOST_KNOWN]


def _ref_wanted(text: str) -> str | None:
    return None if parse_ref(text.strip()) else NOT_A_REF


_DONE = Q(status=Status.COMPLETED)

TASK_FIELDS: Final[dict[str, Field]] = table(
    names("project", "Project", lambda keys, _: Q(project__key__in=keys), known=_known_projects,
          help="Keys of projects."),
    choice("status", "Status", "status", STATUSES, labels=dict(Status.choices)),
    choice("priority", "Priority", "priority", PRIORITIES, ordered=True,
           labels={priority.name.lower(): priority.label for priority in Priority}),
    names("assignee", "Assignee", _assigned, known=_known_agents, help="Slugs of agents; `me` for yourself."),
    flag("unassigned", "Unassigned", _unassigned, help="Nobody is to do it."),
    names("label", "Label", _labelled, any_at_all=_has_label, known=_known_labels,
          help="Tasks that carry any of these."),
    names("skill", "Skill", _requiring, any_at_all=_requires_any, known=_known_skills,
          help="Tasks that require any of these."),
    flag("ready", "Ready", lambda context: querysets.ready(context.moment),
         help="Not started, and nothing is in the way."),
    flag("blocked", "Blocked", lambda _: querysets.blocked(), help="Not started, and waits for other tasks."),
    flag("deferred", "Deferred", lambda context: querysets.deferred(context.moment),
         help="Not started, and may not be before a later time."),
    flag("on_hold", "On hold", lambda _: querysets.held(), help="Not started, and set aside without a date."),
    flag("overdue", "Overdue", lambda context: querysets.overdue(context.moment), help="Open after its due date."),
    flag("stalled", "Stalled", _stalled, help="Its agent is alive and makes no progress."),
    names("ref", "Task", lambda refs, _: _named(refs), check=_ref_wanted, help="Refs of tasks, such as OPS-42."),
    names("parent", "Parent", _below, any_at_all=lambda _: Q(parent__isnull=False), check=_ref_wanted,
          help="Ref of the parent."),
    names("created_by", "Created by", _created_by, known=_known_people,
          help="Slugs of agents or names of users; `me` for yourself."),
    search("text", "Text", matching, help="A ref, or words of title, description and labels; \"in quotes\" in a row."),
    text("external_id", "External id", "external_id", nullable=True, help="Its id in the tracker it came from."),
    time("created", "Created", "created_at"),
    time("updated", "Updated", "updated_at"),
    time("due", "Due", "due_at", nullable=True),
    time("start_after", "Start after", "start_after", nullable=True),
    time("started", "Started", "started_at", nullable=True),
    time("completed", "Completed", "completed_at", nullable=True, where=_DONE),
    number("estimate", "Estimate in minutes", "estimate_minutes", nullable=True),
    number("attempts", "Failed attempts", "attempts"),
    number("progress", "Progress in percent", "progress_percent"),
    flag("review_required", "Review required", lambda _: Q(review_required=True)),
)  # fmt: skip

#: The plain parameters of addresses: the filters of the list and of its API.
TASK_PARAMETERS: Final = parameters(TASK_FIELDS)
