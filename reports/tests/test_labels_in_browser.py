"""No two texts of a chart overlap or stick out, whatever the width of the window, the buckets and their number."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.utils.html import format_html
from django.utils.safestring import mark_safe

from reports.charts import (
    Bars,
    Columns,
    GroupedColumns,
    HeatMap,
    Histogram,
    Lines,
    Scatter,
    Series,
    StackedArea,
    StackedBars,
    StackedColumns,
    Strips,
)
from reports.charts.tiers import TIERS
from reports.formats import bucket_labels
from reports.periods import BucketSize

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ROOT = Path(__file__).parents[2]
REPORTS_CSS = (ROOT / "reports/static/reports/reports.css").read_text()
STYLES = (ROOT / "taskproject/static/taskproject/base.css").read_text() + REPORTS_CSS
WIDTHS = (1280, 1024, 800, 360)
#: How many buckets: from one to as many as a period may have.
COUNTS = (1, 2, 5, 7, 12, 14, 24, 31, 53, 62, 120, 365, 1_000)
#: For charts whose labels are laid out as those of the others are.
FEWER_COUNTS = (1, 12, 53, 365)
LENGTHS = {"minute": 1, "hour": 60, "day": 1_440, "week": 10_080, "month": 43_830, "quarter": 131_490, "year": 525_960}
FIRST = datetime(2025, 9, 29, 22, 58)

#: Pairs of visible texts of the same chart that overlap, and texts that stick out of it.
CLASHES = """() => {
  const clashes = [];
  for (const frame of document.querySelectorAll(".chart-frame")) {
    const within = frame.getBoundingClientRect();
    const texts = [...frame.querySelectorAll("text")].map((e) => {
      const {left, right, top, bottom} = e.getBoundingClientRect();
      return {left, right, top, bottom, words: e.textContent};
    }).filter(({left, right}) => left < right);
    const where = frame.parentElement.id;
    for (const [index, a] of texts.entries()) {
      if (a.left < within.left - 1 || a.right > within.right + 1) clashes.push(`${where}: ${a.words} sticks out`);
      for (const b of texts.slice(index + 1)) {
        const beside = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const above = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (beside > 0.5 && above > 1) clashes.push(`${where}: ${a.words} | ${b.words} (${beside.toFixed(1)} px)`);
      }
    }
  }
  return clashes;
}"""
#: Charts without a text below their axis.
UNNAMED = """() => [...document.querySelectorAll("figure")].filter((figure) =>
  ![...figure.querySelectorAll(".chart-labels text")].some((e) => e.getBoundingClientRect().width)).map((e) => e.id)"""


def figures(drawings: dict[str, str]) -> str:
    """A page of the site with ``drawings``."""
    body = "".join(
        format_html('<figure class="chart-figure" id="{}"><div class="chart-frame">{}</div></figure>', name, drawing)
        for name, drawing in drawings.items()
    )
    # The styles are ours.
    return mark_safe(
        '<!DOCTYPE html><meta name="viewport" content="width=device-width">'
        f'<style>{STYLES}</style><main class="page"><section class="panel report-panel">{body}</section></main>'
    )


def over_time(size: BucketSize) -> dict[str, str]:
    drawings = {}
    for count in COUNTS:
        names = [FIRST + timedelta(minutes=LENGTHS[size]) * index for index in range(min(count, 60))]
        names += names * (count // 60)
        labels = bucket_labels(names[:count], size)
        rows = [{"n": 10 ** (index % 7), "m": index, "is_partial": False} for index in range(count)]
        both = (Series("n", "N"), Series("m", "M"))
        charts = [Columns("n", "T"), StackedColumns(both, "T")]
        if count in FEWER_COUNTS:
            charts += [GroupedColumns(both, "T"), Lines(both, "T"), StackedArea(both, "T")]
            charts.append(Strips(count="n", median="m", upper="m", top="n", title="T"))
        for chart in charts:
            name = f"{type(chart).__name__}-{size}-{count}"
            drawings[name] = chart.draw(rows, labels=labels, ident=name)
    return drawings


def others() -> dict[str, str]:
    names = [
        "atlas",
        "A very long name of an agent that nobody would ever choose",
        "وكيل ذكي جدا جدا",
        "中文代理人" * 6,
    ]
    long = [{"name": name, "n": 10 ** (index * 3), "s": 12.3, "m": 5} for index, name in enumerate(names)]
    lines = (("p50", "Median"), ("p85", "85th percentile"), ("p95", "95th percentile"))
    bins = [{"lo": i * 3_600 * 26, "hi": (i + 1) * 3_600 * 26 if i < 30 else None, "n": i * 997} for i in range(31)]
    dots = [{"at": FIRST + timedelta(hours=i), "v": i * 61.0, "ref": "OPS-1", "kind": names[i % 4]} for i in range(300)]
    strips = [{"n": 9, "m": 40_000_000.0, "u": 90_000_000.0, "t": 2e9}] * 5
    weekdays = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    hours = tuple(f"{hour:02}:00" for hour in range(24))
    fields = [{"h": hours[i % 24], "d": weekdays[i % 7], "n": 10 ** (i % 5)} for i in range(168)]
    many = [row | {"name": f"{row['name']} {number}"} for number in range(10) for row in long]
    crowd = [row | {"d": day} for row in many for day in weekdays]
    spans = [timedelta(seconds=5), timedelta(minutes=7), timedelta(hours=30), timedelta(days=5), timedelta(days=900)]
    close = {"p50": 300_000, "p85": 301_000, "p95": 302_000}
    apart = {"p50": 300_000, "p85": 1_000_000, "p95": 2_500_000}
    charts = {
        "bars": (Bars("name", "n", "T", share="s"), long, None),
        "stacked-bars": (StackedBars("name", (Series("n", "N"), Series("m", "M")), "T"), long, None),
        "histogram-close": (Histogram("lo", "hi", "n", "T", lines=lines), bins, close),
        "histogram-apart": (Histogram("lo", "hi", "n", "T", lines=lines), bins, apart),
        "histogram": (Histogram("lo", "hi", "n", "T"), bins, None),
        "scatter-close": (
            Scatter("at", "v", "ref", "T", lines=lines),
            dots,
            {"p50": 9_000, "p85": 9_100, "p95": 9_200},
        ),
        "scatter-apart": (Scatter("at", "v", "ref", "T", lines=lines), dots, {"p50": 4e3, "p85": 9e3, "p95": 18e3}),
        "scatter-kinds": (Scatter("kind", "v", "ref", "T"), dots, None),
        "strips": (Strips(count="n", median="m", upper="u", top="t", title="T"), strips, None),
        "heat-map": (HeatMap("h", "d", "n", "T", xs=hours, ys=weekdays), fields, None),
        "heat-map-names": (HeatMap("d", "name", "n", "T"), [row | {"d": row["name"]} for row in long], None),
        "bars-many": (Bars("name", "n", "T", share="s"), many, None),
        "stacked-bars-many": (StackedBars("name", (Series("n", "N"), Series("m", "M")), "T"), many, None),
        "heat-map-many": (HeatMap("d", "name", "n", "T", xs=weekdays), crowd, None),
        **{
            f"scatter-{span}": (
                Scatter("at", "v", "ref", "T"),
                [dot | {"at": FIRST + span * index / 299} for index, dot in enumerate(dots)],
                None,
            )
            for span in spans
        },
        "lines": (Lines((Series("n", "N"),), "T"), [{"n": -1e9}, {"n": 1e9}], None),
    }
    return {
        name: chart.draw(rows, labels=[f"Label {i}" for i in range(len(rows))], ident=name, total=total)
        for name, (chart, rows, total) in charts.items()
    }


@pytest.fixture
def page(chromium):
    made = chromium.new_page()
    yield made
    made.close()


@pytest.mark.parametrize("size", list(BucketSize))
def test_labels_of_buckets_never_overlap(page, size):
    page.set_content(figures(over_time(size)))
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(CLASHES) == [], width
        assert page.evaluate(UNNAMED) == [], width


def test_texts_of_other_charts_never_overlap(page):
    page.set_content(figures(others()))
    for width in (*WIDTHS, 320, 500, 650, 2_000):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(CLASHES) == [], width


def test_tooltips_stay_on_a_small_screen(page):
    drawings = over_time(BucketSize.DAY) | others()
    page.set_content(figures({name: drawings[name] for name in ("Columns-day-31", "bars", "scatter-kinds")}))
    page.set_viewport_size({"width": 360, "height": 800})
    marks = page.locator(".chart-mark")
    for index in range(0, marks.count(), 7):
        marks.nth(index).focus()
        box = marks.nth(index).locator(".chart-tip rect").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_steps_of_widths_are_the_same_in_the_styles():
    for tier, pixels in enumerate(TIERS[1:], start=1):
        assert f"@container chart (width < {pixels}px) {{ .from-{tier} {{ display: none; }} }}" in REPORTS_CSS
        assert f"@container chart (width >= {pixels}px) {{ .to-{tier - 1} {{ display: none; }} }}" in REPORTS_CSS
