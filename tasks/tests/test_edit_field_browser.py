"""Editing a task in a browser, in its own place and by two people at once."""

import pytest

from tasks.actions.tasks import edit_task
from tasks.models import Task

pytestmark = pytest.mark.browser

PLAN = "First steps\n\nSecond steps\n\nThird steps"


def test_two_people_edit_one_task_at_once_and_nobodys_words_are_lost(open_page, cast, new_task):
    task = new_task("Plan", description=PLAN)
    ada, root = (open_page(f"/tasks/{task.ref}", user=user) for user in (cast.ada.user, cast.root))
    adas, roots = (tab.page.get_by_label("Description", exact=True) for tab in (ada, root))
    for tab in (ada, root):
        tab.page.locator("[data-edit=description]").press("Enter")
    roots.fill(PLAN.replace("First steps", "Root's first steps"))
    adas.fill(PLAN.replace("Third steps", "Ada's third steps"))
    root.page.keyboard.press("Control+Enter")
    root.page.locator(".prose", has_text="Root's first steps").wait_for()
    ada.page.locator(".flow", has_text="root changed description").wait_for()
    assert "Ada's third steps" in adas.input_value(), "the page goes on around what somebody types"

    ada.page.keyboard.press("Control+Enter")
    ada.page.get_by_text("root changed the description of OPS-1 while you edited it").wait_for()
    assert "Root's first steps" in Task.objects.get(pk=task.pk).description
    assert "Ada's third steps" in adas.input_value()
    ada.page.get_by_role("button", name="Save both").click()
    ada.page.locator(".prose", has_text="Ada's third steps").wait_for()
    both = PLAN.replace("First", "Root's first").replace("Third", "Ada's third")
    assert Task.objects.get(pk=task.pk).description == both

    adas, roots = (tab.page.get_by_label("Title", exact=True) for tab in (ada, root))
    for tab, title in ((ada, adas), (root, roots)):
        tab.page.locator("[data-shortcut=e]").press("Enter")
        title.fill(f"Plan of {'ada' if tab is ada else 'root'}")
    roots.press("Enter")
    root.page.locator("h1", has_text="Plan of root").wait_for()
    adas.press("Escape")
    assert adas.input_value() == "Plan of ada", "Escape asks before it drops what was typed"
    adas.press("Enter")
    ada.page.locator(".clash-words", has_text="Plan of root").wait_for()
    adas.fill("Plan of root and ada")
    ada.page.get_by_role("button", name="Save mine").click()
    ada.page.locator("h1", has_text="Plan of root and ada").wait_for()
    assert ada.page.evaluate("document.activeElement.dataset.edit") == "title"
    root.page.locator("h1", has_text="Plan of root and ada").wait_for()

    ada.goto("/tasks/")
    row = ada.page.locator("[data-task-row][data-ref=OPS-1]")
    row.hover()
    row.locator("[data-edit=labels]").click()
    row.locator("[name=labels]").fill("docs, plan")
    ada.page.keyboard.press("Enter")
    row.locator(".badge", has_text="plan").wait_for()

    for key, extra in (("Enter", "mine"), ("Control+Enter", "more")):
        row.hover()
        row.locator("[data-edit=labels]").click()
        labels = row.locator("[name=labels]")
        began = labels.input_value()
        edit_task(actor=cast.root, task=Task.objects.get(pk=task.pk), changes={"labels": [f"theirs-{extra}"]})
        labels.fill(f"{began}, typed")
        ada.page.keyboard.press("Enter")
        row.get_by_role("button", name="Save both").wait_for()
        labels.fill(f"{began}, typed, {extra}")
        ada.page.keyboard.press(key)
        row.locator(".badge", has_text=extra).first.wait_for()
        row.locator(".edit-form").wait_for(state="detached")
        names = set(Task.objects.get(pk=task.pk).labels.values_list("name", flat=True))
        assert names == {*began.split(", "), "typed", extra}, f"{key} saves what one sees in the line"
    ada.problems[:] = [problem for problem in ada.problems if "412 (Precondition Failed)" not in problem]
