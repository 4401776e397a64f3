"""How the list is shown: which columns, and in which groups."""

import csv
import io
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from tasks import clock
from tasks.conditions import Context
from tasks.conditions.listing import Listing
from tasks.models import Profile, Task
from tasks.pages import list_groups, task_list
from tasks.pages.list_columns import COLUMNS, DEFAULT
from tasks.pages.list_query import list_query_of


@pytest.fixture
def see(cast, client):
    client.force_login(cast.ada.user)

    def get(query=""):
        return client.get("/tasks/" + (query if isinstance(query, str) else f"?{urlencode(query)}"))

    return get


def shown(page) -> list[str]:
    return [column.name for column in page.context["columns"]]


def groups(page) -> list[tuple[str, int, list[str]]]:
    return [(group.label, group.count, [row.ref for row in group.rows]) for group in page.context["grouped"].groups]


def test_chosen_columns_stand_in_the_address_and_are_remembered(cast, client, see, new_task):
    new_task("A task", estimate_minutes=90)
    assert shown(see()) == list(DEFAULT)
    data = {"columns": ["estimate", "project", "<b>"], "query": "status=not_started&columns=due&cursor=x"}
    answer = client.post("/tasks/columns", data)
    assert answer.url == "/tasks/?status=not_started&columns=project,estimate"
    page = see(answer.url[len("/tasks/") :])
    assert shown(page) == ["project", "estimate"]
    assert [heading.label for heading in page.context["headings"]] == ["Ref", "Title", "Project", "Estimate (min)"]
    assert "columns=project%2Cestimate" in page.context["bar"].chips[0].remove_url
    assert shown(see()) == ["project", "estimate"]
    assert shown(see("?columns=due")) == ["due"]
    client.force_login(cast.root)
    assert shown(client.get("/tasks/")) == list(DEFAULT)
    client.force_login(cast.ada.user)
    assert client.post("/tasks/columns", {"reset": "1"}).url == "/tasks/"
    assert shown(see()) == list(DEFAULT)


def test_every_column_is_shown_of_any_task(cast, see, new_task):
    parent = new_task()
    new_task(parent=parent, external_id="<i>x</i>", labels=["bug"], assignees=[cast.atlas], estimate_minutes=0)
    page = see(f"?columns={','.join(COLUMNS)}")
    assert page.status_code == 200
    assert "&lt;i&gt;x&lt;/i&gt;" in page.content.decode()
    Profile.objects.create(user=cast.ada.user, list_columns="gone,due")
    assert shown(see()) == ["due"]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("?columns=duee", "did you mean 'due'"),
        ("?group=labl", "did you mean 'label'"),
        ("?group=label&group=x", "once"),
        ("?add=estimate&operator=is&value=--5", "number"),
    ],
)
def test_mistake_in_how_it_is_shown_gets_a_sentence(see, query, sentence):
    page = see(query)
    assert page.status_code == 400
    assert sentence in page.content.decode().replace("&#x27;", "'")


def test_file_has_the_chosen_columns(see, new_task):
    new_task("A task", priority=4)
    answer = see("?output=csv&columns=priority,progress")
    (row,) = csv.DictReader(io.StringIO(answer.content.decode()[1:]))
    assert row == {"ref": "OPS-1", "title": "A task", "priority": "urgent", "progress_percent": "0"}


def test_groups_have_counts_their_first_tasks_and_a_list_of_the_rest(cast, see, new_task, monkeypatch):
    monkeypatch.setattr(list_groups, "SHOWN_OF_GROUP", 2)
    for number in range(3):
        new_task(f"Low {number}", priority=1, labels=["bug"], assignees=[cast.atlas])
    new_task("High", priority=3, labels=["bug", "ui"], assignees=[cast.atlas, cast.bert])
    parent = new_task("Parent")
    Task.objects.filter(number__in=(1, 2)).update(parent=parent)
    assert groups(see("?group=priority&ordering=title")) == [
        ("High", 1, ["OPS-4"]), ("Normal", 1, ["OPS-5"]), ("Low", 3, ["OPS-1", "OPS-2"]),
    ]  # fmt: skip
    assert groups(see("?group=label&ordering=-title")) == [
        ("bug", 4, ["OPS-3", "OPS-2"]), ("ui", 1, ["OPS-4"]), ("No label", 1, ["OPS-5"]),
    ]  # fmt: skip
    assert groups(see("?group=assignee&priority=high,normal")) == [
        ("atlas", 1, ["OPS-4"]), ("bert", 1, ["OPS-4"]), ("Nobody", 1, ["OPS-5"]),
    ]  # fmt: skip
    page = see("?group=parent&ordering=created_at")
    assert groups(page) == [("OPS-5 Parent", 2, ["OPS-1", "OPS-2"]), ("No parent", 3, ["OPS-3", "OPS-4"])]
    rest = page.context["grouped"].groups[1]
    assert rest.hidden == 1
    assert [row.ref for row in see(rest.url).context["rows"]] == ["OPS-3", "OPS-4", "OPS-5"]
    assert groups(see("?group=status&ordering=status&q=low")) == [("Not started", 3, ["OPS-1", "OPS-2"])]
    assert "No task matches" in see("?group=label&q=nothing").content.decode()


def test_group_is_folded_in_the_address(cast, see, new_task):
    new_task(labels=["a, b", "-c"])
    new_task()
    page = see("?group=label")
    for group in page.context["grouped"].groups:
        page = see(next(each for each in page.context["grouped"].groups if each.label == group.label).fold_url)
    assert [(label, refs) for label, _, refs in groups(page)] == [("-c", []), ("a, b", []), ("No label", [])]
    opened = see(page.context["grouped"].groups[1].fold_url)
    assert [(label, refs) for label, _, refs in groups(opened)] == [("-c", []), ("a, b", ["OPS-1"]), ("No label", [])]


def test_very_many_tasks_and_groups_are_bounded_and_the_page_says_so(see, new_task, monkeypatch):
    monkeypatch.setattr(list_groups, "WINDOW", 3)
    monkeypatch.setattr(list_groups, "MOST_GROUPS", 2)
    for number in range(5):
        new_task(labels=[f"label {number}"])
    page = see("?group=label")
    assert groups(page) == [("label 2", 1, ["OPS-3"]), ("label 3", 1, ["OPS-4"])]
    assert "the newest 10,000 are grouped" in page.content.decode()
    assert "1 more group not shown" in page.content.decode()


def test_many_groups_show_fewer_tasks_each_and_not_too_few(see, new_task, monkeypatch):
    for label in ("a", "b", "c", "d"):
        for _ in range(4):
            new_task(labels=[label])
    shown = {}
    for most in (3, 12, 16):
        monkeypatch.setattr(list_groups, "SHOWN", most)
        shown[most] = [len(refs) for _, _, refs in groups(see("?group=label"))]
    assert shown == {3: [3] * 4, 12: [3] * 4, 16: [4] * 4}


@pytest.mark.parametrize("group", list_groups.GROUPINGS)
def test_groups_of_many_take_as_many_queries_as_of_few(cast, see, new_task, group):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert see(f"?group={group}").status_code == 200
        return len(captured)

    new_task(labels=["x"], parent=new_task(), assignees=[cast.atlas])
    queries()
    few = queries()
    for number in range(12):
        new_task(labels=["x", f"y{number}"], parent=Task.objects.get(number=1), assignees=[cast.atlas, cast.bert])
    assert queries() == few


#: Of all tasks, or of the only project.
INDEXES = {
    "updated_at": ("task_by_update", "task_of_project_by_update"),
    "priority": ("task_by_priority", "task_of_project_by_priority"),
    "due_at": ("task_by_due_date", "task_of_project_by_due_date"),
    "title": ("task_by_title", "task_of_project_by_title"),
}


@pytest.mark.parametrize("ordering", INDEXES)
def test_order_of_many_walks_an_index(cast, new_task, ordering):
    new_task()
    context = Context(cast.hugo.user, ZoneInfo("UTC"), clock.now())
    for sign in ("", "-"):
        query = list_query_of(QueryDict(f"ordering={sign}{ordering}"), ZoneInfo("UTC"))
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                # Of a single row everything is as cheap.
                cursor.execute("SET LOCAL enable_seqscan = off")
                cursor.execute("SET LOCAL enable_sort = off")
        listing = Listing(query.condition, context)
        with CaptureQueriesContext(connection) as queries:
            listing.first_rows(query.column, None, reverse=bool(sign), count=51)
        explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
        with connection.cursor() as cursor:
            cursor.execute(f"{explain} {queries[-1]['sql']}")
            plan = str(cursor.fetchall())
        assert any(index in plan for index in INDEXES[ordering]), plan


def test_many_are_the_same_tasks_in_the_same_order(cast, see, new_task, monkeypatch):
    for number in range(4):
        new_task(f"Title {number % 2}", priority=1 + number % 3)
    new_task("Hidden", project=cast.other)
    for ordering in ("title", "-priority", "due_at", "-updated_at", "status"):
        few = [row.ref for row in see(f"?ordering={ordering}").context["rows"]]
        with monkeypatch.context() as patched:
            patched.setattr(task_list, "COUNTED", 1)
            page = see(f"?ordering={ordering}")
        assert [row.ref for row in page.context["rows"]] == few
        assert (len(few), page.context["total"]) == (4, "more than 1")


def test_what_is_not_counted_is_not_offered_as_a_whole(see, new_task, monkeypatch):
    def words(page) -> str:
        return " ".join(page.content.decode().split())

    new_task()
    assert "Download it:" in words(see())
    new_task()
    whole = words(see())
    assert "Download all 2:" in whole
    assert "Select all 2 that match" in whole
    monkeypatch.setattr(task_list, "COUNTED", 1)
    capped = words(see())
    assert "Download, at most 20,000 tasks:" in capped
    assert "data-select-all" not in capped
