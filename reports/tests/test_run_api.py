"""Definitions over HTTP: figures, files, and one sentence for what is wrong."""

import csv
import io

import pytest
from openpyxl import load_workbook
from rest_framework.test import APIClient

from reports import limits, running
from reports.tests.conftest import utc
from reports.tests.histories import episode
from tasks.actions.agents import create_token
from tasks.models import Agent

pytestmark = pytest.mark.django_db

JANUARY = {"from": "2026-01-01", "to": "2026-02-01"}
BY_AGENT = {
    "version": 1,
    "facts": "episodes",
    "measures": [{"aggregate": "count"}, {"name": "cycle", "aggregate": "p85"}, {"name": "cost", "aggregate": "sum"}],
    "by": ["agent"],
    "period": JANUARY,
    "tz": "UTC",
}


def client_with(secret: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.fixture
def done(cast):
    start = utc("2026-01-06 10:00")
    episode(cast.ops, start, utc("2026-01-06 12:00"), started=start, agent=cast.atlas, cost="0.125")


def test_run_definition_answers_columns_rows_total_n_period_zone_and_notes(api, done):
    answer = api.vera.post("/reports/run", BY_AGENT)
    assert answer.status_code == 200, answer.content
    report = answer.json()
    row = {"count": 1, "cycle_p85": 7200.0, "cycle_n": 1, "cost_sum": 0.125, "cost_n": 1}
    assert report["rows"] == [{"agent": "atlas"} | row]
    assert report["total"] == {"agent": None} | row
    assert [column["role"] for column in report["columns"]] == ["dimension", "measure", "measure", "n", "measure", "n"]
    assert (report["n"], report["tz"], report["notes"]) == (1, "UTC", [])
    assert report["period"] == {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z", "bucket": None}
    assert report["words"] == {"agent": [{"value": "atlas", "label": "Atlas"}]}
    assert report["definition"] == BY_AGENT


def test_run_definition_shows_strangers_neither_rows_nor_totals_nor_names(api, cast, done, new_task):
    task = new_task(labels=["secret-label"])
    moments = utc("2026-01-07 10:00"), utc("2026-01-07 12:00")
    episode(cast.ops, *moments, task=task, agent=cast.bert, labels=["secret-label"])
    Agent.objects.filter(pk=cast.bert.pk).update(name="Secret Bert")
    definition = BY_AGENT | {"by": ["agent", "label", "project"], "compare": "previous"}
    mine = api.ada.post("/reports/run", definition).content.decode()
    assert [word for word in ("secret-label", "Secret Bert", "atlas", "OPS") if word not in mine] == []
    for output in ("json", "csv", "xlsx"):
        answer = api.zed.post(f"/reports/run?output={output}", definition)
        assert answer.status_code == 200
        if output == "xlsx":
            values = [
                value for sheet in load_workbook(io.BytesIO(answer.content)) for row in sheet.values for value in row
            ]
            text = repr(values)
        else:
            text = answer.content.decode()
        assert not [word for word in ("secret", "Secret", "atlas", "bert", "OPS", "7200", "0.125") if word in text]
    assert api.zed.post("/reports/run?project=OPS", definition).status_code == 404
    total = api.zed.post("/reports/run", definition).json()["total"]
    assert (total["count"], total["count_previous"], total["cycle_p85"]) == (0, 0, None)


def test_run_definition_for_a_token_of_one_project_leaves_out_the_others(api, cast, done):
    cast.other.memberships.create(user=cast.atlas.user, role="worker")
    episode(cast.other, utc("2026-01-07 10:00"), utc("2026-01-07 12:00"), agent=cast.zed)
    assert api.atlas.post("/reports/run", BY_AGENT).json()["n"] == 2
    _, secret = create_token(actor=None, agent=cast.atlas, name="narrow", projects=["OPS"])
    assert client_with(secret).post("/api/v1/reports/run", BY_AGENT).json()["n"] == 1


def test_run_definition_with_a_mistake_is_refused_at_its_place(api):
    answer = api.ada.post("/reports/run", BY_AGENT | {"by": ["agnet"]})
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert answer.json()["errors"] == {"by[0]": ["There is no dimension of episodes 'agnet'; did you mean 'agent'?"]}
    assert answer.json()["detail"] == "by[0]: There is no dimension of episodes 'agnet'; did you mean 'agent'?"
    assert api.ada.post("/reports/run", []).status_code == 400
    assert api.ada.post("/reports/run?output=cvs", BY_AGENT).json()["errors"].keys() == {"output"}


def test_run_definition_with_too_many_cells_is_refused(api, cast, monkeypatch):
    monkeypatch.setattr(running, "MOST_CELLS", 12)
    start = utc("2026-01-06 10:00")
    for agent in (cast.atlas, cast.bert, cast.hugo):
        episode(cast.ops, start, start, started=start, agent=agent)
    answer = api.ada.post("/reports/run", BY_AGENT)
    assert (answer.status_code, answer.json()["code"]) == (400, "too_large")
    assert answer.json()["detail"] == (
        "The report would have more than 2 rows; group by less, or choose a larger bucket or a shorter period."
    )
    total = api.ada.post("/reports/run", BY_AGENT | {"by": []}).json()["total"]
    assert total["count"] == 3


def test_run_definition_that_takes_too_long_is_stopped(api, cast, monkeypatch):
    monkeypatch.setattr(limits, "SECONDS", 0.001)
    monkeypatch.setattr("taskproject.time_limits._INSTRUCTIONS", 1)
    start = utc("2026-01-06 10:00")
    for agent in (cast.atlas, cast.bert, cast.hugo) * 30:
        episode(cast.ops, start, start, started=start, agent=agent)
    monkeypatch.setattr(running, "summarise", _slow)
    answer = api.ada.post("/reports/run", BY_AGENT)
    assert (answer.status_code, answer.json()["code"]) == (400, "too_slow")
    assert answer.json()["detail"] == (
        "The report takes longer than 0.001 seconds; choose a shorter period, or group by less."
    )
    monkeypatch.undo()
    assert api.ada.post("/reports/run", BY_AGENT).json()["n"] == 90


def _slow(*args, **kwargs):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT SUM(i) FROM n"
        )
        cursor.fetchall()


def test_run_definition_as_csv_begins_with_a_mark_and_has_the_total_where_nothing_is_grouped(api, done):
    answer = api.ada.post("/reports/run?output=csv", BY_AGENT | {"by": []})
    assert answer["Content-Disposition"] == 'attachment; filename="report_all_2026-01-01_2026-02-01.csv"'
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows == [{"count": "1", "cycle_p85": "7200.0", "cycle_n": "1", "cost_sum": "0.125", "cost_n": "1"}]


def test_run_definition_with_a_read_only_token_is_allowed(api, cast, done):
    _, secret = create_token(actor=None, agent=cast.atlas, name="reader", read_only=True)
    assert client_with(secret).post("/api/v1/reports/run", BY_AGENT).status_code == 200


def test_vocabulary_lists_what_a_definition_may_name(api):
    vocabulary = api.zed.get("/reports/vocabulary").json()
    facts = {fact["name"]: fact for fact in vocabulary["facts"]}
    assert set(facts) == {
        "assignments",
        "episodes",
        "events",
        "intervals",
        "questions",
        "reviews",
        "runs",
        "steps",
        "tasks",
    }
    cycle = next(each for each in facts["episodes"]["measures"] if each["name"] == "cycle")
    assert (cycle["unit"], cycle["aggregates"][-1]) == ("seconds", "p95")
    assert {"name": "p85", "label": "85th percentile", "needs": 7} in vocabulary["aggregates"]
    priority = next(each for each in facts["episodes"]["conditions"] if each["name"] == "priority")
    assert "at_least" in priority["operators"]
    assert [value["value"] for value in priority["values"]] == ["low", "normal", "high", "urgent"]


def test_run_definition_by_labels_of_two_projects_joins_equal_names(api, cast, done, new_task):
    for project, key in ((cast.ops, "OPS"), (cast.other, "OTHER")):
        task = new_task(f"In {key}", project=project, actor=cast.root)
        episode(project, utc("2026-01-07 10:00"), utc("2026-01-07 12:00"), task=task, labels=["bug"])
    by_label = BY_AGENT | {"by": ["label"], "where": {"field": "label", "is": "bug"}}
    assert [row["count"] for row in api.root.post("/reports/run", by_label).json()["rows"]] == [2]
    assert [row["count"] for row in api.ada.post("/reports/run", by_label).json()["rows"]] == [1]
