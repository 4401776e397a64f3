"""Messages in a browser: writing by keyboard, mentions, drafts, what is new, hostile text, small and dark."""

import pytest

from messaging.models import ReadMark
from tasks.actions import claims
from tasks.actions.messages import post_direct, post_in_channel, post_message
from tasks.models import Message
from tasks.tests.api_client import client_of
from tasks.tests.test_markdown import HOSTILE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(("width", "dark"), [(360, True), (1280, False)], ids=["small dark", "wide light"])
def test_conversations_hold_hostile_text_and_fit(open_page, cast, new_task, width, dark):
    task = new_task(HOSTILE[0])
    claims.claim_task(actor=cast.atlas.user, task=task)
    for text in HOSTILE:
        first = post_message(actor=cast.atlas.user, task=task, body=f"{text} @hugo")
        post_direct(actor=cast.atlas.user, to=cast.hugo.user, body=text)
    post_message(actor=cast.ada.user, task=task, body="x" * 300, in_reply_to=first.pk)
    post_message(actor=cast.ada.user, task=task, body="Use the new keys", kind="instruction")
    for path in ("/messages/", "/messages/@atlas", f"/messages/{task.ref}", f"/tasks/{task.ref}"):
        tab = open_page(path, user=cast.hugo.user, width=width, height=800, dark=dark)
        tab.assert_no_sideways_scroll()
        tab.assert_contrast()
    tab.goto("/messages/@atlas")
    tab.assert_keyboard_reaches_all()


def test_writing_replying_and_reacting_by_keyboard(open_page, cast, new_task):
    task = new_task()
    post_message(actor=cast.atlas.user, task=task, body="Which key?")
    tab = open_page(f"/tasks/{task.ref}", user=cast.hugo.user)
    page = tab.page
    page.locator("[data-reply]").press("Enter")
    page.wait_for_selector("[data-reply-to] >> text=atlas")
    page.keyboard.type("The one of @at")
    page.wait_for_selector("[role=option] >> text=@atlas")
    page.keyboard.press("Enter")
    assert page.input_value("#composer-body") == "The one of @atlas "
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".message-quote >> text=Which key?")
    answer = Message.objects.get(author=cast.hugo.user)
    assert (answer.body, answer.mentions.get().user) == ("The one of @atlas ", cast.atlas.user)
    assert page.input_value("#composer-body") == ""
    page.locator(".react > summary").last.press("Enter")
    page.locator(".react-choice:visible").first.press("Enter")
    page.wait_for_selector(".reaction.is-mine")
    page.locator(".message-edit > summary").press("Enter")
    page.fill(".message-edit textarea", "The other one")
    page.click(".message-edit >> text=Save")
    page.wait_for_selector(".message-text >> text=The other one")
    page.wait_for_selector(".message-trace")
    page.fill("#composer-body", "A draft")
    page.reload()
    assert page.input_value("#composer-body") == "A draft"
    page.fill("#composer-body", " ")
    page.evaluate("document.querySelector('#composer-body').removeAttribute('required')")
    page.click("[data-send]")
    page.wait_for_selector("[data-problem]:visible >> text=Write something.")
    assert all("400" in problem for problem in tab.problems)
    tab.problems.clear()


def test_what_is_new_stays_below_its_line_and_is_read_once_seen(open_page, cast):
    sent = [post_in_channel(actor=cast.ada.user, project=cast.ops, body=f"No {number}") for number in range(30)]
    ReadMark.objects.create(user=cast.hugo.user, channel=cast.ops, up_to=sent[-3].pk, at=sent[-3].at)
    tab = open_page("/messages/OPS", user=cast.hugo.user)
    page = tab.page
    page.wait_for_selector("[data-unread-line]:visible")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.wait_for_selector(".talk-row[aria-current]:not(.is-unread)")
    assert ReadMark.objects.get().up_to == sent[-1].pk
    assert page.locator("[data-unread-line]").count() == 1
    latest = post_in_channel(actor=cast.ada.user, project=cast.ops, body="Live")
    page.wait_for_selector(".message-text >> text=Live")
    page.wait_for_selector(f".messages[data-last='{latest.pk}']")
    page.wait_for_selector(".talk-row[aria-current]:not(.is-unread)")
    page.fill("#composer-body", "My words")
    page.click("[data-send]")
    page.wait_for_selector(".message-text >> text=My words")
    page.wait_for_selector("[data-unread-line]", state="detached")
    page.fill("#write-to", "nobody")
    page.click("text=Open")
    page.wait_for_selector("text=There is nobody named 'nobody' with whom you share a project.")
    page.fill("#write-to", "@atlas")
    page.click("text=Open")
    page.wait_for_url("**/messages/@atlas")


def test_sender_sees_how_far_an_instruction_is(open_page, cast, new_task):
    task = new_task()
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    tab = open_page(f"/tasks/{task.ref}", user=cast.ada.user)
    page = tab.page
    page.check("input[value=instruction]")
    page.wait_for_selector("[data-outlook=instruction]:visible >> text=Reaches atlas with its next report")
    page.check("input[name=keep]")
    page.wait_for_selector("[data-outlook=kept]:visible")
    page.check("input[value=stop]")
    page.wait_for_selector("[data-outlook=stop]:visible >> text=the run is revoked")
    page.check("input[value=instruction]")
    page.fill("#composer-body", "Use the new keys")
    page.click("[data-send]")
    page.wait_for_selector(".message-state-queued")
    assert page.is_checked("input[value=comment]")
    reply = client_of(cast.atlas.user).post(f"/api/v1/runs/{run.pk}/heartbeat", {}).json()
    page.wait_for_selector(".message-state-delivered")
    client_of(cast.atlas.user).post(f"/api/v1/runs/{run.pk}/heartbeat", {"ack": [reply["directives"][0]["id"]]})
    page.wait_for_selector(".message-state-acknowledged")
