"""Shortcuts in a browser: they do what their sheet says, can be switched off, and the focus is never lost."""

import re

import pytest

from tasks.actions import claims, lifecycle
from tasks.actions.tasks import delete_task, hold_task
from tasks.models import Task

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHEET = "dialog.shortcuts[open]"
FOCUSED = "document.activeElement.closest('[data-ref]')?.dataset.ref"


def press(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def assert_focus_is_on(page, ref: str) -> None:
    page.wait_for_selector(f"[data-ref='{ref}'] a:focus")


def test_keyboard_alone_goes_assigns_and_starts(open_page, cast, new_task):
    first, second, third = (new_task(f"Task {name}") for name in ("one", "two", "three"))
    claims.claim_task(actor=cast.atlas.user, task=third)
    tab = open_page("/", user=cast.ada.user)
    page = tab.page
    press(page, "j")
    assert_focus_is_on(page, first.ref)
    press(page, "j", "j", "j")
    assert_focus_is_on(page, third.ref)
    press(page, "[")
    assert_focus_is_on(page, first.ref)
    press(page, "]")
    assert_focus_is_on(page, third.ref)
    press(page, "x")
    page.wait_for_selector("[data-toast].is-refusal >> text=Tasks are selected in the list")
    # Two keys, and a reminder of what may follow the first.
    press(page, "g")
    page.wait_for_selector("[role=status] >> text=g, then b: Board, l: List")
    press(page, "l")
    page.wait_for_selector("h1:has-text('Tasks')")
    press(page, "s")
    page.wait_for_selector("[role=status] >> text=Choose a task first")
    press(page, "/")
    page.keyboard.type("jkx?")
    assert page.input_value("main input[type=search]") == "jkx?"
    page.locator("main input[type=search]").blur()
    press(page, "k")
    assert_focus_is_on(page, first.ref)
    press(page, "k", "a")
    page.wait_for_selector("dialog[open] >> text=Assign OPS-2")
    tab.assert_accessible()
    page.keyboard.type("hugo")
    page.locator("dialog[open] button:has-text('Assign')").focus()
    press(page, "Enter")
    page.wait_for_selector("[role=status] >> text=Assigned OPS-2.")
    assert_focus_is_on(page, second.ref)
    assert second.assignments.get().agent == cast.hugo
    press(page, "s")
    page.wait_for_selector("dialog[open] [role=menuitem]:focus >> text=Start for")
    tab.assert_accessible()
    press(page, "Escape")
    assert_focus_is_on(page, second.ref)
    press(page, "o")
    page.wait_for_selector("h1:has-text('Task two')")
    press(page, "s")
    page.wait_for_selector("[role=menuitem]:focus >> text=Start for")
    # Other shortcuts rest in a dialog.
    press(page, "g", "i", "Enter")
    page.wait_for_selector("dialog[open] select:focus")
    page.keyboard.type("hugo")
    page.locator("dialog[open] button.button-primary").focus()
    press(page, "Enter")
    page.wait_for_selector(".task-head >> text=In progress")
    press(page, "g")
    press(page, "l")
    page.wait_for_selector("h1:has-text('Tasks')")
    press(page, "j", "x")
    page.wait_for_selector("[data-ref='OPS-3'] input[type=checkbox]:checked")
    press(page, "e")
    page.wait_for_selector(".task-head .edit-form input:focus")
    assert Task.objects.get(pk=second.pk).status == "in_progress"


def test_sheet_has_each_key_and_switches_them_off(open_page, cast, new_task):
    task = new_task()
    tab = open_page("/tasks/", user=cast.hugo.user)
    page = tab.page
    press(page, "?")
    page.wait_for_selector(SHEET)
    keys = [" ".join(each.split()) for each in page.locator(f"{SHEET} dt").all_inner_texts()]
    assert {*"/ceasjkx[]?", "Enter o", "g b", "g l", "g i", "g a", "g r"} <= {*keys}
    assert page.locator(f"{SHEET} dd").count() == len(keys) == len({*keys})
    tab.assert_accessible()
    tab.page.set_viewport_size({"width": 360, "height": 740})
    tab.assert_no_sideways_scroll()
    page.uncheck(f"{SHEET} input[type=checkbox]")
    press(page, "Escape", "j", "?", "g", "b")
    page.wait_for_timeout(100)
    assert page.evaluate(FOCUSED) is None
    assert "/tasks/" in page.url
    assert page.locator(SHEET).count() == 0
    # Without a key it opens from the account's menu.
    page.reload()
    press(page, "j")
    assert page.evaluate(FOCUSED) is None
    page.click("summary:has-text('Account of')")
    page.click("text=Keyboard shortcuts")
    page.check(f"{SHEET} input[type=checkbox]")
    press(page, "Escape", "j")
    assert_focus_is_on(page, task.ref)


def test_focus_stays_on_its_task_or_goes_to_the_neighbour(open_page, cast, new_task):
    first, second, third = (new_task(f"Task {name}") for name in ("one", "two", "three"))
    page = open_page("/tasks/?status=not_started&ordering=created_at", user=cast.ada.user).page
    press(page, "j", "j")
    assert_focus_is_on(page, second.ref)
    # A change of the task itself, and of the one above, which goes.
    for task in (second, first):
        Task.objects.filter(pk=task.pk).update(title=f"New name of {task.ref}", priority=4)
    hold_task(actor=cast.ada.user, task=second)
    lifecycle.cancel_task(actor=cast.ada.user, task=first)
    page.wait_for_selector(f"[data-ref='{second.ref}'] >> text=New name of")
    assert page.evaluate(FOCUSED) == second.ref
    # It goes itself: what follows has the focus, then what stood before it, then what stood around it.
    delete_task(actor=cast.root, task=second)
    hold_task(actor=cast.ada.user, task=third)
    assert_focus_is_on(page, third.ref)
    fourth = new_task("Comes late")
    page.wait_for_selector(f"[data-ref='{fourth.ref}']")
    delete_task(actor=cast.root, task=third)
    hold_task(actor=cast.ada.user, task=fourth)
    assert_focus_is_on(page, fourth.ref)
    delete_task(actor=cast.root, task=fourth)
    new = new_task("Elsewhere")
    lifecycle.cancel_task(actor=cast.ada.user, task=new)
    page.wait_for_selector(f"[data-ref='{fourth.ref}']", state="detached")
    assert page.evaluate("document.activeElement.nodeName") != "BODY"


def test_keys_of_somebody_signed_out_meanwhile_say_so(open_page, cast, new_task):
    task = new_task()
    tab = open_page(f"/tasks/{task.ref}", user=cast.ada.user)
    page = tab.page
    press(page, "a")
    page.wait_for_selector(f"dialog[open] >> text=Assign {task.ref}")
    page.select_option("dialog[open] select", "hugo")
    # Before the page itself has learned of it, which then leads away.
    asked = re.compile(r"/(assign|moves|login/.*)$")
    page.route("**/*", lambda route: route.continue_() if asked.search(route.request.url) else route.abort())
    page.context.clear_cookies(name="sessionid")
    page.click("dialog[open] button:has-text('Assign')")
    page.wait_for_selector("dialog[open] [role=alert] >> text=You are signed out.")
    page.click("dialog[open] button:has-text('Cancel')")
    page.wait_for_selector("dialog[open]", state="detached")
    for key in ("a", "s"):
        page.evaluate("document.querySelector('[data-toast]').textContent = ''")
        press(page, key)
        page.wait_for_selector("[data-toast].is-refusal >> text=You are signed out. Reload the page to sign in again.")
    assert not task.assignments.exists()
    tab.problems.clear()
