"""Report pages as people meet them: accessible, by keyboard, on a small screen, on paper."""

import re
import zlib
from urllib.parse import urlencode

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PERIOD = "project=OPS&from=2026-01-01&to=2026-03-01&tz=UTC&bucket=day"
PATHS = ("/reports/", "/reports/completed/", "/reports/time_to_complete/", "/reports/workload/")


@pytest.fixture
def work(cast, do_task):
    """Sixty days, on some of which tasks were completed."""
    for day in (2, 3, 5, 20, 31):
        for agent in (cast.atlas, cast.bert):
            do_task(f"2026-01-{day:02} 08:00", f"2026-01-{day:02} 09:00", f"2026-01-{day:02} 10:00", agent=agent)


@pytest.fixture
def visit(open_page, cast, work):
    """``visit("/reports/", width=360)`` → the page with all that was done, as ada sees it."""
    return lambda path, **options: open_page(f"{path}?{PERIOD}", user=cast.ada.user, **options)


def pages_of(pdf: bytes) -> list[bytes]:
    """What is drawn on each page of a file that Chromium printed."""
    drawn = []
    for page in re.finditer(rb"/Type /Page\b.*?/Contents (\d+) 0 R", pdf, re.DOTALL):
        stream = re.search(rb"\n%s 0 obj.*?stream\r?\n(.*?)\r?\nendstream" % page[1], pdf, re.DOTALL)
        drawn.append(zlib.decompress(stream[1]))
    return drawn


def test_report_pages_are_accessible(visit, subtests):
    tab = visit("/reports/")
    for path in PATHS:
        with subtests.test(path):
            tab.goto(f"{path}?{PERIOD}")
            tab.assert_accessible()
            tab.assert_no_sideways_scroll()


def test_pages_behind_figures_are_accessible(visit, subtests):
    tab = visit("/reports/")
    tab.goto("/reports/new/?facts=episodes&m=count&by=agent&span=dates&from=2026-01-01&to=2026-03-01")
    behind = tab.page.locator("a[href*='/reports/behind/']").first.get_attribute("href")
    condition = '{"all":[{"field":"status","in":["completed"]},{"field":"label","in":["none has it"]}]}'
    conditions = f"/tasks/?{urlencode({'where': condition})}"
    builder = "/reports/new/?facts=episodes&m=cycle:p85&by=agent&bucket=week&compare=previous&f0=label&o0=in&v0=bug"
    wrong = "/reports/new/?facts=episodes&m=cycle:p85&span=dates&from=2026-03-01&to=2026-01-01"
    for path in (behind, "/tasks/", conditions, builder, wrong, "/reports/saved/", "/reports/failures/?project=OPS"):
        with subtests.test(path):
            tab.goto(path)
            tab.problems = [each for each in tab.problems if "400 (Bad Request)" not in each]
            tab.assert_accessible()
            tab.assert_no_sideways_scroll()


def test_marks_say_their_text_to_keyboard_and_mouse(visit):
    page = visit("/reports/completed/").page
    marks = page.locator(".chart-mark")
    tips = page.locator(".chart-tip")
    assert not any(tips.nth(index).is_visible() for index in range(tips.count()))
    marks.first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    assert tips.first.is_visible()
    assert "2 Jan" in tips.first.text_content()
    assert page.evaluate("getComputedStyle(document.activeElement.querySelector('.chart-hit')).strokeWidth") == "2px"
    marks.nth(2).locator(".chart-hit").hover()
    assert tips.nth(2).is_visible()
    assert not tips.first.is_visible()


def test_head_and_names_of_a_table_stay_while_it_scrolls(visit):
    page = visit("/reports/time_to_complete/", width=360, height=640).page
    region = page.locator(".report-scroll").first
    region.evaluate("(e) => { e.style.maxHeight = '12rem'; e.scrollTo(150, 200) }")
    box, head = region.bounding_box(), region.locator("thead th").first.bounding_box()
    name = region.locator("tbody tr:not(.folded) th").nth(3).bounding_box()
    assert abs(head["y"] - box["y"]) <= 1
    assert abs(head["x"] - box["x"]) <= 1
    assert abs(name["x"] - box["x"]) <= 1


@pytest.mark.parametrize("path", PATHS)
def test_printed_report_has_no_empty_pages_and_keeps_its_colours(visit, path):
    page = visit(path, dark=True).page
    # Those of the overview come as the reader gets to them.
    for card in page.locator("[data-figures]").all():
        card.scroll_into_view_if_needed()
        card.locator("dl, .report-card-note").first.wait_for()
    pages = pages_of(page.pdf(format="A4"))
    assert 1 <= len(pages) <= 4
    assert [number for number, drawn in enumerate(pages, start=1) if drawn.count(b" Tj") < 10] == []
    # The first colour of the charts on white, #0077bb.
    assert any(re.search(rb"\b0 \.46\d* \.73\d* rg", drawn) for drawn in pages)
    page.emulate_media(media="print")
    shown = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert shown in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")
    for head in page.locator("thead").all():
        assert head.evaluate("(e) => getComputedStyle(e).display") == "table-header-group"
    assert page.locator(".no-print:visible").count() == 0
