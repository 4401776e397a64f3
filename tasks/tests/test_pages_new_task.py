"""Creating a task on the pages: by the form and by the line, with and without scripts, once and only where one may."""

import re
from datetime import UTC, datetime
from html import unescape

import pytest
from django.urls import reverse

from taskproject.models import IdempotencyKey
from tasks.models import Event, Profile, Project, Task

FETCH = {"HTTP_X_REQUESTED_WITH": "fetch"}


@pytest.fixture
def post(client, cast):
    """``post(title, …fields)`` → the answer to ada, or to ``by``; ``path`` for another page than the form's own."""

    def send(title: str = "Task", *, by=None, path="/tasks/new/", headers=None, **fields):
        client.force_login(by or cast.ada.user)
        return client.post(path, {"project": "OPS", "title": title, **fields}, **(headers or {}))

    return send


def words(answer) -> str:
    text = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return " ".join(unescape(text).split())


def test_form_without_scripts_creates_a_task_and_leads_back(client, cast, new_task, post):
    first = new_task("First")
    answer = post(
        "Fix login !high @atlas #backend due:2026-12-01",
        description="**Soon**\r\nplease",
        labels='docs, "a, b"',
        required_skills="python:3, docs",
        assignees="bert",
        parent=first.ref,
        depends_on=new_task("Second").ref,
        next="/agents/?x=1",
    )
    assert (answer.status_code, answer["Location"]) == (302, "/agents/?x=1")
    task = Task.objects.latest("pk")
    assert (task.title, task.description, task.get_priority_display()) == ("Fix login", "**Soon**\nplease", "High")
    assert sorted(task.labels.values_list("name", flat=True)) == ["a, b", "backend", "docs"]
    assert sorted(task.required_skills.values_list("skill__name", "min_level")) == [("docs", 1), ("python", 3)]
    assert sorted(task.assignments.values_list("agent__slug", flat=True)) == ["atlas", "bert"]
    assert (task.parent, task.dependencies.get().depends_on.title) == (first, "Second")
    assert task.due_at == datetime(2026, 12, 1, 23, 59, 59, tzinfo=UTC)
    page = client.get("/agents/")
    assert f"Created {task.ref} Fix login." in words(page)
    assert f'<a href="/tasks/{task.ref}">' in page.content.decode()


def test_title_and_due_date_are_read_in_the_readers_zone(client, cast, post):
    Profile.objects.create(user=cast.ada.user, time_zone="Pacific/Auckland")
    post("One due:2026-12-01 09:00")
    post("Two", due_at="2026-12-01", due_at_time="09:00")
    post("Three", due_at="2026-07-01")
    due = dict(Task.objects.values_list("title", "due_at"))
    assert due["One"] == due["Two"] == datetime(2026, 11, 30, 20, 0, tzinfo=UTC)
    assert due["Three"] == datetime(2026, 7, 1, 11, 59, 59, tzinfo=UTC)
    assert "Times are those of Pacific/Auckland." in words(client.get("/tasks/new/"))


def test_form_sent_twice_makes_one_task(client, cast, post):
    client.force_login(cast.ada.user)
    key = client.get("/tasks/new/").context["form"].key
    assert post("Once", key=key).status_code == post("Once", key=key).status_code == 302
    assert Task.objects.count() == 1
    other = post("Twice", key=key)
    assert other.status_code == 400
    assert "This form has already made OPS-1; send it again to make another." in words(other)
    assert post("Twice", key=other.context["form"].key).status_code == 302
    assert sorted(Task.objects.values_list("title", flat=True)) == ["Once", "Twice"]
    assert post("Once", key=key, by=cast.root).status_code == 302, "a key is of whoever has the form"
    assert Task.objects.count() == 3
    assert IdempotencyKey.objects.count() == 3


def test_refused_form_says_why_at_each_field_and_keeps_what_was_typed(cast, post):
    answer = post(
        "Fix !low",
        description="Kept <b>",
        priority="high",
        labels="x" * 70,
        required_skills="pyhton",
        assignees="atals",
        parent="OPS-99",
        depends_on="OTHER-1",
        due_at="2026-12-01",
        due_at_time="25:00",
    )
    assert answer.status_code == 400
    assert not Task.objects.exists()
    text = words(answer)
    for sentence in (
        "The title says !low, and this field something else; keep only one of them.",
        "Each has at most 60 characters; one has 70.",
        "There is no skill 'pyhton'; did you mean 'python'?",
        "There is no agent 'atals'; did you mean 'atlas'?",
        "There is no task 'OPS-99' in OPS.",
        "There is no task 'OTHER-1' in OPS.",
        "'25:00' is not a time of day; write it such as 17:00.",
    ):
        assert sentence in text
    html = answer.content.decode()
    assert "Kept &lt;b&gt;</textarea>" in html
    for kept in ('value="Fix !low"', 'value="OPS-99"', 'value="atals"', 'value="2026-12-01"'):
        assert kept in html
    assert words(post("!high")).count("Give the task a title.") == 1


def test_title_that_was_not_understood_is_said_with_the_new_task(client, cast, post):
    post("Fix @atals")
    assert Task.objects.get().title == "Fix @atals"
    assert "There is no agent 'atals'; did you mean 'atlas'? It stays in the title." in words(client.get("/agents/"))


def test_preview_shows_what_is_understood_and_creates_nothing(cast, post):
    answer = post("Fix !high #a <i> due:2026-12-01", description="**bold** <script>", check="1")
    assert answer.status_code == 200
    assert not Task.objects.exists()
    assert "Title: Fix <i>" in words(answer)
    html = answer.content.decode()
    assert "<strong>bold</strong>" in html
    assert "<script>" not in html.replace('<script type="module"', "")
    fragment = post("Fix @bert", path=reverse("read_new_title"))
    assert "bert" in words(fragment)
    assert "<html" not in fragment.content.decode()


def test_create_another_keeps_project_and_fields(client, cast, post):
    answer = post("One #x", labels="docs", due_at="2026-12-01", due_at_time="09:00", another="1")
    form = client.get(answer["Location"]).context["form"]
    assert (form.project, form.typed["labels"], form.typed["due_at"], form.typed["title"]) == (
        cast.ops,
        "docs",
        "2026-12-01 09:00",
        "",
    )
    fetched = post("Two", labels="docs", another="1", headers=FETCH)
    assert fetched.status_code == 201
    assert "Created OPS-2 Two." in words(fetched)
    assert fetched.context["form"].typed == {"labels": "docs"}


def test_me_is_whoever_types_it(cast, post):
    by_title, by_field = post("Mine @me"), post("Mine too", assignees="@me, atlas")
    assert by_title.status_code == by_field.status_code == 302
    assigned = Task.objects.order_by("pk").values_list("title", "assignments__agent__slug")
    assert sorted(assigned) == [("Mine", "ada"), ("Mine too", "ada"), ("Mine too", "atlas")]
    why_not = "You are not an agent of OPS, so no task can be assigned to you there."
    assert f"{why_not} @me stays in the title." in words(post("Theirs @me", by=cast.root, check="1"))
    refused = post("Theirs", by=cast.root, assignees="me")
    assert refused.status_code == 400
    assert why_not in words(refused)


def test_tasks_are_created_only_where_one_may(client, cast, post):
    for nobody in (cast.vera, cast.hugo.user):
        assert post(by=nobody).status_code == client.get("/tasks/new/").status_code == 403
        assert "New task" not in client.get("/").content.decode()
        assert "data-quick-add" not in client.get("/?project=OPS").content.decode()
    Project.objects.filter(pk=cast.ops.pk).update(workers_create=True)
    assert post("Mine", by=cast.hugo.user).status_code == 302
    assert "New task" in client.get("/").content.decode()
    assert post(by=cast.vera).status_code == 403
    for elsewhere in ("OTHER", "NONE"):
        refused = post("Theirs", by=cast.hugo.user, project=elsewhere)
        assert refused.status_code == 400
        assert "Choose a project in which you may create tasks." in words(refused)
        assert "Somewhere else" not in words(refused)
    refused = post("Fix @atlas", by=cast.hugo.user, check="1")
    assert "Only a manager of OPS may assign tasks. @atlas stays in the title." in words(refused)
    assert "Assignees" not in words(refused)
    assert post("Fix", by=cast.hugo.user, assignees="atlas").status_code == 403
    assert list(Task.objects.values_list("title", "created_by__username")) == [("Mine", "hugo")]
    client.logout()
    assert client.post("/tasks/new/", {"title": "x"}).status_code == 302
    assert Task.objects.count() == 1


def test_names_of_other_projects_are_not_known(cast, new_task, post):
    theirs = new_task(project=cast.other)
    text = words(post(f"Fix @zed ^{theirs.ref}", check="1"))
    assert "There is no agent 'zed'" in text
    assert "There is no task 'OTHER-1' in this project." in text


def test_line_stands_where_a_new_task_would_appear(client, cast, new_task, post):
    new_task()
    client.force_login(cast.ada.user)
    for page in ("/", "/?project=OPS", "/tasks/", "/board/changes?refs=OPS-1"):
        assert client.get(page).content.decode().count("data-quick-add") == 1, page
    answer = post("By line #x", headers=FETCH, key="a" * 32)
    assert answer.status_code == 201
    assert "Created OPS-2 By line." in words(answer)
    assert Event.objects.filter(kind="task.created").count() == 2
    root = post("", by=cast.root, headers=FETCH)
    assert (root.status_code, "Give the task a title." in words(root)) == (400, True)
