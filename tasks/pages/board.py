"""The board: the start page, columns by status over the user's projects."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from tasks import clock
from tasks.limits import Limit, limits_of
from tasks.models import Agent, Label, Membership, Priority, Project, Role
from tasks.pages.board_choices import BoardChoices, read_choices
from tasks.pages.board_lanes import LANES, Lane, Row, lanes_of
from tasks.pages.board_query import FIRST_STEPS, BoardQuery, read_board_query
from tasks.pages.cards import Card, KeptCard, read_cards, read_kept_cards
from tasks.pages.columns import COUNTED, WINDOW, ColumnContent, read_columns, tasks_counted
from tasks.pages.first_steps import first_steps
from tasks.permissions import agent_of, may_create_projects, may_in_project
from tasks.querysets import sees_all
from tasks.transitions import Status
from tasks.viewed import UNASSIGNED

MOST_PROJECTS = 40
MOST_CHOICES = 200
#: Members whose lanes are there without a card, to drop cards in.
MOST_OFFERED = 20
#: Cards refreshed in one request; a page that missed more fetches the whole board.
MOST_REFS = 100
TITLES = {Status.WAITING: "Waiting"}
LIMITABLE = (Status.IN_PROGRESS, Status.IN_REVIEW)
EMPTY = {
    Status.NOT_STARTED: "Nothing left to start.",
    Status.IN_PROGRESS: "Nobody is working on anything.",
    Status.WAITING: "No task is waiting for an answer.",
    Status.IN_REVIEW: "Nothing to review.",
    Status.COMPLETED: "Nothing completed yet.",
    Status.FAILED: "Nothing failed.",
    Status.CANCELLED: "Nothing was cancelled.",
}
#: Of the groups of which a task may be in several, why it is in a single lane.
ONE_LANE = {
    "assignee": "A task of several agents is shown once: with whoever works on it, otherwise with the first of them.",
    "label": "A task with several labels is shown once, in the lane of its first label by name.",
}


@dataclass
class Column:
    """A column of the page: a status with the total number, and its first cards unless it is folded."""

    status: Status
    content: ColumnContent
    cards: list[Card | KeptCard]
    is_folded: bool = False
    limit: Limit | None = None
    may_limit: bool = False

    @property
    def title(self) -> str:
        return TITLES.get(self.status, self.status.label)

    @property
    def count(self) -> str:
        """The number of tasks; with a plus where there are more, or may be."""
        if self.content.is_capped:
            return f"{COUNTED}+"
        return f"{self.content.count}+" if self.content.is_partial else str(self.content.count)

    @property
    def hidden(self) -> str:
        """How many tasks the column does not show, in words; empty if it shows all."""
        return "many more" if self.content.is_capped else self.content.more(self.content.count - len(self.cards))

    @property
    def empty_text(self) -> str:
        return EMPTY[self.status]


def _choices(query: BoardQuery, scope: list[Project], user: Any) -> dict[str, Any]:
    """The choices of the filters: the agents and labels of the projects shown."""
    me = agent_of(user)
    workers = Membership.objects.filter(project__in=scope).exclude(role=Role.VIEWER)
    agents = Agent.objects.filter(user__in=workers.values("user")).order_by("slug")
    slugs = list(agents.values_list("slug", flat=True)[:MOST_CHOICES])
    if query.values["assignee"] not in ("", UNASSIGNED, *slugs):
        slugs.append(query.values["assignee"])
    labels = list(
        Label.objects.filter(project__in=scope)
        .order_by("name")
        .values_list("name", flat=True)
        .distinct()[:MOST_CHOICES]
    )
    if query.values["label"] and query.values["label"] not in labels:
        labels.append(query.values["label"])
    return {
        "me": me.slug if me and me.slug in slugs else "",
        "assignees": [slug for slug in slugs if me is None or slug != me.slug],
        "labels": labels,
        "groupings": LANES.items(),
        "priorities": [p.label.lower() for p in reversed(Priority)],
    }


def _assignable(project: Project, user: Any) -> list[str]:
    """Slugs of the members whom ``user`` may assign to tasks of ``project``, the first by name."""
    if not may_in_project(user, "assign", project):
        return []
    workers = Membership.objects.filter(project=project).exclude(role=Role.VIEWER)
    agents = Agent.objects.filter(enabled=True, user__in=workers.values("user")).order_by("slug")
    return list(agents.values_list("slug", flat=True)[:MOST_OFFERED])


def _folded(contents: dict[Status, ColumnContent], choices: BoardChoices) -> set[Status]:
    return {status for status, content in contents.items() if choices.folds(status, is_empty=content.is_empty)}


def _region(request: HttpRequest, refs: frozenset[str] | None) -> tuple[BoardQuery, list[Project], dict[str, Any]]:
    """The query, the projects shown, and the board itself; with ``refs``, only these cards are included."""
    user: Any = request.user
    now = clock.now()
    projects = list(Project.objects.visible_to(user).order_by("key"))
    query = read_board_query(request, projects)
    scope = (query.projects or projects)[:MOST_PROJECTS]
    by_id = {project.pk: project for project in scope}
    contents = read_columns(scope, query.statuses, query.narrowing)
    choices = read_choices(user)
    folded = _folded(contents, choices)
    # A folded column shows its number alone.
    wanted = [pk for status, content in contents.items() if status not in folded for pk in content.ids]
    cards: dict[int, Card | KeptCard] = {}
    if refs is not None:
        cards.update(read_kept_cards(wanted, by_id))
        wanted = [pk for pk, kept in cards.items() if kept.ref in refs]
    if wanted:
        cards.update(read_cards(wanted, by_id, now))
    limits = limits_of(query.project) if query.project else {}
    may_limit = query.project is not None and may_in_project(user, "edit_project", query.project)
    columns = []
    for status, content in contents.items():
        # A task may move between the two reads: its column is the one it is in now.
        shown = [cards[pk] for pk in content.ids if pk in cards and cards[pk].status == status]
        column = Column(status, content, shown, status in folded, limits.get(status.value))
        column.may_limit = may_limit and status in LIMITABLE
        columns.append(column)
    may_move = (
        sees_all(user) or Membership.objects.filter(user=user, project__in=scope).exclude(role=Role.VIEWER).exists()
    )
    lanes: list[Lane] = []
    if query.group:
        lanes = lanes_of(
            [Row(each.status, each.title, each.is_folded, each.content, each.cards) for each in columns],
            query.group,
            tasks_counted(scope, contents, query.narrowing),
            {card.ref: pk for pk, card in cards.items()},
            by_id,
            choices.lanes,
            is_complete=may_move,
            offered=_assignable(scope[0], user) if query.group == "assignee" and len(scope) == 1 else (),
            # A list has no such limit of projects.
            listed=query.list_of if len(scope) == len(query.projects or projects) else None,
        )
    context = {
        "columns": columns,
        "lanes": lanes,
        "one_lane": ONE_LANE.get(query.group, ""),
        "is_compact": choices.is_compact,
        "projects": projects,
        "query": query,
        # Also where a part of the page is renewed by itself: what it posts leads back to the page.
        "here": query.address,
        "is_narrowed": query.is_narrowed,
        "has_tasks": not all(content.is_empty for content in contents.values()),
        "window": f"{WINDOW:,}",
        # Asked for by an empty board alone.
        "may_add": Project.objects.creatable_by(user).exists,
        "may_move": may_move,
    }
    return query, scope, context


@login_required
def board(request: HttpRequest) -> HttpResponse:
    """The board of the user's projects, or of one (``?project=OPS``), narrowed by the parameters of the list."""
    query, scope, context = _region(request, None)
    projects = context["projects"]
    context |= {
        "all_url": query.of_project(""),
        "switch": [(project, query.of_project(project.key)) for project in projects],
        "left_out": len(query.projects or projects) - len(scope),
        **_choices(query, scope, request.user),
        **_steps(request),
    }
    return render(request, "tasks/board.html", context)


@login_required
def board_changes(request: HttpRequest) -> HttpResponse:
    """The board for the same query, with the cards of ``refs`` (``OPS-1,OPS-2``) and only the places of the others.

    So an open board follows at the cost of what changed. ``refs`` beyond ``MOST_REFS`` are ignored. With ``steps`` the
    first steps come, too.
    """
    refs = frozenset(request.GET.get("refs", "").upper().split(",")[:MOST_REFS])
    _, _, context = _region(request, refs)
    if FIRST_STEPS in request.GET:
        context |= _steps(request)
    return render(request, "tasks/_board_changes.html", context)


def _steps(request: HttpRequest) -> dict[str, Any]:
    user: Any = request.user
    steps = first_steps(user, is_over=getattr(request, "first_steps_over", False))
    return {"first_steps": steps, "may_create_projects": lambda: may_create_projects(user)}
