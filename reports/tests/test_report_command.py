"""``manage.py report``: figures for scripts; exit code 2 and one sentence for what is wrong."""

import csv
import io
import json

import pytest
from django.core.management import CommandError, call_command
from openpyxl import load_workbook

from reports.tests.conftest import utc
from reports.tests.histories import episode

pytestmark = pytest.mark.django_db

COUNT = {"version": 1, "facts": "episodes", "measures": [{"aggregate": "count"}], "by": ["project"]}
JANUARY = {"from": "2026-01-01", "to": "2026-02-01", "tz": "UTC"}


@pytest.fixture
def both(cast):
    for project in (cast.ops, cast.other):
        episode(project, utc("2026-01-06 10:00"), utc("2026-01-06 12:00"))


def output_of(*arguments: str, **options) -> str:
    out = io.StringIO()
    call_command("report", *arguments, stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def definition(tmp_path):
    path = tmp_path / "by_project.json"
    path.write_text(json.dumps(COUNT), encoding="utf-8")
    return str(path)


def test_report_of_a_definition_counts_all_projects_or_those_of_a_user(both, definition):
    everything = json.loads(output_of(definition, **JANUARY))
    assert [(row["project"], row["count"]) for row in everything["rows"]] == [("OPS", 1), ("OTHER", 1)]
    of_ada = json.loads(output_of(definition, user="ada", **JANUARY))
    assert [(row["project"], row["count"]) for row in of_ada["rows"]] == [("OPS", 1)]
    of_other = json.loads(output_of(definition, project="OTHER", **JANUARY))
    assert (of_other["total"]["count"], of_other["project"]) == (1, "OTHER")


def test_report_of_a_slug_is_the_predefined_one(both):
    shown = json.loads(output_of("completed", project="OPS", bucket="month", **JANUARY))
    assert (shown["slug"], shown["project"], len(shown["rows"])) == ("completed", "OPS", 1)


def test_report_takes_the_bucket_from_the_option(both, definition):
    rows = list(csv.DictReader(io.StringIO(output_of(definition, bucket="day", output="csv", **JANUARY)[1:])))
    assert [(row["bucket"], row["project"]) for row in rows] == [("2026-01-06", "OPS"), ("2026-01-06", "OTHER")]


def test_report_writes_a_file(both, definition, tmp_path):
    path = tmp_path / "out.xlsx"
    assert output_of(definition, output="xlsx", file=str(path), **JANUARY) == ""
    assert load_workbook(path)["Report"]["A2"].value == "Operations"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"facts": "episode"}', "facts: There is no kind of facts 'episode'; did you"),
        ('{"version": 1, "facts": "episode", "measures": []}', "facts: There is no kind of facts 'episode'; did you"),
        ('{"version": 1', "is not JSON: Expecting ',' delimiter."),
        ("[1]", "definition: Must be an object such as"),
    ],
)
def test_report_of_a_bad_definition_is_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "bad.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CommandError, match=r".") as refused:
        output_of(str(path))
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        (["complete"], {}, "There is no report 'complete'; did you mean 'completed'? and there is no such file."),
        (["completed"], {"project": "OPPS"}, "There is no project of yours 'OPPS'; did you mean 'OPS'?"),
        (["completed"], {"tz": "Mars"}, "--tz: There is no time zone 'Mars'"),
        (["completed"], {"user": "adda"}, "There is no user 'adda'; did you mean 'ada'?"),
        (["completed"], {"from": "2026-02-01", "to": "2026-01-01"}, "--to: It must be after `from`; the period goes"),
        (["completed"], {"file": "/nowhere/x.csv"}, "/nowhere/x.csv cannot be written: No such file or directory."),
    ],
)
def test_report_used_wrongly_says_how(cast, arguments, options, sentence):
    with pytest.raises(CommandError) as refused:
        output_of(*arguments, **options)
    assert str(refused.value).startswith(sentence)
    assert refused.value.returncode == 2
