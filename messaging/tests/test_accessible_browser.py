"""axe-core finds nothing on pages that are full, in both modes, wide and small."""

import pytest

from messaging.tests.everything import fill
from tasks.actions.invitation_links import make_link
from tasks.actions.names import set_labels
from tasks.links import question_path
from tasks.models import Artifact, Question, Role

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("this_machine")]

TEXT = "Rotate the **keys** of [the server](https://example.org/), all of them"


def test_pages_are_accessible(open_page, cast, new_task, subtests):
    scene = fill(cast, new_task, TEXT)
    diff, _, link, *_ = Artifact.objects.filter(run__number=2).values_list("pk", flat=True)
    open_ones = Question.objects.filter(state="open", to_role="")
    tab = open_page("/login/")
    tab.assert_accessible()
    tab = open_page("/agents/", user=cast.rita.user)
    for path in (
        "/", "/?project=OPS&group=label",
        f"/tasks/{scene.judged.ref}", f"/tasks/{scene.asking.ref}", f"/tasks/{scene.judged.ref}/artifacts/{diff}",
        f"/tasks/{scene.judged.ref}/artifacts/{link}", f"/questions/{open_ones[0].pk}",
        *(question_path(question, cast.hugo.user.pk) for question in open_ones), "/messages/",
        f"/messages/{scene.asking.ref}", "/inbox/", "/notifications/", "/notifications/settings/", "/agents/",
        "/agents/atlas", "/reports/", "/projects/", "/account/", "/account/password/", "/search/?q=keys",
        "/invitations/", "/tasks/?group=status&label=docs&edit=1",
        "/tasks/?group=priority&folded=-normal&columns=due,parent,created",
    ):  # fmt: skip
        with subtests.test(path):
            tab.goto(path)
            tab.assert_accessible()
    _, secret = make_link(actor=cast.ada.user, project=cast.ops, role=Role.WORKER, note=TEXT)
    by_ada = ("/", "/assignment/", "/projects/OPS/people/", "/projects/OPS/agents/new", "/agents/ada/tokens")
    for path, reader in (*((path, cast.ada.user) for path in by_ada), (f"/join/{secret}", None)):
        with subtests.test(path[:9]):
            open_page(path, user=reader).assert_accessible()
    with subtests.test("/tasks/, with a selection, and its edit"):
        tab = open_page("/tasks/", user=cast.ada.user)
        tab.page.check("[data-task-row] [data-select] >> nth=0")
        tab.page.click("form[data-selection] summary")
        tab.assert_accessible()
        # Where the bar has two lines, the open menu covers the button.
        tab.page.click("form[data-selection] summary")
        tab.page.click('form[data-selection] [value="edit"]')
        tab.page.wait_for_selector("h1:has-text('Change 1 task')")
        tab.assert_accessible()
    with subtests.test("/tasks/{ref}, with its editors open"):
        tab = open_page(f"/tasks/{scene.judged.ref}", user=cast.ada.user)
        for name in ("title", "priority", "description", "due_at", "labels"):
            tab.page.locator(f"[data-edit={name}]").click()
            tab.page.locator(f"form[data-edit-form={name}]").wait_for()
        set_labels(scene.judged, ["theirs"])
        tab.page.get_by_label("Labels", exact=True).fill("mine")
        tab.page.get_by_label("Labels", exact=True).press("Enter")
        tab.page.locator(".clash").wait_for()
        tab.problems[:] = [problem for problem in tab.problems if "412 (Precondition Failed)" not in problem]
        tab.assert_accessible()
    with subtests.test("/tasks/new/"):
        tab = open_page("/tasks/new/?project=OPS&labels=docs&due_at=2026-12-01", user=cast.ada.user)
        tab.page.locator("#new-title").fill("Rotate !high #keys @nobody")
        tab.page.locator(".reading-parts").wait_for()
        tab.assert_accessible()
