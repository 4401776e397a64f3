"""Manual assignment in a real browser, from signing in to the agent that sees its task at once."""

import json
import shutil
import urllib.request

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect, sync_playwright

from tasks.actions.agents import create_token
from tasks.admin import bulk, bulk_views
from tasks.models import Assignment, Task

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(monkeypatch):
    """A page that fails the test on any script error, refused resource, dialog or foreign request."""
    # Playwright keeps an event loop in this thread, which Django would take for asynchronous code.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    found: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: found.append(str(error)))
        page.on("dialog", lambda dialog: (found.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: None if _is_ours(request.url) else found.append(request.url))
        yield page
        browser.close()
    assert found == []


def _is_ours(url: str) -> bool:
    return url.startswith(("http://localhost", "http://127.0.0.1", "data:"))


def sign_in(page: Page, live_server, user, path: str) -> None:
    user.set_password("a password")
    user.save()
    page.goto(f"{live_server.url}{reverse('admin:login')}?next={path}")
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill("a password")
    page.get_by_role("button", name="Log in").click()


def claim_next(live_server, token: str) -> list[str]:
    request = urllib.request.Request(
        f"{live_server.url}/api/v1/tasks/claim_next",
        data=json.dumps({"limit": 5}).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return [run["task"]["ref"] for run in json.load(answer)["runs"]]


def test_walk_of_manual_assignment_ends_with_the_agents_at_work(cast, new_task, live_server, page):
    wanted = new_task("<script>alert(1)</script> rotate keys", labels=["infra"], required_skills=[("python", 3)])
    also = new_task('<img src="http://evil.example/x"> rotate logs', labels=["infra"])
    new_task("Something else", assignees=[cast.hugo])
    _, token = create_token(actor=None, agent=cast.atlas, name="test")

    sign_in(page, live_server, cast.ada.user, reverse("admin:tasks_task_changelist"))
    page.locator("#changelist-filter").get_by_role("link", name="infra").click()
    page.locator("#changelist-filter").get_by_role("link", name="Unassigned").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    page.locator("#action-toggle").check()
    page.get_by_label("Action:").select_option(label="Assign to…")
    page.get_by_role("button", name="Go", exact=True).click()

    expect(page.get_by_role("heading", name="Assign 2 tasks")).to_be_visible()
    atlas = page.locator("#candidates tbody tr", has_text="atlas")
    for fact in ("Available", "0 active + 0 assigned of 10", "python 4 of 3", "all 2", "never"):
        expect(atlas).to_contain_text(fact)
    expect(page.locator("#candidates tbody tr").first).to_contain_text("atlas")
    page.get_by_label("Find an agent").fill("bert")
    expect(atlas).to_be_hidden()
    page.get_by_label("bert", exact=True).check()
    page.get_by_label("Find an agent").fill("")
    page.get_by_label("atlas", exact=True).check()
    page.get_by_label("Note (optional)").fill("Before Friday")
    page.get_by_role("button", name="Assign 2 tasks").click()

    expect(page.locator(".messagelist .success")).to_contain_text("Assigned 2 tasks to atlas, bert")
    assert "label=infra" in page.url
    assert set(claim_next(live_server, token)) == {wanted.ref, also.ref}

    page.goto(f"{live_server.url}{reverse('admin:tasks_task_change', args=[wanted.pk])}")
    expect(page.locator(".tp-head")).to_contain_text("Held by atlas")
    page.locator("summary", has_text="Cancel").click()
    page.get_by_label("Note (optional): an active run ends").fill("Not any more")
    page.get_by_role("button", name=f"Cancel {wanted.ref}").click()
    expect(page.locator(".messagelist")).to_contain_text(f"Cancelled {wanted.ref}.")
    expect(page.locator("#timeline")).to_contain_text("Not any more")


def test_dependency_is_picked_by_typing_its_ref(cast, new_task, live_server, page):
    first, second = new_task("Dig the well"), new_task("Draw water")
    sign_in(page, live_server, cast.ada.user, reverse("admin:tasks_task_change", args=[second.pk]))
    page.locator(".field-depends_on .select2-selection").click()
    page.locator(".field-depends_on .select2-search__field").type(first.ref)
    page.locator(".select2-results__option", has_text="Dig the well").click()
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator(".tp-head")).to_contain_text(f"Waits for {first.ref}")
    expect(page.locator(".tp-head")).to_contain_text("Blocked")


def test_long_action_goes_on_by_itself_to_its_end(cast, new_task, live_server, page, monkeypatch):
    monkeypatch.setattr(bulk, "PORTION_SECONDS", 0)
    monkeypatch.setattr(bulk_views, "NAMED", 2)
    for _ in range(4):
        new_task()
    sign_in(page, live_server, cast.ada.user, reverse("admin:tasks_task_changelist"))
    page.locator("#action-toggle").check()
    page.get_by_label("Action:").select_option(label="Cancel…")
    page.get_by_role("button", name="Go", exact=True).click()
    page.get_by_role("button", name="Cancel 4 tasks").click()
    expect(page.get_by_role("heading", name="Cancel: what was done")).to_be_visible(timeout=20_000)
    assert set(Task.objects.values_list("status", flat=True)) == {"cancelled"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_pages_fit_their_width_in_both_schemes(cast, new_task, live_server, page, scheme, width):
    task = new_task("A title that goes on " * 8, assignees=[cast.atlas], labels=["x" * 60])
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    sign_in(page, live_server, cast.ada.user, reverse("admin:tasks_task_changelist"))
    pages = [
        reverse("admin:tasks_task_changelist"),
        reverse("admin:tasks_task_change", args=[task.pk]),
        reverse("admin:tasks_task_bulk", args=["assign"]) + f"?ids={task.pk}",
        reverse("admin:tasks_agent_change", args=[cast.atlas.pk]),
        reverse("admin:tasks_agent_tokens", args=[cast.atlas.pk]),
    ]
    for path in pages:
        page.goto(live_server.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") is (scheme == "light")
    assert Assignment.objects.count() == 1
