"""The list without filters is the list, in every order and page by page."""

import base64
import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.api.tasks.plain import PlainTasks
from tasks.models import Membership, Project, Role, Task
from tasks.tests.cast import join

ORDERS = ("created_at", "updated_at", "priority", "due_at")


@pytest.fixture
def many(cast: Any, new_task: Any) -> None:
    """Tasks of two projects of ada's and of one that she does not see, with ties in every order."""
    second = Project.objects.create(key="SECOND", name="Second")
    join(second, cast.ada.user, Role.MANAGER)
    for number in range(12):
        new_task(project=(cast.ops, second, cast.other)[number % 3], priority=1 + number % 2)
    Task.objects.filter(number=1).update(updated_at=Task.objects.latest("pk").updated_at)


def _pages(call: Any, path: str, way: str = "next") -> list[list[str]]:
    pages = []
    while path:
        answer = call.get(path.partition("/api/v1")[2] or path).json()
        pages.append([task["ref"] for task in answer["results"]])
        path = answer[way]
    return pages


@pytest.mark.parametrize("order", [f"{sign}{name}" for name in ORDERS for sign in ("", "-")])
def test_pages_are_those_of_the_filtered_list(many: None, api: Any, order: str) -> None:
    # What every task fulfils makes it a list with a filter.
    for call, visible in ((api.ada, 8), (api.root, 12)):
        plain = _pages(call, f"/tasks?limit=3&ordering={order}")
        filtered = _pages(call, f"/tasks?limit=3&ordering={order}&created_after=2000-01-01")
        assert plain == filtered
        assert sum(map(len, plain)) == visible


def test_a_page_leads_back_to_the_one_before(many: None, api: Any) -> None:
    first = api.ada.get("/tasks?limit=3&ordering=-priority").json()
    second = api.ada.get(first["next"].partition("/api/v1")[2]).json()
    back = api.ada.get(second["previous"].partition("/api/v1")[2]).json()
    assert back["results"] == first["results"]
    assert first["previous"] is None
    assert api.ada.get("/tasks?cursor=nonsense").status_code == 400


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_cursor_at_a_moment_that_utc_does_not_have_is_refused(many: None, api: Any, moment: str) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(["f", moment, 1]).encode()).decode().rstrip("=")
    for more in ("", "&created_after=2020-01-01"):
        assert api.ada.get(f"/tasks?ordering=updated_at&cursor={cursor}{more}").status_code == 400


def test_who_sees_nothing_gets_nothing(many: None, cast: Any, api: Any) -> None:
    Membership.objects.filter(user=cast.vera).delete()
    assert api.vera.get("/tasks").json() == {"results": [], "next": None, "previous": None}


def test_a_page_costs_four_statements_in_all(many: None, cast: Any, api: Any) -> None:
    api.ada.get("/tasks")
    with CaptureQueriesContext(connection) as queries:
        assert len(api.ada.get("/tasks?limit=200").json()["results"]) == 8
    # The token, the projects, the ids of the page, the rows.
    assert len(queries) == 4


def test_members_of_too_many_projects_take_the_other_way(many: None, cast: Any, monkeypatch: Any, api: Any) -> None:
    before = _pages(api.ada, "/tasks?limit=3")
    monkeypatch.setattr("tasks.api.tasks.plain.MOST_RANGES", 1)
    assert not PlainTasks(cast.ada.user).serves
    assert _pages(api.ada, "/tasks?limit=3") == before
