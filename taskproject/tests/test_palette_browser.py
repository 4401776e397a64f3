"""The palette in a browser: by keyboard alone, right for screen readers, and only what is typed last."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PALETTE = "dialog.palette[open]"
CHOSEN = f"{PALETTE} [role=option][aria-selected=true]"


def test_palette_goes_anywhere_and_does_what_is_open(open_page, cast, new_task):
    task = new_task("Rotate <b>the</b> keys")
    other = new_task("Sweep")
    tab = open_page(f"/tasks/{task.ref}", user=cast.hugo.user)
    page = tab.page
    page.keyboard.press("Control+k")
    page.wait_for_selector(f"{CHOSEN} >> text=Start")
    page.keyboard.type("sweep")
    page.wait_for_selector(f"{PALETTE} [role=option] >> text=Sweep")
    page.wait_for_selector(f"{PALETTE} [role=status] >> text=answers")
    box = page.locator(f"{PALETTE} [role=combobox]")
    assert box.evaluate("(box) => document.getElementById(box.getAttribute('aria-activedescendant')).ariaSelected")
    tab.assert_accessible()
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Sweep')")
    assert page.url.endswith(f"/tasks/{other.ref}")
    # By its link, empty: the tasks seen last. Arrow keys go around.
    page.click("[data-palette]")
    page.wait_for_selector(f"{PALETTE} [role=option] >> text=Rotate <b>the</b> keys")
    page.keyboard.press("ArrowUp")
    assert page.locator(CHOSEN).inner_text() == page.locator(f"{PALETTE} [role=option]").last.inner_text()
    page.keyboard.press("ArrowDown")
    page.keyboard.type("start")
    page.wait_for_selector(f"{CHOSEN} >> text=Start")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=You are working on this")
    page.keyboard.press("Control+k")
    page.set_viewport_size({"width": 360, "height": 740})
    tab.assert_no_sideways_scroll()
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog.palette", state="hidden")
    # Enter at once means what is typed, not what was listed before.
    page.keyboard.press("Control+k")
    page.keyboard.type("notification settings")
    page.keyboard.press("Enter")
    page.wait_for_url("**/notifications/settings/")


def test_palette_begins_a_task_with_what_is_typed(open_page, cast, new_task):
    new_task()
    page = open_page("/agents/", user=cast.ada.user).page
    page.keyboard.press("Control+k")
    page.keyboard.type("Buy milk & bread")
    page.wait_for_selector(f"{PALETTE} [role=option] >> text=Create task “Buy milk & bread”")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open] input[name=title]:focus")
    assert page.input_value("dialog[open] input[name=title]") == "Buy milk & bread"


def test_palette_does_what_the_controls_of_the_page_do(open_page, cast, new_task):
    new_task()
    page = open_page("/", user=cast.ada.user).page

    def use(words: str) -> None:
        page.keyboard.press("Control+k")
        page.keyboard.type(words)
        page.wait_for_selector(f"{CHOSEN} >> text=/{words}/i")
        page.keyboard.press("Enter")

    use("compact cards")
    page.wait_for_selector(".board.is-compact")
    use("save view")
    page.wait_for_selector(".view-tools details[open] input[name=name]:focus")
    page.keyboard.press("Escape")
    use("keyboard shortcuts")
    page.wait_for_selector("dialog[open] >> text=On every page")
    page.keyboard.press("Escape")
    use("my account")
    page.wait_for_url("**/account/")
    use("sign out")
    page.wait_for_selector("input[name=password]")


def test_answers_that_come_late_leave_what_was_chosen(open_page, cast, new_task):
    new_task("Buy milk")
    page = open_page("/agents/", user=cast.ada.user).page
    held = []
    page.route("**/search/?q=*", lambda route: held.append(route))
    page.keyboard.press("Control+k")
    page.keyboard.type("Buy milk")
    page.wait_for_selector(f"{CHOSEN} >> text=Create task")
    page.keyboard.press("ArrowUp")
    while not held:
        page.wait_for_timeout(50)
    held[0].continue_()
    page.wait_for_selector(f"{PALETTE} [role=option] >> text=OPS-1")
    assert "Create task" in page.locator(CHOSEN).inner_text()
