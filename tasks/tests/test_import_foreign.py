"""Files of trackers that are not read yet: one sentence names the format, whatever ``--format`` says."""

import json

import pytest
from django.core.management import CommandError, call_command

from tasks.formats import READERS, foreign, json_list
from tasks.formats.foreign import tracker_of
from tasks.models import Task

BACKLOG = '---\nid: BACK-1\ntitle: "First: with colon"\nstatus: To Do\ndependencies: []\n---\n\n## Description\nText\n'
SUBTASK = {"id": 1, "title": "Sub", "status": "pending", "dependencies": []}
TASKMASTER = {"id": 1, "title": "Set up", "status": "done", "dependencies": [], "details": "x", "subtasks": [SUBTASK]}
FILES = {
    "Jira (CSV)": "Summary,Issue key,Issue id,Issue Type,Status,Labels,Labels\nFix flow,PAY-1,1,Story,Done,a,b\n",
    "Linear (CSV)": '"ID","Team","Title","Status","Parent issue","Blocked by"\n"ENG-1","E","F","Done","",""\n',
    "Todoist (CSV)": "TYPE,CONTENT,PRIORITY,INDENT,AUTHOR\ntask,this is über-nice,4,1,Pat (1)\n",
    "Task Master (tasks.json)": json.dumps({"tasks": [TASKMASTER]}),
    "GitHub (`gh issue list --json`)": '[{"number": 12, "title": "Crash", "state": "CLOSED", "labels": []}]',
    "Linear (JSON)": '{"data": {"issues": {"nodes": [{"identifier": "E-1", "title": "T", "createdAt": ""}]}}}',
    "Jira (JSON)": '{"issues": [{"key": "PAY-1", "fields": {"summary": "x"}}]}',
    "Todoist (JSON)": '[{"content": "x", "project_id": "1", "priority": 4}]',
    "Backlog.md": BACKLOG,
}


@pytest.mark.django_db
@pytest.mark.parametrize("format", ["auto", *READERS])
@pytest.mark.parametrize("tracker", FILES)
def test_import_of_another_tracker_is_refused_in_one_sentence(cast, tmp_path, tracker, format):
    path = tmp_path / "file"
    path.write_text(FILES[tracker])
    with pytest.raises(CommandError) as refused:
        call_command("import_tasks", str(path), "--project", "OPS", "--format", format)
    assert str(refused.value) == f"{path}: {foreign.sentence(tracker)}"
    assert refused.value.returncode == 1
    assert not Task.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("above", ["tasks", "backlog/tasks", "."])
def test_import_of_a_folder_of_backlog_md_names_it(cast, tmp_path, above):
    folder = tmp_path / above
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "back-1 - First.md").write_text(BACKLOG)
    with pytest.raises(CommandError, match=r"looks like a file of Backlog\.md, which is not read yet"):
        call_command("import_tasks", str(tmp_path), "--project", "OPS")


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"main": {"tasks": [TASKMASTER], "metadata": {}}}),
        json.dumps({"tasks": [{"id": "1", "title": "x", "testStrategy": ""}]}),
    ],
)
def test_taskmaster_is_known_in_its_new_and_old_form(text):
    assert tracker_of(text) == "Task Master (tasks.json)"


@pytest.mark.parametrize(
    "text",
    [
        '[{"title": "x", "status": "done", "key": "a"}]',
        '{"tasks": [{"title": "x", "summary": "s", "parent": "a"}]}',
        '{"id": "a-1", "title": "x", "status": "open"}\n{"id": "a-2", "title": "x"}',
        '{"id": "a-1", "title": "x", "dependencies": []}',
        "title,summary,status\nx,,\n",
        "external_id,title,labels,due_at\n",
        "Buy milk\n",
        "---\n",
        "[" * 100_000,
        "",
    ],
)
def test_our_own_files_are_nobody_elses(text):
    assert tracker_of(text) is None


def test_a_list_of_anything_is_examined_without_an_error():
    for text in ('[1, null, "x", []]', '{"tasks": 3, "issues": {"nodes": 1}}', '{"data": []}', "3"):
        assert tracker_of(text) is None
        json_list.read(text)
