"""The thread of a task: comments of people and agents."""

import pytest

from tasks.actions import assignments, claims
from tasks.actions.messages import post_message
from tasks.models import Event, Message, Reaction, Run

pytestmark = pytest.mark.django_db


def test_comment_of_people_and_agents_is_told_in_order(api, cast, new_task):
    task = new_task()
    first = api.hugo.post(f"/tasks/{task.ref}/messages", {"body": "Where are the keys?"})
    assert first.status_code == 201
    body = "<script>alert(1)</script> " + "x" * 1000
    second = api.atlas.post(f"/tasks/{task.ref}/messages", {"body": body, "in_reply_to": first.json()["id"]}).json()
    listed = api.vera.get(f"/tasks/{task.ref}/messages").json()
    assert listed == {"results": [first.json(), second], "next": None, "previous": None}
    assert {name: second[name] for name in ("author", "kind", "body", "task", "project", "in_reply_to", "state")} == {
        "author": "atlas",
        "kind": "comment",
        "body": body,
        "task": task.ref,
        "project": "OPS",
        "in_reply_to": first.json()["id"],
        "state": None,
    }
    newest = api.vera.get(f"/tasks/{task.ref}/messages?ordering=-id&limit=1").json()
    assert newest["results"] == [second]
    assert newest["next"]
    event = Event.objects.filter(kind="message.posted").last()
    assert (event.task_id, event.actor_name, event.agent_slug, event.recipient_id) == (task.pk, "atlas", "", None)
    assert event.data["message"] == second["id"]
    assert event.data["in_reply_to"] == first.json()["id"]
    assert len(event.data["body"]) == 500
    task.refresh_from_db()
    assert task.version == 1


def test_comment_that_is_empty_too_long_or_answers_elsewhere_is_refused_in_one_sentence(api, cast, new_task, subtests):
    task, other = new_task(), new_task()
    elsewhere = post_message(actor=cast.ada.user, task=other, body="Elsewhere")
    for body, field, sentence in (
        ({"body": " \n"}, "body", "Write something."),
        ({}, "body", "Write something."),
        ({"body": "x" * 10_001}, "body", "At most 10,000 characters; this has 10,001."),
        ({"body": "a\0b"}, "body", None),
        ({"body": "x", "in_reply_to": elsewhere.pk}, "in_reply_to", "There is no message"),
        ({"body": "x", "in_reply_to": True}, "in_reply_to", "Must be a whole number."),
        ({"boddy": "x"}, "boddy", None),
    ):
        with subtests.test(body=str(body)[:40]):
            answer = api.atlas.post(f"/tasks/{task.ref}/messages", body)
            assert answer.status_code == 400
            assert (sentence or "") in answer.json()["errors"][field][0]
    assert not Message.objects.filter(task=task).exists()


def test_thread_of_many_costs_as_many_queries_as_of_one(api, cast, new_task, django_assert_num_queries):
    task = new_task()
    path = f"/tasks/{task.ref}/messages"
    api.atlas.get(path)
    for _ in range(2):
        for number in range(20):
            message = post_message(actor=cast.ada.user, task=task, body=f"{number}")
            Reaction.objects.create(message=message, user=cast.hugo.user, emoji="👍", at=message.at)
        with django_assert_num_queries(4):  # token, task, messages, reactions
            shown = api.atlas.get(path).json()["results"]
    assert shown[-1]["reactions"] == [{"emoji": "👍", "by": ["hugo"]}]


def test_context_of_a_run_has_the_last_messages_and_no_stop(api, cast, new_task):
    task, other = new_task(), new_task()
    run = claims.claim_task(actor=cast.bert.user, task=task)
    for number in range(25):
        post_message(actor=cast.hugo.user, task=task, body=f"{number}")
    post_message(actor=cast.ada.user, task=task, body="Stop at once.", kind="stop")
    post_message(actor=cast.hugo.user, task=other, body="Other")
    assignments.unassign_task(actor=cast.ada.user, task=task, agents=[cast.bert])
    assert Run.objects.get(pk=run.pk).status == "revoked"
    claimed = {each["task"]["ref"]: each for each in api.atlas.post("/tasks/claim_next", {"limit": 2}).json()["runs"]}
    shown = claimed[task.ref]["context"]["thread"]
    assert [message["body"] for message in shown] == [str(number) for number in range(5, 25)]
    assert shown == api.vera.get(f"/tasks/{task.ref}/messages?limit=200").json()["results"][5:25]
    assert [message["body"] for message in claimed[other.ref]["context"]["thread"]] == ["Other"]
    assert api.atlas.post(f"/tasks/{task.ref}/claim").json()["context"]["thread"] == shown
