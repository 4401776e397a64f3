"""Where a card may be moved and by whom, and the sentence for every place where it may not."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from tasks.actions import claims, lifecycle, runs
from tasks.models import Task

pytestmark = pytest.mark.django_db


@pytest.fixture
def ways(client):
    """``ways(user, task)`` → target: verb of its form, or the sentence that refuses it."""

    def read(user, task: Task) -> dict[str, str]:
        client.force_login(user)
        html = client.get(f"/tasks/{task.ref}/moves").content.decode()
        refusals = dict(re.findall(r'<p data-target="(\w+)"[^>]*>(.*?)</p>', html))
        forms = re.findall(r'<form[^>]*data-target="(\w+)".*?name="verb" value="(\w+)"', html, re.S)
        assert not refusals.keys() & dict(forms).keys()
        return refusals | dict(forms)

    return read


@pytest.fixture
def in_review(cast, new_task):
    task = new_task(review_required=True)
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="look")
    return task


def test_moves_of_a_free_task(cast, new_task, ways):
    task = new_task()
    moves = ways(cast.hugo.user, task)
    assert moves["in_progress"] == "start"
    assert moves["not_started"] == "OPS-1 is already in this column."
    assert "has not been started" in moves["completed"]
    assert moves["waiting"].startswith("OPS-1 waits only when")
    assert moves["cancelled"] == "Only a manager of the project may cancel OPS-1."
    assert ways(cast.ada.user, task)["cancelled"] == "cancel"


def test_moves_by_a_manager_without_an_agent_ask_for_a_person(client, cast, new_task):
    task = new_task()
    client.force_login(cast.root)
    html = client.get(f"/tasks/{task.ref}/moves").content.decode()
    form = re.search(r'<form[^>]*data-target="in_progress".*?</form>', html, re.S)[0]
    assert "data-asks" in form
    assert re.findall(r'<option value="(\w+)">', form) == ["ada", "hugo", "rita"]


def test_moves_of_a_run_by_holder_and_others(cast, new_task, ways):
    plain, reviewed = new_task(), new_task(review_required=True)
    for task in (plain, reviewed):
        claims.start_task(actor=cast.hugo.user, task=task)
    moves = ways(cast.hugo.user, plain)
    assert {name: moves[name] for name in ("not_started", "completed", "failed")} == {
        "not_started": "release",
        "completed": "complete",
        "failed": "fail",
    }
    assert moves["in_review"] == "OPS-1 requires no review; its holder completes it."
    moves = ways(cast.hugo.user, reviewed)
    assert moves["in_review"] == "complete"
    assert "review before it is completed" in moves["completed"]
    moves = ways(cast.rita.user, plain)
    assert moves["completed"] == "Only the agent that holds the run may complete OPS-1."
    assert moves["not_started"] == (
        "Only the agent that holds the run or a manager of the project may give OPS-1 back."
    )
    assert ways(cast.ada.user, plain)["not_started"] == "release"


def test_moves_of_a_review(cast, in_review, ways):
    moves = ways(cast.rita.user, in_review)
    assert (moves["completed"], moves["not_started"]) == ("approve", "request_changes")
    assert ways(cast.hugo.user, in_review)["completed"].startswith("Only a manager or reviewer of the project")
    assert "done by you" in ways(cast.atlas.user, in_review)["completed"]


def test_moves_of_what_has_ended(cast, new_task, ways):
    task = new_task()
    lifecycle.cancel_task(actor=cast.ada.user, task=task)
    assert ways(cast.ada.user, task)["not_started"] == "reopen"
    assert ways(cast.vera, task)["not_started"] == "Only a manager of the project may reopen OPS-1."
    assert ways(cast.ada.user, task)["in_progress"] == (
        "OPS-1 is cancelled, so it cannot become in progress. From there it can go to “Not started”."
    )


def test_moves_of_a_task_that_is_not_ready_say_what_it_waits_for(cast, new_task, ways):
    first = new_task()
    task = new_task(depends_on=[first])
    assert ways(cast.hugo.user, task)["in_progress"].startswith("OPS-2 waits for OPS-1")
    later = new_task(start_after=timezone.now() + timedelta(days=1))
    assert ways(cast.ada.user, later)["in_progress"].startswith("OPS-3 may not start before")


def test_moves_leave_a_lost_race_to_the_verb(client, cast, new_task, ways):
    task = new_task()
    assert ways(cast.hugo.user, task)["in_progress"] == "start"
    claims.claim_task(actor=cast.atlas.user, task=task)
    answer = client.post(f"/tasks/{task.ref}", {"verb": "start"})
    assert answer.status_code == 409
    assert "OPS-1 is held by atlas" in answer.content.decode()


def test_every_move_that_is_offered_leads_to_its_column(client, cast, new_task, in_review, ways):
    """Each form, submitted unchanged with its texts filled in, moves the card where it says."""
    texts = {"summary": "s", "note": "n", "code": "c", "detail": "d", "agent": "hugo", "run": "1"}

    def begun():
        task = new_task()
        claims.start_task(actor=cast.hugo.user, task=task)
        return task

    def ended():
        task = new_task()
        lifecycle.cancel_task(actor=cast.ada.user, task=task)
        return task

    hugo, ada = cast.hugo.user, cast.ada.user
    scenes = [
        (new_task, hugo),
        (new_task, ada),
        (begun, hugo),
        (begun, ada),
        (ended, ada),
        (lambda: in_review, cast.rita.user),
    ]
    tried = 0
    for make, user in scenes:
        for target, verb in ways(user, make()).items():
            if " " in verb:
                continue
            task = make()
            if ways(user, task).get(target) != verb:
                # The only task in review has been judged by now.
                continue
            data = {"verb": verb, **texts}
            if user != hugo:
                del data["run"]
            if verb == "start":
                del data["agent"]
            assert client.post(f"/tasks/{task.ref}", data).status_code == 302, (verb, target)
            task.refresh_from_db()
            assert task.status == target
            tried += 1
    assert tried >= 9


def test_moves_of_a_task_that_is_not_to_be_seen_are_not_found(client, cast, new_task):
    task = new_task(project=cast.other)
    client.force_login(cast.ada.user)
    assert client.get(f"/tasks/{task.ref}/moves").status_code == 404
    assert client.post(f"/tasks/{new_task().ref}/moves").status_code == 405


def test_board_offers_moves_only_to_members_who_may_make_one(client, cast, new_task):
    new_task()
    for user, may in ((cast.vera, False), (cast.hugo.user, True), (cast.root, True)):
        client.force_login(user)
        assert ("data-movable" in client.get("/").content.decode()) is may
