"""The inbox in a browser: by keyboard alone, followed live, small and dark, with hostile text."""

import uuid
from datetime import timedelta

import pytest

from messaging.models import PutAside
from messaging.tests.inbox_rows import asked, begun, failed, in_review
from tasks import clock
from tasks.actions import lifecycle
from tasks.actions.offering import decline_task
from tasks.models import Question, Task
from tasks.questions.shapes import problems_of_shape
from tasks.tests.test_markdown import HOSTILE
from tasks.using.calling import use
from tasks.verbs.catalogue import ANSWER

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FORM = {
    "type": "object",
    "properties": {
        "list": {"type": "string", "enum": ["all", "beta"], "title": "List"},
        "times": {"type": "integer", "minimum": 1, "maximum": 9, "title": "How often", "description": "A month"},
        "dry": {"type": "boolean", "default": True, "title": "Dry run first"},
    },
    "required": ["list", "times"],
}
ITEM = "[data-item='{}']"


def fill(cast, new_task):
    """One item of many kinds, and a question of each kind."""
    in_review(cast, new_task, title="a_very_long_title_" * 10, actor=cast.root)
    new_task("Announce it", depends_on=[failed(cast, new_task, title="Publish the changelog")])
    _, run = begun(cast, new_task, title="Move the database", priority=4)
    asked(
        run,
        prompt="Which cluster do I move **first**?",
        urgency=3,
        expires_at=clock.now() + timedelta(minutes=20),
        on_expiry="default",
        default="Staging",
    )
    _, run = begun(cast, new_task, title="Write the newsletter")
    ask = uuid.uuid4()
    for place, fields in enumerate(
        ({"kind": "confirm"}, {"multi": True}, {"kind": "text"}, {"kind": "form", "schema": FORM})
    ):
        asked(run, ask=ask, position=place, **fields)
    task = new_task("Clean the attic", assignees=[cast.hugo])
    decline_task(actor=cast.hugo.user, task=task, reason="I am allergic to dust.")


def answer(actor, question, value):
    use(ANSWER, actor=actor.user, values={"value": value}, question_id=question.pk)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)], ids=["wide light", "small dark"])
def test_page_is_readable_at_any_width_and_by_keyboard(open_page, cast, new_task, width, dark):
    fill(cast, new_task)
    tab = open_page("/inbox/", user=cast.ada.user, width=width, dark=dark)
    tab.page.wait_for_selector("text=Which cluster do I move")
    tab.assert_no_sideways_scroll()
    tab.assert_contrast()
    tab.assert_keyboard_reaches_all()
    for state in ("snoozed", "archived"):
        tab.goto(f"/inbox/?state={state}")
        tab.assert_no_sideways_scroll()
        tab.assert_contrast()


def test_keyboard_alone_answers_archives_and_undoes(open_page, cast, new_task):
    _, run = begun(cast, new_task, title="Move the database", priority=4)
    question = asked(run)
    failed(cast, new_task, title="Publish the changelog")
    page = open_page("/inbox/", user=cast.ada.user).page
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open] >> text=undo the last archive")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.wait_for_selector(f"{ITEM.format(f'question-{question.pk}')}:focus [data-number='1']")
    page.keyboard.press("1")
    page.wait_for_selector("[data-toast] >> text=Answered OPS-1: Staging")
    question.refresh_from_db()
    assert (question.value, question.answered_by) == ("Staging", cast.ada.user)
    # The next item has the focus, so that the keyboard goes on from there.
    page.wait_for_selector(f"{ITEM.format('failed-OPS-2')}:focus")
    # Undone at once, before the server has said that it is archived.
    page.keyboard.press("e")
    page.keyboard.press("u")
    page.wait_for_selector("[data-toast] >> text=Back in the inbox")
    page.wait_for_selector(f"{ITEM.format('failed-OPS-2')}:focus")
    assert not PutAside.objects.exists()
    page.keyboard.press("e")
    page.wait_for_selector("text=Nothing needs you")
    page.wait_for_selector("[data-inbox-count='0']", state="attached")
    assert PutAside.objects.get().until is None
    page.keyboard.press("u")
    page.wait_for_selector(f"{ITEM.format('failed-OPS-2')}:focus")
    page.keyboard.press("s")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Nothing needs you")
    assert PutAside.objects.get().until > clock.now()
    page.keyboard.press("u")
    page.wait_for_selector(f"{ITEM.format('failed-OPS-2')}:focus")
    page.keyboard.press("1")
    page.wait_for_selector("[data-toast] >> text=Reopened OPS-2.")
    assert Task.objects.get(number=2).status == "not_started"


def test_items_come_and_go_without_moving_what_the_reader_types_in(open_page, cast, new_task):
    _, run = begun(cast, new_task, title="Write the newsletter")
    question = asked(run, kind="text", prompt="How should it begin?")
    tab = open_page("/inbox/", user=cast.rita.user, height=500)
    page = tab.page
    box = page.locator("textarea[name=value]")
    box.click()
    page.keyboard.type("Dear read")
    before = box.bounding_box()["y"]
    in_review(cast, new_task, title="Rotate the keys", priority=4)
    page.wait_for_selector("text=Rotate the keys")
    assert page.locator("[data-item]").first.get_attribute("data-item") == "review-OPS-2"
    page.keyboard.type("ers")
    assert (box.input_value(), abs(box.bounding_box()["y"] - before) < 2) == ("Dear readers", True)
    # Somebody else is faster: it says so where the reader types, and takes nothing away.
    answer(cast.hugo, question, "Hello")
    page.wait_for_selector(".inbox-gone >> text=hugo answered: Hello")
    assert box.input_value() == "Dear readers"
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("[data-toast].is-refusal >> text=hugo answered")
    tab.problems[:] = [problem for problem in tab.problems if "409" not in problem]
    lifecycle.cancel_task(actor=cast.ada.user, task=Task.objects.get(number=2))
    page.wait_for_selector("text=Rotate the keys", state="detached")


def test_two_who_answer_at_once_the_second_learns_who_was_first(open_page, cast, new_task):
    _, run = begun(cast, new_task)
    question = asked(run)
    tab = open_page(f"/questions/{question.pk}", user=cast.rita.user)
    # The page does not learn of the answer by itself before the other one is sent.
    only_post = lambda route: route.continue_() if route.request.method == "POST" else route.abort()  # noqa: E731
    tab.page.route(f"**/questions/{question.pk}*", only_post)
    answer(cast.hugo, question, "Production")
    with tab.page.expect_response(lambda response: response.request.method == "POST"):
        tab.page.click("text=Staging")
    tab.page.wait_for_selector("text=hugo answered")
    tab.problems[:] = [problem for problem in tab.problems if "409" not in problem and "ERR_FAILED" not in problem]
    question.refresh_from_db()
    assert (question.value, question.answered_by) == ("Production", cast.hugo.user)


def test_badge_of_a_card_opens_its_questions_and_they_are_answered_on_the_board(open_page, cast, new_task):
    _, run = begun(cast, new_task)
    first, second = asked(run), asked(run, kind="confirm", prompt="And then?")
    tab = open_page("/", user=cast.hugo.user, width=360)
    tab.assert_keyboard_reaches_all()
    tab.page.click("text=2 questions")
    tab.page.wait_for_selector("dialog[open] >> text=Which one first?")
    tab.assert_contrast()
    tab.page.click("dialog[open] >> text=Staging")
    tab.page.wait_for_selector("dialog[open] >> text=Which one first?", state="detached")
    tab.page.click("dialog[open] button:has-text('Yes')")
    tab.page.wait_for_selector("dialog[open]", state="detached")
    tab.page.wait_for_selector(".card-asks", state="detached")
    assert [Question.objects.get(pk=each.pk).value for each in (first, second)] == ["Staging", True]


def test_hostile_text_in_every_field_of_a_question_is_only_text(open_page, cast, new_task):
    evil = HOSTILE[0]
    task, run = begun(cast, new_task, title=evil)
    options = [{"label": text[:200], "description": text[:900]} for text in dict.fromkeys(HOSTILE)][:20]
    fields = {
        f"f{place}": {"type": "string", "title": text[:200], "description": text[:900], "enum": [text, "x"]}
        for place, text in enumerate(HOSTILE[:8])
    }
    fields |= {evil[:60]: {"type": "string", "default": evil}}
    for given in (
        {"options": options},
        {"options": options, "multi": True},
        {"kind": "confirm"},
        {"kind": "text", "on_expiry": "default", "default": evil, "expires_at": clock.now() + timedelta(hours=1)},
        {"kind": "form", "schema": {"type": "object", "properties": fields}},
    ):
        question = asked(run, prompt="\n\n".join(HOSTILE)[:9_000], **given)
        assert problems_of_shape(question) == {}
    done = Question.objects.latest("pk")
    Question.objects.filter(pk=done.pk).update(
        state="answered", value=evil, note=evil, answered_by=cast.hugo.user, ended_at=clock.now()
    )
    for path in ("/inbox/", f"/tasks/{task.ref}", f"/questions/{done.pk}", f"/tasks/{task.ref}/questions"):
        tab = open_page(path, user=cast.rita.user, width=360)
        tab.page.wait_for_selector("main h1")
        tab.page.wait_for_timeout(200)
        tab.assert_no_sideways_scroll()
