"""Behind each figure are the facts that it counts: as many as it says, and nobody else's."""

import csv
import io
import json
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from reports import running
from reports.behind import behind, href_of
from reports.behind.reading import read_asked
from reports.definitions import columns, read
from reports.periods import BucketSize
from reports.report import Answer
from reports.tests.conftest import BERLIN, utc
from reports.tests.histories import episode
from reports.units import FLAG
from reports.vocabulary import CONDITIONS, FACTS
from tasks.actions import claims, lifecycle, questions, reviews, runs
from tasks.actions.tasks import delete_task
from tasks.models import Agent, Episode, Project, StatusInterval, TimeSource

pytestmark = pytest.mark.django_db

NOW = utc("2026-02-10 12:00")
COUNT = {"aggregate": "count"}
#: Figures that are no facts: of several there is one task, and a change is none of any.
LINKLESS = re.compile("_change|_distinct")
PERIODS = (
    {"from": "2026-01-01", "to": "2026-02-10"},
    {"last": 6, "unit": "week"},
    {"from": "2026-01-06T09:30:00Z", "to": "2026-01-20T10:10:00Z"},
)
WHERES = (None, None, {"field": "project", "is": "OPS"}, {"not": {"field": "label", "in": ["bug"]}})


@pytest.fixture
def history(cast, new_task, set_clock, do_task):
    """January in OPS with all that is counted: failed, reviewed, asked, reopened, deleted; and something in OTHER."""
    ada, rita, atlas = cast.ada.user, cast.rita.user, cast.atlas.user
    do_task("2026-01-05 08:00", "2026-01-05 09:00", "2026-01-06 10:00", labels=["bug", "ui"], priority=4)
    again = do_task("2026-01-06 08:00", "2026-01-06 09:00", "2026-01-07 23:30", agent=cast.bert, labels=["bug"])
    set_clock("2026-01-08 08:00")
    lifecycle.reopen_task(actor=ada, task=again)
    do_task("2026-01-08 08:00", "2026-01-09 09:00", "2026-01-20 10:00", agent=cast.bert, task=again)
    set_clock("2026-01-10 08:00")
    judged = new_task("Judged", review_required=True, due_at=utc("2026-01-11 00:00"))
    run = claims.claim_task(actor=atlas, task=judged)
    set_clock("2026-01-10 08:10")
    runs.fail_run(actor=atlas, run_id=run.pk, code="=no_tools", detail="none")
    set_clock("2026-01-12 08:00")
    run = claims.claim_task(actor=atlas, task=judged)
    set_clock("2026-01-12 08:05")
    questions.ask_run(actor=atlas, run_id=run.pk, prompt="Which?")
    set_clock("2026-01-12 08:09")
    runs.complete_run(actor=atlas, run_id=run.pk, summary="done", usage={"input_tokens": 10, "cost": 0.25})
    set_clock("2026-01-12 18:00")
    judged.refresh_from_db()
    reviews.approve_task(actor=rita, task=judged)
    gone = do_task("2026-01-13 08:00", "2026-01-13 09:00", "2026-01-13 10:00")
    delete_task(actor=ada, task=gone)
    set_clock("2026-02-01 08:00")
    new_task("=Open", labels=["ui"], assignees=[cast.atlas])
    episode(cast.ops, NOW, NOW, entered_from=TimeSource.UNKNOWN, ended_from=TimeSource.UNKNOWN)
    for agent in (cast.zed, None):
        episode(cast.other, utc("2026-01-05 10:00"), utc("2026-01-07 10:00"), agent=agent)
    set_clock("2026-02-10 12:00")
    return cast


def answer_of(document: dict[str, Any], user: Any, project: str | None = None) -> Answer:
    document = {"version": 1, "measures": [COUNT]} | document
    return running.run(read(document), user=user, now=NOW, zone=BERLIN, project=project)


def rows_behind(address: str, user: Any) -> int:
    asked = read_asked(QueryDict(urlsplit(address).query), user=user, zone=ZoneInfo("Asia/Tokyo"))
    facts = list(behind(asked.definition, asked.cell, asked.scope, now=NOW, user=user).values_list("pk", flat=True))
    assert len(facts) == len(set(facts))
    return len(facts)


def _documents() -> st.SearchStrategy[dict[str, Any]]:
    def of(name: str) -> st.SearchStrategy[dict[str, Any]]:
        fact = FACTS[name]
        measures = [COUNT] + [
            {"name": measure.name, "aggregate": aggregate}
            for measure in fact.measures
            for aggregate in measure.aggregates
        ]
        times = [None, *({"on": each.name} for each in fact.moments)]
        times += [
            {"on": each.name, "bucket": size} for each in fact.moments for size in ("auto", "day", "week", "month")
        ]
        return st.fixed_dictionaries(
            {
                "facts": st.just(name),
                "measures": st.lists(st.sampled_from(measures), min_size=1, max_size=3, unique_by=str),
                "by": st.lists(st.sampled_from([each.name for each in fact.dimensions]), max_size=2, unique=True),
                "time": st.sampled_from(times),
                "period": st.sampled_from(PERIODS),
                "where": st.sampled_from(WHERES if "label" in CONDITIONS[fact.name] else WHERES[:3]),
                "compare": st.sampled_from([None, "previous"]),
            }
        ).map(lambda document: {key: value for key, value in document.items() if value is not None})

    return st.sampled_from(list(FACTS)).flatmap(of)


def test_every_figure_has_as_many_facts_behind_it_as_it_says(history):
    user = history.ada.user

    @settings(max_examples=80, deadline=None)
    @given(_documents())
    def check(document):
        answer = answer_of(document, user)
        href = href_of(answer)
        fact = FACTS[document["facts"]]
        for row in [*answer.rows[:5], answer.total]:
            # Charts and tables may pass copies.
            row = dict(row)
            for column in answer.columns:
                address = href(row, column.name) if column.role in ("measure", "n") else None
                if address is None:
                    assert column.role not in ("measure", "n") or not row[column.name] or LINKLESS.search(column.name)
                    continue
                figure = row[column.n] if column.n else row[column.name]
                measured = [each for each in answer.definition.measures if column.name.startswith(each.column)]
                if measured and measured[0].aggregate == "sum" and fact.measure(measured[0].name).unit == FLAG:
                    figure = row[column.name]
                assert rows_behind(address, user) == figure, (column.name, row)

    check()


def test_every_row_of_a_report_leads_to_its_facts(history):
    answer = answer_of({"facts": "episodes", "by": ["agent"], "period": PERIODS[0]}, history.ada.user)
    href = href_of(answer)
    assert {row["agent"]: rows_behind(href(row, "count"), history.ada.user) for row in answer.rows} == {
        "atlas": 3,
        "bert": 2,
    }
    assert rows_behind(href(answer.total, "count"), history.ada.user) == 5


def test_total_is_told_from_the_row_of_those_without_a_value(history):
    answer = answer_of({"facts": "episodes", "by": ["agent"], "period": PERIODS[0]}, history.root)
    href = href_of(answer)
    nobody = next(row for row in answer.rows if row["agent"] is None)
    assert rows_behind(href(nobody, "count"), history.root) == nobody["count"] == 1
    assert rows_behind(href(answer.total, "count"), history.root) == answer.total["count"] == 7


def test_strangers_see_nothing_behind_the_same_address(history, client):
    address = href_of(answer_of({"facts": "episodes", "period": PERIODS[0]}, history.root))(
        answer_of({"facts": "episodes", "period": PERIODS[0]}, history.root).total, "count"
    )
    assert rows_behind(address, history.root) == 7
    assert rows_behind(address, history.ada.user) == 5
    assert rows_behind(address, history.zed.user) == 2
    client.force_login(history.zed.user)
    page = client.get(address).content.decode()
    assert "OPS-" not in page
    assert client.get(f"{address}&project=OPS").status_code == 404


@pytest.fixture
def open_behind(client, history):
    def get(document: dict[str, Any] | None = None, column: str = "count", **more: str):
        client.force_login(history.ada.user)
        document = {"facts": "episodes", "period": PERIODS[0]} | (document or {})
        answer = answer_of(document, history.ada.user)
        address = href_of(answer)(answer.total, column)
        return client.get(f"{address}&{urlencode(more)}" if more else address)

    return get


def test_days_of_an_address_without_a_zone_are_those_of_the_reader(history):
    definition = json.dumps({"version": 1, "facts": "episodes", "measures": [COUNT]})
    query = QueryDict(
        urlencode({"definition": definition, "column": "count", "from": "2026-01-07", "to": "2026-01-08"})
    )
    for zone, count in ((BERLIN, 0), (ZoneInfo("UTC"), 1)):
        asked = read_asked(query, user=history.ada.user, zone=zone)
        assert behind(asked.definition, asked.cell, asked.scope, now=NOW, user=history.ada.user).count() == count


def test_page_lists_each_fact_with_its_task_and_times_in_words(open_behind, history):
    page = open_behind({"measures": [{"name": "cycle", "aggregate": "p85"}]}, "cycle_p85")
    text = page.content.decode()
    assert page.status_code == 200
    assert "Cycle time: 85th percentile" in text
    assert page.context["count"] == "5"
    assert "Judged" in text
    assert "1 d 1 h" in text
    deleted = Episode.objects.get(end="completed", project=history.ops, task_id__gt=0, ended_at=utc("2026-01-13 10:00"))
    assert f'<span class="ref">{deleted.task_ref}</span>' in text
    assert f"/tasks/{deleted.task_ref}" not in text


@pytest.mark.parametrize("name", FACTS)
def test_page_and_files_of_every_kind_of_fact(open_behind, name):
    page = open_behind({"facts": name, "where": {"field": "project", "in": ["OPS"]}})
    count = int(page.context["count"])
    assert count == len(page.context["rows"]) > 0
    text = open_behind({"facts": name}, output="csv").content.decode()
    rows = list(csv.DictReader(io.StringIO(text[1:])))
    assert len(rows) == count
    assert not any(value.startswith("=") for row in rows for value in row.values() if value)
    book = load_workbook(io.BytesIO(open_behind({"facts": name}, output="xlsx").content))
    assert book.worksheets[0].max_row == count + 1
    about = {line[0].value: line[1].value for line in book["About"].iter_rows()}
    assert about["Rows"] == str(count)


def test_pages_of_facts_follow_each_other_without_more_queries(open_behind, history, client):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page = open_behind()
        return len(captured), page

    queries()
    few, _ = queries()
    for number in range(60):
        episode(history.ops, utc("2026-01-02 00:00"), utc("2026-01-03 00:00") + timedelta(minutes=number // 2))
    many, page = queries()
    assert many == few
    seen: list[str] = []
    while True:
        seen += [row.ref for row, _ in page.context["rows"]]
        if not page.context["next_url"]:
            break
        page = client.get(f"/reports/behind/{page.context['next_url']}")
    assert len(seen) == 65
    assert page.context["count"] == "65"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"definition": ""}, "definition: Must be given"),
        ({"definition": "{"}, "definition: Must be JSON"),
        ({"definition": "[" * 1200}, "definition: Must be JSON"),
        (
            {"definition": '{"version":1,"facts":"episode","measures":[{"aggregate":"count"}]}'},
            "did you mean 'episodes'",
        ),
        ({"column": "cuont"}, "did you mean 'count'"),
        ({"from": "yesterday"}, "from:"),
        ({"to": "2020-01-01"}, "to: It must be after"),
        ({"words": "[]"}, "words: Must be an object"),
        ({"words": '{"agnet":"x"}'}, "did you mean 'agent'"),
        ({"words": '{"agent":7}'}, "words.agent: Must be a text or null"),
        ({"words": '{"agent":"a\\u0000"}'}, "Null characters"),
        ({"words": '{"priority":"hihg"}'}, "did you mean 'high'"),
        ({"cursor": "abc"}, "cursor: It is not one of ours"),
        ({"output": "pdf"}, "Known: csv, xlsx"),
        ({"colunm": "count"}, "did you mean 'column'"),
        ({"column": "a\0"}, "Null characters"),
    ],
)
def test_address_that_is_not_understood_gets_a_sentence(client, cast, change, sentence):
    client.force_login(cast.ada.user)
    definition = {"version": 1, "facts": "episodes", "measures": [COUNT], "by": ["agent", "priority"]}
    query = {"definition": json.dumps(definition), "column": "count", "from": "2026-01-01", "to": "2026-02-01"}
    page = client.get(f"/reports/behind/?{urlencode(query | change)}")
    assert page.status_code == 400
    text = page.content.decode().replace("&#x27;", "'")
    assert sentence in text


def test_address_names_its_times_and_zone_so_that_it_stays_what_it_is(history):
    answer = answer_of(
        {"facts": "episodes", "time": {"on": "completed", "bucket": "week"}, "period": {"last": 6, "unit": "week"}},
        history.ada.user,
    )
    row = next(row for row in answer.rows if row["count"])
    query = {name: value[0] for name, value in parse_qs(urlsplit(href_of(answer)(row, "count")).query).items()}
    assert (query["from"], query["to"]) == ("2026-01-04T23:00:00Z", "2026-01-11T23:00:00Z")
    assert json.loads(query["definition"])["tz"] == "Europe/Berlin"
    assert "period" not in json.loads(query["definition"])
    assert BucketSize.WEEK.value not in query["definition"]
    assert query["column"] == columns.COUNT


def test_figures_of_nothing_have_no_address(history):
    answer = answer_of({"facts": "questions", "period": {"from": "2020-01-01", "to": "2020-02-01"}}, history.ada.user)
    assert href_of(answer)(answer.total, "count") is None
    assert StatusInterval.objects.exists()


def test_page_names_nobody_whom_its_reader_does_not_see(client, history, cast):
    Project.objects.filter(pk=cast.other.pk).update(name="Secret merger")
    Agent.objects.filter(pk=cast.zed.pk).update(name="Secret Zed")
    client.force_login(history.ada.user)
    for by, word in (("project", "OTHER"), ("agent", "zed")):
        definition = json.dumps({"version": 1, "facts": "episodes", "measures": [COUNT], "by": [by]})
        cell = {"definition": definition, "column": "count", "from": "2026-01-01", "to": "2026-02-01"}
        for output in ("", "xlsx"):
            page = client.get("/reports/behind/", cell | {"words": json.dumps({by: word}), "output": output})
            assert page.status_code == 200
            if output:
                about = load_workbook(io.BytesIO(page.content))["About"]
                shown = str([[cell.value for cell in line] for line in about.iter_rows()])
            else:
                shown = page.content.decode()
            assert word in shown
            assert "Secret" not in shown
