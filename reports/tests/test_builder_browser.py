"""The builder in a browser: a person builds a report, saves and shares it; another reads, exports and prints it."""

import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from openpyxl import load_workbook

from reports import saving
from reports.limits import SECONDS
from reports.models import SavedReport
from reports.tests.conftest import NOTE_PATIENCE
from tasks.models import Agent, Label

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)>"
TITLE = "Cycle time of bugs"
PATIENCE = 30_000


@pytest.fixture
def scene(cast, do_task, set_clock):
    """Twelve weeks of bugs and documents that atlas and bert completed, one with a label that is code."""
    for week in range(24):
        for place, (agent, label) in enumerate(((cast.atlas, "bug"), (cast.bert, "bug"), (cast.atlas, "docs"))):
            created = NOW - timedelta(weeks=23 - week, days=2, hours=place)
            ended = created + timedelta(hours=3 + place + week % 4)
            moments = (created, created + timedelta(hours=1), ended)
            texts = [f"{moment:%Y-%m-%d %H:%M}" for moment in moments]
            do_task(*texts, agent=agent, labels=[label])
    set_clock(f"{NOW:%Y-%m-%d %H:%M}")
    Label.objects.create(project=cast.ops, name=HOSTILE)
    Agent.objects.filter(pk=cast.bert.pk).update(name=HOSTILE)
    return cast


def settled(page, words: str) -> None:
    """Wait until the preview shows ``words`` and nothing is on its way."""
    page.wait_for_function(
        """(words) => {
          const preview = document.querySelector("[data-builder-preview]");
          return !preview.hasAttribute("aria-busy") && preview.textContent.replace(/\\s+/g, " ").includes(words);
        }""",
        arg=words,
        timeout=PATIENCE,
    )


SUMMARY = "Cycle time: 85th percentile, for each agent, per week, only if Label is bug, compared with the period before"


def test_person_builds_saves_and_shares_a_report_and_another_reads_it(scene, open_page):
    tab = open_page("/reports/", user=scene.hugo.user)
    page = tab.page
    page.get_by_role("link", name="New report").first.click()
    page.select_option("#b-m-0", "cycle:p85")
    page.select_option("#b-by-0", "agent")
    page.select_option("#b-field", "label")
    page.get_by_role("button", name="Add filter").click()
    value = page.get_by_label("Label: value 1")
    value.wait_for()
    assert value.evaluate("field => field === document.activeElement")
    page.keyboard.type("bug")
    page.get_by_label("Compare with the period before").check()
    settled(page, SUMMARY)
    assert value.input_value() == "bug"
    for part in ("m=cycle%3Ap85", "by=agent", "f0=label", "v0=bug", "compare=previous", "bucket=week"):
        assert part in page.url
    assert page.locator("[data-builder-preview] svg.chart").count() == 1
    # The address is the report: opened again, it shows the same.
    table = page.locator("[data-builder-preview] table").inner_text()
    page.reload()
    settled(page, SUMMARY)
    assert page.locator("[data-builder-preview] table").inner_text() == table
    page.get_by_label("Name", exact=True).fill(TITLE)
    page.get_by_label("Who may read it").select_option("OPS")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url(re.compile(r"/reports/saved/\d+/$"))
    report = SavedReport.objects.get()
    assert report.definition["where"] == {"all": [{"field": "label", "in": ["bug"]}]}
    assert page.locator("table").inner_text() == table

    other = open_page(f"/reports/saved/{report.pk}/", user=scene.vera, width=1024)
    assert other.page.get_by_role("heading", name=TITLE).is_visible()
    assert other.page.locator("table").inner_text() == table
    assert HOSTILE in table
    with other.page.expect_download() as download:
        other.page.get_by_label(f"{TITLE} as XLSX").click()
    book = load_workbook(io.BytesIO(download.value.path().read_bytes()))
    agents = {cell.value for line in book.worksheets[0].iter_rows() for cell in line}
    assert {"Atlas", HOSTILE} <= agents
    other.page.emulate_media(media="print")
    assert other.page.locator("table").is_visible()
    assert not other.page.get_by_role("link", name="Change a copy").is_visible()
    assert other.page.pdf().startswith(b"%PDF")


def test_builder_works_by_keyboard_alone(scene, open_page):
    tab = open_page("/reports/new/?facts=episodes&m=count&f0=label&o0=in&v0=bug", user=scene.hugo.user)
    page = tab.page
    tab.assert_keyboard_reaches_all()
    page.evaluate(NOTE_PATIENCE)
    page.locator("#b-by-0").focus()
    page.keyboard.type("Agent")
    settled(page, "for each agent")
    # The page waits for longer than the server does, whose sentence about a slow report it shows.
    assert page.evaluate("longestPatience") > 1000 * SECONDS
    # The field that was used keeps the focus, and the next one has appeared behind it.
    assert page.evaluate("document.activeElement.id") == "b-by-0"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "b-by-1"
    assert "for each agent" in page.locator("[data-builder-status]").inner_text()
    page.get_by_role("button", name="Remove for each 1").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "by=agent" not in url)
    settled(page, "Episodes")
    # Enter in a field shows the report, and removes nothing.
    page.locator("#b-last").fill("4")
    page.keyboard.press("Enter")
    page.wait_for_url("**last=4**")
    assert "m=count" in page.url


def test_wrong_value_is_told_beside_its_field_and_to_screen_readers(scene, open_page):
    tab = open_page("/reports/new/", user=scene.hugo.user)
    page = tab.page
    page.locator("#b-last").fill("many")
    page.wait_for_selector("#problem-last", timeout=PATIENCE)
    assert page.locator("#b-last").get_attribute("aria-describedby") == "problem-last"
    assert page.locator("#b-last").get_attribute("aria-invalid") == "true"
    assert "whole number" in page.locator("[data-builder-status]").inner_text()
    page.locator("#b-last").fill("6")
    page.wait_for_selector("#problem-last", state="detached", timeout=PATIENCE)
    settled(page, "Episodes")


def test_builder_works_without_scripts(scene, open_page):
    tab = open_page("/reports/new/", user=scene.hugo.user, java_script_enabled=False)
    page = tab.page
    page.select_option("#b-facts", "runs")
    page.get_by_role("button", name="Show", exact=True).last.click()
    assert page.locator("#b-facts").input_value() == "runs"
    page.select_option("#b-facts", "episodes")
    page.get_by_role("button", name="Show", exact=True).last.click()
    page.select_option("#b-field", "label")
    page.get_by_role("button", name="Add filter").click()
    page.get_by_label("Label: value 1").fill("docs")
    page.keyboard.press("Enter")
    page.wait_for_url("**v0=docs**")
    page.get_by_label("Name", exact=True).fill("Documents")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("heading", name="Documents").wait_for()
    assert SavedReport.objects.get().definition["where"] == {"all": [{"field": "label", "in": ["docs"]}]}


def test_pages_are_accessible_and_fit(scene, open_page, subtests):
    definition = {
        "version": 1,
        "facts": "episodes",
        "measures": [{"name": "cycle", "aggregate": "p85"}, {"aggregate": "count"}],
        "by": ["agent"],
        "time": {"on": "completed", "bucket": "week"},
        "where": {"any": [{"field": "label", "in": ["bug", HOSTILE]}, {"not": {"field": "priority", "in": ["low"]}}]},
        "compare": "previous",
        "show": {"chart": "lines"},
    }
    report = saving.save_report(
        actor=scene.hugo.user, name=f"{HOSTILE} {'W' * 80}", description=HOSTILE, project="OPS", definition=definition
    )
    tab = open_page("/", user=scene.hugo.user)
    for path in (
        "/reports/new/", "/reports/new/?facts=episodes&m=cycel:p85&last=0&unit=week", "/reports/saved/", "/reports/",
        f"/reports/saved/{report.pk}/", f"/reports/saved/{report.pk}/edit/",
    ):  # fmt: skip
        with subtests.test(path):
            tab.goto(path)
            tab.assert_accessible()
            tab.page.set_viewport_size({"width": 360, "height": 800})
            tab.assert_no_sideways_scroll()
