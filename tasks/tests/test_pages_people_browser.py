"""The pages about people and agents in a browser, with long names: contrast, and a small window."""

import pytest
from django.utils import timezone

from tasks.actions import agents, claims, runs
from tasks.actions.accounts import offer_sign_in
from tasks.actions.invitation_links import make_link
from tasks.actions.projects import set_member
from tasks.models import AgentKind, Invitation, Project, Role

pytestmark = pytest.mark.browser

LONG = "a-name-" + "that-never-ends-" * 5


@pytest.fixture
def paths(cast, new_task):
    """Each page with something long on it, for ada."""
    Project.objects.filter(pk=cast.other.pk).update(name=LONG * 2)
    set_member(actor=None, project=cast.ops, user=cast.atlas.user, role=Role.REVIEWER)
    for user, name in ((cast.ada.user, "ada"), (None, LONG)):
        sent_by, project = (cast.mona.user, cast.other) if user else (cast.ada.user, cast.ops)
        Invitation.objects.create(
            project=project, name=name, user=user, role=Role.WORKER, invited_by=sent_by, created_at=timezone.now()
        )
    agents.create_token(actor=None, agent=cast.atlas, name=LONG[:80], projects=["OPS"], read_only=True)
    failed = new_task("Broke")
    run = claims.claim_task(actor=cast.atlas.user, task=failed)
    runs.fail_run(actor=cast.atlas.user, run_id=run.pk, code="no_tools_" * 7, detail="none" * 100)
    make_link(actor=cast.ada.user, project=cast.ops, role=Role.WORKER, note=LONG[:80])
    people = ["/account/", "/account/password/", "/invitations/", "/projects/", "/projects/OPS/people/"]
    return ["/agents/atlas", "/agents/atlas/tokens", *people, f"/tasks/{failed.ref}", "/"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_with_long_names_are_readable_and_fit(open_page, cast, paths, dark):
    tab = open_page("/agents/", user=cast.ada.user, width=360, height=740, dark=dark)
    for path in paths:
        tab.goto(path)
        tab.page.evaluate("document.querySelectorAll('details:not([data-menu])').forEach((d) => { d.open = true })")
        tab.assert_no_sideways_scroll()
        tab.assert_contrast()
    tab.goto("/agents/atlas")
    lines = "(name) => Math.round(name.clientHeight / parseFloat(getComputedStyle(name).lineHeight))"
    assert tab.page.locator("h1").evaluate(lines) == 1, "the name has a line"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_what_is_shown_once_is_readable_and_fits(open_page, cast, dark):
    nina = agents.create_agent(actor=cast.ada.user, slug="nina", kind=AgentKind.HUMAN)
    set_member(actor=cast.ada.user, project=cast.ops, user=nina.user, role=Role.WORKER)
    tab = open_page("/agents/nina", user=cast.ada.user, width=360, height=740, dark=dark)
    tab.page.get_by_role("button", name="Sign-in link").click()
    tab.page.locator(".token-text").wait_for()
    tab.assert_no_sideways_scroll()
    tab.assert_contrast()
    tab.goto("/agents/atlas/tokens")
    tab.page.get_by_label("Name").fill(LONG[:80])
    tab.page.get_by_role("button", name="Create token").click()
    tab.page.locator(".token-text").wait_for()
    tab.assert_no_sideways_scroll()
    tab.assert_contrast()
    tab.goto("/projects/OPS/people/")
    tab.page.get_by_role("button", name="Make a link").click()
    link = tab.page.locator(".token-text").inner_text()
    tab.assert_no_sideways_scroll()
    tab.assert_contrast()
    visitor = open_page(link.removeprefix(tab.origin), width=360, height=740, dark=dark)
    visitor.page.get_by_label("User name").first.fill("otto")
    visitor.page.get_by_label("Your name").fill(LONG)
    for label in ("Password", "Password, again"):
        visitor.page.get_by_label(label, exact=True).first.fill("otto")
    visitor.assert_contrast()
    visitor.page.get_by_role("button", name="Create the account and join").click()
    visitor.page.get_by_role("alert").first.wait_for()
    visitor.problems[:] = [problem for problem in visitor.problems if "400 (Bad Request)" not in problem]
    visitor.assert_no_sideways_scroll()
    visitor.assert_contrast()
    uid, token = offer_sign_in(actor=cast.ada.user, agent=nina)
    visitor = open_page(f"/first_sign_in/{uid}/{token}", width=360, height=740, dark=dark)
    for label in ("New password", "New password confirmation"):
        visitor.page.get_by_label(label, exact=True).fill("nina")
    visitor.page.get_by_role("button", name="Set the password").click()
    visitor.page.get_by_role("alert").first.wait_for()
    visitor.problems[:] = [problem for problem in visitor.problems if "400 (Bad Request)" not in problem]
    visitor.assert_no_sideways_scroll()
    visitor.assert_contrast()
