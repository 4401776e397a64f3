"""What each page costs in this process: the median of its times and its queries, as JSON.

Run with ``DATABASE_URL`` (or ``DATA_DIR`` for SQLite) on ``mixed`` data of ``bench.dataset``; the first run adds what
people leave behind: words, messages, questions, notifications, saved views. Times are CPU time, with that of the
connection's PostgreSQL process where it runs on this machine: other load on the machine counts for nothing.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
django.setup()

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.dataset import settle
from bench.statements import ago, fill
from messaging.models import NotificationKind
from reports.dashboards.keeping import make_dashboard
from tasks import clock
from tasks.models import (
    Agent,
    AgentKind,
    Membership,
    Project,
    Question,
    Role,
    Run,
    SavedView,
    Task,
    ViewPlace,
)
from tasks.search.keeping import rebuild

WARM_UP = 1
LEAD = "lead"
_EITHER = '{"any": [{"field": "status", "is": "failed"}, {"field": "priority", "is": "urgent"}]}'
#: Each page by the name in the figures; ``{}`` is a task's ref.
PAGES: dict[str, str] = {
    "board": "/",
    "board, lanes by assignee": "/?group=assignee",
    "board, lanes by label": "/?group=label",
    "board, lanes by priority": "/?group=priority",
    "board, one project": "/?project=P0",
    "board, an assignee": "/?assignee=agent-65",
    "board, nobody assigned": "/?assignee=-",
    "board, a label": "/?label=label-9",
    "board, urgent": "/?priority=urgent",
    "board, words": "/?q=nightly+import",
    "board, a ref": "/?q={}",
    "board, overdue": "/?overdue=true",
    "board, changes": "/board/changes?refs={}",
    "list": "/tasks/",
    "list, not started by priority": "/tasks/?status=not_started&ordering=-priority",
    "list, a label": "/tasks/?label=label-9",
    "list, an assignee": "/tasks/?assignee=agent-65",
    "list, overdue": "/tasks/?overdue=true",
    "list, one project": "/tasks/?project=P0",
    "list, words": "/tasks/?q=nightly+import",
    "list, a rare word": "/tasks/?q=task+77",
    "list, a ref": "/tasks/?q={}",
    "list, or": "/tasks/?" + urlencode({"where": _EITHER}),
    **{
        f"list, by {order}": f"/tasks/?ordering={order}"
        for order in ("created_at", "-updated_at", "-priority", "due_at", "status", "title")
    },
    **{
        f"list, groups by {group}": f"/tasks/?group={group}"
        for group in ("status", "assignee", "priority", "label", "parent")
    },
    "new task": "/tasks/new/",
    "task": "/tasks/{}",
    "questions of a task": "/tasks/{}/questions",
    "a field of a task": "/tasks/{}/edit/title",
    "views": "/views/",
    "side bar": "/views/side",
    "search": "/search/?q=nightly",
    "palette": "/search/",
    "palette, words": "/search/?q=nightly+import",
    "palette, a ref": "/search/?q={}",
    "inbox": "/inbox/",
    "inbox, my team's": "/inbox/?scope=team",
    "inbox, trouble": "/inbox/?group=trouble",
    "notifications": "/notifications/",
    "notification settings": "/notifications/settings/",
    "messages": "/messages/",
    "messages, a channel": "/messages/P0",
    "messages, a thread": "/messages/{}",
    "messages, somebody": "/messages/@agent-0",
    "agents": "/agents/",
    "an agent": "/agents/agent-65",
    "tokens": "/agents/lead/tokens",
    "new agent": "/projects/P0/agents/new",
    "compare policies": "/assignment/",
    "projects": "/projects/",
    "people": "/projects/P0/people/",
    "invitations": "/invitations/",
    "account": "/account/",
    "reports": "/reports/",
    "saved reports": "/reports/saved/",
    "new report": "/reports/new/",
    "dashboards": "/reports/dashboards/",
    "scheduled reports": "/reports/schedules/",
}


def _add_words() -> None:
    """The words that the search keeps of the tasks of ``bench.dataset``, written by the database."""
    label = (
        "coalesce((SELECT replace(label.name, '-', ' ') || ' | ' FROM tasks_task_labels AS tie "
        "JOIN tasks_label AS label ON label.id = tie.label_id WHERE tie.task_id = task.id), '')"
    )
    body = "' | it reads each row by itself measure first then read in blocks keep the order of the rows '"
    name = "' | ' || replace(lower(task.title), ':', '')"
    fill(
        "tasks_tasktext",
        "tasks_task AS task JOIN tasks_project AS project ON project.id = task.project_id",
        task_id="task.id",
        words=f"' ' || lower(project.key) || ' ' || task.number || {name} || replace({body}, '| ', '| ' || {label})",
    )
    newest = Task.objects.order_by("-pk").values_list("pk", flat=True)[:100]
    if wrong := rebuild(list(newest), write=False):
        raise RuntimeError(f"The data have changed, and their words are not those of {wrong[0]}.")


def _add_messages(agents: list[User], lead: User) -> None:
    """In a third of the threads, in the channels, and to the lead."""
    first = agents[0].pk
    last = Task.objects.count()
    for every, where in ((3, {"task_id": "id"}), (5, {}), (20, {"to_id": lead.pk})):
        number = "(id - 1)"
        fill(
            "tasks_message",
            f"(SELECT * FROM tasks_task WHERE (id - 1) % {every} = 0) AS task",
            **{"task_id": "NULL", "to_id": "NULL", **where},
            project_id="project_id",
            author_id=f"{first} + {number} % {len(agents)}",
            author_name=f"'agent-' || ({number} % {len(agents)})",
            body=f"'Step ' || {number} || ' is **done**; the next one reads in blocks.'",
            at=ago(f"60 * ({last} - {number})"),
            kind="'comment'",
            external_id="''",
            state="''",
            keep="FALSE",
            note="''",
        )


def _add_notifications(lead: User) -> None:
    """To the lead, of a fifth as many events as there are tasks."""
    most = Task.objects.count() // 5
    fill(
        "messaging_notification",
        f"(SELECT * FROM tasks_event WHERE kind = 'task.status_changed' ORDER BY id LIMIT {most}) AS event",
        kind=f"'{NotificationKind.COMPLETED.value}'",
        last_kind=f"'{NotificationKind.COMPLETED.value}'",
        at="at",
        event_id="id",
        last_event_id="id",
        project_id="project_id",
        task_id="task_id",
        recipient_id=lead.pk,
        bundled=1,
        grouped="''",
    )


def add_what_people_leave(*, settled: bool = True) -> None:
    """The lead of all projects, and what comes of a team that talks: in proportion to the tasks.

    Not ``settled``: within a transaction, where PostgreSQL cannot be told to.
    """
    now = clock.now()
    lead = User.objects.create(username=LEAD, password="!", email="lead@example.org", is_staff=True)
    Agent.objects.create(user=lead, slug=LEAD, name="Lead", kind=AgentKind.HUMAN, max_concurrent=10)
    projects = list(Project.objects.order_by("pk"))
    Membership.objects.bulk_create([Membership(project=each, user=lead, role=Role.MANAGER) for each in projects])
    agents = list(User.objects.filter(agent__slug__startswith="agent-").order_by("pk"))
    _add_words()
    _add_messages(agents, lead)
    waiting = Run.objects.filter(task__status="waiting").select_related("task")
    Question.objects.bulk_create(
        [
            Question(
                project_id=run.task.project_id, task=run.task, run=run, ask=run.pk, position=0, kind="text",
                prompt="Which of two orders is the right one?", asked_at=now, is_parked=True,
            )
            for run in waiting
        ]
    )  # fmt: skip
    _add_notifications(lead)
    views = {
        "Mine": "assignee=lead",
        "Overdue": "overdue=true",
        "Urgent": "priority=urgent&status=not_started",
        "Import": "q=import",
    }
    SavedView.objects.bulk_create(
        [
            SavedView(
                owner=lead, name=name, place=ViewPlace.LIST, query=query, position=place, created_at=now, updated_at=now
            )
            for place, (name, query) in enumerate(views.items())
        ]
    )
    make_dashboard(actor=lead, name="Mine")
    if settled:
        settle()


def clock_of_work() -> Callable[[], float]:
    """Seconds of CPU that this process and its database have used; of a database elsewhere, seconds that pass."""
    if connection.vendor != "postgresql":
        return time.process_time
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    used = Path(f"/proc/{pid}/schedstat")
    try:
        is_here = b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        is_here = False
    if not is_here:
        return time.perf_counter
    return lambda: time.process_time() + int(used.read_text().split()[0]) / 1e9


def measure(client: Client, address: str, times: int, now: Callable[[], float]) -> dict[str, Any]:
    taken = []
    for turn in range(WARM_UP + times):
        began = now()
        answer = client.get(address)
        if turn >= WARM_UP:
            taken.append(1000 * (now() - began))
        if answer.status_code != 200:
            raise RuntimeError(f"{address} answered {answer.status_code}: {answer.content[:300]!r}")
    with CaptureQueriesContext(connection) as queries:
        page = client.get(address).content
    return {"ms": median(taken), "queries": len(queries), "bytes": len(page)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--only", help="Pages whose name contains this.")
    parser.add_argument("--reader", default=LEAD)
    options = parser.parse_args()
    if not User.objects.filter(username=LEAD).exists():
        add_what_people_leave()
    reader = User.objects.get(username=options.reader)
    client = Client(headers={"host": "localhost"})
    client.force_login(reader)
    now = clock_of_work()
    ref = Task.objects.filter(project__key="P0", number=7).get().ref
    figures = {
        name: measure(client, address.format(ref), options.times, now)
        for name, address in PAGES.items()
        if not options.only or options.only in name
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
