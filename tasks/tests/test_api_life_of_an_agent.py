"""An agent's work over HTTP, from token to accepted result."""

import pytest

from tasks.models import Run

pytestmark = pytest.mark.django_db(transaction=True)  # readers of events stop below transactions that still run


def test_five_calls_from_claim_to_completion(cast, api, new_task):
    first = new_task("First", priority=4)
    second = new_task("Second", depends_on=[first])
    claimed = api.atlas.post("/tasks/claim_next", {"limit": 1, "lease_seconds": 60})
    assert claimed.status_code == 200, claimed.json()
    run = claimed.json()["runs"][0]
    assert run["task"]["ref"] == first.ref
    assert run["task"]["assignees"] == ["atlas"]
    assert run["context"]["attempts"] == []

    beat = api.atlas.post(f"/runs/{run['id']}/heartbeat", {"lease_seconds": 120})
    assert beat.json()["status"] == "active"
    assert beat.json()["lease_expires_at"] > run["lease_expires_at"]
    progressed = api.atlas.post(
        f"/runs/{run['id']}/progress/", {"percent": 40, "note": "half", "usage": {"input_tokens": 5, "cost": 0.5}}
    )
    assert progressed.status_code == 200, progressed.json()
    done = api.atlas.post(f"/runs/{run['id']}/complete", {"summary": "done", "result": {"answer": 42}})
    assert done.status_code == 200, done.json()
    assert done.json()["task"]["status"] == "completed"
    assert done.json()["unblocked"] == [second.ref]
    assert api.atlas.get(f"/tasks/{first.ref}/runs").json()["results"][0]["usage"] == {
        "input_tokens": 5,
        "output_tokens": 0,
        "cost": 0.5,
    }
    kinds = [event["kind"] for event in api.atlas.get(f"/tasks/{first.ref}/events").json()["events"]]
    assert kinds == [
        "task.created",
        "task.status_changed",
        "task.progressed",
        "task.status_changed",
    ]


def test_stale_write_is_refused_with_the_reason_and_kept(cast, api, new_task, let_lease_end):
    from tasks import engine

    task = new_task()
    run = api.atlas.post(f"/tasks/{task.ref}/claim").json()
    let_lease_end(Run.objects.get(pk=run["id"]))
    engine.tick()
    late = api.atlas.post(f"/runs/{run['id']}/complete", {"summary": "late"})
    assert late.status_code == 409
    assert late["Content-Type"] == "application/problem+json"
    assert (late.json()["code"], late.json()["reason"]) == ("lease_lost", "expired")
    adopted = api.ada.post(f"/tasks/{task.ref}/runs/1/adopt")
    assert adopted.json()["task"]["summary"] == "late"


def test_same_idempotency_key_gives_the_same_answer_and_one_effect(cast, api):
    body = {"project": "OPS", "title": "Once"}
    first = api.ada.post("/tasks", body, idempotency_key="k1")
    again = api.ada.post("/tasks", body, idempotency_key="k1")
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert again["Idempotency-Replayed"] == "true"
    other = api.ada.post("/tasks", {**body, "title": "Twice"}, idempotency_key="k1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert cast.ops.tasks.count() == 1


def test_patch_with_stale_version_shows_the_current_task(cast, api, new_task):
    task = new_task("Old")
    etag = api.ada.get(f"/tasks/{task.ref}")["ETag"]
    assert api.ada.patch(f"/tasks/{task.ref}", {"title": "New"}, if_match=etag).json()["version"] == 2
    stale = api.ada.patch(f"/tasks/{task.ref}", {"title": "Newer"}, if_match=etag)
    assert (stale.status_code, stale.json()["code"]) == (412, "version_mismatch")
    assert stale.json()["current"]["title"] == "New"


def test_unknown_field_is_refused_with_the_nearest_name(cast, api):
    refused = api.ada.post("/tasks", {"project": "OPS", "titel": "x", "title": "x"})
    assert refused.status_code == 400
    assert refused.json()["errors"] == {"titel": ["There is no field 'titel'; did you mean 'title'?"]}


def test_pages_walk_all_tasks_once_whatever_the_ties(cast, api, new_task):
    for _ in range(7):
        new_task(priority=2)
    seen, url = [], "/tasks?limit=3&ordering=-priority"
    while url:
        page = api.ada.get(url).json()
        seen += [task["ref"] for task in page["results"]]
        url = page["next"] and page["next"].split("/api/v1")[1]
    assert seen == [f"OPS-{n}" for n in range(7, 0, -1)]


def test_strangers_see_no_project_task_or_agent(cast, api, new_task):
    task = new_task()
    for path in ("/projects/OPS", f"/tasks/{task.ref}", "/agents/atlas", f"/tasks/{task.ref}/events"):
        assert api.zed.get(path).status_code == 404
    assert api.zed.get("/tasks").json()["results"] == []
    assert api.nobody.get("/tasks").status_code == 401
