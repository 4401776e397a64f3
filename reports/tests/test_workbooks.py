"""XLSX: a real table with headings, total and filter, however many columns it has."""

import io
from dataclasses import replace

import pytest
from openpyxl import load_workbook

from reports import running
from reports.definitions import read
from reports.report import Answer, Result
from reports.tests.conftest import utc
from reports.tests.histories import episode
from reports.workbooks import as_xlsx
from tasks.models import Agent

pytestmark = pytest.mark.django_db

NOW = utc("2026-06-01 12:00")


@pytest.fixture
def answered(cast):
    """``answered(["cycle", …], by=["agent"])`` → its workbook."""
    start = utc("2026-01-06 10:00")
    episode(cast.ops, start, utc("2026-01-06 12:00"), started=start, agent=cast.atlas, cost="1.5")
    episode(cast.ops, start, utc("2026-01-06 11:00"), started=start)

    def ask(measures: list[dict], **rest) -> Answer:
        document = {"version": 1, "facts": "episodes", "measures": measures, "tz": "UTC"}
        document |= {"period": {"from": "2026-01-01", "to": "2026-02-01"}}
        return running.run(read(document | rest), user=cast.ada.user, now=NOW)

    return ask


def book_of(answer: Answer):
    return load_workbook(io.BytesIO(as_xlsx(answer)))


def test_workbook_has_a_table_over_the_rows_with_the_total_below_it(answered):
    book = book_of(answered([{"aggregate": "count"}, {"name": "cycle", "aggregate": "p85"}], by=["agent"]))
    sheet = book["Report"]
    table = sheet.tables["Report"]
    assert (table.ref, table.autoFilter.ref) == ("A1:D3", "A1:D3")
    assert [cell.value for cell in sheet[1]] == [column.name for column in table.tableColumns]
    assert [row[0].value for row in sheet.iter_rows()] == ["Agent", "Atlas", "Nobody or several", "All"]
    assert sheet["C2"].number_format == "[h]:mm:ss"
    assert (sheet["C2"].font.italic, sheet["B2"].font.italic) == (True, False)


def test_workbook_beyond_the_column_z_names_each_column(answered):
    measures = [{"name": "lead", "aggregate": each} for each in ("mean", "p50", "p85", "p95", "max")]
    measured = answered(measures, by=["agent", "project", "priority"], time={"bucket": "week"}, compare="previous")
    assert len(measured.columns) < 26
    columns = tuple(measured.columns) * 2
    sheet = book_of(replace(measured, columns=columns))["Report"]
    assert sheet.max_column == len(columns) > 26
    assert sheet.column_dimensions["AA"].width >= 14
    headings = [cell.value for cell in sheet[1]]
    assert len(headings) == len(columns)


def test_workbook_of_hostile_names_holds_no_formula(answered, cast):
    Agent.objects.filter(pk=cast.atlas.pk).update(name="=1+1")
    sheet = book_of(answered([{"aggregate": "count"}], by=["agent"]))["Report"]
    assert sheet["A2"].value == "'=1+1"
    assert not [cell.coordinate for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]


def test_workbook_without_groups_has_the_total_as_its_row(answered):
    sheet = book_of(answered([{"name": "cost", "aggregate": "sum"}]))["Report"]
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [["Cost: sum", "Cost: n"], [1.5, 2]]


def test_workbook_without_rows_has_headings_and_a_total(answered, cast):
    answer = answered([{"aggregate": "count"}], by=["agent"], where={"field": "agent", "is": "rita"})
    assert answer.result == Result([], {"agent": None, "count": 0}, n=0, words={"agent": {}})
    assert [[cell.value for cell in row] for row in book_of(answer)["Report"].iter_rows()] == [
        ["Agent", "Episodes of tasks"],
        ["All", 0],
    ]


def test_workbook_says_what_was_asked(answered):
    about = dict(list(book_of(answered([{"aggregate": "count"}]))["About"].values))
    assert about["definition"].startswith('{"version": 1, "facts": "episodes"')
    assert (about["tz"], about["n"]) == ("UTC", 2)
