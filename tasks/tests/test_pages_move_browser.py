"""Moving cards in a browser, by mouse and by keyboard: legal moves are made, others say why not."""

import pytest

from tasks.actions import claims, lifecycle, runs
from tasks.models import Task

pytestmark = pytest.mark.browser

TOAST = "[data-toast]"
MENU = "[data-move-menu]"
DIALOG = "[data-move-dialog]"


def column(status: str, task: Task | None = None) -> str:
    return f'[data-column="{status}"]' + (f' [data-ref="{task.ref}"]' if task else "")


def drag(page, task: Task, status: str) -> None:
    page.drag_and_drop(f'[data-ref="{task.ref}"]', column(status))


def forgive_the_refusal(tab) -> None:
    tab.problems[:] = [problem for problem in tab.problems if "409 (Conflict)" not in problem]


@pytest.fixture
def in_review(cast, new_task):
    task = new_task("Judge me", review_required=True)
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="look")
    return task


def test_card_dragged_where_it_may_go_is_moved(open_page, cast, new_task):
    task = new_task("Drag me")
    page = open_page("/", user=cast.hugo.user).page
    page.evaluate("window.stayed = true")
    drag(page, task, "in_progress")
    page.wait_for_selector(column("in_progress", task))
    page.wait_for_selector(f"{TOAST} >> text=Started OPS-1: run 1 of hugo.")
    task.refresh_from_db()
    assert task.status == "in_progress"
    assert page.evaluate("window.stayed") is True


def test_card_dragged_where_it_may_not_go_stays_and_says_why(open_page, cast, new_task):
    first = new_task("Comes first")
    task = new_task("Waits", depends_on=[first])
    tab = open_page("/", user=cast.hugo.user)
    page = tab.page
    drag(page, task, "completed")
    page.wait_for_selector(f"{TOAST}.is-refusal >> text=OPS-2 has not been started")
    drag(page, task, "in_progress")
    page.wait_for_selector(f"{TOAST}.is-refusal >> text=OPS-2 waits for OPS-1")
    assert page.locator(column("not_started", task)).count() == 1
    assert page.locator(".is-pending, .is-dragged, .may-drop, .no-drop").count() == 0
    forgive_the_refusal(tab)


def test_drop_that_needs_a_note_asks_for_it_and_can_be_left(open_page, cast, in_review):
    page = open_page("/", user=cast.rita.user).page
    drag(page, in_review, "not_started")
    page.wait_for_selector(f"{DIALOG} >> text=OPS-1 to “Not started”")
    assert page.evaluate("document.activeElement.name") == "note"
    page.keyboard.press("Escape")
    page.wait_for_selector(DIALOG, state="hidden")
    assert page.locator(column("in_review", in_review)).count() == 1
    drag(page, in_review, "not_started")
    page.fill(f"{DIALOG} textarea", "Say more about it")
    page.click(f"{DIALOG} >> text=Request changes")
    page.wait_for_selector(column("not_started", in_review))
    assert in_review.runs.get().reviews.get().note == "Say more about it"


def test_card_is_moved_by_keyboard_alone(open_page, cast, in_review, new_task):
    other = new_task("Stays")
    page = open_page("/", user=cast.rita.user).page
    page.focus(f'[data-ref="{in_review.ref}"] a')
    page.keyboard.press("m")
    page.wait_for_selector(f"{MENU}[role=menu]")
    assert page.locator(f"{MENU} [role=menuitem]").all_inner_texts() == [
        "Request changes: to “Not started”",
        "Approve: to “Completed”",
    ]
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.closest('[data-ref]').dataset.ref") == in_review.ref
    page.keyboard.press("m")
    page.wait_for_selector(f"{MENU} [role=menuitem]:focus")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(column("completed", in_review))
    page.wait_for_selector(f"{TOAST}[role=status] >> text=OPS-1")
    assert page.evaluate("document.activeElement.closest('[data-ref]').dataset.ref") == in_review.ref
    assert page.locator(column("not_started", other)).count() == 1


def test_menu_says_why_nothing_can_be_moved(open_page, cast, new_task):
    task = new_task("Of an agent")
    claims.claim_task(actor=cast.atlas.user, task=task)
    page = open_page("/", user=cast.rita.user, width=360, height=740).page
    page.focus(f'[data-ref="{task.ref}"] .card-move')
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{TOAST}.is-refusal >> text=OPS-1")
    assert page.locator(MENU).is_hidden()


def test_menu_opens_by_its_button_and_its_refusal_stays_in_the_dialog(open_page, cast, new_task):
    task = new_task("Given up twice")
    tab = open_page("/", user=cast.ada.user)
    page = tab.page
    page.hover(f'[data-ref="{task.ref}"]')
    page.click(f'[data-ref="{task.ref}"] .card-move')
    page.click(f"{MENU} >> text=Cancel the task")
    page.fill(f"{DIALOG} textarea", "not needed")
    lifecycle.cancel_task(actor=cast.root, task=task)
    page.click(f"{DIALOG} >> text=Cancel the task")
    page.wait_for_selector(f"{DIALOG} [role=alert] >> text=OPS-1 is cancelled")
    assert page.input_value(f"{DIALOG} textarea") == "not needed"
    forgive_the_refusal(tab)


def test_viewer_can_drag_nothing(open_page, cast, new_task):
    task = new_task("Look only")
    page = open_page("/", user=cast.vera).page
    assert page.locator(".card-move").is_hidden()
    page.focus(f'[data-ref="{task.ref}"] a')
    page.keyboard.press("m")
    assert page.locator("[data-move-menu]").count() == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_menu_and_dialog_are_readable(open_page, cast, in_review, dark):
    tab = open_page("/", user=cast.rita.user, dark=dark)
    tab.page.focus(f'[data-ref="{in_review.ref}"] a')
    tab.page.keyboard.press("m")
    tab.page.wait_for_selector(f"{MENU} [role=menuitem]:focus")
    tab.assert_contrast()
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_selector(f"{DIALOG}[open]")
    tab.assert_contrast()


class Fingers:
    """Touches of a page, as Chromium's debugger makes them."""

    def __init__(self, page) -> None:
        self.session = page.context.new_cdp_session(page)

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self.session.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": at})


def middle(page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + min(box["height"] / 2, 200)


def test_card_is_dragged_by_finger_and_a_second_finger_leaves_it(open_page, cast, new_task):
    task = new_task("Drag me")
    tab = open_page("/", user=cast.hugo.user, width=800, has_touch=True, is_mobile=True)
    page, fingers = tab.page, Fingers(tab.page)
    card, target = middle(page, f'[data-ref="{task.ref}"]'), middle(page, column("in_progress"))
    # A finger that moves at once scrolls.
    fingers.touch("Start", card)
    fingers.touch("Move", (card[0] - 60, card[1]))
    fingers.touch("End")
    assert page.locator(".card-lifted").count() == 0
    card, target = middle(page, f'[data-ref="{task.ref}"]'), middle(page, column("in_progress"))
    fingers.touch("Start", card)
    page.wait_for_selector(".card-lifted")
    fingers.touch("Move", target)
    page.wait_for_selector(f"{column('in_progress')}.is-over.may-drop")
    fingers.touch("Start", target, card)
    page.wait_for_selector(".card-lifted", state="detached")
    fingers.touch("End")
    assert page.locator(".is-dragged, .may-drop, .is-over").count() == 0
    assert page.locator(column("not_started", task)).count() == 1
    fingers.touch("Start", card)
    page.wait_for_selector(".card-lifted")
    fingers.touch("Move", target)
    page.wait_for_selector(f"{column('in_progress')}.is-over.may-drop")
    fingers.touch("End")
    page.wait_for_selector(column("in_progress", task))
    page.wait_for_selector(f"{TOAST} >> text=Started OPS-1: run 1 of hugo.")
    assert page.url.endswith("/"), "the touch opened no card"
