"""The composer and the buttons of messages on the pages: plain forms, and sent in the background."""

import pytest

from tasks.actions import claims
from tasks.actions.messages import post_direct, post_message, react
from tasks.models import Message, Reaction

pytestmark = pytest.mark.django_db

BACKGROUND = {"X-Requested-With": "fetch"}


@pytest.fixture
def press(client):
    """``press(user, path, **fields)`` → the response to a posted form."""

    def post(user, path, headers=None, **fields):
        client.force_login(getattr(user, "user", user))
        return client.post(path, fields, headers=headers or {})

    return post


def test_composer_writes_in_each_conversation_and_leads_back(press, cast, new_task):
    task = new_task()
    for name, path in ((task.ref, f"/tasks/{task.ref}?show=all"), ("OPS", "/messages/OPS"), ("@atlas", "/board")):
        response = press(cast.hugo, f"/messages/{name}/write", body="One\r\nTwo", next=path)
        assert (response.status_code, response["Location"]) == (302, path)
    thread, channel, direct = Message.objects.order_by("pk")
    assert {message.body for message in (thread, channel, direct)} == {"One\nTwo"}
    assert (thread.task, channel.task, channel.to, direct.to) == (task, None, None, cast.atlas.user)
    answered = press(cast.ada, f"/messages/{task.ref}/write", BACKGROUND, body="Yes", in_reply_to=thread.pk)
    assert (answered.status_code, answered.content) == (204, b"")
    assert Message.objects.get(body="Yes").in_reply_to == thread


def test_composer_refuses_in_one_sentence_and_leads_nowhere_else(press, client, cast, new_task, subtests):
    task = new_task()
    for name, who, fields, status, sentence in (
        (task.ref, cast.hugo, {"body": " "}, 400, "Write something."),
        (task.ref, cast.hugo, {"body": "x" * 10_001}, 400, "At most 10,000 characters"),
        (task.ref, cast.hugo, {"body": "x", "in_reply_to": "1e3"}, 400, "Must be the id of a message."),
        (task.ref, cast.vera, {"body": "x"}, 403, "Only a worker"),
        (task.ref, cast.zed, {"body": "x"}, 404, "There is no task"),
        ("OPS", cast.zed, {"body": "x"}, 404, "There is no conversation"),
        ("@zed", cast.hugo, {"body": "x"}, 404, "There is nobody named"),
    ):
        with subtests.test(name=name, fields=str(fields)[:40]):
            refused = press(who, f"/messages/{name}/write", BACKGROUND, **fields)
            assert refused.status_code == status
            assert refused["Content-Type"].startswith("text/plain")
            assert sentence in refused.content.decode()
    assert not Message.objects.exists()
    for foreign in ("//evil.example/", "https://evil.example/", "javascript:alert(1)", "/\\evil.example", ""):
        led = press(cast.hugo, f"/messages/{task.ref}/write", body="x", next=foreign)
        assert led["Location"] == "/"
    said = press(cast.vera, f"/messages/{task.ref}/write", body="x", next=f"/tasks/{task.ref}")
    assert "Only a worker" in client.get(said["Location"]).content.decode()
    assert client.get(f"/messages/{task.ref}/write").status_code == 405
    client.logout()
    assert client.post(f"/messages/{task.ref}/write", {"body": "x"})["Location"].startswith("/login/")


def test_buttons_of_a_message_are_for_those_who_may(press, cast, new_task):
    message = post_message(actor=cast.hugo.user, task=new_task(), body="First")
    edit, react_to = f"/messages/{message.pk}/edit", f"/messages/{message.pk}/react"
    assert press(cast.ada, edit, BACKGROUND, body="Mine now").status_code == 403
    assert press(cast.zed, react_to, BACKGROUND, emoji="👍").status_code == 404
    assert press(cast.vera, react_to, BACKGROUND, emoji="👍").status_code == 403
    assert press(cast.hugo, edit, BACKGROUND, body="Second").status_code == 204
    assert press(cast.ada, react_to, BACKGROUND, emoji="👍").status_code == 204
    assert press(cast.ada, react_to, BACKGROUND, emoji="<b>").status_code == 400
    message.refresh_from_db()
    assert message.body == "Second"
    assert Reaction.objects.get().user == cast.ada.user
    assert press(cast.ada, react_to, BACKGROUND, emoji="👍", remove="true").status_code == 204
    assert not Reaction.objects.exists()
    direct = post_direct(actor=cast.hugo.user, to=cast.atlas.user, body="Between us")
    assert press(cast.root, f"/messages/{direct.pk}/react", BACKGROUND, emoji="👍").status_code == 404
    assert press(cast.hugo, f"/messages/{'9' * 30}/react", BACKGROUND, emoji="👍").status_code == 404


def test_task_page_shows_a_message_with_its_trace_quote_and_reactions(client, press, cast, new_task):
    task = new_task()
    first = post_message(actor=cast.hugo.user, task=task, body="<img src=x onerror=alert(1)> **bold** @ada")
    post_message(actor=cast.atlas.user, task=task, body="An answer", in_reply_to=first.pk)
    press(cast.hugo, f"/messages/{first.pk}/edit", body="<b>now</b> **bold** @ada", next="/")
    react(actor=cast.atlas.user, message=first, emoji="🎉")
    client.force_login(cast.hugo.user)
    page = client.get(f"/tasks/{task.ref}").content.decode()
    for shown in (
        "&lt;b&gt;now&lt;/b&gt; <strong>bold</strong>",
        '<strong class="mention">@ada</strong>',
        "&lt;img src=x onerror=alert(1)&gt; **bold** @ada",
        f'href="#message-{first.pk}"',
        'title="atlas"',
        f'action="/messages/{first.pk}/edit"',
        f'data-composer="{task.ref}"',
    ):
        assert shown in page
    assert "<img" not in page
    assert "edited a message" not in page
    client.force_login(cast.vera)
    page = client.get(f"/tasks/{task.ref}").content.decode()
    assert "An answer" in page
    for hidden in ("data-composer", '/edit"', "/react"):
        assert hidden not in page


def test_staff_instruct_and_stop_from_the_composer_and_others_cannot(client, press, cast, new_task):
    task = new_task()
    client.force_login(cast.ada.user)
    page = client.get(f"/tasks/{task.ref}").content.decode()
    assert "Starts no run; whoever works on it next gets it first." in page
    assert "there is nothing to stop" in page
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    page = client.get(f"/tasks/{task.ref}").content.decode()
    assert "Reaches atlas with its next report" in page
    assert "after 2 min the run is revoked" in page
    path = f"/messages/{task.ref}/write"
    # The box of the hidden field may be checked: only an instruction is kept.
    assert press(cast.ada, path, BACKGROUND, body="Stop", kind="stop", keep="true").status_code == 204
    assert press(cast.ada, path, BACKGROUND, body="Do", kind="instruction", keep="true").status_code == 204
    stop, instruction = Message.objects.order_by("pk")
    assert (stop.kind, stop.keep, stop.state, stop.run) == ("stop", False, "queued", run)
    assert (instruction.kind, instruction.keep) == ("instruction", True)
    assert press(cast.rita, path, BACKGROUND, body="Do", kind="instruction").status_code == 403
    assert press(cast.ada, path, BACKGROUND, body="Do", kind="order").status_code == 400
    assert press(cast.rita, f"/messages/{stop.pk}/withdraw", BACKGROUND).status_code == 403
    assert press(cast.ada, f"/messages/{stop.pk}/withdraw", BACKGROUND).status_code == 204
    page = client.get(f"/tasks/{task.ref}").content.decode()
    assert "Waits for the next reply, or the next run" in page
    assert "Withdrawn" in page
    client.force_login(cast.rita.user)
    assert 'name="kind"' not in client.get(f"/tasks/{task.ref}").content.decode()


def test_person_who_holds_the_run_answers_an_instruction_on_the_page(client, press, cast, new_task):
    task = new_task()
    claims.start_task(actor=cast.hugo.user, task=task)
    press(cast.ada, f"/messages/{task.ref}/write", body="Use the new key", kind="instruction")
    message = Message.objects.get()
    client.force_login(cast.ada.user)
    assert f"/messages/{message.pk}/ack" not in client.get(f"/tasks/{task.ref}").content.decode()
    client.force_login(cast.hugo.user)
    assert f"/messages/{message.pk}/ack" in client.get(f"/tasks/{task.ref}").content.decode()
    path = f"/messages/{message.pk}/ack"
    assert press(cast.ada, path, BACKGROUND, outcome="acknowledged").status_code == 403
    assert press(cast.hugo, path, BACKGROUND, outcome="declined", note="It is <b>gone</b>").status_code == 204
    client.force_login(cast.ada.user)
    page = client.get(f"/tasks/{task.ref}").content.decode()
    assert "Declined" in page
    assert "It is &lt;b&gt;gone&lt;/b&gt;" in page
