"""Views in a browser: saved and opened by keyboard, counted live, without taking the focus."""

import pytest

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
    tab.assert_accessible()
    tab.assert_no_sideways_scroll()
