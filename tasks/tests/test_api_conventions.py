"""What all endpoints share: declared outputs, errors, pages, filters, both slash forms, limits."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from taskproject.api import throttling
from taskproject.models import IdempotencyKey
from tasks.actions import assignments, claims, runs
from tasks.api import agents, me, projects
from tasks.api import runs as run_api
from tasks.api.tasks.output import TaskOutput
from tasks.models import Membership, Skill, Task
from tasks.transitions import Status


def names_of(serializer) -> set[str]:
    return set(serializer().fields)


def test_outputs_have_exactly_the_declared_members(cast, api, new_task):
    task = new_task(labels=["docs"], assignees=[cast.atlas])
    run = api.atlas.post(f"/tasks/{task.ref}/claim").json()
    assert set(run) == names_of(run_api.RunOutput)
    assert set(run["task"]) == names_of(TaskOutput)
    assert set(run["task"]["active_run"]) == set(TaskOutput().fields["active_run"].fields)
    assert set(run["context"]) == names_of(run_api.RunContext)
    brief = api.atlas.post(f"/runs/{run['id']}/heartbeat").json()
    assert set(brief) == names_of(run_api.RunBriefOutput)
    public = api.ada.get(f"/tasks/{task.ref}/runs").json()["results"][0]
    assert set(public) == names_of(run_api.PublicRunOutput)
    assert set(api.atlas.get("/agents/atlas").json()) == names_of(agents.AgentOutput)
    assert set(api.atlas.get("/projects/OPS").json()) == names_of(projects.ProjectDetailOutput)
    assert set(api.atlas.get("/me").json()) == names_of(me.MeOutput)


def test_task_output_includes_everything_attached_to_it(cast, api, new_task):
    Skill.objects.get_or_create(name="python")
    first, child = new_task("First"), None
    task = new_task(
        "Second",
        labels=["b", "a"],
        required_skills=[("python", 3)],
        depends_on=[first],
        assignees=[cast.bert, cast.atlas],
        criteria=["tests pass"],
    )
    child = new_task("Child", parent=task)
    shown = api.ada.get(f"/tasks/{task.ref}").json()
    assert shown["labels"] == ["a", "b"]
    assert shown["required_skills"] == [{"skill": "python", "min_level": 3}]
    assert shown["assignees"] == ["bert", "atlas"]
    assert shown["depends_on"] == [first.ref]
    assert shown["blocked_by"] == [first.ref, child.ref]
    assert shown["created_by"] == "ada"
    assert shown["is_ready"] is False
    assert api.ada.get(f"/tasks/{child.ref}").json()["parent"] == task.ref


def test_run_id_is_shown_to_its_holder_alone(cast, api, new_task):
    task = new_task()
    run_id = api.atlas.post(f"/tasks/{task.ref}/claim").json()["id"]
    for path in (f"/tasks/{task.ref}", f"/tasks/{task.ref}/runs", f"/tasks/{task.ref}/events", "/tasks", "/events"):
        assert run_id not in api.ada.get(path).content.decode(), path
    assert api.bert.post(f"/runs/{run_id}/heartbeat").status_code == 404


def test_list_costs_the_same_queries_for_any_number_of_tasks(cast, api, new_task):
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert api.ada.get("/tasks?limit=200").status_code == 200
        return len(queries)

    first = new_task(assignees=[cast.atlas], labels=["x"])
    cost()
    before = cost()
    for _ in range(20):
        new_task(assignees=[cast.atlas, cast.bert], labels=["x", "y"], depends_on=[first])
    assert cost() == before


@pytest.mark.parametrize("path", ["/tasks", "/me", "/projects", "/agents", "/skills", "/events", "/nowhere"])
def test_path_answers_the_same_with_and_without_slash(api, path):
    bare, slashed = api.ada.get(path), api.ada.get(path + "/")
    assert bare.status_code == slashed.status_code
    assert bare.json().keys() == slashed.json().keys()


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("status=running", "status"),
        ("status=%25s%25(x)", "status"),
        ("priority=2", "priority"),
        ("ready=maybe", "ready"),
        ("created_after=yesterday", "created_after"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("cursor=abc", "cursor"),
        ("ordering=title", "ordering"),
        ("asignee=atlas", "asignee"),
        ("parent=7", "parent"),
    ],
)
def test_list_refuses_a_filter_that_it_does_not_understand(api, query, name):
    refused = api.ada.get(f"/tasks?{query}")
    assert (refused.status_code, refused.json()["code"]) == (400, "validation_error")
    assert list(refused.json()["errors"]) == [name]


def test_list_filters_find_what_they_name(cast, api, new_task):
    first = new_task("Alpha", priority=4, labels=["red"])
    second = new_task("Beta", depends_on=[first], assignees=[cast.atlas])
    third = new_task("Gamma", required_skills=[("python", 2)], parent=second)

    def found(query: str) -> set[str]:
        return {task["ref"] for task in api.ada.get(f"/tasks?{query}").json()["results"]}

    assert found("priority=urgent,high") == {first.ref}
    assert found("label=red") == {first.ref}
    assert found("blocked=true") == {second.ref}
    assert found("ready=true") == {first.ref, third.ref}
    assert found("ready=false") == {second.ref}
    assert found("assignee=atlas") == {second.ref}
    assert found("unassigned=true") == {first.ref, third.ref}
    assert found("skill=python") == {third.ref}
    assert found(f"parent={second.ref}") == {third.ref}
    assert found("parent=none") == {first.ref, second.ref}
    assert found("q=alph") == {first.ref}
    assert found(f"q={second.ref.lower()}") == {second.ref}
    assert found("project=OTHER") == set()
    assert found("created_before=2020-01-01") == set()
    assert found("status=not_started&status=completed&overdue=false") == {first.ref, second.ref, third.ref}


def test_pages_go_back_the_way_they_came(api, new_task):
    for number in range(5):
        new_task(priority=1 + number % 2)
    first = api.ada.get("/tasks?limit=2&ordering=priority").json()
    second = api.ada.get(first["next"].split("/api/v1")[1]).json()
    back = api.ada.get(second["previous"].split("/api/v1")[1]).json()
    assert back["results"] == first["results"]
    assert first["previous"] is None


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("post", "/tasks", [], 400, "validation_error"),
        ("post", "/tasks", {"project": "OPS"}, 400, "validation_error"),
        ("post", "/tasks", {"project": "OPS", "title": " "}, 400, "validation_error"),
        ("post", "/tasks", {"project": "OPS", "title": "x", "estimate_minutes": True}, 400, "validation_error"),
        ("post", "/tasks", {"project": "OPS", "title": "x", "depends_on": ["OPS-99"]}, 400, "validation_error"),
        ("post", "/tasks", {"project": "OPS", "title": "x", "required_skills": [{"skill": "pyton"}]}, 400, None),
        ("post", "/tasks", {"project": "OPS", "title": "x", "assignees": ["atlass"]}, 400, "validation_error"),
        ("post", "/tasks", {"project": "OPS", "title": "a\0b"}, 400, "validation_error"),
        ("post", "/tasks", {"project": "NOPE", "title": "x"}, 404, "not_found"),
        ("put", "/tasks", {}, 405, "method_not_allowed"),
        ("get", "/tasks/OPS-999", None, 404, "not_found"),
        ("get", "/tasks/OPS-0", None, 404, "not_found"),
        ("post", "/tasks/claim_next", {"limit": 21}, 400, "validation_error"),
        ("post", "/tasks/claim_next", {"lease_seconds": 5}, 400, "validation_error"),
        ("post", "/tasks/claim_next", {"projects": ["OTHER"]}, 400, "validation_error"),
    ],
)
def test_bad_input_gets_one_sentence(api, method, path, body, status, code):
    answer = getattr(api.ada, method)(path, body)
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert code is None or answer.json()["code"] == code
    assert 5 < len(answer.json()["detail"]) < 300


def test_illegal_transition_names_the_allowed_verbs(api, new_task):
    refused = api.ada.post(f"/tasks/{new_task().ref}/approve")
    assert refused.status_code == 409
    assert refused.json()["code"] == "illegal_transition"
    assert refused.json()["task_status"] == "not_started"
    assert "claim" in refused.json()["allowed"]


def test_result_that_no_database_could_keep_is_refused(api, new_task):
    run_id = api.atlas.post(f"/tasks/{new_task().ref}/claim").json()["id"]
    nested: list = []
    for _ in range(60):
        nested = [nested]
    for result in ({"text": "a\0b"}, nested):
        refused = api.atlas.post(f"/runs/{run_id}/complete", {"summary": "x", "result": result})
        assert (refused.status_code, refused.json()["code"]) == (400, "validation_error")
    assert api.atlas.post(f"/runs/{run_id}/complete", {"summary": "x"}).status_code == 200


def test_token_is_shown_once_lists_without_it_and_stops_when_revoked(cast, api):
    made = api.ada.post("/agents/atlas/tokens", {"name": "laptop"})
    assert made.status_code == 201
    secret = made.json()["token"]
    assert made["Cache-Control"] == "no-store"
    listed = api.ada.get("/agents/atlas/tokens").json()["results"]
    assert [token["name"] for token in listed] == ["laptop"]
    assert secret not in api.ada.get("/agents/atlas/tokens").content.decode()

    api.nobody.client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert api.nobody.get("/me").json()["agent"]["slug"] == "atlas"
    assert api.ada.delete(f"/agents/atlas/tokens/{listed[0]['id']}").status_code == 204
    refused = api.nobody.get("/me")
    assert (refused.status_code, refused.json()["code"]) == (401, "not_authenticated")
    assert refused["WWW-Authenticate"].startswith("Bearer")


def test_agents_may_neither_make_tokens_nor_raise_their_capacity(api):
    assert api.atlas.post("/agents/atlas/tokens", {"name": "x"}).status_code == 403
    assert api.atlas.patch("/agents/atlas", {"max_concurrent": 50}).status_code == 403
    assert api.atlas.patch("/me", {"availability": "paused"}).json()["agent"]["availability"] == "paused"
    assert api.atlas.post("/tasks/claim_next").json()["reason"] == "paused"


def test_project_is_made_with_members_by_staff_alone(cast, api):
    body = {"key": "NEW", "name": "New", "members": [{"name": "atlas", "role": "worker"}]}
    assert api.atlas.post("/projects", body).status_code == 403
    made = api.ada.post("/projects", body)
    assert made.status_code == 201, made.json()
    ada = {"name": "ada", "role": "manager", "paused_at": None}
    atlas = {"name": "atlas", "role": "worker", "paused_at": None}
    assert made.json()["members"] == [ada, atlas]
    refused = api.ada.patch("/projects/NEW", {"name": "Other", "members": [{"name": "atlas", "role": "manager"}]})
    assert refused.status_code == 400
    assert api.ada.get("/projects/NEW").json()["name"] == "New"
    gone = api.ada.patch("/projects/NEW", {"members": [{"name": "atlas", "role": None}]})
    assert gone.json()["members"] == [ada]


def test_complete_many_finishes_each_for_itself(cast, api, new_task, let_lease_end):
    for _ in range(3):
        new_task()
    claimed = api.atlas.post("/tasks/claim_next", {"limit": 3}).json()["runs"]
    assert len(claimed) == 3
    runs.release_run(actor=cast.atlas.user, run_id=claimed[1]["id"])
    done = api.atlas.post("/runs/complete_many", {"runs": [{"id": run["id"], "summary": "ok"} for run in claimed]})
    first, second, third = done.json()["results"]
    assert first["task"]["status"] == third["task"]["status"] == "completed"
    assert second["problem"]["code"] == "lease_lost"


def test_claim_says_who_holds_the_task_and_why_not(cast, api, new_task):
    task = new_task()
    api.atlas.post(f"/tasks/{task.ref}/claim")
    held = api.bert.post(f"/tasks/{task.ref}/claim").json()
    assert (held["code"], held["holder"]) == ("already_claimed", "atlas")
    skilled = new_task(required_skills=[("python", 5)])
    assert api.bert.post(f"/tasks/{skilled.ref}/claim").json()["code"] == "missing_skill"
    mine = new_task()
    assignments.assign_task(actor=cast.ada.user, task=mine, agents=[cast.atlas])
    assert api.bert.post(f"/tasks/{mine.ref}/claim").json()["code"] == "not_assignee"
    again = api.atlas.post(f"/tasks/{task.ref}/claim", {"lease_seconds": 3600})
    assert (again.status_code, again.json()["number"]) == (200, 1)


def test_limit_holds_when_requests_come_at_once(settings, api, monkeypatch):
    settings.API_RATE_LIMIT = "10/hour"
    throttling.forget_all()
    throttle, barrier = throttling.CallerThrottle, threading.Barrier(32)

    class Request:
        user = type("User", (), {"pk": 1, "is_authenticated": True})()

    def ask(_: int) -> bool:
        barrier.wait()
        return throttle().allow_request(Request(), None)

    with ThreadPoolExecutor(32) as pool:
        assert sum(pool.map(ask, range(32))) == 10
    throttling.forget_all()


def test_throttled_caller_gets_the_time_to_wait(settings, api):
    settings.API_RATE_LIMIT = "2/hour"
    throttling.forget_all()
    answers = [api.ada.get("/me") for _ in range(3)]
    throttling.forget_all()
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2]["Retry-After"]) == answers[2].json()["retry_after_seconds"] > 0


@pytest.mark.django_db(transaction=True)
def test_event_pages_follow_the_cursor_without_gap_or_repeat(cast, api, new_task):
    for _ in range(8):
        claims.claim_task(actor=cast.atlas.user, task=new_task())
    seen, cursor = [], ""
    while True:
        page = api.ada.get(f"/events?limit=3{cursor and '&after=' + cursor}").json()
        if not page["events"]:
            break
        seen += [event["id"] for event in page["events"]]
        cursor = page["cursor"]
    assert len(seen) == len(set(seen)) == 8 * 2
    assert api.zed.get("/events").json()["events"] == []
    now = api.ada.get("/events?after=now").json()["cursor"]
    new_task("News")
    assert [event["data"]["title"] for event in api.ada.get(f"/events?after={now}").json()["events"]] == ["News"]
    assert api.ada.get("/events?after=!!!").json()["code"] == "validation_error"


def test_worker_may_not_do_without_the_review_that_the_project_asks_for(cast, api):
    cast.ops.workers_create = cast.ops.review_required = True
    cast.ops.save()
    refused = api.atlas.post("/tasks", {"project": "OPS", "title": "Mine", "review_required": False})
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    made = api.atlas.post("/tasks", {"project": "OPS", "title": "Mine"}).json()
    assert made["review_required"] is True
    assert api.atlas.patch(f"/tasks/{made['ref']}", {"review_required": False}).status_code == 403
    assert api.ada.patch(f"/tasks/{made['ref']}", {"review_required": False}).status_code == 200


def test_token_is_never_kept_in_plain_text_even_under_an_idempotency_key(cast, api):
    made = api.ada.post("/agents/atlas/tokens", {"name": "once"}, idempotency_key="t1")
    again = api.ada.post("/agents/atlas/tokens", {"name": "once"}, idempotency_key="t1")
    secret = made.json()["token"]
    assert again.json() == {**made.json(), "token": None}
    assert cast.atlas.tokens.filter(name="once").count() == 1
    assert all(secret.encode() not in bytes(kept.body) for kept in IdempotencyKey.objects.all())


def test_same_key_with_and_without_slash_is_one_request(api):
    body = {"project": "OPS", "title": "Once"}
    first = api.ada.post("/tasks", body, idempotency_key="s1")
    assert api.ada.post("/tasks/", body, idempotency_key="s1").content == first.content


def test_manager_does_not_raise_their_own_capacity(api):
    assert api.ada.patch("/agents/ada", {"max_concurrent": 50}).status_code == 403


def test_claim_next_after_a_wait_checks_membership_again(cast, new_task):
    new_task()
    projects = claims.projects_to_work_in(cast.bert.user)
    Membership.objects.filter(user=cast.bert.user).delete()
    claimed = claims.claim_next(actor=cast.bert.user, projects=projects)
    assert (claimed.runs, claimed.reason) == ([], "no_project")


def test_wrong_method_gets_the_right_ones(api):
    answer = api.atlas.put("/me", {})
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.json()["detail"] == "This path accepts only GET and PATCH."
    assert answer.json()["methods"] == ["GET", "PATCH"]
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "PATCH", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("path", ["/tasks", "/agents", "/tasks/claim_next", "/me"])
def test_options_returns_the_methods_of_a_path(api, path):
    answer = api.atlas.options(path)
    assert answer.status_code == 200
    assert set(answer.json()["methods"]) == set(answer.headers["Allow"].split(", "))
    assert api.nobody.options(path).status_code == 401


def test_body_that_is_not_json_is_refused_with_what_to_send(api):
    answer = api.atlas.client.post("/api/v1/tasks/claim_next", "limit=1", content_type="text/plain")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "application/json" in answer.json()["detail"]


@pytest.mark.parametrize(("age", "tasks"), [(timedelta(hours=23, minutes=59), 1), (timedelta(hours=24, minutes=1), 2)])
def test_same_key_has_a_second_effect_only_after_a_day(api, age, tasks):
    body = {"project": "OPS", "title": "Once"}
    first = api.ada.post("/tasks", body, idempotency_key="d1")
    IdempotencyKey.objects.update(created_at=Now() - age)
    again = api.ada.post("/tasks", body, idempotency_key="d1")
    assert (again.status_code, Task.objects.filter(title="Once").count()) == (201, tasks)
    assert (again.json()["ref"] == first.json()["ref"]) is (tasks == 1)


def test_outdated_keys_are_those_of_more_than_a_day(api):
    for number, hours in enumerate((1, 23, 25)):
        api.ada.post("/tasks", {"project": "OPS", "title": "Once"}, idempotency_key=f"o{number}")
        IdempotencyKey.objects.filter(key=f"o{number}").update(created_at=Now() - timedelta(hours=hours))
    assert [kept.key for kept in IdempotencyKey.objects.outdated()] == ["o2"]


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/tasks/claim_next", {"wait_seconds": 9999}, "wait_seconds: Must be from 0 to 30."),
        ("/tasks/claim_next", {"wait_seconds": -1}, "wait_seconds: Must be from 0 to 30."),
        ("/tasks", [1], "body: Must be an object."),
        (
            "/tasks",
            {"project": "OPS", "title": "x", "priority": "hihg"},
            "priority: There is no value 'hihg'; did you mean 'high'? Known: low, normal, high, urgent.",
        ),
        ("/tasks", {"project": "OPS", "title": "x", "priority": 3}, "priority: Must be a text."),
        (
            "/tasks",
            {"project": "OPS", "title": "x", "due_at": "tomorrow"},
            "due_at: Must be a time such as 2026-11-22T10:00:00Z, or a day such as 2026-11-22.",
        ),
    ],
)
def test_wrong_values_are_refused_in_our_own_words(cast, api, path, body, detail):
    caller = api.atlas if path.endswith("claim_next") else api.ada
    answer = caller.post(path, body)
    assert (answer.status_code, answer.json()["detail"]) == (400, detail)


@pytest.mark.parametrize(
    ("field", "place"),
    [
        ("version", 'as in If-Match: "3".'),
        ("status", "/cancel"),
        ("assignees", "/assign"),
        ("depends_on", "/dependencies"),
    ],
)
def test_patch_of_a_field_that_has_its_own_place_names_it(api, new_task, field, place):
    answer = api.ada.patch(f"/tasks/{new_task().ref}", {field: 1, "titel": "x"})
    errors = answer.json()["errors"]
    assert (answer.status_code, set(errors)) == (400, {field, "titel"})
    assert place in errors[field][0]


@pytest.mark.parametrize("name", ["status", "priority"])
def test_filter_by_an_unknown_word_lists_the_known_ones(api, name):
    known = {"status": [status.value for status in Status], "priority": ["low", "normal", "high", "urgent"]}[name]
    sentence = api.ada.get(f"/tasks?{name}=done").json()["errors"][name][0]
    assert sentence.endswith(f"Known: {', '.join(known)}.")


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/taks", "tasks"),
        ("/task/OPS-1/claim", "tasks/OPS-1/claim"),
        ("/tasks/OPS-1/aprove/", "tasks/OPS-1/approve"),
        ("/tasks/claimnext", "tasks/claim_next"),
        ("/notifications/red", "notifications/read"),
    ],
)
def test_mistyped_path_names_the_nearest(api, path, near):
    answer = api.ada.get(path)
    assert answer.status_code == 404
    assert f"did you mean /api/v1/{near}?" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/runs/7/heartbeat", "/runs//heartbeat", "/tasks/DEMO-x", "/questions/abc"])
def test_path_with_what_is_no_id_is_not_told_to_be_itself(api, path):
    answer = api.ada.post(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["detail"].startswith("Nothing is at this path: what stands for an id or a name in it is none;")


@pytest.mark.parametrize("path", ["/", "/xyzzy", "/" + "a/" * 300, "/tasks/a/b/c/d/e/f/g/h/i", "/" + "t" * 5000])
def test_path_that_is_like_none_names_none(api, path):
    answer = api.ada.get(path)
    assert answer.json()["detail"] == "The API has no such path; see /api/v1/docs."


def test_description_of_each_delete_says_whether_it_answers_with_a_body(client):
    paths = client.get("/api/v1/schema", headers={"Accept": "application/json"}).json()["paths"]
    answers = {path: set(ways["delete"]["responses"]) for path, ways in paths.items() if "delete" in ways}
    with_body = {path for path, codes in answers.items() if "200" in codes}
    assert with_body == {
        "/api/v1/inbox/{id}/archive",
        "/api/v1/inbox/{id}/snooze",
        "/api/v1/messages/{id}/reactions",
        "/api/v1/tasks/{ref}/dependencies",
        "/api/v1/tasks/{ref}/watch",
    }
    assert all(("204" in codes) is (path not in with_body) for path, codes in answers.items())
