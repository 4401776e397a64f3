"""The pages in a browser: no policy violations, keyboard, contrast, small windows, and following the server."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from tasks.actions import agents, claims, lifecycle, reviews, runs
from tasks.actions.projects import set_member
from tasks.models import AgentKind, Priority, Role, Run, Task
from tasks.tests.test_markdown import HOSTILE

pytestmark = pytest.mark.browser

PASSWORD = "a long pass phrase"


@pytest.fixture
def plan(cast, new_task):
    """A bit of everything: each status, each mark, each kind of run."""
    past, ahead = timezone.now() - timedelta(days=2), timezone.now() + timedelta(days=5)
    late = new_task("Late and urgent", priority=Priority.URGENT, due_at=past, labels=["release", "docs"])
    new_task("Waits for it", depends_on=[late], due_at=ahead, priority=Priority.HIGH)
    new_task("Sleeps", start_after=ahead, priority=Priority.LOW, assignees=[cast.hugo])
    failed, dropped, done = new_task("Broke", max_attempts=1), new_task("Dropped"), new_task("Done")
    review = new_task(
        "Judge me",
        review_required=True,
        description="# Plan\n\n`code` and [a link](https://example.org/)\n\n```\npre\n```",
        criteria=["one", "two"],
        required_skills=[("docs", 2)],
    )
    running = new_task("Running along " + "and_on" * 30)
    start = lambda task, who=cast.atlas: claims.claim_task(actor=who.user, task=task)  # noqa: E731
    runs.fail_run(actor=cast.atlas.user, run_id=start(failed).pk, code="no_tools", detail="**none** here")
    runs.complete_run(actor=cast.atlas.user, run_id=start(done).pk, summary="fine")
    runs.complete_run(actor=cast.atlas.user, run_id=start(review).pk, summary="first try", result={"n": [1, 2]})
    reviews.request_changes(actor=cast.rita.user, task=review, note="again")
    runs.complete_run(
        actor=cast.atlas.user,
        run_id=start(review).pk,
        summary="second try",
        result={"n": [1, 2]},
        criteria=[{"criterion": "one", "met": True}, {"criterion": "two", "met": False}],
    )
    lifecycle.cancel_task(actor=cast.ada.user, task=dropped)
    run = start(running, cast.bert)
    runs.progress_run(actor=cast.bert.user, run_id=run.pk, percent=40, note="half" * 40)
    Run.objects.filter(pk=run.pk).update(stalled_at=timezone.now())
    return {"late": late, "review": review, "running": running, "failed": failed, "done": done}


#: With its form open.
LIST = "/tasks/?status=not_started,in_progress,failed&priority=low,normal,high,urgent&blocked=false&add=label"


def paths(plan):
    return [
        "/",
        LIST,
        "/agents/",
        "/no-such-page",
        *(f"/tasks/{plan[name].ref}" for name in ("review", "running", "failed")),
    ]


def expect_404(tab):
    """A missing page is reported on the console, which is not a problem."""
    tab.problems[:] = [problem for problem in tab.problems if "404 (Not Found)" not in problem]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_are_readable_in_both_modes(open_page, cast, plan, dark):
    tab = open_page("/login/", dark=dark)
    tab.assert_contrast()
    tab = open_page("/", user=cast.ada.user, dark=dark)
    for path in paths(plan):
        tab.goto(path)
        tab.page.evaluate("document.querySelectorAll('details:not([data-menu])').forEach((d) => { d.open = true })")
        tab.assert_contrast()
    expect_404(tab)


def test_pages_fit_a_window_of_360_pixels(open_page, cast, plan):
    tab = open_page("/login/", width=360, height=740)
    tab.assert_no_sideways_scroll()
    tab = open_page("/", user=cast.ada.user, width=360, height=740)
    for path in paths(plan):
        tab.goto(path)
        tab.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
        tab.assert_no_sideways_scroll()
    expect_404(tab)


def test_keyboard_reaches_every_control(open_page, cast, plan):
    tab = open_page("/login/")
    tab.assert_keyboard_reaches_all()
    tab = open_page("/", user=cast.ada.user)
    for path in ["/", LIST, "/agents/", f"/tasks/{plan['review'].ref}"]:
        tab.goto(path)
        tab.assert_keyboard_reaches_all()


def test_skip_link_leads_past_the_navigation(open_page, cast, plan):
    page = open_page("/agents/", user=cast.ada.user).page
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_login_board_task_and_logout_by_keyboard(open_page, cast, plan):
    cast.hugo.user.set_password(PASSWORD)
    cast.hugo.user.save()
    page = open_page("/").page
    assert "/login/" in page.url
    page.keyboard.type("hugo")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector(".board")
    page.focus(f'[data-ref="{plan["late"].ref}"] a')
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Late and urgent')")
    page.focus("[data-menu] summary")
    page.keyboard.press("Enter")
    assert page.locator("button:has-text('Sign out')").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("button:has-text('Sign out')").is_hidden()
    assert page.evaluate("document.activeElement.nodeName") == "SUMMARY"
    page.keyboard.press("Enter")
    page.focus("button:has-text('Sign out')")
    page.keyboard.press("Enter")
    page.wait_for_url("**/login/")


def test_person_does_a_task_in_the_browser(open_page, cast, new_task):
    task = new_task("By hand", criteria=["swept", "dry"], review_required=True)
    tab = open_page(f"/tasks/{task.ref}", user=cast.hugo.user)
    page = tab.page
    page.click("button:has-text('Start')")
    page.wait_for_selector("text=You are working on this")
    page.fill("#progress-percent", "60")
    page.fill("#progress-note", "sweeping")
    page.click("button:has-text('Report')")
    page.wait_for_selector("text=Reported progress of OPS-1.")
    page.click("summary:has-text('Complete')")
    page.fill("#complete-summary", "All **swept**")
    page.fill("#complete-result", "{broken")
    page.check("input[name=criteria] >> nth=0")
    page.click("button:has-text('Complete')")
    page.wait_for_selector("text=Starts like JSON")
    tab.problems[:] = [problem for problem in tab.problems if "409 (Conflict)" not in problem]
    assert page.input_value("#complete-summary") == "All **swept**"
    page.fill("#complete-result", '{"rooms": 3}')
    page.click("button:has-text('Complete')")
    page.wait_for_selector(".task-head >> text=In review")
    assert page.locator(".task-result strong").inner_text() == "swept"
    task.refresh_from_db()
    assert (task.status, task.result) == ("in_review", {"rooms": 3})


def test_board_follows_the_server_and_keeps_focus_details_and_scroll(open_page, cast, plan, new_task):
    page = open_page("/", user=cast.ada.user).page
    late = plan["late"]
    page.evaluate("window.stayed = true")
    page.click('[data-column="failed"] .column-fold')
    page.wait_for_selector(f'[data-column="failed"] [data-ref="{plan["failed"].ref}"]')
    page.focus(f'[data-ref="{late.ref}"] a')
    run = claims.claim_task(actor=cast.atlas.user, task=late)
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=70, note="on my way")
    fresh = new_task("Brought in meanwhile")
    page.wait_for_selector(f'[data-column="in_progress"] [data-ref="{late.ref}"]')
    page.wait_for_selector(f'[data-column="not_started"] [data-ref="{fresh.ref}"]')
    assert page.locator(f'[data-ref="{late.ref}"]').count() == 1
    assert page.locator(f'[data-ref="{late.ref}"] progress').get_attribute("value") == "70"
    assert page.evaluate("document.activeElement.closest('[data-ref]').dataset.ref") == late.ref
    assert page.locator('[data-column="failed"].is-folded').count() == 0
    assert page.evaluate("window.stayed") is True


def test_task_page_follows_the_server_while_somebody_writes(open_page, cast, new_task):
    task = new_task("Long work")
    claims.start_task(actor=cast.hugo.user, task=task)
    page = open_page(f"/tasks/{task.ref}", user=cast.hugo.user).page
    page.click("summary:has-text('Complete')")
    page.fill("#complete-summary", "half a sentence")
    lifecycle.release_task(actor=cast.ada.user, task=task, note="somebody else shall do it")
    page.wait_for_selector(".timeline >> text=somebody else shall do it")
    assert page.locator(".task-head >> text=Not started").count() == 1
    assert page.input_value("#complete-summary") == "half a sentence"
    assert page.evaluate("document.activeElement.id") == "complete-summary"


def test_board_is_filtered_at_once_and_its_address_is_the_view(open_page, cast, new_task):
    pump, fence = new_task("Fix the pump", priority=Priority.HIGH), new_task("Paint the fence", labels=["field"])
    page = open_page(f"/tasks/{pump.ref}", user=cast.ada.user).page
    page.goto(page.url.split("/tasks/")[0] + "/?created_after=2020-01-01")
    page.evaluate("window.stayed = true")
    page.select_option("select[name=priority]", "high")
    page.wait_for_selector(f'[data-ref="{fence.ref}"]', state="detached")
    assert page.url.endswith("/?created_after=2020-01-01&priority=high")
    page.select_option("select[name=priority]", "")
    page.locator("input[name=q]").press_sequentially("fence", delay=20)
    page.wait_for_selector(f'[data-ref="{pump.ref}"]', state="detached")
    page.wait_for_selector(f'[data-ref="{fence.ref}"]')
    assert page.evaluate("[document.activeElement.name, window.stayed]") == ["q", True]
    # What changes meanwhile is filtered, too.
    late = new_task("Mend the fence")
    new_task("Fill the pump")
    page.wait_for_selector(f'[data-ref="{late.ref}"]')
    assert page.locator(".card").count() == 2
    page.click(".board-chips >> text=Clear the filters")
    page.wait_for_selector(f'[data-ref="{pump.ref}"]')
    assert page.locator("button:has-text('Apply')").count() == 0
    page.go_back()
    page.wait_for_selector(f'[data-ref="{late.ref}"]')
    assert page.input_value("input[name=q]") == "fence"
    page.go_back()
    page.wait_for_selector("h1:has-text('Fix the pump')")


def test_page_says_when_the_server_is_away_and_recovers_by_itself(open_page, cast, new_task):
    new_task("Before")
    tab = open_page("/", user=cast.ada.user)
    page = tab.page
    page.wait_for_selector("[data-live-state][data-state=live]")
    page.context.set_offline(True)
    page.wait_for_selector("text=Reconnecting…")
    new_task("Meanwhile")
    page.context.set_offline(False)
    page.wait_for_selector("text=Meanwhile")
    page.wait_for_selector("[data-live-state][data-state=live]")
    tab.problems[:] = [problem for problem in tab.problems if "ERR_INTERNET_DISCONNECTED" not in problem]


def test_page_of_somebody_signed_out_leads_to_login(open_page, cast, new_task):
    new_task()
    tab = open_page("/", user=cast.ada.user)
    tab.page.context.clear_cookies()
    tab.page.wait_for_url(re.compile("/login/"))
    tab.problems[:] = [problem for problem in tab.problems if "401 (Unauthorized)" not in problem]


def test_page_that_signs_out_asks_for_nothing_more(open_page, cast):
    tab = open_page("/", user=cast.ada.user)
    page = tab.page
    page.clock.install()
    tab.goto("/")
    page.wait_for_selector("[data-live-state][data-state=live]")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("""() => {
        const form = document.querySelector("[data-signs-out]");
        form.addEventListener("submit", (event) => event.preventDefault());
        form.requestSubmit();
    }""")
    page.clock.run_for(9_000)
    assert asked == []
    # Nothing came of it, so the page follows again.
    with page.expect_request("**/api/v1/events?**"):
        page.clock.run_for(2_000)


def test_hostile_texts_run_nothing_and_fetch_nothing(open_page, cast, new_task):
    for text in HOSTILE:
        task = new_task(text[:200] or "x", description=text, criteria=[text], labels=[text[:50]])
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    everything = "\n\n".join(HOSTILE)
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=1, note=everything[:1000])
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary=everything, result=everything)
    Task.objects.filter(pk=task.pk).update(description=everything)
    tab = open_page("/", user=cast.ada.user)
    for path in ("/", f"/tasks/{task.ref}", "/?q=%3Cscript%3Ealert(1)%3C/script%3E"):
        tab.goto(path)
        tab.page.wait_for_load_state("networkidle")
        assert tab.page.locator("main script, main img, main iframe, main style").count() == 0


def test_pages_work_without_javascript(open_page, cast, plan):
    page = open_page("/?assignee=bert", user=cast.ada.user, java_script_enabled=False).page
    assert page.locator(".card").count() == 1
    page.click(".card a")
    assert page.locator("h1").inner_text().startswith("Running along")


def test_times_are_shown_in_the_zone_of_the_reader(open_page, cast, new_task):
    task = new_task()
    Task.objects.filter(pk=task.pk).update(created_at="2026-01-15T23:30:00Z", due_at="2026-01-15T23:30:00Z")
    page = open_page(f"/tasks/{task.ref}", user=cast.ada.user, timezone_id="Asia/Tokyo", locale="en-GB").page
    due = page.locator(".facts time[data-time=exact]")
    assert due.get_attribute("datetime") == "2026-01-15T23:30:00Z"
    assert "16 Jan 2026" in due.inner_text()
    assert "08:30" in due.inner_text()


def test_cards_hold_what_they_show_and_the_account_has_its_name(open_page, cast, new_task):
    for agent in (cast.atlas, cast.bert, cast.hugo):
        agent.slug = agent.name = f"{agent.slug}-with-a-long-name"
        agent.save()
    ahead = timezone.now() + timedelta(days=400)
    long_ago = timezone.now() - timedelta(days=800)
    for number, team in enumerate(([cast.atlas, cast.bert], [cast.atlas, cast.bert, cast.hugo])):
        new_task(f"Due {number}", assignees=team, due_at=ahead, labels=["a-label-that-is-longer-than-its-card-is-wide"])
        done = new_task(f"Done {number}", assignees=team)
        fields = {"status": "completed", "started_at": long_ago, "completed_at": long_ago}
        Task.objects.filter(pk=done.pk).update(**fields)
    for width in (1280, 360):
        tab = open_page("/", user=cast.ada.user, width=width)
        outside = tab.page.evaluate(
            """[...document.querySelectorAll(".card *")].filter((part) => {
              const inner = part.getBoundingClientRect();
              const card = part.closest(".card").getBoundingClientRect();
              return inner.width > 0 && inner.right > card.right;
            }).length"""
        )
        names = tab.page.evaluate("[...document.querySelectorAll('.card-names')].map((name) => name.clientWidth)")
        assert (outside, min(names) > 24) == (0, True)
        assert "Account of ada" in tab.page.locator("summary").first.inner_text().replace("\n", " ")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_api_docs_follow_the_colour_scheme(open_page, cast, dark):
    tab = open_page("/api/v1/docs", user=cast.ada.user, dark=dark)
    title = tab.page.locator(".swagger-ui .info .title")
    # It draws every operation before the first is seen.
    title.wait_for(timeout=120_000)
    lightness = title.evaluate("(part) => Number(getComputedStyle(part).color.match(/\\d+/)[0])")
    assert (lightness > 128) is dark


def test_new_person_sets_a_password_and_signs_in(open_page, cast):
    person = agents.create_agent(actor=cast.ada.user, slug="nina", kind=AgentKind.HUMAN)
    set_member(actor=cast.ada.user, project=cast.ops, user=person.user, role=Role.WORKER)
    lead = open_page("/agents/nina", user=cast.ada.user).page
    lead.get_by_role("button", name="Sign-in link").click()
    link = lead.locator(".token-text").inner_text()
    page = open_page("/login/", width=360, height=740).page
    referrers = []
    page.on("request", lambda request: referrers.append(request.headers.get("referer", "")))
    page.goto(link)
    for label in ("New password", "New password confirmation"):
        page.get_by_label(label, exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    page.get_by_text("Your password is set. Sign in as nina.").wait_for()
    assert not any("first_sign_in" in referrer for referrer in referrers), "the link is a secret"
    page.get_by_label("Username").fill("nina")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Operations").wait_for()
