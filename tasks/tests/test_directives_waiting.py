"""A heartbeat that waits: what its holder is told ends the wait, and so does the end of the run."""

import threading
import time

import pytest

from tasks.actions import claims, lifecycle
from tasks.actions.messages import post_message
from tasks.models import Message, Run
from tasks.tests.api_client import let_wait
from tasks.tests.racing import in_thread
from tasks.waiting.directives import HoldersRoom, holders_room

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def atlas(api):
    """``api.atlas``, whose calls may wait."""
    let_wait(api.atlas.client)
    yield api.atlas
    holders_room.close()


@pytest.fixture
def meanwhile(monkeypatch):
    """``meanwhile(step, …)``: at the first time that a call begins to wait the first step happens, and so on."""
    steps: list = []
    threads: list[threading.Thread] = []
    sit = HoldersRoom.sit

    def begin_to_wait(self, seat, wake):
        sit(self, seat, wake)
        if steps:
            threads.append(in_thread(steps.pop(0)))

    monkeypatch.setattr(HoldersRoom, "sit", begin_to_wait)
    yield lambda *happens: steps.extend(happens)
    for thread in threads:
        thread.join()
    assert not steps


def test_heartbeat_waits_until_its_holder_is_told_something(cast, atlas, new_task, meanwhile):
    task, other = new_task(), new_task()
    run, elsewhere = (claims.claim_task(actor=cast.atlas.user, task=each) for each in (task, other))
    lease = Run.objects.get(pk=run.pk).lease_expires_at
    meanwhile(
        lambda: post_message(actor=cast.hugo.user, task=task, body="Only a comment."),
    )

    def tell():
        time.sleep(0.2)
        post_message(actor=cast.ada.user, task=other, body="Not for this run.", kind="instruction")
        post_message(actor=cast.ada.user, task=task, body="Use the staging keys.", kind="instruction")

    teller = in_thread(tell)
    brought = atlas.post(f"/runs/{run.pk}/heartbeat", {"wait_seconds": 30}).json()["directives"]
    teller.join()
    assert [each["body"] for each in brought] == ["Use the staging keys."]
    now = Run.objects.get(pk=run.pk)
    assert now.lease_expires_at > lease
    assert now.waits_until is not None
    acks = {"ack": [brought[0]["id"]]}
    assert atlas.post(f"/runs/{run.pk}/heartbeat", acks).json()["directives"] == []
    assert Run.objects.get(pk=run.pk).waits_until is None
    assert sorted(Message.objects.values_list("state", flat=True)) == ["", "acknowledged", "queued"]
    assert len(atlas.post(f"/runs/{elsewhere.pk}/heartbeat", {"wait_seconds": 30}).json()["directives"]) == 1


def test_heartbeat_that_waits_learns_at_once_that_its_run_is_over(cast, atlas, new_task, meanwhile):
    task = new_task()
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    meanwhile(lambda: lifecycle.cancel_task(actor=cast.ada.user, task=task))
    refused = atlas.post(f"/runs/{run.pk}/heartbeat", {"wait_seconds": 30})
    assert (refused.status_code, refused.json()["reason"]) == (409, "cancelled")


def test_heartbeat_with_a_key_does_not_wait(cast, atlas, new_task):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task())
    answer = atlas.post(f"/runs/{run.pk}/heartbeat", {"wait_seconds": 30}, idempotency_key="k")
    assert (answer.status_code, answer.json()["directives"]) == (200, [])
