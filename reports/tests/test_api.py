"""Reports over HTTP: who may read what, in which format, and how a bad query is refused."""

import csv
import io

import pytest
from openpyxl import load_workbook

from reports.predefined import REPORTS

pytestmark = pytest.mark.django_db

JANUARY = "project=OPS&from=2026-01-01&to=2026-02-01&tz=UTC"


@pytest.mark.parametrize("slash", ["", "/"])
def test_list_reports_names_them_with_their_columns(api, slash):
    answer = api.atlas.get(f"/reports{slash}")
    assert answer.status_code == 200
    listed = answer.json()
    assert [report["slug"] for report in listed["results"]] == list(REPORTS)
    assert (listed["next"], listed["previous"]) == (None, None)
    columns = {column["name"]: column for column in listed["results"][1]["columns"]}
    assert columns["lead_median_seconds"]["label"] == "Lead time: median"
    assert columns["lead_median_seconds"]["unit"] == "seconds"


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("slug", sorted(REPORTS))
def test_get_report_as_member_answers_json(api, slug, slash):
    answer = api.vera.get(f"/reports/{slug}{slash}?{JANUARY}")
    assert answer.status_code == 200, answer.content
    report = answer.json()
    assert (report["slug"], report["project"], report["from"]) == (slug, "OPS", "2026-01-01T00:00:00Z")
    assert answer["Content-Type"] == "application/json"


def test_get_report_counts_what_was_completed(api, do_task):
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    report = api.atlas.get(f"/reports/completed?{JANUARY}&bucket=month").json()
    assert report["rows"] == [
        {
            "bucket": "2026-01-01",
            "starts_at": "2026-01-01T00:00:00Z",
            "ends_at": "2026-02-01T00:00:00Z",
            "is_partial": report["rows"][0]["is_partial"],
            "completed": 1,
            "imported": 0,
            "inferred": 0,
            "arrived": 1,
            "reopened": 0,
            "ended_otherwise": 0,
            "net": 0,
        }
    ]


def test_get_report_of_strangers_project_is_not_found(api, do_task):
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    answer = api.zed.get(f"/reports/completed?{JANUARY}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("slug", sorted(REPORTS))
def test_get_report_without_project_shows_the_callers_projects_alone(api, cast, something_of_all, slug):
    something_of_all()
    period = "from=2026-01-01&to=2026-02-01&tz=UTC"
    of_atlas = api.atlas.get(f"/reports/{slug}?{period}").json()["n"]
    assert of_atlas >= 1
    assert api.zed.get(f"/reports/{slug}?{period}").json()["n"] == 0
    assert api.root.get(f"/reports/{slug}?{period}").json()["n"] == of_atlas
    assert "atlas" not in api.zed.get(f"/reports/{slug}?{period}").content.decode()


def test_get_report_without_token_is_refused(api):
    assert api.nobody.get("/reports").status_code == 401
    assert api.nobody.get("/reports/completed").status_code == 401


def test_get_report_that_does_not_exist_names_the_nearest(api):
    answer = api.atlas.get("/reports/complete")
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "There is no report 'complete'; did you mean 'completed'?",
    )


def test_get_report_with_a_wrong_parameter_says_which(api):
    answer = api.atlas.get("/reports/completed?bucket=weeek")
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert answer.json()["errors"] == {
        "bucket": [
            "There is no bucket 'weeek'; did you mean 'week'? "
            "Known: minute, hour, day, week, month, quarter, year, auto."
        ]
    }
    assert api.atlas.get("/reports?project=OPS").json()["errors"].keys() == {"project"}


@pytest.mark.parametrize("accept", ["*/*", "text/csv", "application/json"])
def test_get_report_as_csv_is_a_file(api, do_task, accept):
    do_task("2026-01-05 08:00", "2026-01-05 09:00", "2026-01-05 10:00")
    answer = api.atlas.get(f"/reports/completed?{JANUARY}&output=csv", accept=accept)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="completed_OPS_2026-01-01_2026-02-01.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["bucket"], row["completed"]) for row in rows][:2] == [("2025-12-29", "0"), ("2026-01-05", "1")]


def test_get_report_as_xlsx_is_a_workbook(api):
    answer = api.atlas.get(f"/reports/workload?{JANUARY}&output=xlsx")
    assert answer["Content-Type"].endswith("spreadsheetml.sheet")
    assert load_workbook(io.BytesIO(answer.content)).sheetnames == ["Report", "About"]


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_reports_are_read_only(api, method):
    assert getattr(api.ada, method)("/reports/completed", {}).status_code == 405


def test_schema_describes_the_reports_with_their_parameters(api):
    paths = api.ada.get("/schema", accept="application/json").json()["paths"]
    assert "/api/v1/reports" in paths
    operation = paths["/api/v1/reports/{slug}"]["get"]
    names = {parameter["name"] for parameter in operation["parameters"]}
    assert names == {"slug", "project", "from", "to", "bucket", "tz", "output"}
