"""Selecting rows in a browser, by mouse and keyboard, and what an action on them answers."""

import pytest

from tasks.actions.tasks import edit_task
from tasks.models import Task

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
