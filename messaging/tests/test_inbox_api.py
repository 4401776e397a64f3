"""The inbox over HTTP, and its page without any script."""

import base64
import json
import re
from datetime import timedelta

import pytest

from messaging.models import PutAside
from messaging.tests.inbox_rows import failed, in_review
from tasks import clock
from tasks.models import Task

pytestmark = pytest.mark.django_db


def ids(answer) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [item["id"] for item in answer.json()["results"]]


def test_list_says_what_why_since_when_how_urgent_who_else_and_what_to_do(api, cast, new_task):
    in_review(cast, new_task, title="Rotate the keys")
    (there,) = api.rita.get("/inbox").json()["results"]
    since = there.pop("since")
    assert since.endswith("Z")
    assert there == {
        "id": "review-OPS-1", "kind": "review", "group": "reviews", "state": "active", "title": "Rotate the keys",
        "project": "OPS", "task": "OPS-1", "why": "atlas completed it and waits for a review.",
        "text": "All keys are new.", "urgency": "normal", "because": [], "others": ["ada"],
        "actions": [
            {"name": "approve", "label": "Approve", "method": "POST", "path": "/api/v1/tasks/OPS-1/approve",
             "needs": []},
            {"name": "request_changes", "label": "Request changes", "method": "POST",
             "path": "/api/v1/tasks/OPS-1/request_changes", "needs": ["note"]},
        ],
        "snoozed_until": None,
    }  # fmt: skip
    assert api.rita.post(there["actions"][0]["path"].removeprefix("/api/v1"), {}).status_code == 200
    assert ids(api.rita.get("/inbox")) == []


def test_list_by_kind_group_scope_and_in_pages(api, cast, new_task):
    for _ in range(3):
        failed(cast, new_task)
    in_review(cast, new_task)
    assert ids(api.ada.get("/inbox?scope=team")) == ["review-OPS-4"]
    assert ids(api.ada.get("/inbox?scope=team&kind=failed,overdue")) == []
    assert ids(api.ada.get("/inbox?group=reviews")) == []
    assert len(ids(api.ada.get("/inbox?group=trouble&kind=failed&state=active&limit=50"))) == 3
    first = api.ada.get("/inbox?limit=2").json()
    second = api.ada.get(first["next"].split("/api/v1")[1]).json()
    assert [item["id"] for page in (first, second) for item in page["results"]] == [
        f"failed-OPS-{n}" for n in (1, 2, 3)
    ]
    assert (first["previous"], second["next"]) == (None, None)
    back = api.ada.get(second["previous"].split("/api/v1")[1]).json()
    assert back["results"] == first["results"]
    assert api.ada.get("/inbox/count").json() == {"count": 3}
    for query in ("kind=failing", "group=x", "scope=x", "state=x", "limit=0", "limit=x", "cursor=x", "nothing=1"):
        assert api.ada.get(f"/inbox?{query}").status_code == 400, query
    times = ("2026-11-26T10:00:00+00:00", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00", "now", 5)
    parts = [[now, False, 1, times[0], "failed", 1] for now in times[1:]]
    parts += [[times[0], False, 1, times[0], source, 1] for source in ([], {}, "nothing", None)]
    for made_up in parts:
        cursor = base64.urlsafe_b64encode(json.dumps(made_up).encode()).decode()
        assert api.ada.get(f"/inbox?cursor={cursor}").status_code == 400, made_up


def test_snooze_archive_and_back(api, cast, new_task):
    failed(cast, new_task)
    until = (clock.now() + timedelta(hours=2)).replace(microsecond=0)
    snoozed = api.ada.post("/inbox/failed-OPS-1/snooze", {"until": until.isoformat()}).json()
    assert (snoozed["state"], snoozed["snoozed_until"]) == ("snoozed", until.isoformat().replace("+00:00", "Z"))
    assert (ids(api.ada.get("/inbox")), ids(api.ada.get("/inbox?state=snoozed"))) == ([], ["failed-OPS-1"])
    assert api.ada.delete("/inbox/failed-OPS-1/snooze").json()["state"] == "active"
    assert api.ada.post("/inbox/failed-OPS-1/archive").json()["state"] == "archived"
    assert ids(api.ada.get("/inbox?state=archived")) == ["failed-OPS-1"]
    assert api.ada.delete("/inbox/failed-OPS-1/archive").json()["state"] == "active"
    assert api.ada.post("/inbox/failed-ops-1/snooze", {"seconds": 60}).status_code == 200
    for body in ({}, {"seconds": 0}, {"seconds": 60, "until": until.isoformat()}, {"until": "2001-01-01T00:00:00Z"}):
        assert api.ada.post("/inbox/failed-OPS-1/snooze", body).status_code == 400, body
    assert api.rita.post("/inbox/failed-OPS-1/archive").status_code == 404
    assert api.mona.post("/inbox/failed-OPS-1/archive").status_code == 404


def test_page_without_script_does_all_by_forms_and_leads_back(client, cast, new_task):
    failed(cast, new_task, title="<b>Publish</b>")
    client.force_login(cast.ada.user)
    page = client.get("/inbox/").content.decode()
    assert 'data-inbox-count="1"' in page
    assert "&lt;b&gt;Publish" in page
    assert re.search(r'action="/tasks/OPS-1".*?name="next" value="/inbox/".*?value="reopen"', page, re.S)
    here = "/inbox/?group=trouble"
    assert client.post(here, {"do": "archive", "id": "failed-OPS-1"}).url == here
    assert 'data-inbox-count="0"' in client.get("/").content.decode()
    assert "Back to the inbox" in client.get("/inbox/?state=archived").content.decode()
    assert client.post("/inbox/?state=archived", {"do": "restore", "id": "failed-OPS-1"}).status_code == 302
    for data in ({"for": "hour"}, {"for": "tomorrow"}, {"for": "week"}, {"for": "until", "until": "2099-01-01T00:00"}):
        client.post("/inbox/", {"do": "snooze", "id": "failed-OPS-1"} | data)
    assert PutAside.objects.get().until > clock.now()
    refused = {"do": "snooze", "id": "failed-OPS-1", "for": "until", "until": "never"}
    assert "Must be a time" in client.post("/inbox/", refused, follow=True).content.decode()
    assert "There is no such button." in client.post("/inbox/", {"do": "x"}, follow=True).content.decode()
    assert "is in your inbox" in client.post("/inbox/", {"do": "archive", "id": "x-1"}, follow=True).content.decode()
    client.post("/inbox/", {"do": "restore", "id": "failed-OPS-1"})
    answer = client.post("/tasks/OPS-1", {"verb": "reopen", "next": here})
    assert (answer.status_code, answer.url) == (302, here)
    assert Task.objects.get().status == "not_started"
    assert client.get("/inbox/?place=nonsense").url == "/inbox/"


def test_empty_page_names_the_next_step(client, cast, django_user_model):
    client.force_login(cast.hugo.user)
    for query, words in (
        ("", "Nothing needs you"),
        ("?group=reviews", "No reviews need you"),
        ("?state=snoozed", "Nothing is snoozed"),
        ("?state=archived", "Nothing is archived"),
    ):
        assert words in client.get(f"/inbox/{query}").content.decode()
    client.force_login(django_user_model.objects.create(username="new"))
    assert "You are not in a project yet" in client.get("/inbox/").content.decode()
    client.logout()
    assert client.get("/inbox/").url.startswith("/login/")


def test_task_is_assigned_from_the_inbox(client, cast, new_task):
    task = new_task()
    client.force_login(cast.ada.user)
    answer = client.post(f"/tasks/{task.ref}/assign", {"agent": "bert", "note": "Please.", "next": "/inbox/"})
    assert answer.url == "/inbox/"
    assert [row.agent.slug for row in task.assignments.all()] == ["bert"]
    for data in ({}, {"agent": "nobody"}, {"agent": "bert", "note": "x" * 501}):
        assert client.post(f"/tasks/{task.ref}/assign", data).status_code == 302
    client.force_login(cast.hugo.user)
    client.post(f"/tasks/{task.ref}/assign", {"agent": "hugo"})
    assert task.assignments.count() == 1
    client.force_login(cast.mona.user)
    assert client.post(f"/tasks/{task.ref}/assign", {"agent": "zed"}).status_code == 404
