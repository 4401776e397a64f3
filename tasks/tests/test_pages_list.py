"""The list page: who sees what, filters as chips, order, pages, files."""

import csv
import io
import json
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openpyxl import load_workbook

from tasks.models import Assignment, Label, Task
from tasks.pages import list_files, list_query, task_list
from tasks.tests.cast import make_user
from tasks.transitions import Status

HOSTILE = ['=HYPERLINK("http://x")', "+1", "-1", "@x", "<script>alert(1)</script>"]


@pytest.fixture
def see(client, cast):
    """``see(query)`` → the response of the list to ada, or to ``by``."""

    def get(query: str | dict[str, str] = "", *, by=None):
        client.force_login(by or cast.ada.user)
        return client.get("/tasks/" + (query if isinstance(query, str) else f"?{urlencode(query)}"))

    return get


def refs(response) -> list[str]:
    return [row.ref for row in response.context["rows"]]


def chips(response) -> list[str]:
    return [chip.words for chip in response.context["bar"].chips]


def test_list_shows_the_tasks_of_the_readers_projects_alone(see, cast, new_task):
    theirs = new_task("Hidden from ops", project=cast.other)
    mine = new_task("Ours", labels=["docs"], assignees=[cast.atlas])
    page = see()
    assert refs(page) == [mine.ref]
    assert "Hidden from ops" not in page.content.decode()
    assert "OTHER" not in page.content.decode()
    assert refs(see(f"?ref={theirs.ref}")) == refs(see("?project=OTHER")) == []
    assert sorted(refs(see(by=cast.root))) == sorted([mine.ref, theirs.ref])


def test_list_takes_the_parameters_of_the_api(see, api, cast, new_task):
    new_task(priority=4, labels=["red"])
    new_task(priority=1, assignees=[cast.atlas], due_at=timezone.now() - timedelta(days=2))
    for query in (
        "priority=urgent",
        "assignee=atlas&overdue=true",
        "label=red&q=task",
        "due_before=-1d",
        "unassigned=1",
    ):
        assert refs(see(f"?{query}")) == [task["ref"] for task in api.ada.get(f"/tasks?{query}").json()["results"]]


def test_each_filter_is_a_chip_that_can_be_removed(see, new_task):
    bug = new_task("Unusual", labels=["bug"])
    urgent = new_task("Urgent", priority=4)
    new_task("Neither")
    where = {"any": [{"field": "label", "is": "bug"}, {"field": "priority", "at_least": "high"}]}
    page = see({"status": "not_started,waiting", "where": json.dumps(where), "q": "u"})
    assert chips(page) == [
        "Status is Not started or Waiting for an answer",
        "Label is bug or Priority at least High",
    ]
    assert set(refs(page)) == {bug.ref, urgent.ref}
    fewer = see(page.context["bar"].chips[1].remove_url)
    assert chips(fewer) == ["Status is Not started or Waiting for an answer"]
    assert fewer.context["query"].text == "u"


PAIR = [{"field": "label", "is": "bug"}, {"field": "priority", "at_least": "high"}]


def test_chip_is_edited_in_its_place(see, new_task):
    page = see({"where": json.dumps({"any": PAIR}), "status": "waiting"})
    (status, pair) = page.context["bar"].chips
    assert [each.words for each in pair.alternatives] == ["Label is bug", "Priority at least High"]
    form = see(status.edit_url).context["bar"].adding
    assert (form.field.name, form.operator, form.values) == ("status", "in", ["waiting"])
    again = see(f"{status.edit_url}&add=status&operator=not_in&value=failed")
    assert chips(see(again.url[len("/tasks/") :])) == ["Status is not Failed", "Label is bug or Priority at least High"]
    inner = see(f"{pair.alternatives[1].edit_url}&add=priority&operator=at_most&value=low")
    assert chips(see(inner.url[len("/tasks/") :]))[1] == "Label is bug or Priority at most Low"
    assert chips(see(pair.alternatives[1].remove_url)) == ["Status is Waiting for an answer", "Label is bug"]


def test_chip_is_joined_with_another_filter_by_or(see, new_task):
    bug, urgent = new_task(labels=["bug"]), new_task(priority=4)
    new_task()
    (chip,) = see("?label=bug&ordering=title").context["bar"].chips
    opened = see(chip.or_url).context["bar"]
    assert opened.joining == "Label is bug"
    field = dict(opened.fields)["Priority"]
    assert "Label is bug, or:" in see(field).content.decode()
    page = see(see(f"{field}&operator=at_least&value=high").url[len("/tasks/") :])
    assert chips(page) == ["Label is bug or Priority at least High"]
    assert refs(page) == [bug.ref, urgent.ref]
    assert page.context["query"].ordering == "title"


@pytest.mark.parametrize("place", ["edit=9", "join=0", "edit=1.2", "edit=x", "join=-1", "edit=1.1.1", "edit=9999999"])
def test_filter_that_is_not_there_is_a_sentence(see, place):
    page = see(f"?label=bug&{place}")
    assert page.status_code == 400
    assert "There is no such filter here" in page.content.decode()


def test_mistake_in_a_filter_is_said_at_its_form_and_nothing_is_lost(see, new_task):
    task = new_task()
    page = see("?priority=low&add=due&operator=before&value=soon%3Cb%3E")
    text = page.content.decode()
    assert page.status_code == 400
    assert "Due.before: Must be a time" in text
    assert 'value="soon&lt;b&gt;"' in text
    assert chips(page) == ["Priority is Low"]
    assert task.ref not in text


@pytest.mark.parametrize(
    ("filled", "words"),
    [
        ({"add": "label", "operator": "in", "value": ["a, b", "c,d"]}, "Label is a, b or c or d"),
        ({"add": "label", "operator": "is_not_set"}, "Label is not set"),
        ({"add": "priority", "operator": "at_least", "value": "high"}, "Priority at least High"),
        ({"add": "overdue", "operator": "is", "value": "false"}, "not overdue"),
        ({"add": "estimate", "operator": "at_most", "value": "30"}, "Estimate in minutes at most 30"),
        ({"add": "due", "operator": "before", "value": "2w"}, "Due before in 2 weeks"),
        ({"add": "parent", "operator": "not_in", "value": "OPS-1"}, "Parent is not OPS-1"),
    ],
)
def test_form_adds_a_filter_to_those_that_are_there(see, new_task, filled, words):
    new_task(labels=["a, b"])
    opened = see({"status": "waiting", "add": filled["add"]})
    assert 'aria-label="Add a filter:' in opened.content.decode()
    answer = see(f"?{urlencode({'status': 'waiting', 'ordering': 'title', **filled}, doseq=True)}")
    assert answer.status_code == 302
    address = urlsplit(answer.url)
    assert address.path == "/tasks/"
    assert chips(see(f"?{address.query}")) == ["Status is Waiting for an answer", words]
    assert parse_qs(address.query)["ordering"] == ["title"]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("?statsu=waiting", "did you mean 'status'"),
        ("?status=waitin", "did you mean 'waiting'"),
        ("?sort=title", "sort: There is no parameter 'sort'; did you mean 'ordering'?"),
        ("?currsor=abc", "There is no parameter 'currsor'."),
        ("?ordering=foo", "Known: created_at, -created_at"),
        ("?ordering=due", "did you mean 'due_at'"),
        ("?cursor=abc", "cursor: It is not one of ours"),
        ("?output=pdf", "Known: csv, xlsx"),
        ("?tz=Europe/Berlim", "did you mean 'Europe/Berlin'"),
        ("?add=labl", "did you mean 'label'"),
        ("?add=label&operator=before", "There is no operator 'before'"),
        ("?add=label&operator=in", "Label.in: Must have at least one value"),
        ("?add=due&operator=before&value=soon", "Due.before: Must be a time"),
        ("?add=attempts&operator=at_least&value=" + "9" * 400, "Must be a number"),
        ('?where={"field":"labl","is":"x"}', "did you mean 'label'"),
        ("?where={", "where: Must be JSON"),
        ("?q=%00", "Null characters"),
        ("?status=waiting&status=%3Cscript%3E", "There is no value '<script>'"),
    ],
)
def test_mistake_gets_a_sentence_and_no_tasks(see, new_task, query, sentence):
    task = new_task("A task")
    page = see(query)
    text = page.content.decode().replace("&#x27;", "'").replace("&lt;", "<").replace("&gt;", ">")
    assert page.status_code == 400
    assert sentence in text
    assert task.ref not in text
    assert "<script>alert" not in page.content.decode()


def test_name_that_nothing_can_have_is_pointed_out(see, cast, new_task):
    new_task(labels=["backend"])
    page = see("?label=backnd&project=ops")
    assert page.status_code == 200
    assert page.context["notices"] == [
        "Label backnd is not in your projects; did you mean backend?",
        "Project ops is not in your projects; did you mean OPS?",
    ]
    assert "No task matches" in page.content.decode()


def _place(task, column):
    if column == "status_place":
        return list(Status).index(task["status"])
    return task["id" if column == "pk" else column]


def test_pages_follow_each_other_whatever_the_order(see, new_task, monkeypatch):
    monkeypatch.setattr(task_list, "SHOWN", 2)
    due = timezone.now()
    for number in range(5):
        new_task(f"Title {number % 2}", priority=1 + number % 2, due_at=due if number % 2 else None)
    Task.objects.filter(number=1).update(status="cancelled")
    for name, column in list_query.ORDERINGS.items():
        for ordering in (name, f"-{name}"):
            page, rows = see(f"?ordering={ordering}"), []
            while True:
                rows += page.context["rows"]
                if not page.context["next_url"]:
                    break
                page = see(page.context["next_url"])
            orders = [_place(row.values, column) for row in rows]
            assert orders == sorted(orders, reverse=ordering.startswith("-")), ordering
            assert len({row.ref for row in rows}) == len(rows) == 5, ordering
            assert page.context["total"] == "5"
            assert refs(see(page.context["previous_url"])) == [row.ref for row in rows[2:4]]


def test_headings_sort_and_say_how(see, new_task):
    new_task()
    headings = {heading.label: heading for heading in see("?ordering=-priority").context["headings"]}
    assert headings["Priority"].sorted == "descending"
    assert headings["Priority"].url == "?ordering=priority"
    assert headings["Updated"].url == "?ordering=-updated_at"
    assert headings["Labels"].url == ""


def test_list_of_many_takes_as_many_queries_as_of_few(see, cast, new_task):
    new_task(labels=["x"], assignees=[cast.atlas])
    query = "?label=x&assignee=atlas&overdue=false"

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert see(query).status_code == 200
        return len(captured)

    queries()
    few = queries()
    first = Task.objects.get()
    many = Task.objects.bulk_create(
        Task(
            project=cast.ops, number=number, title=f"Task {number}", created_at=first.created_at,
            updated_at=first.updated_at,
        )
        for number in range(2, 10_001)
    )  # fmt: skip
    label = Label.objects.get()
    Task.labels.through.objects.bulk_create(Task.labels.through(task=task, label=label) for task in many)
    Assignment.objects.bulk_create(
        Assignment(task=task, agent=cast.atlas, created_at=first.created_at) for task in many
    )
    assert queries() == few
    assert see(query).context["total"] == "10,000"


@pytest.mark.parametrize("query", ["?q=task&status=not_started", "?group=label&status=not_started"])
def test_list_that_takes_too_long_says_so_and_keeps_its_filters(see, new_task, monkeypatch, query):
    new_task()
    assert "OPS-1" in see(query).content.decode()
    monkeypatch.setattr(task_list, "SECONDS", 1e-9)
    monkeypatch.setattr("taskproject.time_limits._INSTRUCTIONS", 1)
    answer = see(query)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "Looking through the tasks takes longer than 1e-09 seconds; add a filter, or look for rarer words." in page
    assert "OPS-1" not in page
    assert "No task matches" not in page
    assert ("No groups" in page) == ("group" in query)
    assert len(chips(answer)) == 1
    assert see("?output=csv").status_code == 200


def test_empty_states_name_the_next_step(see, cast, client):
    assert "Create the first task" in see().content.decode()
    assert "A manager of your project creates tasks" in see(by=cast.vera).content.decode()
    assert "You are not in a project yet" in see(by=make_user("nobody")).content.decode()


def test_csv_has_every_row_and_no_formula(see, cast, new_task):
    for title in HOSTILE:
        new_task(title, labels=["=1+1"], assignees=[cast.atlas, cast.bert])
    answer = see("?output=csv&label=%3D1%2B1&ordering=created_at")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    text = answer.content.decode()
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text[1:])))
    assert [row["title"] for row in rows] == [f"'{title}" if title[0] in "=+-@" else title for title in HOSTILE]
    assert {(row["status"], row["priority"], row["assignees"], row["labels"]) for row in rows} == {
        ("not_started", "normal", "atlas; bert", "'=1+1")
    }
    assert rows[0]["created_at"].endswith("Z")


def test_workbook_has_values_to_calculate_with_and_says_what_it_holds(see, cast, new_task):
    new_task("=1+1", due_at=timezone.now() + timedelta(days=1))
    answer = see("?output=xlsx&status=not_started&tz=Asia/Tokyo")
    book = load_workbook(io.BytesIO(answer.content))
    sheet = book["Tasks"]
    headings = [cell.value for cell in sheet[1]]
    row = dict(zip(headings, [cell.value for cell in sheet[2]], strict=True))
    assert row["Title"] == "'=1+1"
    assert row["Due"] - row["Created"] > timedelta(hours=23)
    assert sheet.auto_filter.ref == "A1:O2"
    about = {name.value: value.value for name, value in book["About"].iter_rows()}
    assert about["Filters"] == "Status is Not started"
    assert about["Times in"] == "Asia/Tokyo"


def test_file_of_too_many_is_refused_with_a_sentence(see, new_task, monkeypatch):
    monkeypatch.setattr(list_files, "MOST_ROWS", 1)
    new_task()
    assert see("?output=csv").status_code == 200
    new_task()
    page = see("?output=csv")
    assert page.status_code == 400
    assert "A file has at most 1 tasks" in page.content.decode()
