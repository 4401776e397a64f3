"""Waiting for work: who is woken by what, and that nobody asks the database without a reason."""

import threading
import time

import pytest

from tasks import waiting
from tasks.actions import assignments, claims, lifecycle, runs
from tasks.actions.tasks import NewTask, create_task
from tasks.models import Event
from tasks.waiting import Places, WorkNews, may_bring_work, wait_for_work

pytestmark = pytest.mark.django_db


def never() -> bool:
    return False


@pytest.fixture
def news(monkeypatch):
    """News of its own, so that other tests' bells are not heard."""
    own = WorkNews()
    monkeypatch.setattr(waiting, "work_news", own)
    waiting.bell.connect(own.hear, dispatch_uid="test")
    yield own
    waiting.bell.disconnect(dispatch_uid="test")


def kinds_that_wake(queryset):
    return {
        (event.kind, event.data.get("to") or event.data.get("source")) for event in queryset if may_bring_work(event)
    }


def test_creation_assignment_and_return_bring_work_and_progress_does_not(cast, new_task):
    task = new_task()
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=50)
    assert kinds_that_wake(Event.objects.filter(task=task)) == {("task.created", None)}
    runs.release_run(actor=cast.atlas.user, run_id=run.pk)
    assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.bert])
    lifecycle.cancel_task(actor=cast.ada.user, task=task)
    assert kinds_that_wake(Event.objects.filter(task=task)) == {
        ("task.created", None),
        ("task.status_changed", "not_started"),
        ("task.assigned", "manual"),
    }


def test_completion_that_unblocks_brings_work(cast, new_task):
    first = new_task()
    new_task(depends_on=[first])
    run = claims.claim_task(actor=cast.atlas.user, task=first)
    before = Event.objects.order_by("-pk").first().pk
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    assert kinds_that_wake(Event.objects.filter(pk__gt=before)) == {("task.unblocked", None)}


def test_news_of_one_project_wakes_nobody_of_another(cast, new_task, news, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        new_task()
    assert news.mark([cast.ops.pk]) == 1
    assert news.mark([cast.other.pk]) == 0


def test_poll_finds_what_another_process_recorded_and_not_what_was_heard(
    cast, new_task, news, monkeypatch, django_capture_on_commit_callbacks
):
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0)
    news.poll()
    with django_capture_on_commit_callbacks(execute=True):
        new_task()
    news.poll()
    assert news.mark([cast.ops.pk]) == 1
    new_task()  # no bell: as if another process had done it
    news.poll()
    assert news.mark([cast.ops.pk]) == 2
    news.poll()
    assert news.mark([cast.ops.pk]) == 2


def test_polls_are_shared(cast, news, django_assert_num_queries):
    news.poll()
    with django_assert_num_queries(0):
        news.poll()


def test_waiter_looks_once_while_nothing_happens(cast, news):
    looks = []
    found = wait_for_work(
        lambda: bool(looks.append(1)), project_ids=[cast.ops.pk], deadline=time.monotonic() + 0.05, gone=never
    )
    assert (found, len(looks)) == (False, 1)


def test_waiter_returns_at_news_that_bring_work(cast, news):
    arrived = threading.Event()
    looked = threading.Event()

    def found() -> bool:
        looked.set()
        return arrived.is_set()

    def deliver() -> None:
        looked.wait()
        arrived.set()
        news._tell({cast.ops.pk})

    thread = threading.Thread(target=deliver)
    thread.start()
    assert wait_for_work(found, project_ids=[cast.ops.pk], deadline=time.monotonic() + 30, gone=never)
    thread.join()


def test_waiter_looks_anyway_now_and_then(cast, news, monkeypatch):
    monkeypatch.setattr(waiting, "LOOK_ANYWAY_SECONDS", 0)
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.001)
    looks = []

    def found() -> bool:
        looks.append(1)
        return len(looks) == 3

    assert wait_for_work(found, project_ids=[cast.ops.pk], deadline=time.monotonic() + 30, gone=never)


def test_waiter_whose_client_went_away_finds_nothing(cast, news):
    assert not wait_for_work(lambda: True, project_ids=[cast.ops.pk], deadline=time.monotonic() + 30, gone=lambda: True)


def test_places_are_as_many_as_given():
    places = Places(most=1)
    with places.taken() as first, places.taken() as second:
        assert (first, second) == (True, False)
    with places.taken() as again:
        assert again


@pytest.mark.django_db(transaction=True)
def test_claim_next_that_waits_gets_the_task_that_is_created_meanwhile(cast, api):
    answers = []

    def wait() -> None:
        answers.append(api.atlas.post("/tasks/claim_next", {"wait_seconds": 30}).json())
        from django.db import connection

        connection.close()

    assert api.atlas
    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.2)
    create_task(actor=cast.ada.user, project=cast.ops, new=NewTask(title="Late"))
    thread.join(30)
    assert answers[0]["runs"][0]["task"]["title"] == "Late"
