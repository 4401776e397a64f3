"""Tables for people: names, figures with what is behind them, marked where they say little, empty runs folded."""

from datetime import date, datetime
from types import SimpleNamespace

import pytest

from reports.columns import BUCKET_COLUMNS, Column
from reports.periods import BucketSize, Period
from reports.report import Answer, Result
from reports.tables import FOLDED_FROM, MAX_ROWS, spoken, table_of
from reports.tests.conftest import BERLIN, utc

P85 = (Column("done", "Done", "tasks"), Column("cycle_n", "Cycle: n", "tasks", "n"),
       Column("cycle_p85", "Cycle: 85th percentile", "seconds", n="cycle_n", needs=7))  # fmt: skip


def answered(columns: tuple[Column, ...], rows: list[dict], total: dict, **result) -> Answer:
    period = Period(utc("2026-01-01 23:00"), utc("2026-03-01 23:00"), BucketSize.WEEK, BERLIN)
    given = Result(rows, total, **result)
    scope = SimpleNamespace(project=None, project_ids=[])
    return Answer("x", "X", "", columns, scope, period, given, utc("2026-03-01 00:00"))


def week(day: int, done: int, n: int = 0, p85: float | None = None) -> dict:
    return {"bucket": date(2026, 1, 1 + day), "is_partial": False, "done": done, "cycle_n": n, "cycle_p85": p85}


def over_time(rows: list[dict]) -> Answer:
    total = {"bucket": None, "is_partial": False, "done": 9, "cycle_n": 7, "cycle_p85": 60.0}
    return answered((*BUCKET_COLUMNS, *P85), rows, total)


def test_table_has_a_line_per_row_and_a_total():
    table = table_of(over_time([week(0, 2, 6, 60.0)]), title="T")
    assert (table.name_headers, table.headers) == (["Week"], ["Done", "N", "85th percentile"])
    assert [cell.text for cell in table.lines[0].cells] == ["2", "6", "1 min"]
    assert (table.total.name, [cell.text for cell in table.total.cells]) == ("Whole period", ["9", "7", "1 min"])


def test_figure_from_too_few_is_marked_with_how_many():
    table = table_of(over_time([week(0, 2, 6, 60.0), week(7, 3, 7, 60.0)]), title="T")
    assert [line.cells[2].thin for line in table.lines] == ["from 6, needs 7", ""]
    assert table.is_thin
    assert not table_of(over_time([week(7, 3, 7, 60.0)]), title="T").is_thin


def test_sum_of_nothing_is_not_marked():
    columns = (Column("n", "N", "tasks", "n"), Column("sum", "Sum", "seconds", n="n"))
    assert not table_of(answered(columns, [{"n": 0, "sum": 0}], {"n": 0, "sum": 0}), title="T").is_thin


@pytest.mark.parametrize("empty", [1, FOLDED_FROM - 1, FOLDED_FROM, 12])
def test_runs_of_empty_rows_are_folded(empty):
    rows = [week(0, 1), *[week(n, 0) for n in range(1, empty + 1)], week(empty + 1, 1)]
    lines = table_of(over_time(rows), title="T").lines
    if empty < FOLDED_FROM:
        assert [line.folded for line in lines] == [0] * len(rows)
    else:
        assert [line.folded for line in lines] == [0, empty, 0]
        assert lines[1].name == f"{empty} empty weeks"
        assert lines[1].remark == f"Week of 2 Jan 2026 to Week of {empty + 1} Jan 2026"


def test_empty_rows_at_the_ends_are_folded_and_zeros_of_others_are_not():
    rows = [week(n, 0) for n in range(4)] + [week(9, 1)] + [week(n, 0) for n in range(10, 14)]
    assert [line.folded for line in table_of(over_time(rows), title="T").lines] == [4, 0, 4]
    agents = [{"agent": f"a{n}", "done": 0} for n in range(5)]
    columns = (Column("agent", "Agent", "text", "dimension"), Column("done", "Done", "tasks"))
    assert len(table_of(answered(columns, agents, {"done": 0}), title="T").lines) == 5


def test_rows_are_named_as_people_read_them():
    columns = (
        Column("agent", "Agent", "text", "dimension"), Column("name", "Name", "text", "dimension"),
        Column("status", "Status", "text", "dimension"), Column("since", "Since", "time", "dimension"), P85[0],
    )  # fmt: skip
    row = {"agent": "atlas", "name": "Atlas", "status": "in_progress", "since": utc("2026-01-05 23:30"), "done": 1}
    nobody = {"agent": None, "name": "Nobody", "status": None, "since": None, "done": 0}
    given = answered(columns, [row, nobody], {"done": 1}, words={"status": {"in_progress": "In progress"}})
    table = table_of(given, title="T")
    assert table.name_headers == ["Agent", "Status", "Since"]
    first, second = table.lines
    assert (first.name, first.remark, first.names) == ("Atlas", "atlas", ["In progress", "6 Jan 2026, 00:30"])
    assert (second.name, second.remark, second.names) == ("Nobody", "", ["—", "—"])
    (drawn, _) = spoken(given)
    assert (drawn["status"], drawn["since"].hour, drawn["agent"]) == ("In progress", 0, "atlas")
    assert given.rows[0]["status"] == "in_progress"


def test_rows_about_tasks_lead_to_them_and_have_no_total_where_there_is_none():
    columns = (Column("task", "Task", "text", "dimension"), Column("by", "By", "date"), P85[0])
    given = answered(columns, [{"task": "OPS-1", "by": date(2026, 1, 9), "done": 2}], {"task": None, "done": None})
    table = table_of(given, title="T")
    assert (table.lines[0].link, table.lines[0].cells[0].text, table.total) == ("/tasks/OPS-1", "9 Jan 2026", None)


def test_figures_lead_to_what_is_behind_them_unless_there_is_none():
    def href(row, column):
        return f"/behind?{column}={row['bucket']}"

    lines = table_of(over_time([week(0, 2)]), title="T", href=href).lines
    assert [cell.link for cell in lines[0].cells] == ["/behind?done=2026-01-01", None, None]


def test_only_the_named_columns_are_shown_with_their_numbers_of_facts():
    table = table_of(over_time([week(0, 2, 6, 60.0)]), title="T", names=("cycle_p85",))
    assert table.headers == ["N", "85th percentile"]


def test_very_long_tables_are_cut_and_say_so():
    rows = [{"ref": f"OPS-{n}", "at": datetime(2026, 1, 1), "done": n} for n in range(MAX_ROWS + 5)]
    table = table_of(answered((Column("ref", "Task", "text", "dimension"), P85[0]), rows, {"done": 1}), title="T")
    assert (len(table.lines), table.left_out) == (MAX_ROWS, 5)
