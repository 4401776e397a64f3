"""The report pages in a real browser: narrow and wide, light and dark, with the keyboard, with hostile names."""

import itertools
import shutil
from collections.abc import Iterator

import pytest
from django.test import Client

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
    """``open_page("/reports/", width=360, dark=True)`` → the page, and a list of everything that went wrong on it."""

    def open_at(path: str, *, width: int = 1280, dark: bool = False):
        url, session = site
        scheme = "dark" if dark else "light"
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
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
        assert page.locator("svg.chart").count() >= 1
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
        boxes = [bar.bounding_box() for bar in page.locator(BARS).all()]
        assert boxes
        assert all(box["width"] > 1 and box["height"] > 1 for box in boxes)
        assert page.locator("svg.chart [tabindex]").count() == page.locator(".chart-mark").count()
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
