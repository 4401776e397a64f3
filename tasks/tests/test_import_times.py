"""Where the times of imported tasks come from, in each format, and what is said of those that a file leaves out."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tasks.actions import claims, lifecycle, runs
from tasks.actions.imports import Imported, MissingTimes, import_plan
from tasks.elsewhere import completed_at_unknown_times
from tasks.formats import READERS, recognised
from tasks.models import Event, Task
from tasks.tests.fake_clock import patch_clock

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
#: A name of each case, the times of a completed task, and what is known of its creation and its completion.
COMPLETED = [
    ("all", {"created_at": "2026-01-01", "completed_at": "2026-01-05"}, "given", "given"),
    ("changed", {"created_at": "2026-01-01", "updated_at": "2026-01-05"}, "given", "inferred"),
    ("started", {"started_at": "2026-01-02", "completed_at": "2026-01-05"}, "inferred", "given"),
    ("end", {"completed_at": "2026-01-05", "updated_at": "2026-01-06"}, "unknown", "given"),
    ("change", {"updated_at": "2026-01-05"}, "unknown", "inferred"),
    ("begin", {"created_at": "2026-01-01"}, "given", "unknown"),
    ("none", {}, "unknown", "unknown"),
    ("future", {"created_at": "2026-01-01", "completed_at": "2031-01-01"}, "given", "unknown"),
    ("backwards", {"created_at": "2026-01-03", "completed_at": "2026-01-01"}, "given", "inferred"),
]
TIMES = ("created_at", "started_at", "completed_at", "updated_at")


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    patch_clock(monkeypatch, lambda: NOW)


def as_json(tasks: list[dict]) -> str:
    return json.dumps(tasks)


def as_csv(tasks: list[dict]) -> str:
    columns = ("key", "title", "status", "assignees", *TIMES)
    rows = [";".join(columns)]
    for task in tasks:
        named = task | {"assignees": ",".join(task.get("assignees", []))}
        rows.append(";".join(named.get(column, "") for column in columns))
    return "\n".join(rows).replace(";", "\t").replace(",", ";")


def as_beads(tasks: list[dict]) -> str:
    names = {"key": "id", "completed_at": "closed_at", "assignees": "assignee"}
    words = {"completed": "closed", "not_started": "open"}
    lines = []
    for task in tasks:
        issue = {names.get(name, name): value for name, value in task.items()}
        issue["status"] = words[task["status"]]
        issue["assignee"] = next(iter(task.get("assignees", [])), "")
        lines.append(json.dumps(issue))
    return "\n".join(lines)


FORMATS = {"json": as_json, "csv": as_csv, "beads": as_beads}


def bring_in(cast, text: str, *, dry_run: bool = False) -> Imported:
    reader = recognised(text)
    assert reader is not None
    plan = reader.read(text)
    return import_plan(actor=cast.ada.user, project=cast.ops, plan=plan, dry_run=dry_run)


def data_of(external_id: str) -> dict:
    return Event.objects.filter(task__external_id=external_id, kind="task.imported").latest("pk").data


def test_every_format_that_is_read_is_tried_here():
    assert FORMATS.keys() == READERS.keys()


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_import_keeps_where_each_time_of_a_completed_task_comes_from(cast, write):
    tasks = [{"key": name, "title": name, "status": "completed", **times} for name, times, _, _ in COMPLETED]
    imported = bring_in(cast, write(tasks))
    assert imported.source in FORMATS
    for name, _, created_from, completed_from in COMPLETED:
        data, task = data_of(name), Task.objects.get(external_id=name)
        assert (data["created_from"], data["completed_from"]) == (created_from, completed_from), name
        assert datetime.fromisoformat(data["created_at"]) == task.created_at
        assert datetime.fromisoformat(data["completed_at"]) == task.completed_at
        if completed_from == "unknown":
            assert task.completed_at == NOW
    assert imported.missing_times == MissingTimes(
        completion_unknown=3, creation_unknown=2, completion_inferred=3, creation_inferred=1
    )


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_import_of_open_tasks_says_when_they_were_created_if_the_file_does(cast, write):
    bring_in(
        cast,
        write(
            [
                {"key": "given", "title": "a", "status": "not_started", "created_at": "2026-01-01"},
                {"key": "inferred", "title": "b", "status": "not_started", "updated_at": "2026-01-01"},
                {"key": "here", "title": "c", "status": "not_started"},
                {"key": "future", "title": "d", "status": "not_started", "created_at": "2031-01-01"},
            ]
        ),
    )
    assert [data_of(name).get("created_from") for name in ("given", "inferred", "here", "future")] == [
        "given", "inferred", None, None,
    ]  # fmt: skip
    assert all("completed_from" not in data_of(name) for name in ("given", "inferred", "here", "future"))


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_import_credits_the_files_assignees_with_what_comes_in_completed(cast, write):
    some_of_it = [
        {"key": "sole", "title": "a", "status": "completed", "assignees": ["atlas"]},
        {"key": "nobody", "title": "b", "status": "completed"},
        {"key": "open", "title": "c", "status": "not_started", "assignees": ["atlas"]},
    ]
    bring_in(cast, write(some_of_it))
    assert [data_of(name).get("credited") for name in ("sole", "nobody", "open")] == [["atlas"], None, None]


def test_import_credits_several(cast):
    bring_in(cast, as_json([{"key": "two", "title": "a", "status": "completed", "assignees": ["atlas", "hugo"]}]))
    assert data_of("two")["credited"] == ["atlas", "hugo"]


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_dry_run_of_a_file_without_times_says_in_how_many_figures_they_count(cast, write):
    text = write([{"key": f"t{number}", "title": f"t{number}", "status": "completed"} for number in range(20)])
    imported = bring_in(cast, text, dry_run=True)
    assert imported.missing_times.sentence() == (
        "20 completed tasks have no time of completion: they count in no duration and no period."
    )
    assert not Task.objects.exists()
    assert bring_in(cast, text).missing_times == imported.missing_times
    assert bring_in(cast, text).missing_times == MissingTimes()


def test_sentence_says_all_in_one_line():
    assert MissingTimes().sentence() == ""
    assert MissingTimes(1, 2, 1, 1_000).sentence() == (
        "1 completed task has no time of completion: it counts in no duration and no period. "
        "2 completed tasks have no time of creation: they count in no lead time. "
        "1 completed task has no time of completion but one of a last change: it counts as completed then. "
        "1,000 completed tasks have no time of creation: they count from the first time that the file gives."
    )


def test_import_that_completes_a_task_known_here_says_where_its_end_comes_from(cast):
    bring_in(cast, as_json([{"key": "a", "title": "a", "created_at": "2026-01-01"}]))
    imported = bring_in(cast, as_json([{"key": "a", "title": "a", "status": "done", "assignees": ["atlas"]}]))
    data = data_of("a")
    assert (data["from"], data["completed_from"], data["credited"]) == ("not_started", "unknown", ["atlas"])
    assert "created_from" not in data
    assert imported.missing_times == MissingTimes(completion_unknown=1)


def test_file_that_says_the_time_later_makes_it_known(cast):
    bring_in(cast, as_json([{"key": "a", "title": "a", "status": "completed"}]))
    assert len(completed_at_unknown_times(Task.objects.all())) == 1
    bring_in(cast, as_json([{"key": "a", "title": "a", "status": "completed", "completed_at": "2026-01-05"}]))
    event = Event.objects.latest("pk")
    assert (event.kind, event.data["completed_from"]) == ("task.reimported", "given")
    assert completed_at_unknown_times(Task.objects.all()) == set()
    # What comes later and says nothing of it leaves it as it is.
    bring_in(cast, as_json([{"key": "a", "title": "b", "status": "completed"}]))
    assert "completed_from" not in Event.objects.latest("pk").data
    assert Task.objects.get().completed_at == datetime(2026, 1, 5, tzinfo=UTC)


def test_clock_that_is_a_little_ahead_gives_its_times(cast):
    soon = (NOW + timedelta(hours=1)).isoformat()
    bring_in(cast, as_json([{"key": "a", "title": "a", "status": "completed", "completed_at": soon}]))
    assert data_of("a")["completed_from"] == "given"


@pytest.mark.parametrize(
    ("times", "is_shown"), [({}, False), ({"completed_at": "2026-01-05"}, True), ({"updated_at": "2026-01-05"}, True)]
)
def test_pages_show_a_completion_that_nobody_knows_as_no_time(client, cast, times, is_shown):
    bring_in(cast, as_json([{"key": "a", "title": "a", "status": "completed", **times}]))
    task = Task.objects.get()
    client.force_login(cast.root)
    for path in (f"/tasks/{task.ref}", "/", f"/admin/tasks/task/{task.pk}/change/"):
        page = client.get(path).content.decode()
        assert ("before its import" in page) is not is_shown, path


def test_task_that_is_completed_here_after_all_has_a_time(cast):
    bring_in(cast, as_json([{"key": "a", "title": "a", "status": "completed"}]))
    task = Task.objects.get()
    assert completed_at_unknown_times([task]) == {task.pk}
    lifecycle.reopen_task(actor=cast.ada.user, task=task)
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    task.refresh_from_db()
    assert (task.status, completed_at_unknown_times([task])) == ("completed", set())
