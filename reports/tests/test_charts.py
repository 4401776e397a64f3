"""What each chart draws: shapes as large as their figures, marks that say and link them, keys for what needs one."""

from datetime import datetime, timedelta
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from reports.charts import (
    Bands,
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
    pivoted,
)
from reports.charts.scales import said, scale
from reports.charts.scatter import MAX_DOTS
from reports.charts.tiers import TIERS, placed, thinned
from reports.charts.widths import fitted, width

Element = ElementTree.Element
TWO = (Series("a", "Arrived"), Series("b", "Completed"))


def parse(markup: str) -> Element:
    """The chart's drawing without its axis."""
    return ElementTree.fromstring(f"<all>{markup}</all>").find("div/svg")


def classed(drawing: Element, kind: str) -> list[Element]:
    return [element for element in drawing.iter() if kind in element.get("class", "").split()]


def titles(drawing: Element) -> list[str]:
    return [mark.find("title").text for mark in classed(drawing, "chart-mark")]


def draw(chart, rows, labels=None, **options) -> Element:
    return parse(chart.draw(rows, labels=labels or [f"l{n}" for n in range(len(rows))], ident="x", **options))


def counts(*values: int) -> list[dict]:
    return [{"n": value, "is_partial": index == len(values) - 1} for index, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "marks"),
    [
        ([], (0, 1)),
        ([0], (0, 1)),
        ([1], (0, 1)),
        ([5], (0, 1, 2, 3, 4, 5)),
        ([16], (0, 5, 10, 15, 20)),
        ([1_000], (0, 200, 400, 600, 800, 1_000)),
        ([-3, 7], (-4, -2, 0, 2, 4, 6, 8)),
        ([-3], (-3, -2, -1, 0)),
        ([0.25], (0, 0.05, 0.1, 0.15, 0.2, 0.25)),
    ],
)
def test_scale_holds_all_values_in_round_steps(values, marks):
    assert scale(values, "tasks").marks == pytest.approx(marks)


@pytest.mark.parametrize(("top", "step"), [(42, 10), (3_000, 600), (40_000, 10_800), (5 * 86_400, 86_400), (10**12, 0)])
def test_scale_of_durations_is_round_in_their_units(top, step):
    marks = scale([top], "seconds").marks
    assert (marks[0], len(marks) <= 6, marks[-1] >= top) == (0, True, True)
    assert not step or marks[1] == step


def test_scale_names_large_figures_shortly():
    assert scale([2_500_000], "tokens").texts == ["0", "500,000", "1 M", "1.5 M", "2 M", "2.5 M"]
    assert scale([-1], "tasks").texts == ["−1", "0"]


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [(1, "tasks", "1 task"), (1_204.5, "tokens", "1,204.50 tokens"), (-3, "tasks", "−3 tasks"), (None, "tasks", "—"),
     (0.32, "money", "0.32"), (1, "money", "1.00"), (0.0004, "money", "0.000400"),
     (90, "seconds", "1 min 30 s"), (12.5, "percent", "12.5 %"), (float("inf"), "tasks", "—")],
)  # fmt: skip
def test_said_is_a_figure_with_its_unit(value, unit, words):
    assert said(value, unit) == words


def test_text_is_cut_to_the_room_it_has():
    assert fitted("Completed", 200) == "Completed"
    assert fitted("Completed tasks", 60).endswith("…")
    assert width(fitted("Completed tasks", 60)) <= 60
    assert fitted("Completed", 5) == ""


def test_labels_are_as_many_as_fit_and_stay_inside():
    texts = [(f"{n} Jan", (n + 0.5) * 2) for n in range(50)]
    for pixels in TIERS[1:]:
        spans = [label.span(pixels) for label in thinned(texts, pixels)]
        assert all(left[1] < right[0] for left, right in pairwise(spans))
        assert spans[0][0] >= 0
        assert spans[-1][1] <= pixels
    assert len(thinned(texts, 1_080)) > len(thinned(texts, 210)) > 1
    assert placed("5 Jan 2026", 1, 300).anchor == "start"


def test_columns_are_as_high_as_their_counts():
    drawing = draw(Columns(value="n", title="Done"), counts(2, 0, 4), ["a", "b", "c"])
    heights = [float(bar.get("height")) for bar in classed(drawing, "chart-value")]
    assert len(heights) == 2
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.2)
    assert titles(drawing) == ["a: 2 tasks", "c: 4 tasks, partial"]
    assert len(classed(drawing, "chart-partial")) == 1


def test_columns_below_zero_go_downwards():
    drawing = draw(Columns(value="n", title="Net"), counts(2, -4))
    up, down = classed(drawing, "chart-value")
    assert float(down.get("y")) == pytest.approx(float(up.get("y")) + float(up.get("height")), abs=0.2)
    assert titles(drawing)[1] == "l1: −4 tasks, partial"


def test_chart_has_a_title_and_a_description():
    drawing = draw(Columns(value="n", title="Done"), counts(2, 4), ["a", "b"])
    assert (drawing.get("aria-labelledby"), drawing.get("aria-describedby")) == ("x-title", "x-desc")
    assert drawing.find("title").text == "Done"
    assert drawing.find("desc").text == "6 tasks in 2 periods, most in b (4)."


def test_marks_are_links_where_there_is_something_behind_them():
    def href(row, column):
        return f"/behind?{column}={row['n']}" if row["n"] > 2 else None

    drawing = draw(Columns(value="n", title="Done"), counts(2, 4), href=href)
    plain, link = classed(drawing, "chart-mark")
    assert (plain.tag, plain.get("tabindex"), plain.get("href")) == ("g", "0", None)
    assert (link.tag, link.get("href")) == ("a", "/behind?n=4")
    assert all(len(classed(mark, "chart-tip")) == 1 for mark in (plain, link))


def test_small_chart_is_an_image_without_marks_and_texts():
    drawing = draw(Columns(value="n", title="Done"), counts(2, 4), small=True, href=lambda row, column: "/x")
    assert drawing.get("role") == "img"
    assert classed(drawing, "chart-mark") == classed(drawing, "chart-text") == []


def test_grouped_columns_stand_beside_and_stacked_upon_each_other():
    rows = [{"a": 2, "b": 4}]
    beside = classed(draw(GroupedColumns(TWO, "Flow"), rows), "chart-surface")
    upon = classed(draw(StackedColumns(TWO, "Flow"), rows), "chart-surface")
    assert beside[0].get("x") != beside[1].get("x")
    assert upon[0].get("x") == upon[1].get("x")
    assert float(upon[1].get("y")) + float(upon[1].get("height")) == pytest.approx(float(upon[0].get("y")), abs=0.2)
    assert GroupedColumns(TWO, "Flow").legend(rows) == [("key-series-1", "Arrived"), ("key-series-2", "Completed")]


def test_too_many_series_are_refused():
    with pytest.raises(ValueError, match="1 to 8 series, not 9"):
        Lines(tuple(Series(f"s{n}", "S") for n in range(9)), "T")


def test_strips_put_median_below_the_percentiles_and_mark_those_of_few():
    rows = [{"n": 3, "m": 60.0, "u": 120.0, "t": 180.0}, {"n": 0, "m": None, "u": None, "t": None}]
    chart = Strips(count="n", median="m", upper="u", top="t", title="T")
    drawing = draw(chart, rows, ["a", "b"])
    (box,), (median,) = classed(drawing, "chart-box"), classed(drawing, "chart-median")
    assert float(box.get("y")) < float(median.get("y"))
    assert "chart-thin" in box.get("class")
    assert drawing.find("desc").text == "a: median 1 min, 85th percentile 2 min, 95th percentile 3 min, 3 tasks."
    assert "fewer than 7" in chart.legend(rows)[-1][1]
    assert len(chart.legend([{"n": 20}])) == 3


@pytest.mark.parametrize("count", [3, 40])
def test_bars_show_the_longest_first_and_count_the_rest(count):
    rows = [{"name": f"agent {n}", "agent": f"a{n}", "n": n, "s": 1.0} for n in range(1, count + 1)]
    drawing = draw(Bars(label="name", value="n", share="s", of="agent", title="T"), rows)
    widths = [float(bar.get("width").rstrip("%")) for bar in classed(drawing, "chart-value")]
    assert widths == sorted(widths, reverse=True)
    assert len(widths) == min(count, 15)
    assert ("and 25 more, in the table" in [text.text for text in drawing.iter("text")]) is (count == 40)
    assert titles(drawing)[0] == f"agent {count}: {count} tasks · 1.0 %"


def test_stacked_bars_are_as_long_as_their_parts_together():
    drawing = draw(StackedBars("name", TWO, "T"), [{"name": "x", "a": 1, "b": 3}, {"name": "y", "a": 2, "b": 0}])
    widths = [bar.get("width") for bar in classed(drawing, "chart-surface")]
    assert widths == ["25%", "75%", "50%"]


def test_lines_are_cut_where_there_is_no_figure():
    rows = [{"a": 1}, {"a": 2}, {"a": None}, {"a": 4}]
    drawing = draw(Lines((Series("a", "A"),), "T"), rows)
    assert [len(line.get("points").split()) for line in classed(drawing, "chart-line")] == [2, 1]
    assert titles(drawing) == ["l0: A: 1 task", "l1: A: 2 tasks", "l3: A: 4 tasks"]


def test_lines_mark_figures_of_too_few_facts():
    chart = Lines((Series("p", "p85", needs=7),), "T", unit="seconds")
    rows = [{"p": 60.0, "p_n": 6}, {"p": 60.0, "p_n": 7}]
    drawing = draw(chart, rows)
    assert ["chart-thin" in mark.get("class") for mark in classed(drawing, "chart-marker")] == [True, False]
    assert titles(drawing)[0] == "l0: p85: 1 min, from 6, too few"
    assert chart.legend(rows) == [("key-hollow", "from fewer facts than the figure needs (up to 7)")]


def test_areas_lie_upon_each_other():
    chart = StackedArea(TWO, "T")
    lower, upper = (
        area.get("points").split() for area in classed(draw(chart, [{"a": 1, "b": 2}] * 3), "chart-surface")
    )
    assert lower[: len(lower) // 2] == upper[len(upper) // 2 :][::-1]
    assert [words for _, words in chart.legend([])] == ["Completed", "Arrived"]


def dots(count: int) -> list[dict]:
    first = datetime(2026, 1, 1)
    return [{"at": first + timedelta(hours=n), "v": n % 97 * 60.0, "ref": f"OPS-{n}"} for n in range(count)]


def test_scatter_has_a_dot_per_row_and_lines_of_the_total():
    chart = Scatter("at", "v", "ref", "T", lines=(("p85", "85th percentile"), ("none", "No such")))
    drawing = draw(chart, dots(50), total={"p85": 1_800.0})
    assert len(classed(drawing, "chart-dot")) == 50
    assert len(classed(drawing, "chart-rule")) == 1
    assert "85th percentile: 30 min" in [text.text for text in drawing.iter("text")]
    assert titles(drawing)[1] == "OPS-1: 1 min, 1 Jan 2026, 01:00"


@pytest.mark.parametrize(
    ("span", "first", "count"),
    [
        (timedelta(milliseconds=1), "00:00:00", 1),
        (timedelta(minutes=5), "00:00:00", 12),
        (timedelta(hours=9), "00:00", 12),
        (timedelta(days=3), "1 Jan, 00:00", 12),
        (timedelta(days=30), "1 Jan", 12),
        (timedelta(days=500), "Jan 2026", 12),
    ],
)
def test_scatter_names_no_moment_twice_below_its_axis(span, first, count):
    at = datetime(2026, 1, 1)
    rows = [{"at": at + span * n, "v": 60.0, "ref": f"OPS-{n}"} for n in (0, 1)]
    frame = draw(Scatter("at", "v", "ref", "T"), rows)
    widest = list(frame.iter("g"))
    labels = [
        [text.text for text in group.iter("text")] for group in widest if "chart-labels" in group.get("class", "")
    ]
    assert max(map(len, labels)) <= count
    for texts in labels:
        assert len(set(texts)) == len(texts)
        assert texts[0] == first


def test_scatter_of_very_many_is_bounded_and_says_so():
    chart, rows = Scatter("at", "v", "ref", "T"), dots(20_000)
    drawing = draw(chart, rows)
    assert 100 < len(classed(drawing, "chart-dot")) <= 64 * 24 + 64
    assert sum(int(title.split()[0]) for title in titles(drawing)) == 20_000
    assert "20,000 tasks" in chart.legend(rows)[0][1]
    assert chart.legend(dots(MAX_DOTS)) == []


def test_scatter_by_kind_stands_in_columns():
    drawing = draw(Scatter("k", "v", "ref", "T"), [row | {"k": "ab"[n % 2]} for n, row in enumerate(dots(10))])
    places = [float(dot.get("cx").rstrip("%")) for dot in classed(drawing, "chart-dot")]
    assert sum(place < 50 for place in places) == 5


def test_histogram_names_its_bounds_and_puts_lines_where_they_lie():
    rows = [{"lo": 0, "hi": 3_600, "n": 3}, {"lo": 3_600, "hi": None, "n": 1}]
    drawing = draw(Histogram("lo", "hi", "n", "T", lines=(("p50", "Median"),)), rows, total={"p50": 1_800})
    assert titles(drawing) == ["0 s to 1 h: 3 tasks", "1 h and more: 1 task"]
    assert classed(drawing, "chart-rule")[0].get("x1") == "25%"


def test_heat_map_has_all_names_and_darker_fields_for_more():
    chart = HeatMap("h", "d", "n", "T", ys=("Mon", "Tue"))
    rows = [{"h": "08", "d": "Tue", "n": 10}, {"h": "09", "d": "Tue", "n": 1}]
    fields = classed(draw(chart, rows), "chart-heat")
    assert [field.get("class") for field in fields] == ["chart-heat heat-5", "chart-heat heat-1"]
    assert len(classed(draw(chart, rows), "chart-track")) == 2
    assert chart.legend(rows)[-1] == ("key-heat-5", "up to 10")


def test_bands_lie_around_what_is_likely():
    rows = [{"done": 1}, {"done": 2, "m": 2, "lo": 2, "hi": 2}, {"m": 4, "lo": 3, "hi": 6}]
    chart = Bands("m", (("lo", "hi", "90 % of the draws"),), "T", known="done")
    drawing = draw(chart, rows)
    assert len(classed(drawing, "chart-band")) == 1
    assert len(classed(drawing, "chart-line")) == 2
    assert titles(drawing)[-1] == "l2: median 4 tasks, 90 % of the draws: 3 to 6 tasks"
    assert [words for _, words in chart.legend(rows)] == ["so far", "median", "90 % of the draws"]


def test_pivot_makes_the_largest_into_series_that_link_to_their_rows():
    rows = [{"week": week, "who": who, "n": n} for week in (1, 2) for who, n in (("x", 1), ("y", 5))]
    made = pivoted(rows, ["w1", "w1", "w2", "w2"], key="week", by="who", value="n")
    assert (made.labels, [each.label for each in made.series], made.left_out) == (["w1", "w2"], ["y", "x"], 0)
    href = made.href(lambda row, column: f"/{row['week']}/{row['who']}/{column}")
    drawing = parse(Lines(made.series, "T").draw(made.rows, labels=made.labels, ident="x", href=href))
    assert [mark.get("href") for mark in classed(drawing, "chart-mark")] == ["/1/y/n", "/2/y/n", "/1/x/n", "/2/x/n"]
