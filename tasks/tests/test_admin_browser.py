"""Manual assignment in a real browser, from signing in until the agent sees its task at once."""

import json
import urllib.request
from datetime import UTC, datetime

import pytest
from django.urls import reverse

from tasks.actions.agents import create_token
from tasks.models import Task
from tasks.using import bulk

expect = pytest.importorskip("playwright.sync_api").expect
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def claim_next(live_server, token: str) -> list[str]:
    request = urllib.request.Request(
        f"{live_server.url}/api/v1/tasks/claim_next",
        data=json.dumps({"limit": 5}).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return [run["task"]["ref"] for run in json.load(answer)["runs"]]


def test_walk_of_manual_assignment_ends_with_the_agents_at_work(cast, new_task, live_server, open_page):
    wanted = new_task("<script>alert(1)</script> rotate keys", labels=["infra"], required_skills=[("python", 3)])
    also = new_task('<img src="http://evil.example/x"> rotate logs', labels=["infra"])
    new_task("Something else", assignees=[cast.hugo])
    _, token = create_token(actor=None, agent=cast.atlas, name="test")

    cast.ada.user.set_password("a password")
    cast.ada.user.save()
    page = open_page(reverse("admin:tasks_task_changelist")).page
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("a password")
    page.get_by_role("button", name="Log in").click()
    page.locator("#changelist-filter").get_by_role("link", name="infra").click()
    page.locator("#changelist-filter").get_by_role("link", name="Unassigned").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    page.locator("#action-toggle").check()
    page.get_by_label("Action:").select_option(label="Assign to…")
    page.get_by_role("button", name="Go", exact=True).click()

    expect(page.get_by_role("heading", name="Assign 2 tasks")).to_be_visible()
    atlas = page.locator("#candidates tbody tr", has_text="atlas")
    for fact in ("Never seen", "0 active + 0 assigned of 10", "python 4 of 3", "all 2", "never"):
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
    page.locator("form[action$='/verb/cancel/'] textarea").fill("Not any more")
    page.get_by_role("button", name=f"Cancel {wanted.ref}").click()
    expect(page.locator(".messagelist")).to_contain_text(f"Cancelled {wanted.ref}.")
    expect(page.locator("#timeline")).to_contain_text("Not any more")


def test_dependency_is_picked_by_typing_its_ref(cast, new_task, live_server, open_page):
    first, second = new_task("Dig the well"), new_task("Draw water")
    page = open_page(reverse("admin:tasks_task_change", args=[second.pk]), user=cast.ada.user).page
    page.locator(".field-depends_on .select2-selection").click()
    page.locator(".field-depends_on .select2-search__field").type(first.ref)
    page.locator(".select2-results__option", has_text="Dig the well").click()
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator(".tp-head")).to_contain_text(f"Waits for {first.ref}")
    expect(page.locator(".tp-head")).to_contain_text("Blocked")


def test_long_action_goes_on_by_itself_to_its_end(cast, new_task, open_page, monkeypatch):
    monkeypatch.setattr(bulk, "PORTION_SECONDS", 0)
    monkeypatch.setattr(bulk, "NAMED", 2)
    for _ in range(4):
        new_task()
    page = open_page(reverse("admin:tasks_task_changelist"), user=cast.ada.user).page
    page.locator("#action-toggle").check()
    page.get_by_label("Action:").select_option(label="Cancel…")
    page.get_by_role("button", name="Go", exact=True).click()
    page.get_by_role("button", name="Cancel 4 tasks").click()
    expect(page.get_by_role("heading", name="Cancel: what was done")).to_be_visible(timeout=20_000)
    assert set(Task.objects.values_list("status", flat=True)) == {"cancelled"}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_pages_fit_their_width_and_can_be_read_in_both_schemes(cast, new_task, open_page, dark, width):
    task = new_task("A title that goes on " * 8, assignees=[cast.atlas], labels=["x" * 60], due_at=LONG_AGO)
    tab = open_page(reverse("admin:tasks_task_changelist"), user=cast.ada.user, width=width, dark=dark)
    pages = [
        reverse("admin:tasks_task_changelist"),
        reverse("admin:tasks_task_change", args=[task.pk]),
        reverse("admin:tasks_task_bulk", args=["assign"]) + f"?ids={task.pk}",
        reverse("admin:tasks_agent_change", args=[cast.atlas.pk]),
        reverse("admin:tasks_agent_tokens", args=[cast.atlas.pk]),
    ]
    for path in pages:
        tab.goto(path)
        tab.assert_no_sideways_scroll()
        tab.assert_contrast()
