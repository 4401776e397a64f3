"""Names that nobody can see are refused at every door; search and advice know case beyond ASCII on both databases."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from taskproject.texts import INVISIBLE, is_blank
from tasks.actions.imports import PlanRefused, import_plan
from tasks.formats import beads, csv_table, json_list
from tasks.models import Agent, AgentToken, Label, Project, Skill, Task
from tasks.tests.admin_pages import as_posted, signed_in

UNSEEN = [
    "\u200b",
    "\u2060\u00a0\u3000",
    "\u202e\ufeff",
    "\u3164",
    "\u2800",
    "\u115f\u1160",
    "\u0301",
    "\u00ad\u034f\ufe0f",
    "\x1f",
]
SEEN = ["a", "\u200ba", "م", "👩\u200d👩\u200d👧", "e\u0301", "日本", ".", "\u202e txt"]


@pytest.mark.parametrize("text", UNSEEN)
def test_is_blank_what_nobody_sees(text):
    assert is_blank(text)
    assert is_blank(f" {text}\n")


@pytest.mark.parametrize("text", SEEN)
def test_is_blank_not_what_has_a_visible_character(text):
    assert not is_blank(text)


@pytest.mark.parametrize("text", UNSEEN)
def test_api_refuses_names_that_nobody_sees(api, new_task, text):
    task = new_task("Seen")
    run = api.atlas.post(f"/tasks/{task.ref}/claim").json()["id"]
    new = {"project": "OPS", "title": "x"}
    requests = [
        ("title", api.ada.post("/tasks", {**new, "title": text})),
        ("title", api.ada.patch(f"/tasks/{task.ref}", {"title": text})),
        ("labels", api.ada.post("/tasks", {**new, "labels": [text]})),
        ("criteria", api.ada.post("/tasks", {**new, "criteria": [text]})),
        ("external_id", api.ada.post("/tasks", {**new, "external_id": text})),
        ("name", api.root.post("/projects", {"key": "NEW", "name": text})),
        ("name", api.ada.patch("/projects/OPS", {"name": text})),
        ("name", api.root.post("/skills", {"name": text})),
        ("name", api.ada.post("/agents", {"slug": "new", "name": text})),
        ("name", api.ada.patch("/agents/atlas", {"name": text})),
        ("name", api.ada.post("/agents/atlas/tokens", {"name": text})),
        ("summary", api.atlas.post(f"/runs/{run}/complete", {"summary": text})),
    ]
    for field, refused in requests:
        assert (refused.status_code, list(refused.json()["errors"])) == (400, [field])
    assert list(Task.objects.values_list("title", flat=True)) == ["Seen"]
    assert not Project.objects.filter(key="NEW").exists()
    assert not Agent.objects.filter(slug="new").exists()
    assert not AgentToken.objects.filter(name=text).exists()


@pytest.mark.parametrize("text", ["\u200b", "\u3164"])
def test_admin_and_commands_refuse_names_that_nobody_sees(cast, text):
    browser = signed_in(cast.root)
    form = as_posted(browser.get("/admin/tasks/task/add/")) | {"project": cast.ops.pk, "title": text}
    assert "title" in browser.post("/admin/tasks/task/add/", form).context["adminform"].form.errors
    form = as_posted(browser.get(f"/admin/tasks/project/{cast.ops.pk}/change/")) | {"name": text}
    page = browser.post(f"/admin/tasks/project/{cast.ops.pk}/change/", form)
    assert page.context["adminform"].form.errors["name"] == [INVISIBLE]
    token = browser.post(f"/admin/tasks/agent/{cast.atlas.pk}/tokens/", {"name": text})
    assert INVISIBLE in token.content.decode()
    with pytest.raises((CommandError, SystemExit)):
        call_command("add_project", "NEW", "--name", text, stdout=StringIO(), stderr=StringIO())
    assert not Project.objects.filter(key="NEW").exists()
    assert not Task.objects.exists()


def test_files_with_names_that_nobody_sees_are_refused(cast):
    plans = [
        json_list.read(json.dumps([{"title": "\u200b"}])),
        json_list.read(json.dumps([{"title": "x", "labels": ["\u200b"]}])),
        csv_table.read("title\n\u200b"),
        beads.read(json.dumps({"id": "n-3", "title": "\u200b"})),
    ]
    for plan in plans:
        with pytest.raises(PlanRefused):
            import_plan(actor=None, project=cast.ops, plan=plan)
    assert (Task.objects.count(), Label.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    ("title", "query"),
    [
        ("Änderung prüfen", "ÄNDERUNG PRÜ"),
        ("ΟΔΟΣ", "οδος"),
        ("Жук", "жУК"),
        ("straße 100%_x", "STRAßE 100%_X"),
        ("Ascii", "aSC"),
    ],
)
def test_search_knows_case_beyond_ascii(cast, api, client, new_task, title, query):
    new_task(title)
    new_task("Other", description=f"about {title}.")
    new_task("Nothing")
    Agent.objects.filter(slug="atlas").update(name=title)
    results = api.ada.get("/tasks", {"q": query}).json()["results"]
    assert {row["title"] for row in results} == {title, "Other"}
    client.force_login(cast.root)
    for page, others in (("/admin/tasks/task/", "Nothing"), ("/", "Nothing"), ("/agents/", "Bert")):
        text = client.get(page, {"q": query}).content.decode()
        assert title in text, page
        assert others not in text, page


def test_unknown_name_is_advised_whatever_its_case(api):
    Skill.objects.create(name="öffentlich")
    refused = api.ada.post("/tasks", {"project": "OPS", "title": "x", "required_skills": [{"skill": "ÖFFENTLICH"}]})
    assert refused.json()["detail"].endswith("did you mean 'öffentlich'?")
