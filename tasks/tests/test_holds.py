"""Tasks on hold: set aside without a date, at every door; nobody starts one until it is taken off hold."""

import pytest

from tasks.actions import claims, lifecycle
from tasks.actions.tasks import edit_task
from tasks.errors import NotReady
from tasks.models import Event, Project, Task
from tasks.pages.cards import read_cards

pytestmark = pytest.mark.django_db


def test_claim_of_a_task_on_hold_is_refused_until_it_is_taken_off(cast, new_task):
    task, other = new_task(on_hold=True, priority=4), new_task(priority=1)
    with pytest.raises(NotReady, match=f"{task.ref} is on hold; take another task."):
        claims.claim_task(actor=cast.atlas.user, task=task)
    with pytest.raises(NotReady, match="is on hold"):
        claims.start_task(actor=cast.hugo.user, task=task)
    assert [run.task for run in claims.claim_next(actor=cast.atlas.user, projects=[cast.ops]).runs] == [other]
    edit_task(actor=cast.ada.user, task=task, changes={"on_hold": False})
    assert claims.claim_next(actor=cast.bert.user, projects=[cast.ops]).runs[0].task == task
    assert Event.objects.get(kind="task.edited").data == {"fields": ["on_hold"], "waits_for": "no_agent"}


def test_hold_is_a_field_of_the_api(api, new_task):
    ref = new_task().ref
    held = api.ada.patch(f"/tasks/{ref}", {"on_hold": True}).json()
    assert (held["on_hold"], held["is_ready"], held["status"]) == (True, False, "not_started")
    refused = api.atlas.post(f"/tasks/{ref}/claim", {})
    assert (refused.status_code, refused.json()["code"], refused.json()["on_hold"]) == (409, "not_ready", True)
    assert api.hugo.patch(f"/tasks/{ref}", {"on_hold": False}).status_code == 403
    assert api.atlas.get("/tasks?ready=true").json()["results"] == []
    made = api.ada.post("/tasks", {"project": "OPS", "title": "Later", "on_hold": True}).json()
    assert (made["on_hold"], made["is_ready"]) == (True, False)
    assert api.ada.patch(f"/tasks/{ref}", {"on_hold": "x"}).status_code == 400


def test_hold_shows_on_cards_and_pages_and_in_the_admin(cast, new_task, client):
    task, done = new_task("Held", on_hold=True), new_task("Over", on_hold=True)
    lifecycle.cancel_task(actor=cast.ada.user, task=done)
    cards = read_cards([task.pk, done.pk], {cast.ops.pk: Project.objects.get(pk=cast.ops.pk)}, task.created_at)
    assert [[mark.text for mark in cards[pk].marks] for pk in (task.pk, done.pk)] == [["On hold"], []]
    client.force_login(cast.ada.user)
    assert "Nobody may start it until it is taken off hold." in client.get(f"/tasks/{task.ref}").content.decode()
    listed = client.get("/admin/tasks/task/?state=on_hold").content.decode()
    assert (">Held<" in listed, ">Over<" in listed, ">On hold</span>" in listed) == (True, False, True)


def test_hold_counts_for_no_offer(cast, new_task):
    new_task(on_hold=True)
    assert not Task.objects.ready().exists()
    assert Task.objects.held().count() == 1


def test_hold_and_unhold_are_verbs_at_every_door(cast, api, new_task, client):
    task, second = new_task(), new_task()
    assert api.ada.post(f"/tasks/{task.ref}/hold").json()["on_hold"] is True
    version = api.ada.post(f"/tasks/{task.ref}/hold").json()["version"]
    assert api.ada.post(f"/tasks/{task.ref}/hold").json()["version"] == version
    assert api.rita.post(f"/tasks/{task.ref}/unhold").json()["code"] == "permission_denied"
    client.force_login(cast.ada.user)
    assert "Take off hold" in client.get(f"/tasks/{task.ref}").content.decode()
    assert "Put on hold" in client.get(f"/tasks/{second.ref}").content.decode()
    client.post("/admin/tasks/task/bulk/hold/", {"ids": f"{task.pk},{second.pk}"})
    assert Task.objects.held().count() == 2
    client.post("/admin/tasks/task/bulk/unhold/", {"ids": f"{task.pk},{second.pk}"})
    assert Task.objects.held().count() == 0
    claims.claim_task(actor=cast.atlas.user, task=task)
    refused = api.ada.post(f"/tasks/{task.ref}/hold").json()
    assert (refused["code"], "put on hold" in refused["detail"]) == ("illegal_transition", True)
