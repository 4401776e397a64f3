"""Times at the edge of the calendar: one range at every door, a day means the same at each, every page shows all."""

import json
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection
from django.test import override_settings

from taskproject.times import OUT_OF_RANGE, read_moment
from tasks.actions.imports import PlanRefused, import_plan
from tasks.actions.tasks import NewTask, create_task, edit_task
from tasks.errors import Invalid
from tasks.formats import beads, csv_table, json_list
from tasks.models import AgentToken, Task
from tasks.tests.admin_pages import as_posted, signed_in
from tasks.using.tokens import TokenForm

EDGES = ("0001-01-01T00:00:00Z", "0001-01-01", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z", "9999-12-31")
ZONES = ("America/New_York", "Asia/Tokyo")
BOTH_ENDS = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))


@pytest.fixture(params=ZONES)
def zone(request):
    with override_settings(TIME_ZONE=request.param):
        yield request.param


def _add_in_admin(cast, **fields):
    browser = signed_in(cast.root)
    form = as_posted(browser.get("/admin/tasks/task/add/")) | {"project": cast.ops.pk}
    return browser.post("/admin/tasks/task/add/", form | fields)


@pytest.mark.parametrize("text", EDGES)
def test_api_refuses_times_at_the_edge(zone, api, new_task, text):
    task = new_task()
    new = {"project": "OPS", "title": "x"}
    requests = [
        ("due_at", api.ada.post("/tasks", {**new, "due_at": text})),
        ("start_after", api.ada.post("/tasks", {**new, "start_after": text})),
        ("due_at", api.ada.patch(f"/tasks/{task.ref}", {"due_at": text})),
        ("expires_at", api.ada.post("/agents/atlas/tokens", {"name": "x", "expires_at": text})),
        ("due_before", api.ada.get(f"/tasks?due_before={text}")),
        ("created_after", api.ada.get(f"/tasks?created_after={text}")),
    ]
    for field, refused in requests:
        assert (refused.status_code, refused.json()["detail"]) == (400, f"{field}: {OUT_OF_RANGE}")
    assert api.ada.get(f"/reports/completed?to={text}").status_code == 400
    assert Task.objects.get().due_at is None


@pytest.mark.parametrize("text", EDGES)
def test_files_with_times_at_the_edge_are_refused(zone, cast, text):
    plans = [
        json_list.read(json.dumps([{"title": "x", "due_at": text}])),
        csv_table.read(f"title,due_at\nx,{text}"),
        beads.read(json.dumps({"id": "b-1", "title": "x", "due_at": text.replace("01T", "02T")})),
    ]
    for plan in plans:
        with pytest.raises(PlanRefused) as refused:
            import_plan(actor=None, project=cast.ops, plan=plan)
        assert [problem.detail for problem in refused.value.problems] == [OUT_OF_RANGE]


@pytest.mark.parametrize("edge", BOTH_ENDS)
def test_verbs_refuse_times_at_the_edge_whatever_the_door(cast, new_task, edge):
    with pytest.raises(Invalid, match="1970-01-01"):
        create_task(actor=cast.ada.user, project=cast.ops, new=NewTask(title="x", due_at=edge))
    with pytest.raises(Invalid, match="1970-01-01"):
        edit_task(actor=cast.ada.user, task=new_task(), changes={"start_after": edge})


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_admin_forms_refuse_days_at_the_edge(zone, cast, day):
    page = _add_in_admin(cast, title="x", due_at_0=day, due_at_1="10:00")
    assert OUT_OF_RANGE in page.content.decode()
    assert not Task.objects.exists()
    form = TokenForm({"name": "x", "valid_until": day}, actor=cast.ada.user, agent=cast.atlas)
    assert form.errors["valid_until"] == [OUT_OF_RANGE]


def test_due_date_given_as_a_day_means_its_end_at_every_door(zone, cast, api):
    made = api.ada.post(
        "/tasks", {"project": "OPS", "title": "api", "due_at": "2099-05-02", "start_after": "2099-05-02"}
    )
    assert made.status_code == 201
    api.ada.post("/tasks", {"project": "OPS", "title": "patch"})
    api.ada.patch(f"/tasks/{Task.objects.get(title='patch').ref}", {"due_at": "2099-05-02"})
    _add_in_admin(cast, title="admin", due_at_0="2099-05-02", due_at_1="")
    for plan in (
        json_list.read(json.dumps([{"title": "json", "due_at": "2099-05-02"}])),
        csv_table.read("title,due_at\ncsv,2099-05-02"),
        beads.read(json.dumps({"id": "b-1", "title": "beads", "due_at": "2099-05-02"})),
    ):
        import_plan(actor=None, project=cast.ops, plan=plan)
    end = read_moment("2099-05-02T23:59:59")
    assert dict(Task.objects.values_list("title", "due_at")) == dict.fromkeys(
        ("api", "patch", "admin", "json", "csv", "beads"), end
    )
    assert Task.objects.get(title="api").start_after == end - timedelta(hours=23, minutes=59, seconds=59)
    assert api.ada.get("/tasks?due_before=2099-05-02").json()["results"] == []
    assert len(api.ada.get("/tasks?due_after=2099-05-02&due_before=2099-05-03").json()["results"]) == 6
    assert api.ada.get("/tasks?due_after=2099-05-03").json()["results"] == []


def test_token_that_expires_on_a_day_is_valid_until_its_end(api):
    api.ada.post("/agents/atlas/tokens", {"name": "day", "expires_at": "2099-05-02"})
    assert AgentToken.objects.get(name="day").expires_at == read_moment("2099-05-02T23:59:59")


@pytest.mark.parametrize("edge", BOTH_ENDS)
def test_pages_show_whatever_time_is_stored(zone, cast, api, client, new_task, edge):
    """The columns that callers can fill, as an older version may have stored them."""
    task = new_task()
    names = ("due_at", "start_after", "deferred_until", "created_at", "updated_at", "started_at", "completed_at")
    Task.objects.filter(pk=task.pk).update(**dict.fromkeys(names, edge))
    api.ada.get("/me")
    AgentToken.objects.update(expires_at=BOTH_ENDS[1])
    client.force_login(cast.root)
    pages = [
        "/",
        "/?project=OPS",
        "/agents/ada",
        "/reports/completed/",
        f"/tasks/{task.ref}",
        "/admin/tasks/task/",
        f"/admin/tasks/task/{task.pk}/change/",
        f"/admin/tasks/agent/{cast.ada.pk}/tokens/",
        "/api/v1/tasks",
        "/api/v1/tasks?ordering=due_at&limit=1",
        "/api/v1/agents/ada/tokens",
        "/api/v1/reports/completed?output=xlsx",
    ]
    for page in pages:
        assert client.get(page, follow=True).status_code == 200, page


@pytest.mark.parametrize("edge", BOTH_ENDS)
def test_migration_clears_what_nobody_could_have_meant(new_task, edge):
    task, kept = new_task(), new_task(due_at=datetime(2099, 1, 1, tzinfo=UTC))
    Task.objects.filter(pk=task.pk).update(due_at=edge, deferred_until=edge)
    migration = import_module("tasks.migrations.0004_clear_times_out_of_range")
    migration.clear(apps, SimpleNamespace(connection=connection))
    task.refresh_from_db()
    kept.refresh_from_db()
    assert (task.due_at, task.deferred_until, kept.due_at.year) == (None, None, 2099)
