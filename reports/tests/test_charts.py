"""Charts are well-formed SVG with a title and a description, and treat any text as text."""

from xml.etree import ElementTree

import pytest

from reports.charts import Bars, Columns, Strips, duration_ticks, ticks

HOSTILE = "</svg><script>alert(1)</script>\"'&"


def parse(svg: str) -> ElementTree.Element:
    """The chart's drawing; the last one if there are several side by side."""
    return ElementTree.fromstring(f"<all>{svg}</all>")[-1]


def bars_of(drawing: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [rect for rect in drawing.iter("rect") if kind in rect.get("class", "").split()]


def counts(*values: int) -> list[dict]:
    return [{"n": value, "is_partial": index == len(values) - 1} for index, value in enumerate(values)]


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (5, [0, 1, 2, 3, 4, 5]),
        (16, [0, 5, 10, 15, 20]),
        (1_000, [0, 200, 400, 600, 800, 1_000]),
    ],
)
def test_ticks_are_round_whole_numbers_that_reach_the_top(top, expected):
    assert ticks(top) == expected


@pytest.mark.parametrize(
    ("top", "last", "step"), [(0, 1, 1), (42, 50, 10), (3_000, 3_000, 600), (40_000, 43_200, 10_800), (10**9, 10**9, 0)]
)
def test_duration_ticks_are_round_in_their_unit(top, last, step):
    ticks = duration_ticks(top)
    assert ticks[0] == 0
    assert ticks[-1] >= last
    assert len(ticks) <= 6 or top == 10**9
    assert not step or ticks[1] == step


def test_draw_columns_has_a_bar_per_count_as_high_as_the_count():
    drawing = parse(Columns(value="n", title="Done").draw(counts(2, 0, 4), labels=["a", "b", "c"], ident="x"))
    heights = [float(bar.get("height")) for bar in bars_of(drawing, "chart-value")]
    assert len(heights) == 2
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.2)
    assert [bar.find("title").text for bar in bars_of(drawing, "chart-value")] == ["a: 2 tasks", "c: 4 tasks"]
    assert len(bars_of(drawing, "chart-partial")) == 1


def test_draw_chart_is_an_image_with_title_and_description():
    drawing = parse(Columns(value="n", title="Done").draw(counts(2, 4), labels=["a", "b"], ident="x"))
    assert (drawing.get("role"), drawing.get("aria-labelledby")) == ("img", "x-title x-desc")
    assert drawing.find("title").text == "Done"
    assert drawing.find("desc").text == "6 tasks in 2 periods, most in b (4)."


def test_draw_without_data_is_nothing_or_an_empty_grid():
    assert Columns(value="n", title="Done").draw(counts(0, 0), labels=["a", "b"], ident="x")
    assert Bars(label="name", value="n", share="s", title="T").draw([], labels=[], ident="x") == ""
    strips = Strips(count="n", median="m", upper="u", top="t", title="T")
    assert strips.draw([{"n": 0, "m": None, "u": None, "t": None}], labels=["a"], ident="x") == ""


def test_draw_strips_puts_median_below_the_percentiles():
    rows = [{"n": 3, "m": 60.0, "u": 120.0, "t": 180.0}, {"n": 0, "m": None, "u": None, "t": None}]
    chart = Strips(count="n", median="m", upper="u", top="t", title="T")
    drawing = parse(chart.draw(rows, labels=["a", "b"], ident="x"))
    (box,), (median,) = bars_of(drawing, "chart-box"), bars_of(drawing, "chart-median")
    assert float(box.get("y")) < float(median.get("y"))
    assert drawing.find("desc").text == "a: median 1 min, 85th percentile 2 min, 95th percentile 3 min (3 tasks)."


@pytest.mark.parametrize("count", [3, 40])
def test_draw_bars_shows_the_longest_first_and_counts_the_rest(count):
    rows = [{"name": f"agent {n}", "agent": f"a{n}", "n": n, "s": 1.0} for n in range(1, count + 1)]
    drawing = parse(Bars(label="name", value="n", share="s", title="T").draw(rows, labels=[], ident="x"))
    widths = [float(bar.get("width").rstrip("%")) for bar in bars_of(drawing, "chart-value")]
    assert widths == sorted(widths, reverse=True)
    assert len(widths) == min(count, 15)
    assert ("and 25 more, in the table below" in [text.text for text in drawing.iter("text")]) is (count == 40)


def test_draw_hostile_names_as_text():
    rows = [{"name": HOSTILE, "agent": "x", "n": 1, "s": None}]
    svg = Bars(label="name", value="n", share="s", title=HOSTILE).draw(rows, labels=[], ident="x")
    assert "<script" not in svg
    assert parse(svg).find("title").text == HOSTILE


def test_draw_uses_no_inline_style():
    svg = Columns(value="n", title="Done").draw(counts(2, 4), labels=["a", "b"], ident="x")
    assert "style" not in svg
