"""JSON, CSV and XLSX of one answer; no agent's text becomes a formula."""

import csv
import io
import json
from datetime import datetime, timedelta

import pytest
from django.http import QueryDict
from openpyxl import load_workbook

from reports.exports import as_csv, as_json
from reports.parameters import read_question
from reports.predefined import REPORTS
from reports.running import answer
from reports.tests.conftest import utc
from reports.workbooks import as_xlsx
from taskproject.sheets import BOM, safe_cell
from tasks.models import Agent

JANUARY = "project=OPS&from=2026-01-05&to=2026-01-19&tz=UTC"
HOSTILE = ['=HYPERLINK("https://example.org")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"]


@pytest.fixture
def given(cast):
    def build(slug: str, query: str = JANUARY):
        now = utc("2026-06-01 12:00")
        question = read_question(QueryDict(query), user=cast.ada.user, now=now)
        return answer(REPORTS[slug], question.scope, question.period, now=now)

    return build


@pytest.mark.parametrize("text", HOSTILE)
def test_safe_cell_puts_an_apostrophe_before_what_begins_a_formula(text):
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", [None, 0, -3, -1.5, True, "plain", "a=b", "1+1"])
def test_safe_cell_leaves_numbers_and_plain_texts(value):
    assert safe_cell(value) is value or safe_cell(value) == value


def test_export_csv_has_names_plain_numbers_and_a_line_per_row(given, do_task):
    do_task("2026-01-05 08:00", "2026-01-05 09:00", "2026-01-05 10:30")
    rows = list(csv.DictReader(io.StringIO(as_csv(given("time_to_complete")).removeprefix(BOM))))
    assert [row["bucket"] for row in rows] == ["2026-01-05", "2026-01-12"]
    assert (rows[0]["lead_median_seconds"], rows[0]["cycle_count"], rows[1]["lead_median_seconds"]) == (
        "9000.0",
        "1",
        "",
    )
    assert (rows[0]["starts_at"], rows[0]["is_partial"]) == ("2026-01-05T00:00:00Z", "false")


@pytest.mark.parametrize("name", [text for text in HOSTILE if text.strip() == text])
def test_export_of_hostile_agent_names_holds_no_formula(given, cast, name):
    Agent.objects.filter(pk=cast.atlas.pk).update(name=name)
    answered = given("workload")
    rows = {row["agent"]: row for row in csv.DictReader(io.StringIO(as_csv(answered).removeprefix(BOM)))}
    assert rows["atlas"]["name"] == f"'{name}"
    sheet = load_workbook(io.BytesIO(as_xlsx(answered)))["Report"]
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert not [cell.coordinate for cell in cells if cell.data_type == "f"]
    assert f"'{name}" in [cell.value for cell in cells]


def test_export_xlsx_has_durations_dates_total_and_what_was_asked(given, do_task):
    do_task("2026-01-05 08:00", "2026-01-05 09:00", "2026-01-05 10:30")
    book = load_workbook(io.BytesIO(as_xlsx(given("time_to_complete"))))
    header, first, second, total = list(book["Report"].iter_rows())
    names = [cell.value for cell in header]
    median = names.index("Lead time: median (h:mm:ss)")
    assert (first[0].value, first[1].value) == (datetime(2026, 1, 5), datetime(2026, 1, 5))
    assert first[median].value == timedelta(hours=2, minutes=30)
    assert second[median].value is None
    assert (total[0].value, total[median].value) == ("All", timedelta(hours=2, minutes=30))
    about = dict(book["About"].iter_rows(values_only=True))
    assert (about["project"], about["from"], about["tz"]) == ("OPS", "2026-01-05T00:00:00Z", "UTC")


def test_export_xlsx_survives_characters_that_xml_cannot_hold(given, cast):
    Agent.objects.filter(pk=cast.atlas.pk).update(name="be\x0bll")
    values = [row[1] for row in load_workbook(io.BytesIO(as_xlsx(given("workload"))))["Report"].values]
    assert "bell" in values


@pytest.mark.parametrize("slug", sorted(REPORTS))
def test_export_json_rows_have_exactly_the_declared_columns(given, slug):
    exported = as_json(given(slug))
    names = [column["name"] for column in exported["columns"]]
    assert all(set(row) == set(names) for row in [*exported["rows"], exported["total"]])
    assert (exported["from"], exported["to"], exported["bucket"]) == (
        "2026-01-05T00:00:00Z",
        "2026-01-19T00:00:00Z",
        "week",
    )
    json.dumps(exported)


def test_export_file_is_named_after_report_project_and_period(given):
    assert given("completed").file_stem == "completed_OPS_2026-01-05_2026-01-19"
    assert given("workload", "from=2026-01-05&to=2026-01-19").file_stem == "workload_all_2026-01-05_2026-01-19"
