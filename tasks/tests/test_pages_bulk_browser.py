"""Selecting rows in a browser, by mouse and keyboard, and what an action on them answers."""

import pytest

from tasks.actions.tasks import edit_task
from tasks.models import Task
from tasks.pages import task_list

pytestmark = pytest.mark.browser

BAR = "form[data-selection]"


def selected(page) -> list[str]:
    return page.eval_on_selector_all(
        '[data-task-row][aria-selected="true"]', "rows => rows.map(row => row.dataset.ref).sort()"
    )


def box(task: Task) -> str:
    return f'[data-ref="{task.ref}"] [data-select]'


def test_range_is_selected_kept_through_news_and_put_on_hold(open_page, cast, new_task):
    tasks = [new_task(f"Task {number}") for number in range(6)]
    page = open_page("/tasks/?ordering=created_at", user=cast.ada.user).page
    page.wait_for_selector(BAR, state="hidden")
    page.click(box(tasks[1]))
    page.click(box(tasks[3]), modifiers=["Shift"])
    assert selected(page) == ["OPS-2", "OPS-3", "OPS-4"]
    page.keyboard.press("Shift+ArrowDown")
    assert selected(page) == ["OPS-2", "OPS-3", "OPS-4", "OPS-5"]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    assert selected(page) == ["OPS-2", "OPS-3", "OPS-5"]
    # The box has the focus; the list refreshes around it.
    edit_task(actor=cast.ada.user, task=tasks[2], changes={"title": "A new title"})
    page.wait_for_selector('text="A new title"')
    assert selected(page) == ["OPS-2", "OPS-3", "OPS-5"]
    assert page.evaluate("document.activeElement.value") == "OPS-4"
    page.wait_for_selector(f"{BAR} >> text=3 selected")
    page.click(f"{BAR} summary")
    page.click(f'{BAR} [name="verb"][value="hold"]')
    page.wait_for_selector("text=Put 3 tasks on hold: OPS-2, OPS-3, OPS-5.")
    assert set(Task.objects.filter(on_hold=True).values_list("number", flat=True)) == {2, 3, 5}
    page.click("[data-select-page]")
    assert len(selected(page)) == 6
    page.keyboard.press("Escape")
    assert selected(page) == []
    page.wait_for_selector(BAR, state="hidden")


def test_escape_closes_the_innermost_thing_only(open_page, cast, new_task):
    tasks = [new_task(f"Task {number}") for number in range(3)]
    page = open_page("/tasks/?ordering=created_at", user=cast.ada.user).page
    page.click(box(tasks[0]))
    page.click(box(tasks[1]))
    for menu in (f"{BAR} details", "details:has(.list-columns)"):
        page.click(f"{menu} > summary")
        page.wait_for_selector(f"{menu}[open]")
        page.keyboard.press("Escape")
        page.wait_for_selector(f"{menu}:not([open])")
        assert selected(page) == ["OPS-1", "OPS-2"], menu
    # A dialog over a menu.
    page.click(f"{BAR} summary")
    page.keyboard.press("Control+k")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog[open]", state="detached")
    assert page.query_selector(f"{BAR} details[open]")
    page.keyboard.press("Escape")
    assert not page.query_selector("[data-menu][open]")
    # An editor in its row.
    page.click(f'[data-ref="{tasks[2].ref}"] [data-edit]')
    page.wait_for_selector(".edit-form input:not([type=hidden])")
    page.keyboard.press("Escape")
    page.wait_for_selector(".edit-form", state="detached")
    # A field that takes text.
    page.focus("main input[type=search]")
    page.keyboard.press("Escape")
    assert selected(page) == ["OPS-1", "OPS-2"]
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Escape")
    assert selected(page) == []


def test_selection_of_all_is_there_after_back_and_the_result_after_a_reload(open_page, cast, new_task, monkeypatch):
    monkeypatch.setattr(task_list, "SHOWN", 22)
    count = 24
    for number in range(count):
        new_task(f"Task {number}")
    page = open_page("/tasks/?ordering=created_at", user=cast.ada.user).page
    page.click("[data-select-page]")
    page.click("[data-select-all]")
    page.click(f'{BAR} [name="verb"][value="edit"]')
    page.wait_for_selector(f'h1:text("Change {count} tasks")')
    assert page.locator("form[action='/tasks/bulk'] button[type=submit]").last.bounding_box()["y"] < 800
    page.go_back()
    page.wait_for_selector(f"{BAR} >> text=All {count} that match are selected")
    assert len(selected(page)) == 22
    # The page's own way back.
    page.click(f'{BAR} [name="verb"][value="edit"]')
    page.click("main a:text('Back')")
    page.wait_for_selector(f"{BAR} >> text=All {count} that match are selected")
    # Once more from here: all of them are sent.
    page.click(f'{BAR} [name="verb"][value="edit"]')
    page.wait_for_selector(f'h1:text("Change {count} tasks")')
    page.fill('[name="add_labels"]', "seen")
    page.click(f'button:text("Change {count} tasks")')
    page.wait_for_selector(f"text=Changed {count} tasks")
    assert Task.objects.filter(labels__name="seen").count() == count
    page.reload()
    page.wait_for_selector(f"text=Changed {count} tasks")
    assert not page.query_selector("text=Nothing to change")


def test_selection_is_there_after_back_from_a_task_and_gone_after_a_reload(open_page, cast, new_task):
    tasks = [new_task(f"Task {number}") for number in range(3)]
    page = open_page("/tasks/?ordering=created_at", user=cast.ada.user).page
    page.click(box(tasks[0]))
    page.click(box(tasks[2]))
    page.click(f'[data-ref="{tasks[1].ref}"] [data-main-link]')
    page.wait_for_selector("article.task")
    page.go_back()
    page.wait_for_selector(f"{BAR} >> text=2 selected")
    assert selected(page) == ["OPS-1", "OPS-3"]
    page.reload()
    page.wait_for_selector(BAR, state="hidden")
    assert selected(page) == []
