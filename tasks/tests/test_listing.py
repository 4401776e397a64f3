"""The first tasks of a list are those of the plain query, whatever way leads to them."""

from datetime import timedelta
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from taskproject import ranges
from taskproject.keyset import page_of
from tasks import clock
from tasks.conditions import Context, compile, listing, read
from tasks.conditions.listing import WALKED, Listing
from tasks.conditions.of_tasks import TASK_FIELDS
from tasks.models import Assignment, Label, Project, Role, Task
from tasks.tests.cast import join

CONDITIONS: dict[str, Any] = {
    "all": None,
    "one project": {"field": "project", "is": "SECOND"},
    "two projects, one of them hidden": {"field": "project", "in": ["OPS", "OTHER"]},
    "no project": {"field": "project", "is": "NONE"},
    "not a project": {"field": "project", "is_not": "OPS"},
    "a label": {"field": "label", "is": "red"},
    "a label in a project": {"all": [{"field": "label", "is": "red"}, {"field": "project", "is": "OPS"}]},
    "a label nobody has": {"field": "label", "is": "none"},
    "not a label": {"field": "label", "is_not": "red"},
    "an assignee": {"field": "assignee", "is": "atlas"},
    "two assignees": {"field": "assignee", "in": ["atlas", "bert"]},
    "an assignee with a label": {"all": [{"field": "assignee", "is": "atlas"}, {"field": "label", "is": "red"}]},
    "words": {"field": "text", "contains": "common"},
    "words in quotes": {"field": "text", "contains": '"common words"'},
    "no words": {"field": "text", "contains": "!"},
    "words with a priority": {"all": [{"field": "text", "contains": "common"}, {"field": "priority", "is": "normal"}]},
    "words or a label": {"any": [{"field": "text", "contains": "odd"}, {"field": "label", "is": "red"}]},
    "with a due date": {"field": "due", "is_set": True},
    "nothing": {"all": [{"field": "label", "is": "red"}, {"field": "ref", "is": "OPS-999"}]},
}


@pytest.fixture
def many(cast: Any, new_task: Any) -> None:
    """Tasks of three projects of ada's and of one that she does not see, with ties within and between them."""
    projects = [cast.ops, cast.other]
    for key in ("SECOND", "THIRD"):
        projects.append(Project.objects.create(key=key, name=key))
        join(projects[-1], cast.ada.user, Role.MANAGER)
        join(projects[-1], cast.atlas.user, Role.WORKER)
        join(projects[-1], cast.bert.user, Role.WORKER)
    join(cast.other, cast.atlas.user, Role.WORKER)
    now = clock.now()
    for number in range(24):
        task = new_task(
            "Common words" if number % 3 else "Odd words",
            project=projects[number % 4],
            priority=1 + number % 2,
            due_at=now + timedelta(days=number % 3) if number % 5 else None,
            labels=["red"] if number % 7 < 4 else ["blue", "green"],
        )
        for agent in (cast.atlas, cast.bert)[: number % 3]:
            Assignment.objects.create(task=task, agent=agent, created_at=now)
        Task.objects.filter(pk=task.pk).update(updated_at=now - timedelta(hours=number % 4))
        if number % 6 == 1:
            # It was given up and given back: the same agent twice.
            Assignment.objects.filter(task=task).update(ended_at=now, end_reason="closed")
            Assignment.objects.create(task=task, agent=cast.atlas, created_at=now)


def _pages(rows: Any, column: str, *, descending: bool, limit: int) -> list[list[int]]:
    """All pages, from the first to the last, which leads back to the one before."""
    pages: list[list[int]] = []
    page = page_of(rows, column, None, descending=descending, limit=limit)
    assert page.previous is None
    while True:
        pages.append([row["id"] for row in page.rows])
        if page.next is None:
            break
        page = page_of(rows, column, page.next, descending=descending, limit=limit)
    if page.previous is not None:
        back = page_of(rows, column, page.previous, descending=descending, limit=limit)
        assert [row["id"] for row in back.rows] == pages[-2]
    return pages


def _check(user: Any, document: Any, columns: Any = ("pk", "due_order")) -> None:
    condition, context = read(document, TASK_FIELDS), Context(user, ZoneInfo("UTC"))
    meant = Task.objects.visible_to(user).filter(compile(condition, TASK_FIELDS, context))
    listed = Listing(condition, context)
    assert set(listed.tasks) == set(meant)
    for most in (2, 100):
        assert listed.count(most) == min(len(meant), most)
    for column in columns:
        for descending in (True, False):
            sign = "-" if descending else ""
            expected = list(meant.order_by(f"{sign}{column}", f"{sign}pk").values_list("pk", flat=True))
            pages = _pages(listed, column, descending=descending, limit=4)
            assert list(chain(*pages)) == expected, (document, column, descending)
            assert all(len(page) == 4 for page in pages[:-1])


def test_pages_are_those_of_the_plain_query_in_every_order(many: None, cast: Any) -> None:
    for name in ("all", "a label", "words"):
        _check(cast.ada.user, CONDITIONS[name], columns=WALKED)


def test_pages_are_those_of_the_plain_query_whatever_is_asked_for(many: None, cast: Any) -> None:
    for document in CONDITIONS.values():
        _check(cast.ada.user, document)
    for name in ("all", "a label", "an assignee", "words", "nothing"):
        for user in (cast.root, cast.vera):
            _check(user, CONDITIONS[name])


def test_what_has_too_many_entries_is_not_begun_at(many: None, cast: Any, monkeypatch: Any) -> None:
    for most in (0, 3, 12):
        monkeypatch.setattr(ranges, "MOST_LED", most)
        for name in ("a label", "an assignee", "an assignee with a label", "words", "words with a priority"):
            _check(cast.ada.user, CONDITIONS[name], columns=("pk",))


def test_too_many_projects_or_values_are_read_the_other_way(many: None, cast: Any, monkeypatch: Any) -> None:
    for module, most in ((listing, "MOST_RANGES"), (ranges, "MOST_VALUES")):
        with monkeypatch.context() as patched:
            patched.setattr(module, most, 2)
            for name in ("all", "a label", "not a label", "an assignee with a label", "words"):
                _check(cast.ada.user, CONDITIONS[name])


def test_what_is_read_side_by_side_and_what_is_begun_at(many: None, cast: Any) -> None:
    listed = Listing(read({"field": "due", "is_set": True}, TASK_FIELDS), Context(cast.ada.user, ZoneInfo("UTC")))
    with CaptureQueriesContext(connection) as queries:
        listed.first_rows("updated_at", None, reverse=True, count=3)
    (query,) = queries
    assert query["sql"].count("UNION ALL") == 2
    # Each with its own limit; else PostgreSQL reads all to sort them.
    assert query["sql"].count("LIMIT 3") == 4
    for name, table in (("a label", "tasks_task_labels"), ("an assignee", "tasks_assignment")):
        listed = Listing(read(CONDITIONS[name], TASK_FIELDS), Context(cast.ada.user, ZoneInfo("UTC")))
        with CaptureQueriesContext(connection) as queries:
            listed.first_rows("pk", None, reverse=True, count=3)
        assert f"FROM {table} AS led" in queries[-1]["sql"], name
    assert Label.objects.filter(name="red").count() == 4
