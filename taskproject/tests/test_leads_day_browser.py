"""A lead's whole day on the pages, without the admin and without a mouse."""

from typing import Any

import pytest

from messaging.tests.inbox_rows import asked
from tasks.actions import claims, runs
from tasks.models import Task
from tasks.transitions import Status

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

#: More stops than any of these pages has.
STOPS = 150
TITLES = (
    "Move the database !urgent #data", "Test the move #data", "Write the changelog !low #docs", "Rotate the keys",
    "Answer the guests", "Name the boats #docs", "Sort the photographs", "Draw the map", "Count the seats",
    "Invite the press !high",
)  # fmt: skip


IS_FOCUSED = """([selector, text]) => {
  const {activeElement} = document;
  return activeElement.matches(selector) && (!text || activeElement.textContent.trim() === text);
}"""


class Keyboard:
    """All that a lead does. Reading is by the eyes: nothing here clicks, fills or focuses by itself."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def write(self, text: str) -> None:
        self.page.keyboard.type(text)

    def tab_to(self, selector: str, text: str = "") -> None:
        """Press Tab until what ``selector`` matches, with this ``text``, has the focus."""
        self.page.wait_for_selector(selector, state="attached")
        for _ in range(STOPS):
            if self.page.evaluate(IS_FOCUSED, [selector, text]):
                return
            self.press("Tab")
        pytest.fail(f"Tab does not reach {selector} {text}")

    def see(self, text: str) -> None:
        self.page.wait_for_selector(f"text={text}")

    def focus_is_in(self, selector: str) -> None:
        self.page.wait_for_selector(f"{selector}:focus, {selector} :focus")

    def walk_to(self, ref: str) -> None:
        """From row to row until that of ``ref`` has the focus."""
        for _ in range(STOPS):
            self.press("j")
            if self.page.evaluate("document.activeElement.closest('[data-ref]')?.dataset.ref") == ref:
                return
        pytest.fail(f"j does not reach {ref}")


def test_leads_whole_day_by_keyboard_alone(open_page, cast):
    tab = open_page("/tasks/?project=OPS", user=cast.ada.user)
    lead = Keyboard(tab.page)
    _create(lead)
    moving, testing, keys = (
        Task.objects.get(title=title) for title in ("Move the database", "Test the move", "Rotate the keys")
    )
    _group_and_assign(lead, moving)
    _split_and_link(lead, moving, testing)
    run = claims.claim_task(actor=cast.atlas.user, task=Task.objects.get(number=11))
    question = asked(run, prompt="Which cluster first?")
    _answer(lead, question)
    held = claims.claim_task(actor=cast.bert.user, task=keys)
    Task.objects.filter(pk=keys.pk).update(review_required=True)
    runs.complete_run(actor=cast.bert.user, run_id=held.pk, summary="All keys are new.")
    _review(lead, keys)
    _report(lead)


def _create(lead: Keyboard) -> None:
    for number, title in enumerate(TITLES, start=1):
        lead.press("c")
        lead.focus_is_in("dialog[open] [name=title]")
        lead.write(title)
        lead.press("Enter")
        lead.page.wait_for_selector(f".created-toast a:has-text('OPS-{number}')")
        lead.page.wait_for_selector("dialog[open]", state="detached")
    assert list(Task.objects.order_by("number").values_list("priority", flat=True)) == [4, 2, 1, 2, 2, 2, 2, 2, 2, 3]
    assert Task.objects.filter(labels__name="docs").count() == 2


def _group_and_assign(lead: Keyboard, moving: Task) -> None:
    lead.tab_to("summary", "Group")
    lead.press("Enter")
    lead.tab_to("nav[aria-label='Group by'] a", "Priority")
    lead.press("Enter")
    lead.page.wait_for_url("**group=priority**")
    lead.walk_to(moving.ref)
    lead.press("a")
    lead.see(f"Assign {moving.ref}")
    lead.write("atlas")
    lead.tab_to("dialog[open] button.button-primary")
    lead.press("Enter")
    lead.see(f"Assigned {moving.ref}.")
    assert moving.assignments.get().agent.slug == "atlas"


def _split_and_link(lead: Keyboard, moving: Task, testing: Task) -> None:
    lead.press("c")
    lead.focus_is_in("dialog[open] [name=title]")
    lead.write(f"Copy the tables ^{moving.ref}")
    lead.press("Enter")
    lead.page.wait_for_selector(".created-toast a:has-text('OPS-11')")
    assert Task.objects.get(number=11).parent == moving
    lead.press("Control+k")
    lead.write(testing.ref)
    lead.page.wait_for_selector(f"[role=option][aria-selected=true]:has-text('{testing.ref}')")
    lead.press("Enter")
    lead.page.wait_for_url(f"**/tasks/{testing.ref}")
    lead.tab_to("[data-edit=depends_on]")
    lead.press("Enter")
    lead.focus_is_in("[data-edit-form=depends_on]")
    lead.write(moving.ref)
    lead.press("Enter")
    lead.page.wait_for_selector("[data-edit-form]", state="detached")
    lead.see("Blocked by 1")
    assert testing.dependencies.get().depends_on == moving


def _answer(lead: Keyboard, question: Any) -> None:
    lead.press("g", "i")
    lead.page.wait_for_selector(f"[data-item='question-{question.pk}']")
    lead.press("j", "1")
    lead.see("Answered OPS-11: Staging")
    question.refresh_from_db()
    assert (question.value, question.answered_by.username) == ("Staging", "ada")


def _review(lead: Keyboard, keys: Task) -> None:
    lead.press("Control+k")
    lead.write(keys.ref)
    lead.page.wait_for_selector(f"[role=option][aria-selected=true]:has-text('{keys.ref}')")
    lead.press("Enter")
    lead.page.wait_for_url(f"**/tasks/{keys.ref}")
    lead.see("All keys are new.")
    lead.press("s")
    lead.page.wait_for_selector("dialog[open] [role=menuitem]:focus")
    for _ in range(STOPS):
        if "Approve" in lead.page.evaluate("document.activeElement.textContent"):
            break
        lead.press("ArrowDown")
    lead.press("Enter")
    lead.page.wait_for_selector(".task-head >> text=Completed")
    keys.refresh_from_db()
    assert keys.status == Status.COMPLETED


def _report(lead: Keyboard) -> None:
    lead.press("g", "r")
    lead.page.wait_for_selector("h1:has-text('Reports')")
    lead.press("Control+k")
    lead.write("time to complete")
    lead.page.wait_for_selector("[role=option][aria-selected=true]:has-text('Time to complete')")
    lead.press("Enter")
    lead.page.wait_for_selector("h1:has-text('Time to complete')")
