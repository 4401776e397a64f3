"""The search of every page: pages, projects, reports and tasks by ref or words, as the palette and as a page."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from reports.searching import find_reports
from taskproject.time_limits import limited
from tasks.models import SavedView, Task
from tasks.pages.searching import find_projects, find_tasks, find_tasks_by_refs, find_views
from tasks.pages.side_bar import address_of
from tasks.permissions import is_staff_somewhere
from tasks.refs import parse_ref
from tasks.transitions import Status

#: Answers to a search; at least this many of them may be tasks.
MOST: Final = 10
MOST_TASKS: Final = 5
#: Of one kind other than tasks.
FEW: Final = 3
LONGEST: Final = 200
#: How long tasks are looked for: somebody pauses in typing, and looks on.
SECONDS: Final = 1.0
#: Tasks that the palette remembers; it sends their refs, which say nothing to whoever may not see them.
MOST_RECENT: Final = 8
#: With this header the answers come without a page around them.
FETCHED: Final = "palette"
#: Words, the name of the address, and other words by which it is found.
PAGES: Final = (
    ("Board", "board", "cards columns"),
    ("List of tasks", "task_list", "table"),
    ("Views", "saved_views", "saved filters"),
    ("Inbox", "inbox", "needs me"),
    ("Messages", "messages", "channels conversations"),
    ("Notifications", "notifications", "bell"),
    ("Notification settings", "notification_settings", "e-mail quiet hours time zone"),
    ("Projects", "projects", "people members invite"),
    ("Agents", "agents", "people team load"),
    ("Reports", "reports", "overview figures"),
    ("Saved reports", "saved_reports", ""),
    ("New report", "new_report", "builder"),
    ("Scheduled reports", "report_schedules", "mail"),
    ("Dashboards", "dashboards", ""),
    ("Invitations", "invitations", "members"),
    ("My account", "account", "settings name time zone theme dark light colours password tokens browsers"),
    ("API", "api-docs", "documentation"),
)
#: For managers, and for those whom the admin lets in.
POLICIES: Final = ("Compare policies", "compare_policies", "assignment simulation")
ADMIN: Final = ("Admin", "admin:index", "administration")


@dataclass(frozen=True, slots=True)
class Answer:
    """Something to go to: what it is, its words, where it leads, and what tells it from others of its name."""

    kind: str
    words: str
    url: str
    hint: str = ""


class TooSlow(Exception):
    """Tasks were looked for during this many seconds."""


@require_safe
@login_required
def search(request: HttpRequest) -> HttpResponse:
    """What ``q`` finds for the reader; without it, the tasks of ``recent`` (refs) and the pages."""
    user: Any = request.user
    text = request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST]
    is_late = False
    if text:
        tasks, is_late = _tasks(user, text)
        answers = _answers(user, text, tasks)
    else:
        refs = request.GET.get("recent", "").upper().split(",")[:MOST_RECENT]
        recent = [_of_task(task) for task in find_tasks_by_refs(user, refs)]
        answers = [*recent, *_pages(user, "")][: MOST + MOST_RECENT]
    is_fetched = request.headers.get("X-Requested-With") == FETCHED
    shown = {
        "text": text,
        "answers": answers,
        "is_late": is_late,
        "all_url": f"{reverse('task_list')}?{urlencode({'q': text})}" if text else "",
        "longest": LONGEST,
    }
    return render(request, "search/_answers.html" if is_fetched else "search/search.html", shown)


def _tasks(user: Any, text: str) -> tuple[list[Answer], bool]:
    """The tasks with these words, and whether the search for them was given up."""
    try:
        with limited(SECONDS, TooSlow):
            return [_of_task(task) for task in find_tasks(user, text, limit=MOST)], False
    except TooSlow:
        return [], True


def _answers(user: Any, text: str, tasks: list[Answer]) -> list[Answer]:
    others = [
        *list(_pages(user, text))[:FEW],
        *(_of_project(project.key, project.name) for project in find_projects(user, text, limit=FEW)),
        *(_of_view(view) for view in find_views(user, text, limit=FEW)),
        *(Answer("Report", title, url) for title, url in find_reports(user, text, limit=FEW)),
    ]
    room = MOST - min(len(tasks), MOST_TASKS)
    kept = others[:room]
    tasks = tasks[: MOST - len(kept)]
    return [*tasks, *kept] if parse_ref(text) or text.isdecimal() else [*kept, *tasks]


def _pages(user: Any, text: str) -> Iterator[Answer]:
    words = text.casefold().split()
    pages = [*PAGES, *([POLICIES] if is_staff_somewhere(user) else []), *([ADMIN] if user.is_staff else [])]
    for label, name, more in pages:
        known = f"{label} {more}".casefold()
        if all(word in known for word in words):
            yield Answer("Page", label, reverse(name))


def _of_project(key: str, name: str) -> Answer:
    return Answer("Project", name, f"{reverse('board')}?{urlencode({'project': key})}", key)


def _of_view(view: SavedView) -> Answer:
    whose = view.project.key if view.project else "mine"
    return Answer("View", view.name, address_of(view), f"{view.get_place_display()} · {whose}")


def _of_task(task: Task) -> Answer:
    hint = f"{task.ref} · {Status(task.status).label}"
    return Answer("Task", task.title, reverse("task", args=[task.ref]), hint)
