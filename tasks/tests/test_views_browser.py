"""Views in a browser: saved and opened by keyboard, counted live, without taking the focus."""

import pytest

from tasks.actions import claims, lifecycle
from tasks.models import Priority, SavedView, Task

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SIDE = "[data-side]"


def test_view_is_saved_counted_live_and_folded(open_page, cast, new_task):
    new_task("First", priority=4)
    tab = open_page("/tasks/?priority=urgent", user=cast.ada.user)
    page = tab.page
    page.locator(".view-tools summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("Hot <b>ones</b>")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{SIDE}[open] a[aria-current] >> text=Hot <b>ones</b>")
    page.wait_for_selector(f"{SIDE} .side-count >> text=1")
    page.locator(f"{SIDE} a[aria-current]").focus()
    new_task("Second", priority=4)
    page.wait_for_selector(f"{SIDE} .side-count >> text=2")
    assert page.evaluate("document.activeElement.getAttribute('aria-current')") == "page"
    tab.assert_accessible()
    tab.assert_no_sideways_scroll()
    page.set_viewport_size({"width": 1280, "height": 800})
    page.click(f"{SIDE} summary")
    page.wait_for_selector(f"{SIDE}:not([open])")
    page.reload()
    assert page.locator(SIDE).get_attribute("open") is None
    # Small windows begin folded; what is done there is no choice for others.
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(tab.origin + "/views/")
    page.click(".views-row a:has-text('Change…')")
    name = page.locator(".views-row [name=name]")
    assert name.input_value() == "Hot <b>ones</b>"
    tab.assert_accessible()
    tab.assert_no_sideways_scroll()
    name.fill("Cool ones")
    name.press("Enter")
    page.wait_for_selector("text=Saved the view Cool ones")
    assert page.locator(".views-row [name=name]").count() == 0


def test_view_saved_after_filtering_the_board_is_what_the_board_shows(open_page, cast, new_task):
    pump, fence = new_task("Fix the pump", priority=Priority.HIGH), new_task("Paint the fence")
    tab = open_page("/?project=OPS", user=cast.ada.user)
    page = tab.page
    page.select_option("select[name=priority]", "high")
    page.wait_for_selector(f'[data-ref="{fence.ref}"]', state="detached")
    ways = page.locator("#board-choices [name=next], #board-limits [name=next]")
    shown = "/?project=OPS&priority=high"
    assert [ways.nth(each).input_value() for each in range(2)] == [shown, shown]
    page.click(".view-tools summary")
    page.fill(".view-tools [name=name]", "High ones")
    page.click(".view-tools button:has-text('Save')")
    page.wait_for_selector(".view-name >> text=High ones")
    assert SavedView.objects.get().query == "priority=high&project=OPS"
    page.wait_for_selector(f'[data-ref="{pump.ref}"]')
    assert page.locator(f'[data-ref="{fence.ref}"]').count() == 0
    # The same again in a view that was opened.
    page.select_option("select[name=priority]", "")
    page.wait_for_selector(f'[data-ref="{fence.ref}"]')
    page.click(".view-tools > form button:has-text('Save')")
    page.wait_for_selector("text=Saved the view High ones")
    assert SavedView.objects.get().query == "project=OPS"


def test_renewed_board_keeps_the_key_of_a_line_that_is_sent_again(open_page, cast, new_task):
    """What the server may have got already is sent with the key that it was first sent with."""
    new_task("Before")
    page = open_page("/", user=cast.ada.user).page
    key = "[data-quick-add] [name=key]"
    first = page.locator(key).first.input_value()
    page.fill("[data-quick-add] [name=title] >> nth=0", "Half a")
    new_task("Meanwhile")
    page.wait_for_selector(".card >> text=Meanwhile")
    assert page.locator(key).first.input_value() == first
    assert page.locator("[data-quick-add] [name=title]").first.input_value() == "Half a"


def test_forms_of_a_renewed_page_are_about_the_run_that_it_shows(open_page, cast, new_task):
    task = new_task("Twice")
    claims.start_task(actor=cast.hugo.user, task=task)
    page = open_page(f"/tasks/{task.ref}", user=cast.hugo.user).page
    runs = "[data-live='task-verbs'] input[name=run]"
    assert {each.input_value() for each in page.locator(runs).all()} == {"1"}
    lifecycle.release_task(actor=cast.ada.user, task=task)
    claims.start_task(actor=cast.hugo.user, task=Task.objects.get(pk=task.pk))
    page.wait_for_selector(".work >> text=Run 2")
    assert {each.input_value() for each in page.locator(runs).all()} == {"2"}
