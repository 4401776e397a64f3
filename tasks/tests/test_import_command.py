"""``import_tasks`` as a program: what it prints, and its exit codes."""

import io
import json
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from tasks.models import Task

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(cast, tmp_path, capsys):
    """``run(content, *args, name="plan")`` → exit code, standard output, and standard error."""

    def run(content: str | bytes | None, *args: str, project: str = "OPS", name: str = "plan"):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        code, out, err = 0, io.StringIO(), io.StringIO()
        try:
            call_command("import_tasks", str(path), "--project", project, *args, stdout=out, stderr=err)
        except CommandError as error:
            code = error.returncode
            err.write(str(error) + "\n")
        said = err.getvalue().replace(str(path), "FILE").splitlines()
        assert capsys.readouterr() == ("", "")
        return SimpleNamespace(code=code, out=out.getvalue(), err=said)

    return run


CSV = "key,title,depends_on,required_skills\na,A,,python:2\nb,B,a,\n"


def test_import_tasks_says_what_it_did(run):
    result = run(CSV)
    assert (result.code, result.out, result.err) == (0, "OPS: 2 created, 0 updated, 0 unchanged.\n", [])
    assert run(CSV).out == "OPS: 0 created, 0 updated, 2 unchanged.\n"


def test_import_tasks_says_how_many_times_are_missing(run):
    text = "title,status,created_at,updated_at\na,done,,\nb,done,,\nc,done,2026-01-01,2026-01-05\n"
    said = run(text, "--dry-run").out.splitlines()
    assert said[1] == (
        "2 completed tasks have no time of completion: they count in no duration and no period. "
        "1 completed task has no time of completion but one of a last change: it counts as completed then."
    )
    missing = json.loads(run(text, "--json").out)["missing_times"]
    assert (missing["completion_unknown"], missing["completion_inferred"]) == (2, 1)


def test_import_tasks_dry_run_says_what_it_would_do(run):
    result = run(CSV.replace("python", "new"), "--dry-run", project="ops")
    assert result.out == (
        "Dry run, nothing was written. Without it: 2 created, 0 updated, 0 unchanged.\nNew skills: new.\n"
    )
    assert not Task.objects.exists()


def test_import_tasks_as_json_for_programs(run):
    result = json.loads(run(CSV, "--json").out)
    assert result == {
        "project": "OPS",
        "source": "csv",
        "dry_run": False,
        "created": 2,
        "updated": 0,
        "unchanged": 0,
        "comments": 0,
        "left_alone": [],
        "older": [],
        "skills_created": [],
        "labels_created": [],
        "notes": [],
        "note_count": 0,
        "missing_times": {
            "completion_unknown": 0,
            "creation_unknown": 0,
            "completion_inferred": 0,
            "creation_inferred": 0,
        },
    }


def test_import_tasks_lists_every_problem_and_exits_1(run):
    result = run("title,due_at\n,x\nB,y\n")
    assert result.code == 1
    assert result.err == [
        "line 2, due_at: 'x' is not a time; write 2026-11-22T10:00:00Z or 2026-11-22.",
        "line 2, title: Is missing; every task needs a title.",
        "line 3, due_at: 'y' is not a time; write 2026-11-22T10:00:00Z or 2026-11-22.",
        "Nothing was imported: 3 problems.",
    ]
    answer = json.loads(run("title\n\n,\n", "--format", "json", "--json").out)
    assert answer["code"] == "validation_error"
    assert answer["problems"] == [{"line": 1, "field": "", "detail": "This is not JSON: Expecting value at column 1."}]


def test_import_tasks_without_assignees_ignores_unknown_assignees(run):
    assert run("title,assignees\nA,nobody\n").code == 1
    assert run("title,assignees\nA,nobody\n", "--without-assignees").code == 0


def test_import_tasks_with_unknown_assignees_names_the_options(run):
    csv = "title,assignees\nA,amp lifier\nB,atlas\n"
    refused = run(csv)
    assert refused.err[-1] == (
        "Nothing was imported: 1 problem. Say who an assignee of the file is here (--map-assignee 'amp lifier=SLUG'), "
        "or import without assignees (--without-assignees)."
    )
    assert json.loads(run(csv, "--json").out)["unknown_assignees"] == ["amp lifier"]
    assert run(csv, "--map-assignee", "amp lifier=bert", "--map-assignee", "x=y").out.splitlines() == [
        "OPS: 2 created, 0 updated, 0 unchanged.",
        "assignees: No task of the file is assigned to x.",
    ]
    assert Task.objects.get(title="A").assignments.get().agent.slug == "bert"
    assert "such as amp=atlas, not 'amp'" in run(csv, "--map-assignee", "amp").err[0]


def test_import_tasks_of_bytes_that_are_not_text_exits_1(run):
    result = run(b"title\ncaf\xe9\n")
    assert result.code == 1
    assert result.err == ["FILE, line 2: The byte 0xe9 is not UTF-8; save the file as UTF-8."]


@pytest.mark.parametrize(
    ("content", "args", "sentence"),
    [
        (None, [], "FILE cannot be read: No such file or directory."),
        ("", [], "FILE is empty."),
        (" \n", ["--format", "csv"], "FILE is empty."),
        ("Buy milk\n", [], "The format of FILE is not recognised; use --format beads, json, csv."),
        (CSV, ["--format", "taskmaster"], "Error: argument --format: invalid choice: 'taskmaster' (choose from"),
    ],
)
def test_import_tasks_used_wrongly_is_one_sentence(run, content, args, sentence):
    result = run(content, *args)
    assert len(result.err) == 1
    assert result.err[0].startswith(sentence)
    assert result.code != 0


def test_import_tasks_into_an_unknown_project_names_the_nearest(run):
    result = run(CSV, project="OPZ")
    assert (result.code, result.err) == (2, ["There is no project 'OPZ'; did you mean 'OPS'?"])


def test_import_tasks_of_a_folder_is_wrong_use(run, tmp_path):
    (tmp_path / "folder").mkdir()
    result = run(None, name="folder")
    assert (result.code, result.err) == (2, ["FILE cannot be read: Is a directory."])


def test_import_tasks_reads_standard_input(cast, monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b'[{"title": "piped"}]')))
    out = io.StringIO()
    call_command("import_tasks", "-", "--project", "OPS", stdout=out)
    assert Task.objects.get().title == "piped"
