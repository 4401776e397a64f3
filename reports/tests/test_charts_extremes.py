"""Every chart with every kind of figures and texts: well-formed, bounded, without markup or style of anybody's."""

from datetime import datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
)

TEXTS = (
    "</svg><script>alert(1)</script>\"'&<!--]]>",
    "x" * 500,
    "وكيل ذكي ١٢٣ (agent)",
    "‮gnitirw desrever",
    "中文代理人" * 20,
    "👩🏽‍💻🏳️‍🌈",
    "a\x00b\x1b\ud800￾",
    "",
    "{{ 1 }}{% now 'Y' %}",
)
VALUES = (0, 1, -1, None, 1e9, 10**15, 0.001, Decimal("12.34"), float("nan"), float("inf"), True)
FOUR = tuple(Series(column, text, needs=7) for column, text in zip("nmut", TEXTS, strict=False))
CHARTS = (
    Columns("n", TEXTS[0], unit=TEXTS[0]),
    GroupedColumns(FOUR, "T"),
    StackedColumns(FOUR, "T"),
    Strips(count="count", median="m", upper="u", top="t", title="T"),
    Bars("name", "n", "T", share="m"),
    StackedBars("name", FOUR, "T"),
    Lines(FOUR, "T"),
    Lines(FOUR, "T", unit="seconds"),
    StackedArea(FOUR, "T"),
    Scatter("at", "n", "name", "T", lines=(("m", TEXTS[0]), ("u", TEXTS[1]))),
    Scatter("name", "n", "name", "T", lines=(("m", TEXTS[0]),)),
    Histogram("lo", "hi", "n", "T", lines=(("m", TEXTS[0]), ("u", TEXTS[2]))),
    HeatMap("name", "other", "n", "T"),
    Bands("m", (("n", "u", TEXTS[0]), ("n", "t", TEXTS[1])), "T", known="n"),
)
FIRST = datetime(2026, 1, 1)


def row(index: int, values: tuple, text: str) -> dict:
    n, m, u, t = values
    return {
        "n": n, "m": m, "u": u, "t": t, "n_n": 1, "m_n": 100, "count": index % 30, "name": text, "other": text[::-1],
        "at": FIRST + timedelta(hours=index), "lo": index * 60, "hi": (index + 1) * 60, "is_partial": index % 5 == 0,
    }  # fmt: skip


def draw(chart, rows: list[dict], **options) -> str:
    """The drawing, which is well-formed and all of whose classes, links and figures are ours."""
    labels = [r["name"] for r in rows]
    markup = str(chart.draw(rows, labels=labels, ident="x", total=rows[0] if rows else None, **options))
    assert len(markup) <= 4_000_000
    tree = ElementTree.fromstring(f"<all>{markup}</all>")
    for element in tree.iter():
        assert element.tag in {
            *("all", "div", "svg", "g", "a", "title", "desc", "text", "rect", "line", "circle", "path", "polyline"),
            *("polygon", "defs", "pattern", "mask"),
        }
        assert not {"style", "onload", "onclick"} & element.attrib.keys()
        for name, value in element.attrib.items():
            if name not in ("href", "class", "id", "aria-labelledby", "aria-describedby"):
                assert "nan" not in value, (element.tag, name)
                assert "inf" not in value, (element.tag, name)
    assert all(isinstance(words, str) for _, words in chart.legend(rows))
    return markup


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: type(chart).__name__)
def test_chart_draws_anything(chart, small):
    def href(row, column):
        return f"/?{TEXTS[0]}"

    draw(chart, [], small=small)
    for text in TEXTS:
        draw(chart, [row(1, (1, 2, 3, 4), text)], small=small, href=href)
    for number in VALUES:
        for values in ((number,) * 4, (number, 1, 2, 3), (1, number, 2, 3), (1, 2, number, 3), (1, 2, 3, number)):
            draw(chart, [row(1, values, "name")], small=small, href=href)
    mixed = [row(index, VALUES[index % 7 : index % 7 + 4], TEXTS[index % len(TEXTS)]) for index in range(60)]
    draw(chart, mixed, small=small, href=href)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: type(chart).__name__)
def test_chart_of_very_much_is_bounded(chart):
    draw(chart, [row(index, (index, index, index + 1, index + 2), f"name {index % 50}") for index in range(1_000)])


def test_scatter_of_ten_thousand_is_bounded():
    rows = [row(index, (index % 997, 1, 2, 3), f"OPS-{index}") for index in range(10_000)]
    assert len(draw(Scatter("at", "n", "name", "T"), rows)) < 2_000_000


@settings(max_examples=60, deadline=None)
@given(data=st.data(), chart=st.sampled_from(CHARTS))
def test_chart_draws_what_nobody_thought_of(data, chart):
    number = st.none() | st.integers(-(10**12), 10**12) | st.floats() | st.decimals(allow_nan=False, places=2)
    each = st.tuples(st.tuples(number, number, number, number), st.text(max_size=40))
    rows = [row(index, *drawn) for index, drawn in enumerate(data.draw(st.lists(each, max_size=12)))]
    draw(chart, rows)
