"""The board's lanes in a browser: cards dropped in another lane by mouse, finger and keyboard; folded lanes stay so."""

import pytest

from tasks.actions import claims, runs
from tasks.models import Priority, Run, Task

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TOAST = "[data-toast]"
MENU = "[data-move-menu]"
DIALOG = "[data-move-dialog]"


def cell(lane: str, status: str, task: Task | None = None) -> str:
    return f'[data-lane="{lane}"] [data-column="{status}"]' + (f' [data-ref="{task.ref}"]' if task else "")


def drag(page, task: Task, lane: str, status: str = "not_started") -> None:
    page.drag_and_drop(f'[data-ref="{task.ref}"] .card-title', cell(lane, status))


def forgive_the_refusal(tab) -> None:
    tab.problems[:] = [problem for problem in tab.problems if "409 (Conflict)" not in problem]


def assigned(task: Task) -> list[str]:
    return sorted(task.assignments.filter(ended_at=None).values_list("agent__slug", flat=True))


def test_card_dropped_in_the_lane_of_an_agent_is_assigned_and_in_nobodys_unassigned(open_page, cast, new_task):
    task, other = new_task("Drag me", assignees=[cast.hugo]), new_task("Of rita", assignees=[cast.rita])
    # High enough for all lanes: the mouse of the test would drag what it meets after scrolling.
    tab = open_page("/?group=assignee", user=cast.ada.user, height=1600)
    page = tab.page
    page.evaluate("window.stayed = true")
    drag(page, task, "rita")
    page.wait_for_selector(cell("rita", "not_started", task))
    page.wait_for_selector(f"{TOAST} >> text=Assigned OPS-1 to rita, no longer to hugo.")
    assert assigned(task) == ["rita"]
    drag(page, task, "")
    page.wait_for_selector(cell("", "not_started", task))
    page.wait_for_selector(f"{TOAST} >> text=Unassigned OPS-1")
    assert assigned(task) == []
    # The lane that is empty now is there to drop in, the other one is as it was.
    assert page.locator(cell("hugo", "not_started")).inner_text() == ""
    assert page.locator(cell("rita", "not_started", other)).count() == 1
    assert page.locator('[data-lane="rita"] .column-count').inner_text().startswith("1")
    assert page.locator(".is-pending, .is-dragged, .may-drop, .no-drop").count() == 0
    assert page.evaluate("window.stayed") is True


def test_drop_that_changes_column_and_lane_does_both_or_neither(open_page, cast, new_task):
    task = new_task("Start me", assignees=[cast.hugo])
    new_task("Of rita", assignees=[cast.rita])
    claims.claim_task(actor=cast.atlas.user, task=new_task("Runs"))
    # High enough for all lanes: the mouse of the test would drag what it meets after scrolling.
    tab = open_page("/?group=assignee", user=cast.ada.user, height=1600)
    page = tab.page
    drag(page, task, "atlas", "in_progress")
    page.wait_for_selector(f"{TOAST}.is-refusal >> text=LLM agents claim tasks themselves")
    assert page.locator(cell("hugo", "not_started", task)).count() == 1
    assert (assigned(task), Run.objects.filter(task=task).count()) == (["hugo"], 0)
    drag(page, task, "rita", "in_progress")
    page.wait_for_selector(cell("rita", "in_progress", task))
    page.wait_for_selector(f"{TOAST} >> text=Started OPS-1: run 1 of rita.")
    assert assigned(task) == ["rita"]
    # Whoever works on it loses it where it is not started.
    drag(page, task, "atlas", "in_progress")
    page.wait_for_selector(f"{TOAST}.is-refusal >> text=rita is working on OPS-1; drop it in “Not started”")
    drag(page, task, "atlas")
    page.wait_for_selector(cell("atlas", "not_started", task))
    page.wait_for_selector(f"{TOAST} >> text=Assigned OPS-1 to atlas, no longer to rita.")
    assert assigned(task) == ["atlas"]
    forgive_the_refusal(tab)


def test_card_is_put_in_another_lane_by_keyboard(open_page, cast, new_task):
    task = new_task("Move me", labels=["docs"])
    tab = open_page("/?group=priority", user=cast.ada.user)
    page = tab.page
    page.focus(f'[data-ref="{task.ref}"] a')
    page.keyboard.press("m")
    page.wait_for_selector(f"{MENU} [role=menuitem]:focus")
    items = page.locator(f"{MENU} [role=menuitem]").all_inner_texts()
    assert items[-3:] == ["To the lane “Urgent”", "To the lane “High”", "To the lane “Low”"]
    for _ in range(3):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_selector(cell("urgent", "not_started", task))
    page.wait_for_selector(f"{TOAST} >> text=The priority of OPS-1 is now urgent.")
    assert page.evaluate("document.activeElement.closest('[data-ref]').dataset.ref") == task.ref
    task.refresh_from_db()
    assert task.priority == Priority.URGENT
    tab.assert_accessible()


def test_card_without_the_right_stays_and_says_why(open_page, cast, new_task):
    task = new_task("Not yours", assignees=[cast.hugo])
    new_task("Of rita", assignees=[cast.rita])
    page = open_page("/?group=assignee", user=cast.hugo.user).page
    drag(page, task, "rita")
    page.wait_for_selector(f"{TOAST}.is-refusal")
    assert page.locator(cell("hugo", "not_started", task)).count() == 1
    assert assigned(task) == ["hugo"]


def test_folded_lane_stays_folded_and_live_updates_bring_the_card_alone(open_page, cast, new_task):
    task = new_task("Of hugo", assignees=[cast.hugo])
    new_task("Of nobody")
    tab = open_page("/?group=assignee", user=cast.ada.user)
    page = tab.page
    page.locator('[data-lane="hugo"] .lane-fold').focus()
    page.keyboard.press("Enter")
    page.wait_for_selector('[data-lane="hugo"].is-closed')
    page.wait_for_selector(f'[data-ref="{task.ref}"]', state="detached")
    assert page.evaluate("document.activeElement.className") == "lane-fold"
    page.reload()
    assert page.locator('[data-lane="hugo"].is-closed .lane-fold').get_attribute("aria-expanded") == "false"
    page.click('[data-lane="hugo"] .lane-fold')
    page.wait_for_selector(cell("hugo", "not_started", task))
    answers = []
    page.on("response", lambda answer: answers.append(answer) if "/board/changes" in answer.url else None)
    third = new_task("Third", assignees=[cast.hugo])
    page.wait_for_selector(cell("hugo", "not_started", third))
    assert [answer.text().count('class="card-title"') for answer in answers] == [1]
    assert page.locator(cell("hugo", "not_started", task)).count() == 1


def test_drop_that_asks_for_a_note_names_column_and_lane(open_page, cast, new_task):
    task = new_task("Judge me", review_required=True)
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="look")
    page = open_page("/?group=priority", user=cast.ada.user).page
    drag(page, task, "urgent")
    page.wait_for_selector(f"{DIALOG} >> text=OPS-1 to “Not started”, lane “Urgent”")
    page.fill(f"{DIALOG} textarea", "Say more about it")
    page.click(f"{DIALOG} >> text=Request changes")
    page.wait_for_selector(cell("urgent", "not_started", task))
    task.refresh_from_db()
    assert (task.priority, run.reviews.get().note) == (Priority.URGENT, "Say more about it")


OVERLAPS = """() => {
  const fields = [...document.querySelectorAll(".filters > :not([type=hidden])")];
  const boxes = fields.map((each) => each.getBoundingClientRect());
  const isBefore = (a, b) => a.right <= b.left + 1 || a.bottom <= b.top + 1;
  const apart = (a, b) => isBefore(a, b) || isBefore(b, a);
  return boxes.some((a, at) => boxes.slice(at + 1).some((b) => !apart(a, b)));
}"""


ALIGNED = """() => [...document.querySelectorAll(".lane-cell")].every((cell) => {
  const head = document.querySelector(`.column[data-column="${cell.dataset.column}"]`).getBoundingClientRect();
  const own = cell.getBoundingClientRect();
  return Math.abs(own.left - head.left) < 1 && Math.abs(own.width - head.width) < 1;
})"""


def test_lanes_fit_and_are_accessible_at_every_width(open_page, cast, new_task):
    new_task("Of hugo", assignees=[cast.hugo], labels=["a-label-of-a-length-that-people-rarely-choose-but-may"])
    new_task("Of nobody")
    tab = open_page("/?group=label", user=cast.ada.user)
    page = tab.page
    page.click(".lane-fold >> nth=0")
    page.wait_for_selector(".lane.is-closed")
    tab.assert_accessible()
    for width in (1280, 768, 360):
        page.set_viewport_size({"width": width, "height": 800})
        tab.assert_no_sideways_scroll()
        assert not page.evaluate(OVERLAPS), f"fields lie on one another at {width}"
        assert page.evaluate(ALIGNED), f"cells are not below their columns at {width}"
        # The title breaks between words only.
        assert page.evaluate("document.querySelector('h1').offsetHeight") < 40
