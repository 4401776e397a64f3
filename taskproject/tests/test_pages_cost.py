"""With many tasks, no page takes more queries than with few."""

import itertools
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks import clock
from tasks.models import Assignment, Label, Message, Question, Run, SavedView, Task, ViewPlace
from tasks.search.keeping import rebuild
from tasks.transitions import TERMINAL, Status

#: The status of the run of a task.
RUNS = {
    Status.IN_PROGRESS: "active",
    Status.WAITING: "parked",
    Status.IN_REVIEW: "completed",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
}
PAGES = (
    "/", "/?group=assignee", "/?group=label", "/?label=x", "/?assignee=atlas", "/?q=task", "/?overdue=true",
    "/board/changes?refs=OPS-1", "/tasks/", "/tasks/?status=not_started&ordering=-priority",
    "/tasks/?label=x", "/tasks/?q=task", "/tasks/?group=status", "/tasks/?group=assignee",
    "/tasks/?group=label", "/tasks/new/", "/tasks/OPS-1", "/tasks/OPS-3", "/tasks/OPS-1/edit/title",
    "/views/", "/views/side", "/search/?q=task", "/search/?q=7", "/inbox/", "/inbox/?scope=team",
    "/inbox/?group=trouble", "/notifications/", "/messages/", "/messages/OPS", "/messages/OPS-1",
    "/messages/@atlas", "/agents/", "/agents/atlas", "/assignment/", "/projects/", "/projects/OPS/people/",
    "/invitations/", "/account/", "/reports/", "/reports/saved/", "/reports/dashboards/",
)  # fmt: skip


def add(cast, label, first: int, count: int) -> None:
    """Tasks of every status, with what people and agents leave at them."""
    now = clock.now()
    tasks = Task.objects.bulk_create(
        Task(
            project=cast.ops, number=number, title=f"Task {number}", status=status, priority=1 + number % 4,
            due_at=now - timedelta(hours=1), created_by=cast.ada.user, created_at=now, updated_at=now, started_at=now,
            completed_at=now if status == Status.COMPLETED else None,
        )
        for number, status in zip(range(first, first + count), itertools.cycle(Status))
    )  # fmt: skip
    Task.labels.through.objects.bulk_create(Task.labels.through(task=task, label=label) for task in tasks)
    Assignment.objects.bulk_create(
        Assignment(
            task=task, agent=agent, created_at=now, ended_at=now if task.status in TERMINAL else None,
            end_reason="closed" if task.status in TERMINAL else "",
        )
        for task in tasks for agent in (cast.atlas, cast.bert)
    )  # fmt: skip
    runs = Run.objects.bulk_create(
        Run(
            task=task, agent=cast.atlas, number=1, status=RUNS[Status(task.status)], started_at=now,
            ended_at=None if task.status == Status.IN_PROGRESS else now, lease_expires_at=now + timedelta(hours=1),
            last_heartbeat_at=now, last_progress_at=now,
        )
        for task in tasks if task.status in RUNS
    )  # fmt: skip
    Question.objects.bulk_create(
        Question(project=cast.ops, task=run.task, run=run, ask=uuid.uuid4(), prompt="?", asked_at=now)
        for run in runs if run.status == "parked"
    )  # fmt: skip
    Message.objects.bulk_create(
        Message(project=cast.ops, author=cast.atlas.user, author_name="atlas", body="Done.", at=now, **where)
        for task in tasks for where in ({"task": task}, {"to": cast.ada.user}, {})
    )  # fmt: skip
    rebuild([task.pk for task in tasks])


@pytest.mark.slow
@pytest.mark.django_db
def test_every_page_with_many_tasks_takes_as_many_queries_as_with_few(client, cast):
    now = clock.now()
    label = Label.objects.create(project=cast.ops, name="x")
    SavedView.objects.create(
        owner=cast.ada.user, name="Late", place=ViewPlace.LIST, query="overdue=true", created_at=now, updated_at=now
    )
    client.force_login(cast.ada.user)

    def queries(page: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(page).status_code == 200, page
        return len(captured)

    add(cast, label, 1, 2 * len(Status))
    # Where the unread begins is looked for if they are more than a page.
    Message.objects.bulk_create(
        Message(project=cast.ops, author=cast.atlas.user, author_name="atlas", body="More.", at=now, **where)
        for _ in range(60)
        for where in ({"to": cast.ada.user}, {})
    )
    for page in PAGES:
        # What is read once for a process.
        client.get(page)
    few = {page: queries(page) for page in PAGES}
    add(cast, label, 1001, 20 * len(Status))
    many = {page: queries(page) for page in PAGES}
    assert {page: (few[page], count) for page, count in many.items() if count > few[page]} == {}
