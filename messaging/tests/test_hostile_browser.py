"""Hostile text in every field at once, in a browser: nothing runs, nothing is fetched from elsewhere."""

from email import message_from_bytes, policy

import pytest
from django.contrib import admin
from django.core import mail as outbox
from django.urls import reverse

from messaging.mail import sending
from messaging.tests.everything import fill
from tasks.actions.messages import post_in_channel
from tasks.links import question_path
from tasks.models import Artifact, Question

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("this_machine")]

#: What closes the places where text stands, runs something, or fetches it: as HTML and as Markdown.
TEXT = (
    "\"'></textarea></script></title></style><script>alert(1)</script><img src=//evil.example/1.png onerror=alert(2)>"
    "![x](https://evil.example/2.png) [x](javascript:alert(3)) [x](//evil.example \"' onfocus=alert(4) autofocus x='\")"
    " {{ 7|add:7 }} ${alert(5)} \u202e"
)
#: Elements with a scheme or handler that text made; text that is shown as text makes none.
MADE_BY_TEXT = """() => {
  const address = /^(href|src|action|formaction|xlink:href)$/;
  const made = ({name, value}) =>
    name.startsWith("on") || (address.test(name) && /^\\s*(javascript|data|vbscript):/i.test(value))
    || (name === "src" && value.includes("evil.example"));
  const runs = (element) =>
    element.nodeName === "SCRIPT" && element.type !== "application/json" && element.textContent.includes("alert");
  return [...document.querySelectorAll("*")].filter((e) => runs(e) || [...e.attributes].some(made))
    .map((element) => element.outerHTML.slice(0, 200));
}"""
OPEN_ALL = "document.querySelectorAll('details:not([data-menu])').forEach((part) => { part.open = true })"


@pytest.fixture
def scene(cast, new_task, settings):
    settings.PUBLIC_URL = "https://tasks.example.org"
    return fill(cast, new_task, TEXT)


def look(tab, path):
    """Load a page with everything open; returns whether it shows the text."""
    tab.goto(path)
    tab.page.evaluate(OPEN_ALL)
    assert tab.page.evaluate(MADE_BY_TEXT) == [], path
    return "alert(1)" in tab.page.content()


def test_hostile_text_everywhere_runs_and_fetches_nothing_on_pages(open_page, cast, scene):
    # Of the first run, which has comments on its lines.
    rows = Artifact.objects.filter(run__number=1).values_list("pk", flat=True)
    artifacts = [f"/tasks/{scene.judged.ref}/artifacts/{pk}" for pk in rows]
    open_ones = list(Question.objects.filter(state="open"))
    tab = open_page("/notifications/settings/", user=cast.hugo.user)
    for path in (
        "/", f"/tasks/{scene.judged.ref}", f"/tasks/{scene.asking.ref}", f"/tasks/{scene.failed.ref}", *artifacts,
        *(f"/questions/{question.pk}" for question in open_ones),
        *(question_path(each, (cast.rita if each.to_role else cast.hugo).user.pk) for each in open_ones),
        "/messages/", "/messages/OPS", "/messages/@atlas", f"/messages/{scene.asking.ref}", "/inbox/",
        "/notifications/", "/agents/", "/agents/atlas", "/reports/workload/",
    ):  # fmt: skip
        assert look(tab, path), f"{path} shows it"
    # What scripts write: names offered at an @, and what comes in while the page is open.
    tab.goto("/messages/OPS")
    tab.page.locator("#composer-body").press_sequentially("@at")
    tab.page.wait_for_selector("[role=option] >> text=alert(1)")
    shown = tab.page.locator(".message").count()
    post_in_channel(actor=cast.ada.user, project=cast.ops, body=TEXT)
    tab.page.wait_for_selector(f".message >> nth={shown}")
    assert tab.page.evaluate(MADE_BY_TEXT) == []
    tab.page.wait_for_load_state("networkidle")


def test_hostile_text_everywhere_runs_and_fetches_nothing_in_the_admin(open_page, cast, scene):
    tab = open_page("/admin/", user=cast.root)
    shown = set()
    for model in admin.site._registry:
        if model._meta.app_label not in ("tasks", "messaging"):
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        there = look(tab, reverse(f"{name}_changelist"))
        # Some have no page of their own; a message is listed where it is not direct.
        address = tab.page.evaluate("document.querySelector('#result_list th a, #result_list .field-pk a')?.pathname")
        there |= bool(address) and look(tab, address)
        shown |= {model.__name__} if there else set()
    assert shown >= {"Agent", "Event", "Message", "Project", "Question", "Review", "Run", "Task"}
    assert shown >= {"Webhook", "WebhookDelivery"}


def test_mails_of_hostile_text_run_and_fetch_nothing(open_page, cast, scene, tmp_path):
    assert sending.send_due()
    tab = open_page("/", user=cast.hugo.user)
    for number, sent in enumerate(outbox.outbox):
        parts = message_from_bytes(sent.message().as_bytes(), policy=policy.default)
        [html] = [part.get_content() for part in parts.iter_parts() if part.get_content_type() == "text/html"]
        page = tmp_path / f"{number}.html"
        page.write_text(html)
        tab.page.goto(page.as_uri())
        assert tab.page.evaluate(MADE_BY_TEXT) == []
        assert tab.page.locator("script, img, iframe, object, link, base, form").count() == 0
        links = tab.page.eval_on_selector_all("a", "(all) => all.map((link) => link.href)")
        assert links
        assert all(link.startswith("https://tasks.example.org/") for link in links)
    tab.problems[:] = [problem for problem in tab.problems if not problem.startswith("request to file://")]
