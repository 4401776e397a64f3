"""A second import: the same file changes nothing; a changed one updates what has not started here."""

import json
from datetime import UTC, datetime

import pytest

from tasks import clock
from tasks.actions import claims, lifecycle
from tasks.actions.assignments import assign_task
from tasks.actions.imports import Imported, PlanRefused, import_plan
from tasks.actions.tasks import edit_task, recount_blockers
from tasks.errors import NotPermitted
from tasks.flow import read_flow
from tasks.formats import beads, csv_table, json_list
from tasks.models import Event, Task
from tasks.tests.import_helpers import count_all_rows, everything_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def load(cast):
    """``load([{…}, …])``: import these entries of a JSON file into OPS."""

    def load(entries: list[dict], **kwargs) -> Imported:
        return import_plan(actor=None, project=cast.ops, plan=json_list.read(json.dumps(entries)), **kwargs)

    return load


def counts(imported: Imported) -> tuple[int, int, int, int]:
    return imported.created, imported.updated, imported.unchanged, len(imported.left_alone)


def task(key: str) -> Task:
    return Task.objects.select_related("project").get(external_id=key)


FIRST = [
    {"key": "a", "title": "A", "labels": ["x"], "priority": "low"},
    {"key": "b", "title": "B", "depends_on": ["a"], "assignees": ["atlas"], "required_skills": ["python:2"]},
    {"key": "c", "title": "C", "parent": "b"},
    {"title": "no key"},
    {"title": "no key"},
]


def test_import_same_file_twice_changes_nothing(load):
    assert counts(load(FIRST)) == (5, 0, 0, 0)
    before = count_all_rows(), list(Task.objects.order_by("pk").values())
    assert counts(load(FIRST)) == (0, 0, 5, 0)
    assert (count_all_rows(), list(Task.objects.order_by("pk").values())) == before


def test_import_same_file_leaves_what_was_edited_here(cast, load):
    load(FIRST)
    edit_task(actor=cast.ada.user, task=task("a"), changes={"title": "Better", "labels": ["y"]})
    assign_task(actor=cast.ada.user, task=task("a"), agents=[cast.bert])
    lifecycle.cancel_task(actor=cast.ada.user, task=task("c"))
    claims.claim_task(actor=cast.bert.user, task=task("a"))
    before = everything_of(task("a"))
    assert counts(load(FIRST)) == (0, 0, 5, 0)
    assert everything_of(task("a")) == before
    assert task("c").status == "cancelled"


def test_import_tasks_without_a_key_are_known_by_their_title_in_any_order(load):
    load([{"title": "one"}, {"title": "two"}, {"title": "two"}])
    imported = load([{"title": "two", "priority": "high"}, {"title": "new"}, {"title": "two"}, {"title": "one"}])
    assert counts(imported) == (1, 1, 2, 0)


def test_import_changed_file_updates_every_field(cast, load):
    load([*FIRST, {"key": "d", "title": "D"}])
    changed = {
        "key": "b",
        "title": "B2",
        "description": "more",
        "priority": "urgent",
        "labels": ["z"],
        "due_at": "2099-02-01T00:00:00Z",
        "start_after": "2099-01-01T00:00:00Z",
        "on_hold": True,
        "estimate_minutes": 5,
        "required_skills": ["rust:1"],
        "assignees": ["hugo"],
        "depends_on": ["d"],
        "parent": "a",
        "criteria": ["ok"],
        "review_required": True,
        "max_attempts": 1,
    }
    kinds = load([FIRST[0], changed, FIRST[2]])
    assert counts(kinds) == (0, 1, 2, 0)
    assert everything_of(task("b")) == {
        "title": "B2",
        "description": "more",
        "status": "not_started",
        "priority": 4,
        "labels": {"z"},
        "due_at": "2099-02-01T00:00:00+00:00",
        "start_after": "2099-01-01T00:00:00+00:00",
        "deferred_until": "2099-01-01T00:00:00+00:00",
        "on_hold": True,
        "estimate_minutes": 5,
        "required_skills": {("rust", 1)},
        "assignees": {"hugo"},
        "depends_on": {"d"},
        "parent": "a",
        "criteria": ["ok"],
        "review_required": True,
        "max_attempts": 1,
        "open_blockers": 2,
        "created_by": None,
    }
    assert task("a").open_blockers == 1
    assert task("b").version > 1
    assert recount_blockers() == {}
    events_of_b = list(Event.objects.filter(task=task("b")).order_by("pk"))
    assert [event.kind for event in events_of_b] == ["task.imported", "task.reimported"]
    handed = [(event.data.get("agents"), event.data.get("taken_from")) for event in events_of_b]
    assert handed == [(["atlas"], None), (["hugo"], ["atlas"])]
    blocked = Event.objects.get(kind="task.blocked")
    assert blocked.task == task("a")


def test_import_fields_that_are_left_out_are_not_touched_and_empty_ones_are_emptied(load):
    load([{"key": "a", "title": "A", "labels": ["x"], "description": "d", "priority": "high", "due_at": "2099-01-01"}])
    load([{"key": "a", "title": "A2"}])
    assert everything_of(task("a"))["labels"] == {"x"}
    assert counts(load([{"key": "a", "title": "A2", "labels": [], "description": None, "due_at": None}])) == (
        0,
        1,
        0,
        0,
    )
    now = everything_of(task("a"))
    assert (now["labels"], now["description"], now["due_at"], now["priority"]) == (set(), "", None, 3)


def test_import_completed_meanwhile_elsewhere_frees_what_waits_for_it(cast, load):
    load(FIRST)
    imported = load(
        [{**FIRST[0], "status": "completed", "completed_at": "2026-05-01T00:00:00Z", "created_at": "2026-04-01"}]
    )
    assert counts(imported) == (0, 1, 0, 0)
    assert task("a").completed_at == datetime(2026, 5, 1, tzinfo=UTC)
    assert task("b").open_blockers == 1
    load([{**FIRST[2], "status": "cancelled"}])
    assert task("b").open_blockers == 0
    assert Event.objects.filter(kind="task.unblocked").get().task == task("b")
    assert recount_blockers() == {}
    said = Event.objects.filter(kind="task.imported", task=task("a")).order_by("-pk")[0].data
    assert (said["to"], said["completed_at"]) == ("completed", "2026-05-01T00:00:00+00:00")
    assert not Event.objects.filter(kind="task.status_changed").exists()


def test_import_reopened_elsewhere_starts_over_and_blocks_again(cast, load):
    done = {"key": "a", "title": "A", "status": "completed", "assignees": ["atlas"]}
    load([done, {"key": "b", "title": "B", "depends_on": ["a"]}])
    assert task("b").open_blockers == 0
    load([{**done, "status": "not_started"}])
    assert (task("a").status, task("a").completed_at, task("b").open_blockers) == ("not_started", None, 1)
    assert task("a").assignments.active().get().agent == cast.atlas


def test_import_leaves_alone_what_has_started_here_and_says_so(cast, load):
    load(FIRST)
    claims.claim_task(actor=cast.atlas.user, task=task("a"))
    lifecycle.cancel_task(actor=cast.ada.user, task=task("c"))
    before = everything_of(task("a")), everything_of(task("c"))
    changed = [{**FIRST[0], "title": "A2", "priority": "high"}, {**FIRST[2], "title": "C2", "parent": None}]
    imported = load([*changed, {"key": "e", "title": "E", "depends_on": ["a"]}])
    assert counts(imported) == (1, 0, 0, 2)
    assert [(left.ref, left.name, left.fields) for left in imported.left_alone] == [
        (task("a").ref, "a", ["title", "priority"]),
        (task("c").ref, "c", ["title", "parent"]),
    ]
    assert (everything_of(task("a")), everything_of(task("c"))) == before
    assert task("e").open_blockers == 1


def test_import_adopts_a_task_that_has_the_external_id_already(cast, load, new_task):
    new_task("A", external_id="a", description="kept")
    assert counts(load([{"key": "a", "title": "A"}])) == (0, 0, 1, 0)
    assert counts(load([{"key": "a", "title": "A2"}])) == (0, 1, 0, 0)
    assert everything_of(task("a"))["description"] == "kept"


def test_import_of_another_project_does_not_know_these_tasks(cast, load):
    load(FIRST)
    plan = json_list.read(json.dumps([{"title": "x", "depends_on": [task("a").ref]}]))
    with pytest.raises(PlanRefused, match="1 problem"):
        import_plan(actor=None, project=cast.other, plan=plan)
    imported = import_plan(actor=None, project=cast.other, plan=json_list.read('[{"key": "a", "title": "A"}]'))
    assert imported.created == 1


def test_import_dry_run_reports_the_same_and_writes_nothing(load):
    load(FIRST)
    changed = [{**FIRST[0], "title": "A2"}, *FIRST[1:], {"title": "n", "labels": ["n"], "required_skills": ["new"]}]
    before = count_all_rows(), list(Task.objects.order_by("pk").values())
    dry = load(changed, dry_run=True)
    assert (count_all_rows(), list(Task.objects.order_by("pk").values())) == before
    wet = load(changed)
    assert dry.as_dict() == wet.as_dict() | {"dry_run": True}
    assert (counts(wet), wet.labels_created, wet.skills_created) == ((1, 1, 4, 0), ["n"], ["new"])


def test_import_with_a_problem_writes_nothing(load):
    before = count_all_rows()
    with pytest.raises(PlanRefused):
        load([*FIRST, {"title": "x", "required_skills": ["new"], "labels": ["new"], "depends_on": ["nowhere"]}])
    assert count_all_rows() == before


def test_import_is_for_managers(cast):
    plan = json_list.read('[{"title": "x"}]')
    for user in (cast.rita.user, cast.hugo.user, cast.vera, cast.atlas.user, cast.mona.user):
        with pytest.raises(NotPermitted, match="Only a manager of OPS may import tasks there"):
            import_plan(actor=user, project=cast.ops, plan=plan)
    assert import_plan(actor=cast.ada.user, project=cast.ops, plan=plan).created == 1


def test_import_reports_new_tasks_that_wait_for_what_will_not_be_completed(cast, load):
    load([{"key": "a", "title": "A", "status": "cancelled"}, {"key": "b", "title": "B", "depends_on": ["a"]}])
    load([{"key": "c", "title": "C"}, {"key": "d", "title": "D", "depends_on": ["c", "a"]}])
    load([{"key": "c", "title": "C", "status": "failed"}])
    failed = Event.objects.filter(kind="task.dependency_failed").order_by("pk")
    assert [(event.task_ref, event.data["failed"]) for event in failed] == [(task("d").ref, [task("c").ref])]
    imported = Event.objects.filter(kind="task.imported", data__has_key="cancelled").order_by("pk")
    assert [(event.task_ref, event.data["cancelled"]) for event in imported] == [
        (task("b").ref, [task("a").ref]),
        (task("d").ref, [task("a").ref]),
    ]


def test_import_times_that_contradict_each_other_are_named(load):
    with pytest.raises(PlanRefused) as refused:
        load(
            [
                {"title": "a", "completed_at": "2026-05-01T00:00:00Z"},
                {"title": "c", "due_at": "2026-05-01T00:00:00Z", "start_after": "2026-05-02"},
            ]
        )
    assert [str(problem) for problem in refused.value.problems] == [
        "line 1, item 1, completed_at: Only a completed task may have one; give the status, too.",
        "line 1, item 2, due_at: due_at must be later than start_after.",
    ]


@pytest.mark.parametrize(
    "nasty",
    [
        "<script>alert(1)</script>",
        "=HYPERLINK(\"http://x\")",
        "'; DROP TABLE tasks_task; --",
        "\x1b[2J\u202egnp.exe",
        "é\u0301🧨" * 20,
        "{{ 7*7 }}{% debug %}",
    ],
)  # fmt: skip
def test_import_hostile_text_comes_in_as_text_and_is_never_printed_raw(cast, load, nasty):
    load([{"key": nasty, "title": nasty, "description": nasty, "labels": [nasty[:20]], "criteria": [nasty]}])
    stored = Task.objects.get()
    assert (stored.title, stored.external_id, stored.criteria) == (nasty.strip(), nasty.strip(), [nasty.strip()])
    claims.claim_task(actor=cast.atlas.user, task=stored)
    imported = load([{"key": nasty, "title": "other"}])
    assert imported.left_alone[0].name.isprintable()
    with pytest.raises(PlanRefused) as refused:
        load([{"title": nasty, "status": nasty, "depends_on": [nasty + "?"], "assignees": [nasty], nasty: 1}])
    assert all(str(problem).isprintable() for problem in refused.value.problems)


def test_timeline_shows_imports_in_words(load, cast):
    load([{"key": "a", "title": "A", "status": "completed"}])
    load([{"key": "a", "title": "A2", "status": "completed", "priority": "high"}])
    load([{"key": "a", "title": "A2", "status": "not_started", "priority": "high"}])
    entries = read_flow(task("a"), cast.ada.user, now=clock.now()).items
    assert [(entry.who, entry.what, entry.status) for entry in entries] == [
        ("", "An import from json changed status", "not_started"),
        ("", "An import from json changed title, priority", ""),
        ("", "Imported from json", "completed"),
    ]


def test_import_beads_and_csv_know_the_same_tasks_again(cast):
    def load(plan):
        return counts(import_plan(actor=None, project=cast.ops, plan=plan))

    issue = '{"id": "b-1", "title": "One", "status": "open", "priority": 2}'
    assert load(beads.read(issue)) == (1, 0, 0, 0)
    assert load(beads.read(issue.replace("}", ', "updated_at": "2026-06-01T00:00:00Z"}'))) == (0, 0, 1, 0)
    assert load(csv_table.read("external_id,title\nb-1,One\n")) == (0, 0, 1, 0)
    assert load(csv_table.read("external_id,title\nb-1,Two\n")) == (0, 1, 0, 0)
