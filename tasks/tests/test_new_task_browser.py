"""Creating tasks in a browser: by the dialog and by the line, without losing a word or one's place."""

import pytest

from tasks.models import Task

pytestmark = pytest.mark.browser


def test_tasks_are_created_where_one_is_and_no_word_is_lost(open_page, cast, new_task):
    new_task("First")
    tab = open_page("/?project=OPS", user=cast.ada.user)
    page = tab.page
    title, dialog = page.get_by_label("Title", exact=True), page.get_by_role("dialog", name="New task")

    page.locator("[data-shortcut=c]").press("Enter")
    title.fill("Fix login !high @atlas #backend")
    page.get_by_text("Title: Fix login").wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert page.evaluate("document.activeElement.matches('[data-shortcut=c]')")
    page.keyboard.press("Enter")
    assert title.input_value() == "Fix login !high @atlas #backend", "what was typed outlives Escape"
    title.press("Enter")
    page.locator(".created-toast a", has_text="OPS-2").wait_for()
    assert page.url.endswith("/?project=OPS")
    page.locator("[data-column=not_started] .card-title", has_text="Fix login").wait_for()

    page.locator("[data-shortcut=c]").click()
    title.fill("!high")
    page.get_by_label("Description").fill("Kept")
    page.get_by_role("button", name="Create another").click()
    dialog.get_by_text("Give the task a title.").wait_for()
    assert page.get_by_label("Description").input_value() == "Kept"
    title.fill("Second")
    page.get_by_label("Labels").fill("docs")
    page.get_by_role("button", name="Create another").click()
    dialog.get_by_text("Created OPS-3 Second.").wait_for()
    assert (title.input_value(), page.get_by_label("Labels").input_value()) == ("", "docs")
    page.keyboard.press("Escape")

    line = page.locator(".quick-add [name=title]")
    line.fill("By line #x")
    page.locator(".quick-add .reading-parts").wait_for()
    new_task("Meanwhile")
    page.locator(".card-title", has_text="Meanwhile").wait_for()
    assert line.input_value() == "By line #x", "the board goes on while somebody types in the line"
    assert page.evaluate("document.activeElement.name") == "title"
    line.press("Enter")
    page.locator(".card-title", has_text="By line").wait_for()
    assert line.input_value() == ""
    assert sorted(Task.objects.values_list("title", flat=True)) == [
        "By line",
        "First",
        "Fix login",
        "Meanwhile",
        "Second",
    ]
    tab.problems[:] = [problem for problem in tab.problems if "400 (Bad Request)" not in problem]


def test_draft_of_one_task_never_swallows_what_another_link_says(open_page, cast, new_task):
    parent = new_task("Parent")
    tab = open_page(f"/tasks/{parent.ref}", user=cast.ada.user)
    page = tab.page
    title, dialog = page.get_by_label("Title", exact=True), page.get_by_role("dialog", name="New task")
    page.locator("[data-shortcut=c]").press("Enter")
    title.fill("Half a")
    page.get_by_label("Description").fill("Words")
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")

    page.keyboard.press("Control+k")
    page.keyboard.type("Other")
    page.get_by_text("Create task “Other”").click()
    dialog.wait_for()
    assert (title.input_value(), page.get_by_label("Description").input_value()) == ("Other", "")
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")

    page.locator("main a[data-new-task][href*=parent]").click()
    dialog.wait_for()
    assert page.locator("dialog [name=parent]").input_value() == parent.ref
    assert (title.input_value(), page.get_by_label("Description").input_value()) == ("Half a", "Words")
    title.press("Enter")
    page.locator(".created-toast a", has_text="OPS-2").wait_for()
    assert Task.objects.get(title="Half a").parent == parent

    page.locator("[data-shortcut=c]").click()
    assert title.input_value() == ""
    title.fill("Again")
    page.keyboard.press("Escape")
    page.locator("[data-shortcut=c]").click()
    assert title.input_value() == "Again"
