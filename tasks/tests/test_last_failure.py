"""After a failure: until when the task rests, why, and which attempt is next, at every door that shows it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks import clock
from tasks.actions.passing_time import expire_run
from tasks.actions.tasks import edit_task
from tasks.models import Run, Task
from tasks.pages.board_choices import choose

WHY = {"code": "tests_failed", "detail": "3 of 40 tests fail"}


@pytest.fixture
def fail(api):
    """Claim the task as atlas, report 30 %, and fail it; returns the answer of ``fail``."""

    def claim_and_fail(task, **body):
        run = api.atlas.post(f"/tasks/{task.ref}/claim").json()["id"]
        api.atlas.post(f"/runs/{run}/progress", {"percent": 30, "note": "new keys made"})
        return api.atlas.post(f"/runs/{run}/fail", {**WHY, **body})

    return claim_and_fail


def _end_rest(task):
    Task.objects.filter(pk=task.pk).update(deferred_until=None)


def test_task_says_until_when_it_rests_why_and_which_attempt_failed(api, new_task, fail):
    task = new_task()
    shown = fail(task).json()
    deferred_until = Task.objects.get().deferred_until
    assert (shown["is_ready"], shown["blocked_by"], shown["start_after"]) == (False, [], None)
    assert shown["ready_at"] == deferred_until.isoformat().replace("+00:00", "Z")
    assert shown["last_failure"].pop("at") == Run.objects.get().ended_at.isoformat().replace("+00:00", "Z")
    assert shown["last_failure"] == {"agent": "atlas", **WHY, "attempt": 1}
    assert shown["progress"] == {"percent": 0, "note": "", "at": None}
    assert api.vera.get(f"/tasks/{task.ref}/runs").json()["results"][0]["progress"]["percent"] == 30
    assert api.vera.get("/tasks").json()["results"][0]["ready_at"] == shown["ready_at"]


def test_claim_of_a_resting_task_carries_the_same(api, new_task, fail):
    task = new_task()
    shown = fail(task).json()
    refused = api.bert.post(f"/tasks/{task.ref}/claim")
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (409, "not_ready")
    assert problem["detail"].startswith(f"{task.ref} may not start before ")
    assert ", as attempt 1 failed" in problem["detail"]
    assert (problem["ready_at"], problem["last_failure"]) == (shown["ready_at"], shown["last_failure"])
    assert 1 <= problem["retry_after_seconds"] <= 30
    assert refused.headers["Retry-After"] == str(problem["retry_after_seconds"])


def test_fail_with_a_wish_rests_for_the_longer_of_the_two(api, new_task, fail):
    long, short = new_task(), new_task()
    fail(long, retry_after_seconds=900)
    fail(short, retry_after_seconds=1)
    rests = {run.task.number: run.task.deferred_until - run.ended_at for run in Run.objects.select_related("task")}
    assert rests[long.number] == timedelta(seconds=900)
    assert timedelta(seconds=15) <= rests[short.number] <= timedelta(seconds=30)
    assert Run.objects.get(task=long).failure == {**WHY, "retryable": True, "retry_after_seconds": 900}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"retry_after_seconds": 0}, "Must be from 1 to 604,800."),
        ({"retry_after_seconds": 604_801}, "Must be from 1 to 604,800."),
        ({"retry_after_seconds": 1.5}, "Must be a whole number."),
        ({"retry_after_seconds": 5, "retryable": False}, "Only a failure that is worth another attempt may have one."),
    ],
)
def test_fail_with_a_wrong_wish_is_refused_and_changes_nothing(api, new_task, fail, body, sentence):
    refused = fail(new_task(), **body)
    assert (refused.status_code, refused.json()["detail"]) == (400, f"retry_after_seconds: {sentence}")
    assert Run.objects.get().ended_at is None


def test_lost_lease_is_a_failure_that_costs_no_attempt(api, new_task, let_lease_end):
    task = new_task()
    api.atlas.post(f"/tasks/{task.ref}/claim")
    run = Run.objects.get()
    let_lease_end(run)
    assert expire_run(run=run)
    shown = api.vera.get(f"/tasks/{task.ref}").json()
    assert (shown["attempts"], shown["last_failure"]["code"], shown["last_failure"]["attempt"]) == (
        0,
        "lease_expired",
        1,
    )
    assert shown["ready_at"] is not None


def test_last_failure_stays_during_the_next_attempt_and_ends_with_its_result(api, new_task, fail):
    task = new_task()
    fail(task)
    _end_rest(task)
    fail(task, code="again")
    _end_rest(task)
    claimed = api.bert.post(f"/tasks/{task.ref}/claim").json()
    assert (claimed["task"]["last_failure"]["code"], claimed["task"]["last_failure"]["attempt"]) == ("again", 2)
    assert claimed["task"]["ready_at"] is None
    done = api.bert.post(f"/runs/{claimed['id']}/complete", {"summary": "done"}).json()
    assert done["task"]["last_failure"] is None


def test_failed_task_keeps_its_last_failure_until_it_is_reopened(api, new_task, fail):
    task = new_task(max_attempts=1)
    shown = fail(task).json()
    assert (shown["status"], shown["last_failure"]["attempt"], shown["ready_at"]) == ("failed", 1, None)
    assert shown["progress"]["percent"] == 0
    assert api.ada.post(f"/tasks/{task.ref}/reopen").json()["last_failure"] is None


def test_reopened_task_shows_no_result_of_an_earlier_completion(api, client, cast, new_task):
    task = new_task()
    run = api.atlas.post(f"/tasks/{task.ref}/claim").json()["id"]
    api.atlas.post(f"/runs/{run}/complete", {"summary": "All rotated", "result": {"key": "k-2026"}})
    assert api.vera.get("/tasks?completed_after=2000-01-01").json()["results"]
    api.ada.post(f"/tasks/{task.ref}/reopen")
    shown = api.vera.get(f"/tasks/{task.ref}").json()
    assert (shown["result"], shown["summary"], shown["completed_at"]) == (None, "", None)
    assert shown["progress"] == {"percent": 0, "note": "", "at": None}
    assert api.vera.get("/tasks?completed_after=2000-01-01").json()["results"] == []
    assert api.vera.get(f"/tasks/{task.ref}/runs").json()["results"][0]["result"] == {"key": "k-2026"}
    client.force_login(cast.root)
    assert 'id="result"' not in client.get(f"/tasks/{task.ref}").content.decode()
    assert "k-2026" not in client.get(f"/admin/tasks/task/{task.pk}/change/").content.decode()
    run = api.atlas.post(f"/tasks/{task.ref}/claim").json()["id"]
    again = api.atlas.post(f"/runs/{run}/complete", {"summary": "Again"}).json()["task"]
    assert (again["summary"], again["completed_at"] is None) == ("Again", False)


def test_cancelled_task_shows_no_progress(api, new_task):
    task = new_task()
    run = api.atlas.post(f"/tasks/{task.ref}/claim").json()["id"]
    api.atlas.post(f"/runs/{run}/progress", {"percent": 30, "note": "on it"})
    assert api.ada.post(f"/tasks/{task.ref}/cancel").json()["progress"] == {"percent": 0, "note": "", "at": None}


def test_card_and_page_say_why_it_rests(client, cast, new_task, fail):
    task = new_task()
    fail(task, code="<b>rate</b>", detail="429 & more")
    client.force_login(cast.ada.user)
    board = client.get("/").content.decode()
    assert "atlas: &lt;b&gt;rate&lt;/b&gt;; next is attempt 2 of 3" in board
    assert "Resting, ready" in board
    assert "30 %" not in board
    page = client.get(f"/tasks/{task.ref}").content.decode()
    assert "<b>&lt;b&gt;rate&lt;/b&gt;</b> – 429 &amp; more" in page
    assert "The task rests until" in page
    assert "Next is attempt 2 of 3." in " ".join(page.split())
    _end_rest(task)
    ready = client.get(f"/tasks/{task.ref}").content.decode()
    assert "The task rests until" not in ready
    assert "Next is attempt 2 of 3." in " ".join(ready.split())


def test_card_row_and_page_say_which_attempt_runs_and_which_was_the_last(client, api, cast, new_task, fail):
    task = new_task(max_attempts=2)
    fail(task)
    client.force_login(cast.ada.user)
    row = " ".join(client.get("/tasks/").content.decode().split())
    assert "atlas: tests_failed; next is attempt 2 of 2, <time" in row
    _end_rest(task)
    assert "next is attempt 2 of 2<" in " ".join(client.get("/tasks/").content.decode().split())
    run = api.bert.post(f"/tasks/{task.ref}/claim").json()["id"]
    for path in ("/", "/tasks/", f"/tasks/{task.ref}"):
        assert "Attempt 2 of 2" in client.get(path).content.decode(), path
    api.bert.post(f"/runs/{run}/progress", {"percent": 40})
    api.bert.post(f"/runs/{run}/fail", WHY)
    choose(cast.ada.user, "unfold:failed")
    for path in ("/", "/tasks/"):
        page = client.get(path).content.decode()
        assert "bert: tests_failed; it was attempt 2 of 2" in page, path
        assert "<progress" not in page, path


def test_parked_run_shows_no_progress_on_its_card(client, api, cast, new_task):
    task = new_task()
    run = api.atlas.post(f"/tasks/{task.ref}/claim").json()["id"]
    api.atlas.post(f"/runs/{run}/progress", {"percent": 40})
    client.force_login(cast.ada.user)
    assert "<progress" in client.get("/").content.decode()
    asked = api.atlas.post(f"/runs/{run}/ask", {"questions": [{"prompt": "Which key?"}], "park": True})
    assert asked.status_code == 200, asked.json()
    page = client.get("/").content.decode()
    assert f'data-ref="{task.ref}"' in page
    assert "<progress" not in page


def test_rest_is_not_lifted_by_an_edit_of_the_start_date(cast, new_task, fail):
    task = new_task()
    fail(task, retry_after_seconds=900)
    rest = Task.objects.get().deferred_until
    soon = clock.now() + timedelta(seconds=100)
    edit_task(actor=cast.ada.user, task=task, changes={"start_after": soon})
    assert Task.objects.get().deferred_until == rest
    edit_task(actor=cast.ada.user, task=task, changes={"start_after": rest + timedelta(days=1)})
    assert Task.objects.get().deferred_until == rest + timedelta(days=1)


def test_list_costs_the_same_queries_with_failures(api, new_task, fail):
    tasks = [new_task() for _ in range(3)]
    api.vera.get("/tasks")
    with CaptureQueriesContext(connection) as before:
        api.vera.get("/tasks")
    for task in tasks:
        fail(task)
    with CaptureQueriesContext(connection) as after:
        assert all(row["last_failure"] for row in api.vera.get("/tasks").json()["results"])
    # A date makes the time count, which comes with the rows.
    assert len(after) == len(before)
