"""A review by lines in a browser: keyboard, drafts that survive, sent with the verdict, both modes, small windows."""

import pytest

from tasks.actions import claims, runs
from tasks.models import Artifact, Review, ReviewComment, Task
from tasks.tests.test_markdown import HOSTILE as HOSTILE_TEXTS

pytestmark = pytest.mark.browser

HOSTILE = " ".join(HOSTILE_TEXTS).replace("\n", " ")[:400]
DIFF = "--- a/key.py\n+++ b/key.py\n@@ -7 +7,2 @@\n-old\n+new\n+" + "long " * 90 + "\n"
PLAN = [
    {"content": "Read the logs " + HOSTILE, "status": "completed"},
    {"content": "Mend " + "it" * 120, "status": "in_progress", "priority": "high"},
    {"content": "Tell", "status": "skipped"},
]


@pytest.fixture
def task(cast, new_task):
    task = new_task("Judge by lines", review_required=True)
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.complete_run(
        actor=cast.atlas.user,
        run_id=run.pk,
        summary="done",
        plan=PLAN,
        external_url="https://logs.example.org/" + "x" * 300,
        artifacts=[
            {"name": "change " + "of_names" * 20 + ".diff", "kind": "diff", "text": DIFF},
            {"name": "hostile.txt", "kind": "text", "text": f"{HOSTILE}\n</table><script>alert(1)</script>\n"},
            {"name": "<img src=x onerror=alert(1)>", "kind": "link", "url": "https://code.example.org/pulls/1"},
        ],
    )
    return Task.objects.get(pk=task.pk)


def address(task, number: int = 0) -> str:
    return f"/tasks/{task.ref}/artifacts/{Artifact.objects.order_by('pk')[number].pk}"


def test_reviewer_comments_on_lines_by_keyboard_and_sends_them(open_page, cast, task):
    tab = open_page(address(task), user=cast.rita.user)
    page = tab.page
    page.focus("button[data-line='1']")
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.type("Say why.")
    page.keyboard.press("Control+Enter")
    assert page.evaluate("document.activeElement.dataset.line") == "5"
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.keyboard.type("thrown away")
    page.keyboard.press("Escape")
    page.click("button[data-line='4']")
    page.keyboard.type("It was right.")
    page.click("text=Keep comment")
    assert "2 comments" in page.inner_text("[data-review-count]")

    page.reload()
    assert page.locator(".is-draft").count() == 2
    assert "Say why." in page.inner_text("tr#L5 + tr")
    page.click("tr#L4 + tr >> text=Remove")
    page.click("tr#L5 + tr >> text=Edit")
    page.keyboard.press("End")
    page.keyboard.type(" Please.")
    page.click("text=Keep comment")

    # The task's own page carries them too, and a refusal keeps them.
    page.goto(f"{tab.origin}/tasks/{task.ref}")
    page.click("summary:has-text('Request changes')")
    assert "Sends 1 comment on lines of change" in page.inner_text("[data-drafts-said]:visible")
    page.goto(tab.origin + address(task))
    page.click("summary:has-text('Request changes')")
    page.fill(".verb[open] textarea", "See the line.")
    page.click(".verb[open] button[value='request_changes']")
    page.wait_for_url(f"**/tasks/{task.ref}")
    assert page.locator(".task-problem").count() == 0
    [comment] = ReviewComment.objects.all()
    assert (comment.line, comment.body, comment.quote) == (5, "Say why. Please.", "+new")
    assert Review.objects.get().verdict == "changes_requested"
    assert page.evaluate("sessionStorage.length") == 0


def test_refused_verdict_keeps_the_comments(open_page, cast, task):
    tab = open_page(address(task, 1), user=cast.rita.user)
    page = tab.page
    page.click("button[data-line='1']")
    page.keyboard.type("Keep me")
    page.click("text=Keep comment")
    page.click("summary:has-text('Approve')")
    # In the meantime somebody else has decided.
    Task.objects.filter(pk=task.pk).update(status="cancelled")
    page.click(".verb[open] button[value='approve']")
    page.wait_for_selector(".task-problem")
    tab.problems[:] = [problem for problem in tab.problems if "409 (Conflict)" not in problem]
    assert "Keep me" in page.evaluate("JSON.stringify(sessionStorage)")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_artifact_and_plan_are_readable_and_fit_a_small_window(open_page, cast, task, dark):
    for width in (360, 1280):
        tab = open_page(address(task), user=cast.rita.user, dark=dark, width=width, height=740)
        page = tab.page
        page.click("button[data-line='5']")
        page.keyboard.type("Say why. " + "and_on" * 60)
        page.click("text=Keep comment")
        page.click("button[data-line='6']")
        for path in ("", address(task, 1), address(task, 2), f"/tasks/{task.ref}", "/"):
            if path:
                tab.goto(path)
            page.evaluate("document.querySelectorAll('details:not([data-menu])').forEach((d) => { d.open = true })")
            tab.assert_contrast()
            tab.assert_no_sideways_scroll()


def test_hostile_artifacts_and_plans_run_nothing(open_page, cast, task):
    """What happens is recorded by the tab: scripts, dialogs, requests to other hosts."""
    tab = open_page(f"/tasks/{task.ref}", user=cast.rita.user)
    page = tab.page
    assert page.locator(".artifacts img, .plan script").count() == 0
    tab.goto(address(task, 1))
    assert "</table><script>alert(1)</script>" in page.inner_text("tr#L2")
    with page.expect_download() as download:
        page.click("text=Download")
    assert download.value.suggested_filename == "hostile.txt"
