"""The report pages in a real browser: narrow and wide, light and dark, with the keyboard, with hostile names."""

import itertools
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from reports.predefined import REPORTS
from tasks.models import Agent

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PERIOD = "project=OPS&from=2026-01-01&to=2026-02-01&tz=UTC&bucket=day"
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture
def site(live_server, cast, do_task) -> tuple[str, str]:
    """The address of a server whose project has completions by an agent with a hostile name, and ada's session."""
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    do_task("2026-01-05 08:00", "2026-01-06 09:00", "2026-01-07 10:00", agent=cast.bert)
    Agent.objects.filter(pk=cast.atlas.pk).update(name=HOSTILE)
    client = Client()
    client.force_login(cast.ada.user)
    return live_server.url, client.cookies["sessionid"].value


@pytest.fixture
def browser(site) -> Iterator:
    # Started after the data exists: inside Playwright's loop Django refuses to touch the database.
    with playwright.sync_playwright() as started:
        try:
            launched = started.chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
                args=["--no-sandbox", "--disable-background-networking"],
            )
        except playwright.Error as error:
            pytest.skip(f"Chromium does not start: {error.message.splitlines()[0]}")
        yield launched
        launched.close()


@pytest.fixture
def open_page(site, browser):
    """``open_page("/reports/", width=360, dark=True)`` → the page, and a list of everything that went wrong on it.

    ``before``: a script that runs before those of the page.
    """

    def open_at(path: str, *, width: int = 1280, dark: bool = False, before: str = "", **options: Any):
        url, session = site
        scheme = "dark" if dark else "light"
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        context.add_init_script(before)
        context.add_cookies([{"name": "sessionid", "value": session, "url": url}])
        page, wrong = context.new_page(), []
        # The test server speaks HTTP only, so pages log to the console that there is no socket.
        no_socket = "WebSocket connection to"
        page.on(
            "console",
            lambda message: (
                wrong.append(message.text)
                if message.type == "error" and not message.text.startswith(no_socket)
                else None
            ),
        )
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: None if request.url.startswith(url) else wrong.append(request.url))
        page.goto(f"{url}{path}", wait_until="networkidle")
        return page, wrong

    return open_at


#: What stands for a figure: of one series, of several, and of percentiles.
BARS = "svg.chart :is(.chart-value, .chart-surface, .chart-median)"
PATHS = ("/reports/", "/reports/completed/", "/reports/time_to_complete/", "/reports/workload/")


@pytest.mark.parametrize("width", [1280, 360])
def test_page_fits_its_width_light_and_dark_and_nothing_goes_wrong(open_page, width):
    for path, dark in itertools.product(PATHS, (False, True)):
        page, wrong = open_page(f"{path}?{PERIOD}", width=width, dark=dark)
        # Those of the overview come after it.
        page.locator("svg.chart").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
        boxes = [bar.bounding_box() for bar in page.locator(BARS).all()]
        assert boxes
        assert all(box["width"] > 1 and box["height"] > 1 for box in boxes)
        marks = page.locator("svg.chart .chart-mark")
        assert marks.evaluate_all("(all) => all.filter((mark) => !mark.closest('[tabindex], a[href]')).length") == 0
        assert wrong == []


CARDS = "/reports/cards/"
#: As the browser says of a page in another tab.
HIDDEN = "let away = true; Object.defineProperty(document, 'hidden', { get: () => away, set: (is) => { away = is } });"


def test_overview_fills_what_comes_into_view_two_at_a_time(open_page):
    page, wrong = open_page(f"/reports/?{PERIOD}")
    assert page.locator("[data-figures][aria-busy]").count() > 0, "those far below wait"
    entries = "performance.getEntriesByType('resource').filter((each) => each.name.includes('/reports/cards/'))"
    for card in page.locator("[data-figures]").all():
        card.scroll_into_view_if_needed()
        card.locator("dl, .report-card-note").first.wait_for()
    assert page.locator("[data-figures][aria-busy]").count() == 0
    spans = page.evaluate(f"{entries}.map((each) => [each.startTime, each.responseEnd])")
    assert len(spans) == len(REPORTS) == page.locator("[data-figures]").count()
    for start, _ in spans:
        assert sum(begin <= start < end for begin, end in spans) <= 2
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert wrong == []


def test_overview_asks_nothing_while_it_is_hidden(open_page):
    page, wrong = open_page(f"/reports/?{PERIOD}", before=HIDDEN)
    assert page.locator("[data-figures] dl").count() == 0
    page.evaluate("document.hidden = false; document.dispatchEvent(new Event('visibilitychange'))")
    page.locator("[data-figures] dl").first.wait_for()
    assert wrong == []


def test_overview_asks_again_when_the_server_fails(open_page):
    page, _ = open_page(f"/reports/?{PERIOD}", before=HIDDEN)
    failed = []

    def fail_once(route):
        if failed:
            route.continue_()
        else:
            failed.append(route.request.url)
            route.fulfill(status=503, body="away")

    page.route(f"**{CARDS}completed/**", fail_once)
    page.evaluate("document.hidden = false; document.dispatchEvent(new Event('visibilitychange'))")
    page.locator(f"[data-figures*='{CARDS}completed/'] dl").wait_for()
    assert len(failed) == 1


def test_overview_without_scripts_leads_to_each_report(open_page):
    page, wrong = open_page(f"/reports/?{PERIOD}", java_script_enabled=False)
    for report in REPORTS.values():
        assert page.get_by_role("link", name=report.title, exact=True).is_visible()
    assert "The figures here need JavaScript" in page.content()
    assert page.locator("[aria-busy]").count() == 0
    assert wrong == []


def test_page_filter_changes_the_url_and_survives_a_reload(open_page):
    page, _ = open_page(f"/reports/?{PERIOD}")
    page.select_option("#f-bucket", "month")
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url("**bucket=month**")
    assert "project=OPS" in page.url
    page.reload()
    assert page.input_value("#f-bucket") == "month"
    assert page.input_value("#f-from") == "2026-01-01"


def test_page_download_is_a_file_of_the_same_question(open_page):
    page, _ = open_page(f"/reports/workload/?{PERIOD}")
    with page.expect_download() as download:
        page.get_by_label("Workload by agent as CSV").click()
    assert download.value.suggested_filename == "workload_OPS_2026-01-01_2026-02-01.csv"


def test_page_shows_hostile_names_and_runs_nothing(open_page):
    page, wrong = open_page(f"/reports/workload/?{PERIOD}")
    assert HOSTILE in page.locator("table").inner_text()
    assert wrong == []
