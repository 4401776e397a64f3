"""The buttons of the task page: who gets which, what a click does, and how a refusal is shown."""

import pytest
from django.test import Client

from tasks.actions import assignments, claims, lifecycle, runs
from tasks.models import Project, Run

WORK = {"start", "progress", "complete", "fail", "release"}


@pytest.fixture
def offers(client):
    """``offers(user, task)`` → the verbs that the page has buttons for."""

    def get(user, task) -> set[str]:
        client.force_login(user)
        response = client.get(f"/tasks/{task.ref}")
        page = response.content.decode()
        verbs = {offer.verb.name for offer in response.context["offers"]}
        for verb in verbs:
            assert f'value="{verb}"' in page
        return verbs

    return get


@pytest.fixture
def click(client):
    """``click(user, task, verb, **fields)`` → the response, and the task afterwards."""

    def post(user, task, verb, **fields):
        client.force_login(user)
        response = client.post(f"/tasks/{task.ref}", {"verb": verb, **fields})
        task.refresh_from_db()
        return response

    return post


def in_status(task, cast, status):
    if status in ("in_progress", "in_review", "completed"):
        run = claims.claim_task(actor=cast.atlas.user, task=task)
        if status != "in_progress":
            runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    if status == "cancelled":
        lifecycle.cancel_task(actor=cast.ada.user, task=task)
    task.refresh_from_db()
    assert task.status == status
    return task


@pytest.mark.parametrize(
    ("status", "who", "wanted"),
    [
        ("not_started", "ada", {"start", "start_for", "auto_assign", "hold", "cancel"}),
        ("not_started", "hugo", {"start"}),
        ("not_started", "rita", {"start"}),
        ("not_started", "atlas", set()),
        ("not_started", "vera", set()),
        ("not_started", "root", {"start_for", "auto_assign", "hold", "cancel"}),
        ("in_progress", "ada", {"release", "cancel"}),
        ("in_progress", "hugo", set()),
        ("in_progress", "atlas", {"progress", "complete", "fail", "release"}),
        ("in_progress", "vera", set()),
        ("in_review", "ada", {"approve", "request_changes", "cancel"}),
        ("in_review", "rita", {"approve", "request_changes"}),
        ("in_review", "hugo", set()),
        ("in_review", "atlas", set()),
        ("in_review", "vera", set()),
        ("completed", "ada", {"reopen"}),
        ("completed", "rita", set()),
        ("cancelled", "root", {"reopen"}),
        ("cancelled", "hugo", set()),
    ],
)
def test_offered_verbs_follow_status_and_role(offers, cast, new_task, status, who, wanted):
    task = in_status(new_task(review_required=status == "in_review"), cast, status)
    user = getattr(cast, who)
    assert offers(getattr(user, "user", user), task) == wanted


def test_start_is_offered_only_where_it_can_succeed(offers, cast, new_task):
    blocked = new_task(depends_on=[new_task()])
    for_bert = new_task(assignees=[cast.bert])
    mine = new_task(assignees=[cast.hugo, cast.bert])
    hugo = cast.hugo.user
    assert [offers(hugo, task) for task in (blocked, for_bert, mine)] == [set(), set(), {"start", "decline"}]
    Project.objects.filter(pk=cast.ops.pk).update(allow_pull=False)
    assert offers(hugo, new_task()) == set()


def test_person_works_on_a_task_from_start_to_review_and_approval(click, client, cast, new_task):
    task = new_task("By hand", review_required=True, criteria=["clean", "dry"])
    hugo = cast.hugo.user
    response = click(hugo, task, "start")
    assert (response.status_code, response.url, task.status) == (302, f"/tasks/{task.ref}", "in_progress")
    run = Run.objects.get(task=task)
    assert run.lease_expires_at is None

    click(hugo, task, "progress", run=1, percent=40, note="washing")
    assert (task.progress_percent, task.progress_note) == (40, "washing")

    response = click(hugo, task, "complete", run=1, summary="all done", result='{"n": 2}', criteria=["0"])
    assert (task.status, task.result, task.summary) == ("in_review", {"n": 2}, "all done")
    run.refresh_from_db()
    assert run.criteria == [{"criterion": "clean", "met": True}, {"criterion": "dry", "met": False}]
    assert "is now in review" in client.get(response.url).content.decode()

    response = click(hugo, task, "approve")
    assert (response.status_code, task.status) == (409, "in_review")
    response = click(cast.rita.user, task, "request_changes", note="dry it")
    assert task.status == "not_started"
    click(hugo, task, "start")
    click(hugo, task, "complete", run=2, summary="dry now")
    click(cast.rita.user, task, "approve", note="fine")
    assert task.status == "completed"


def test_complete_returns_what_became_ready(click, client, cast, new_task):
    task = new_task()
    after = new_task(depends_on=[task])
    click(cast.hugo.user, task, "start")
    response = click(cast.hugo.user, task, "complete", run=1, summary="done")
    assert f"Ready now: {after.ref}" in client.get(response.url).content.decode()


def test_fail_and_release_from_the_page(click, cast, new_task):
    task = new_task(max_attempts=1)
    click(cast.hugo.user, task, "start")
    click(cast.hugo.user, task, "release", run=1, note="lunch")
    assert (task.status, task.attempts) == ("not_started", 0)
    click(cast.hugo.user, task, "start")
    click(cast.hugo.user, task, "fail", run=2, code="no_tools", detail="nothing there", retryable="on")
    assert (task.status, task.attempts) == ("failed", 1)
    assert Run.objects.get(task=task, number=2).failure == {
        "code": "no_tools",
        "detail": "nothing there",
        "retryable": True,
    }


def test_manager_starts_for_a_person_releases_cancels_and_reopens(click, cast, new_task):
    task = new_task()
    ada = cast.ada.user
    click(ada, task, "start_for", agent="hugo")
    assert Run.objects.active().get(task=task).agent == cast.hugo
    click(ada, task, "release", note="back")
    assert task.status == "not_started"
    click(ada, task, "cancel", note="no need")
    assert task.status == "cancelled"
    click(ada, task, "reopen")
    assert task.status == "not_started"


@pytest.mark.parametrize(
    ("verb", "fields", "words"),
    [
        ("approve", {}, "OPS-1 is not started and cannot be approved; allowed now: "),
        ("nonsense", {}, "There is no such button."),
        ("", {}, "There is no such button."),
        ("start_for", {"agent": "zed"}, "zed"),
        ("start_for", {}, "Who: Choose who starts it."),
        ("progress", {"run": 1, "percent": 10}, "is not yours"),
        ("progress", {"run": 1, "percent": 101}, "Progress in %: Must be from 0 to 100."),
        ("progress", {"run": 1, "percent": "ten"}, "Progress in %: Must be a whole number."),
        ("complete", {"run": 1, "summary": ""}, "Summary: "),
        (
            "complete",
            {"run": 1, "summary": "s", "result": "{broken"},
            "Result: Starts like JSON but cannot be read (line 1: ",
        ),
        (
            "complete",
            {"run": 1, "summary": "s", "result": '{"a": NaN}'},
            "Result: NaN is not JSON.",
        ),
        (
            "complete",
            {"run": 1, "summary": "s", "result": '["\\u0000"]'},
            "Result: [0]: Null characters are not allowed.",
        ),
        (
            "complete",
            {"run": 1, "summary": "s", "result": '["\\ud800"]'},
            "Result: [0]: Surrogate characters are not allowed.",
        ),
        (
            "complete",
            {"run": 1, "summary": "s", "result": "[" * 900 + "]" * 900},
            "Result: Is nested more than 50 levels deep.",
        ),
        ("complete", {"run": 1, "summary": "nul\x00"}, "Summary: "),
        ("adopt", {"run": "9"}, "no such run"),
        ("adopt", {"run": "x"}, "no such run"),
    ],
)
def test_refusal_is_one_sentence_and_changes_nothing(click, cast, new_task, verb, fields, words):
    task = new_task()
    version = task.version
    response = click(cast.ada.user, task, verb, **fields)
    assert response.status_code == 409
    problem = response.context["problem"]
    assert words in problem
    assert "\n" not in problem
    assert (task.status, task.version) == ("not_started", version)


def test_refusal_keeps_what_was_typed_escaped(click, cast, new_task):
    task = new_task()
    click(cast.hugo.user, task, "start")
    response = click(
        cast.hugo.user, task, "complete", run=1, summary="</textarea><script>x</script> my work", result="{oops"
    )
    page = response.content.decode()
    assert response.status_code == 409
    assert "&lt;/textarea&gt;&lt;script&gt;x&lt;/script&gt; my work</textarea>" in page
    assert "{oops</textarea>" in page
    assert "data-hold" in page
    assert "<script>x" not in page


def test_write_for_an_earlier_run_never_ends_a_later_one(click, cast, new_task):
    task = new_task(assignees=[cast.hugo])
    click(cast.hugo.user, task, "start")
    click(cast.ada.user, task, "release")
    click(cast.hugo.user, task, "start")
    response = click(cast.hugo.user, task, "complete", run=1, summary="of the first run")
    assert response.status_code == 409
    assert "is over (released)" in response.context["problem"]
    assert (task.status, task.summary) == ("in_progress", "")


def test_verbs_of_others_are_refused_whatever_the_page_showed(click, cast, new_task):
    task = in_status(new_task(review_required=True), cast, "in_review")
    for user, verb in (
        (cast.vera, "approve"),
        (cast.vera, "cancel"),
        (cast.hugo.user, "approve"),
        (cast.hugo.user, "request_changes"),
        (cast.atlas.user, "approve"),
        (cast.rita.user, "cancel"),
        (cast.rita.user, "adopt"),
    ):
        response = click(user, task, verb, note="x", run=1)
        assert (response.status_code, task.status) == (409, "in_review")


def test_click_twice_has_one_effect(click, cast, new_task):
    task = new_task()
    click(cast.hugo.user, task, "start")
    assert click(cast.hugo.user, task, "start").status_code == 302
    assert Run.objects.filter(task=task).count() == 1
    click(cast.hugo.user, task, "complete", run=1, summary="once")
    assert click(cast.hugo.user, task, "complete", run=1, summary="twice").status_code == 409
    assert task.summary == "once"


def test_post_without_csrf_token_is_refused(cast, new_task):
    task = new_task()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.ada.user)
    assert strict.post(f"/tasks/{task.ref}", {"verb": "cancel"}).status_code == 403
    task.refresh_from_db()
    assert task.status == "not_started"


def test_page_of_an_assignee_who_left_offers_nothing(offers, cast, new_task):
    task = new_task(assignees=[cast.bert])
    claims.claim_task(actor=cast.bert.user, task=task)
    assignments.unassign_task(actor=cast.ada.user, task=task)
    assert not offers(cast.bert.user, task) & WORK
