"""JSON and CSV: every field is imported, and every mistake is reported with its line and field."""

import json

import pytest
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from taskproject.texts import is_blank
from tasks.actions.imports import Plan, PlanRefused, import_plan
from tasks.formats import READERS, Unreadable, csv_table, decoded, json_list, recognised
from tasks.formats.fields import CONVERTERS
from tasks.models import Task
from tasks.tests.import_helpers import everything_of

FULL = {
    "key": "build",
    "title": "Build it",
    "description": "Line one\nline two",
    "priority": "high",
    "labels": ["ui", "docs"],
    "due_at": "2099-05-02",
    "start_after": "2099-05-01T10:00:00+02:00",
    "on_hold": True,
    "estimate_minutes": 90,
    "required_skills": ["python:3", {"skill": "Rust", "min_level": 2}, "docs"],
    "assignees": ["atlas", "hugo"],
    "depends_on": ["design", "OPS-1"],
    "parent": "release",
    "criteria": ["tests pass", "it is quick"],
    "review_required": True,
    "max_attempts": 5,
}
OTHERS = [{"key": "design", "title": "Design it"}, {"key": "release", "title": "Release it"}]
FULL_CSV = (
    "\ufeffkey,title,description,priority,labels,due_at,start_after,on_hold,estimate_minutes,required_skills,assignees,"
    "depends_on,parent,criteria,review_required,max_attempts\r\n"
    'build,Build it,"Line one\nline two",high,ui;docs,2099-05-02,2099-05-01T10:00:00+02:00,yes,90,'
    "python:3; rust:2;docs,atlas;hugo,design;OPS-1,release,tests pass; it is quick,yes,5\r\n"
    "design,Design it\r\n"
    "\r\n"
    "release,Release it,,,,,,,,,,,,,\r\n"
)


def as_json(text: str) -> Plan:
    return json_list.read(text)


def complaints(plan: Plan) -> list[str]:
    return [str(problem) for problem in sorted(plan.problems)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "plan", [as_json(json.dumps([FULL, *OTHERS])), csv_table.read(decoded(FULL_CSV.encode()))], ids=["json", "csv"]
)
def test_import_takes_every_field(cast, new_task, plan):
    new_task("Here already")
    imported = import_plan(actor=cast.ada.user, project=cast.ops, plan=plan)
    assert (imported.created, imported.skills_created, imported.labels_created) == (3, ["rust"], ["docs", "ui"])
    built = everything_of(Task.objects.get(external_id="build"))
    assert built == {
        "title": "Build it",
        "description": "Line one\nline two",
        "status": "not_started",
        "priority": 3,
        "labels": {"ui", "docs"},
        "due_at": "2099-05-02T23:59:59+00:00",
        "start_after": "2099-05-01T08:00:00+00:00",
        "deferred_until": "2099-05-01T08:00:00+00:00",
        "on_hold": True,
        "estimate_minutes": 90,
        "required_skills": {("python", 3), ("rust", 2), ("docs", 1)},
        "assignees": {"atlas", "hugo"},
        "depends_on": {"design", "OPS-1"},
        "parent": "release",
        "criteria": ["tests pass", "it is quick"],
        "review_required": True,
        "max_attempts": 5,
        "open_blockers": 2,
        "created_by": "ada",
    }
    assert Task.objects.get(external_id="release").open_blockers == 1


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["in_progress", "waiting", "in_review"])
def test_import_in_progress_elsewhere_starts_over_and_keeps_its_first_start(cast, status):
    entry = {"title": "x", "status": status, "started_at": "2026-05-01T00:00:00Z"}
    import_plan(actor=None, project=cast.ops, plan=as_json(json.dumps([entry])))
    task = Task.objects.get()
    assert (task.status, task.started_at.isoformat()) == ("not_started", "2026-05-01T00:00:00+00:00")


@pytest.mark.django_db
def test_import_ended_tasks_with_what_is_known_of_their_times(cast):
    entries = [
        {"key": "a", "title": "a", "status": "completed", "completed_at": "2026-05-02T00:00:00Z", "summary": "done",
         "result": {"n": [1]}, "assignees": ["atlas"]},
        {"key": "b", "title": "b", "status": "completed"},
        {"key": "c", "title": "c", "status": "cancelled"},
        {"key": "d", "title": "d", "status": "failed", "started_at": "2026-05-02T00:00:00Z"},
    ]  # fmt: skip
    import_plan(actor=None, project=cast.ops, plan=as_json(json.dumps({"version": 1, "tasks": entries, "x": [1]})))
    a, b, c, d = Task.objects.order_by("number")
    assert (a.summary, a.result, a.created_at, a.completed_at.day) == ("done", {"n": [1]}, a.completed_at, 2)
    assert b.completed_at == b.created_at == b.updated_at
    assert (c.status, c.completed_at, d.status, d.started_at) == ("cancelled", None, "failed", d.created_at)
    assert a.assignments.get().end_reason == "closed"
    assert not a.assignments.active().exists()


WRONG_JSON = """[
  {"title": "ok", "key": "a"},
  {"titel": "typo"},
  {
    "title": "x",
    "priority": "hgih",
    "status": "doen",
    "labels": "ui",
    "due_at": "tomorrow",
    "estimate_minutes": "30",
    "required_skills": ["python:9", 3],
    "assignees": ["atlsa", "vera"],
    "depends_on": ["a", "b", "OPS-77"],
    "parent": ["a"],
    "criteria": [1],
    "review_required": "yes",
    "max_attempts": 0,
    "percent": 40,
    "title": "twice"
  },
  "text",
  {"title": 3, "key": "a", "estimate_minutes": true, "max_attempts": 2.5, "created_at": 5, "description": []},
  {"title": null, "key": "", "external_id": {}, "result": 1e999, "summary": "\\u0000", "labels": ["\\ud800"]}
]"""


@pytest.mark.django_db
def test_import_json_names_every_mistake_with_line_and_field(cast):
    with pytest.raises(PlanRefused) as refused:
        import_plan(actor=None, project=cast.ops, plan=as_json(WRONG_JSON))
    known = "not_started, in_progress, waiting, in_review, completed, failed, cancelled"
    assert [str(problem) for problem in refused.value.problems] == [
        "line 3, titel: There is no field 'titel'; did you mean 'title'?",
        "line 3, title: Is missing; every task needs a title.",
        "line 6, priority: There is no priority 'hgih'; did you mean 'high'; known are low, normal, high, urgent.",
        f"line 7, status: There is no status 'doen'; known are {known}.",
        "line 8, labels: Must be a list, not a text.",
        "line 9, due_at: 'tomorrow' is not a time; write 2026-11-22T10:00:00Z or 2026-11-22.",
        "line 10, estimate_minutes: Must be a whole number, not '30'.",
        "line 11, required_skills: The level of python must be from 1 to 5.",
        "line 12, assignees: There is no agent in OPS named 'atlsa'; did you mean 'atlas'?",
        "line 12, assignees: There is no agent in OPS named 'vera'; did you mean 'rita'?",
        "line 13, depends_on: There is no task OPS-77 in this file or in OPS.",
        "line 13, depends_on: There is no task b in this file or in OPS.",
        "line 14, parent: Must be a text, not a list.",
        "line 15, criteria: Must be a text, not a number.",
        "line 16, review_required: Must be true or false, not 'yes'.",
        "line 17, max_attempts: Must be from 1 to 20.",
        "line 18, percent: There is no field 'percent'; did you mean 'parent'?",
        "line 19, title: Is given twice.",
        'line 21: A task must be an object such as {"title": "…"}.',
        "line 22, created_at: Must be a time such as 2026-11-22T10:00:00Z, not a number.",
        "line 22, description: Must be a text, not a list.",
        "line 22, estimate_minutes: Must be a whole number, not True.",
        "line 22, key: a is already the task of line 2.",
        "line 22, max_attempts: Must be a whole number, not 2.5.",
        "line 22, title: Must be a text, not a number.",
        "line 23, external_id: Must be a text, not an object.",
        "line 23, key: Must not be empty.",
        "line 23, labels: Surrogate characters are not allowed.",
        "line 23, result: Numbers must be finite; a number has at most 308 digits before the decimal point.",
        "line 23, summary: Null characters are not allowed.",
        "line 23, title: Is missing; every task needs a title.",
    ]
    assert not Task.objects.exists()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[{"title": "a"},\n {"title": "b"]', "line 2: This is not JSON: Expecting ',' at column 15."),
        ('[{"title": "a"}\n', "line 2: This is not JSON: Expecting ',' at column 1."),
        ('[{"title": "a"},', "line 1: This is not JSON: Expecting a value at column 17."),
        ('[{"title": "a"}] x', "line 1: This is not JSON: Extra data at column 18."),
        ('[{title: "a"}]', "line 1: This is not JSON: Expecting a name in double quotes at column 3."),
        ('[{"title" "a"}]', "line 1: This is not JSON: Expecting ':' at column 11."),
        ('[\n{"title": "a", "result": NaN}]', "line 2: NaN is not JSON."),
        ("[" + "\n[" * 100_000, "line 2: Is nested too deeply."),
        ('[{"title": "a", "result": ' + "9" * 5000 + "}]", "line 1: Contains a number with too many digits."),
        ('\n{"title": "a"}', 'line 2: Write a list of tasks, or {"tasks": [...]}.'),
        ('{"x": 1,\n"tasks": 3}', 'line 2: "tasks" must be a list.'),
        ("3", 'line 1: Write a list of tasks, or {"tasks": [...]}.'),
        ("", "line 1: This is not JSON: Expecting value at column 1."),
    ],
)
def test_read_json_that_breaks_off_says_where(text, complaint):
    plan = as_json(text)
    assert (complaints(plan), plan.complete) == ([complaint], False)


@pytest.mark.parametrize("text", ["[]", ' {"tasks": [ ] } ', '{"a": {}, "tasks": []}\n'])
def test_read_json_without_tasks_is_an_empty_plan(text):
    assert as_json(text) == Plan("json")


WRONG_CSV = (
    "title,Priority,estimate_minutes,review_required,result,labels,colour,title\r\n"
    '"one\r\nand a half",high,5,1,"[1]",a;;b\r\n'
    "two,higher,5%,perhaps,{,\r\n"
    "\r\n"
    ",,,,,,,,too much\r\n"
)


def test_read_csv_names_every_mistake_with_the_line_the_row_begins_on():
    plan = csv_table.read(WRONG_CSV)
    assert complaints(plan) == [
        "line 1, colour: There is no field 'colour'.",
        "line 1, title: Is given twice.",
        "line 4, estimate_minutes: Must be a whole number, not '5%'.",
        "line 4, priority: There is no priority 'higher'; did you mean 'high'; known are low, normal, high, urgent.",
        "line 4, result: Must be JSON.",
        "line 4, review_required: Must be true or false, not 'perhaps'.",
        "line 6: This row has 9 cells, but the header names 8 columns.",
        "line 6, title: Is missing; every task needs a title.",
    ]
    assert plan.tasks[0].values["labels"] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "complaint", "complete"),
    [
        ('title\nok\n"never closed\nx', "line 3: A quotation mark is opened here and never closed.", False),
        ('title\n"a"b\n', "line 2: This row is not CSV: ',' expected after '\"'.", False),
        ("title\n" + "x" * 1_000_001, "line 2: A cell has more than 1000000 characters.", False),
        ("title\n" + "x" * 301, "line 2, title: Has 301 characters; at most 300 fit.", True),
        ("title,labels\na," + ";".join(map(str, range(51))), "line 2, labels: Has 51 entries; at most 50 fit.", True),
        ("priority\nhigh\n", "line 1, title: This column is missing.", True),
        ("\n\n", "line 1: The first line must name the columns, such as title,priority,labels.", True),
    ],
)
def test_read_csv_that_is_broken_says_where(text, complaint, complete):
    plan = csv_table.read(text)
    assert complaints(plan)[:1] == [complaint]
    assert plan.complete == complete


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
@pytest.mark.parametrize("first", ["", "sep=SIGN\r\n", '"SEP=SIGN"\n', "\n\n"])
def test_read_csv_takes_the_separator_that_its_first_line_shows(sign, first):
    first = first.replace("SIGN", sign)
    plan = csv_table.read(f'{first}title{sign}labels{sign}priority\nA{sign}"x;y"{sign}\nB{sign}{sign}no\n')
    assert plan.tasks[0].values == {"title": "A", "labels": ["x", "y"], "priority": 2}
    assert [problem.line for problem in plan.problems] == [3 + first.count("\n")]


def test_read_csv_with_a_quoted_comma_in_its_header():
    plan = csv_table.read('title;"labels"\n"A, B, C";x\n')
    assert plan.tasks[0].values == {"title": "A, B, C", "labels": ["x"]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_decode_what_spreadsheets_write(encoding):
    assert decoded("title;due_at\r\nCafé ☕;\r\n".encode(encoding)) == "title;due_at\r\nCafé ☕;\r\n"


def test_read_csv_without_a_time_zone_means_the_servers():
    with override_settings(TIME_ZONE="Europe/Berlin"):
        plan = csv_table.read("title,due_at,start_after\nA,2026-07-01,2026-07-01\nB,2026-07-01T10:00,9999-12-31\n")
    assert plan.tasks[0].values["due_at"].isoformat() == "2026-07-01T21:59:59+00:00"
    assert plan.tasks[0].values["start_after"].isoformat() == "2026-06-30T22:00:00+00:00"
    assert plan.tasks[1].values["due_at"].isoformat() == "2026-07-01T08:00:00+00:00"
    assert complaints(plan) == [
        "line 3, start_after: Must be from 1970-01-01 to 9998-12-31; leave it empty for no time.",
    ]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"title\nok\ncaf\xe9\n", "line 3: The byte 0xe9 is not UTF-8; save the file as UTF-8."),
        (b"\xff\xfet\x00i", "The file is in UTF-16 but breaks off in a character; save it as UTF-8."),
        (b"PK\x03\x04...", "This is a spreadsheet or another packed file; save the table as CSV."),
    ],
)
def test_decode_what_is_not_utf8_says_so(data, sentence):
    with pytest.raises(Unreadable) as refused:
        decoded(data)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"id": "a", "title": "x"}\n{"id": "b"}', "beads"),
        ('\n {"_type": "issue", "id": "a"}', "beads"),
        ('{"tasks": [], "id": 1}', "json"),
        ('{\n"tasks": []}', "json"),
        (" [", "json"),
        ("key,Title\n", "csv"),
        ('"title";"labels"\n', "csv"),
        ("titel,priority\n", "csv"),
        ("Titel;Prioritaet\n", "csv"),
        ("Buy milk\n", None),
        ("Buy milk, then bread\n", None),
    ],
)
def test_recognise_the_format_by_what_is_in_the_file(text, name):
    reader = recognised(text)
    assert (reader and reader.NAME) == name


@settings(deadline=None)
@given(st.one_of(st.text(max_size=300), st.binary(max_size=300).map(lambda data: data.decode("latin-1"))))
def test_read_never_raises_whatever_a_file_holds(text):
    for reader in READERS.values():
        reader.recognises(text)
        plan = reader.read(text)
        assert all(problem.line >= 0 for problem in plan.problems)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from([*CONVERTERS, "other"]), json_values, max_size=8), max_size=5))
def test_read_json_of_any_types_is_a_plan_or_problems(entries):
    plan = as_json(json.dumps(entries, allow_nan=False) if _is_json(entries) else "[]")
    for task in plan.tasks:
        assert task.external_id
        task.fingerprint()


def _is_json(value) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


titles = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=80).filter(
    lambda text: not is_blank(text.strip())
)


@settings(deadline=None)
@given(st.lists(st.fixed_dictionaries({"title": titles, "description": titles}), max_size=5))
def test_read_csv_and_json_agree_on_the_same_tasks(entries):
    import csv
    import io

    sheet = io.StringIO(newline="")
    writer = csv.DictWriter(sheet, ["title", "description"], quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(entries)
    from_csv, from_json = csv_table.read(sheet.getvalue()), as_json(json.dumps(entries))
    assert complaints(from_csv) == complaints(from_json) == []
    expected = [(task.external_id, task.values, task.fingerprint()) for task in from_json.tasks]
    assert [(task.external_id, task.values, task.fingerprint()) for task in from_csv.tasks] == expected
