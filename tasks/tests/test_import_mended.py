"""What a file has wrong but can be understood comes in mended, and a note says what was done; nothing refuses it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tasks.actions.imports import Note, Plan, PlanRefused, import_plan, summary_of
from tasks.actions.tasks import recount_blockers
from tasks.formats import beads, json_list
from tasks.models import Dependency, Task, TaskLink
from tasks.tests.import_helpers import count_all_rows

pytestmark = pytest.mark.django_db

OLD, NEW, NEWEST = "2026-05-01T08:00:00Z", "2026-05-02T08:00:00Z", "2026-05-03T08:00:00Z"


def plan_of(*issues: dict) -> Plan:
    return beads.read("\n".join(json.dumps({"title": "Title", "status": "open", **issue}) for issue in issues))


@pytest.fixture
def load(cast):
    """``load({…}, {…})``: import these issues of beads into OPS."""
    return lambda *issues, **kwargs: import_plan(actor=None, project=cast.ops, plan=plan_of(*issues), **kwargs)


@pytest.fixture
def load_json(cast):
    """``load_json({…}, {…})``: import these entries of a JSON file, one a line, into OPS."""

    def load(*entries: dict):
        text = "[" + ",\n".join(json.dumps({"title": "Title", **entry}) for entry in entries) + "]"
        return import_plan(actor=None, project=cast.ops, plan=json_list.read(text))

    return load


def notes(imported) -> list[str]:
    return [str(note) for note in imported.notes]


def task(external_id: str) -> Task:
    return Task.objects.select_related("project", "parent").get(external_id=external_id)


def edges() -> set[tuple[str, str]]:
    return set(Dependency.objects.values_list("task__external_id", "depends_on__external_id"))


def blocks(target: str, kind: str = "blocks") -> dict:
    return {"depends_on_id": target, "type": kind}


# Times


def test_import_closed_before_created_is_clamped(load):
    times = {"created_at": "2026-01-15T21:00:05Z", "closed_at": "2026-01-15T21:00:04Z"}
    skewed = {"id": "x-1", "status": "closed", **times}
    imported = load(skewed, {"id": "x-2"})
    assert imported.created == 2
    assert notes(imported) == ["line 1, closed_at: Was before created_at; it is now the same."]
    assert task("x-1").completed_at == task("x-1").created_at == datetime(2026, 1, 15, 21, 0, 5, tzinfo=UTC)
    before = count_all_rows()
    again = load(skewed, {"id": "x-2"})
    assert (again.unchanged, notes(again), count_all_rows()) == (2, [], before)


def test_import_every_time_follows_what_it_cannot_precede(load_json):
    imported = load_json(
        {"key": "a", "created_at": NEW, "started_at": OLD, "updated_at": OLD},
        {"key": "b", "status": "completed", "started_at": NEW, "completed_at": OLD},
        {"key": "c", "status": "cancelled", "completed_at": OLD},
    )
    assert notes(imported) == [
        "line 1, started_at: Was before created_at; it is now the same.",
        "line 1, updated_at: Was before created_at; it is now the same.",
        "line 2, completed_at: Was before started_at; it is now the same.",
        "line 3, completed_at: Left out, because the task is not completed.",
    ]
    assert task("a").started_at == task("a").updated_at == task("a").created_at
    assert task("b").completed_at == task("b").started_at


def test_import_time_in_the_future_is_now_and_the_file_is_known_again(load_json):
    ahead = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    entry = {"key": "a", "started_at": ahead, "updated_at": ahead}
    imported = load_json(entry)
    assert [(note.line, note.field) for note in imported.notes] == [(1, "started_at"), (1, "updated_at")]
    assert task("a").started_at < datetime.now(UTC)
    assert load_json(entry).unchanged == 1


def test_import_completed_before_the_task_was_created_here(load_json):
    load_json({"key": "a"})
    imported = load_json({"key": "a", "status": "done", "completed_at": OLD})
    assert task("a").completed_at == task("a").created_at
    assert notes(imported) == [
        "line 1, completed_at: Was before created_at; it is now the same.",
        "line 1, status: done counts as completed.",
    ]


# Parents by id


def test_import_dotted_id_is_a_child(load):
    load({"id": "lh-6"}, {"id": "lh-6.12"}, {"id": "lh-6.12.1"}, {"id": "lh-6.9.1"}, {"id": "v1.x"}, {"id": "no.1"})
    parents = {row.external_id: row.parent and row.parent.external_id for row in Task.objects.select_related("parent")}
    assert parents == {
        "lh-6": None, "lh-6.12": "lh-6", "lh-6.12.1": "lh-6.12", "lh-6.9.1": "lh-6", "v1.x": None, "no.1": None,
    }  # fmt: skip
    assert recount_blockers() == {}


def test_import_dotted_id_gives_way_to_an_explicit_parent_and_finds_one_here(load):
    load({"id": "a"}, {"id": "b"})
    load({"id": "a.1", "dependencies": [blocks("b", "parent-child")]}, {"id": "a.2"})
    assert (task("a.1").parent.external_id, task("a.2").parent.external_id) == ("b", "a")
    assert load({"id": "a.2", "title": "New"}).updated == 1
    assert task("a.2").parent.external_id == "a"


def test_import_dotted_id_of_what_waits_for_its_epic_gets_no_parent(load):
    imported = load({"id": "e"}, {"id": "e.1", "dependencies": [blocks("e")]})
    assert (task("e.1").parent, edges()) == (None, {("e.1", "e")})
    assert notes(imported) == [
        "line 2, dependencies: Has no parent here: the id says e, but that would create a cycle (e → e.1 → e)."
    ]


# Cycles


def test_import_child_that_waits_for_its_epic_is_a_child_and_waits_no_more(load):
    child = {"id": "e-1.1", "dependencies": [blocks("e-1", "parent-child"), blocks("e-1")]}
    imported = load({"id": "e-1"}, child)
    assert (task("e-1.1").parent.external_id, edges()) == ("e-1", set())
    assert (task("e-1.1").open_blockers, task("e-1").open_blockers) == (0, 1)
    assert TaskLink.objects.get().kind == "blocks"
    assert notes(imported) == [
        "line 2, dependencies: Does not wait for e-1 here: e-1 is above it and waits for it (e-1 → e-1.1 → e-1)."
    ]
    assert load({"id": "e-1"}, child).unchanged == 2
    assert load({"id": "e-1"}, child | {"title": "New"}).updated == 1
    assert edges() == set()


def test_import_grandchild_that_waits_for_its_epic(load, load_json):
    imported = load_json(
        {"key": "top"}, {"key": "mid", "parent": "top"}, {"key": "low", "parent": "mid", "depends_on": ["top"]}
    )
    assert (len(imported.notes), imported.notes[0].line, imported.notes[0].field) == (1, 3, "depends_on")
    again = load_json({"key": "low", "title": "New", "parent": "mid", "depends_on": ["top"]})
    assert (again.updated, len(again.notes), edges()) == (1, 1, set())
    assert recount_blockers() == {}


def test_import_cycle_among_closed_tasks_leaves_out_the_last_link(load):
    closed = {"status": "closed", "created_at": OLD, "closed_at": NEW}
    ring = [{"id": name, **closed, "dependencies": [blocks(other)]} for name, other in ("ab", "bc", "ca")]
    imported = load(*ring)
    assert edges() == {("a", "b"), ("b", "c")}
    assert notes(imported) == [
        "line 3, dependencies: Does not wait for a here: c is over, and it creates a cycle (a → b → c → a)."
    ]
    assert load(*ring).unchanged == 3


def test_import_cycle_through_one_closed_task_leaves_out_its_link(load):
    imported = load(
        {"id": "a", "dependencies": [blocks("b")]}, {"id": "b", "status": "closed", "dependencies": [blocks("a")]}
    )
    assert (len(imported.notes), edges()) == (1, {("a", "b")})


def test_import_closed_parents_in_a_circle(load):
    pair = [{"id": a, "status": "closed", "dependencies": [blocks(b, "parent-child")]} for a, b in ("ab", "ba")]
    imported = load(*pair)
    assert (len(imported.notes), task("b").parent, task("a").parent.external_id) == (1, None, "b")


def test_import_many_cycles_of_closed_tasks_all_come_in(load):
    everything = [
        {"id": f"t{n}", "status": "closed", "dependencies": [blocks(f"t{m}") for m in range(12) if m != n]}
        for n in range(12)
    ]
    assert load(*everything).created == 12
    assert len(edges()) >= 11


def test_import_open_cycle_is_still_refused_and_named(load):
    with pytest.raises(PlanRefused) as refused:
        load({"id": "a", "dependencies": [blocks("b")]}, {"id": "b", "dependencies": [blocks("a")]})
    assert [problem.detail for problem in refused.value.problems] == [
        "That creates a cycle, in which each waits for the next: a → b → a."
    ]


# Older snapshots


def test_import_older_snapshot_reopens_and_reverts_nothing(load):
    early = {"id": "a", "title": "Early", "updated_at": OLD}
    late = {"id": "a", "title": "Late", "status": "closed", "created_at": OLD, "closed_at": NEW, "updated_at": NEW}
    load(early)
    assert load(late).updated == 1
    before = count_all_rows(), list(Task.objects.values())
    for dry_run in (True, False):
        skipped = load(early, dry_run=dry_run)
        assert (skipped.created, skipped.updated, skipped.unchanged) == (0, 0, 0)
        assert [(each.ref, each.name, each.fields) for each in skipped.older] == [
            (task("a").ref, "a", ["title", "status"])
        ]
    assert (count_all_rows(), list(Task.objects.values())) == before
    assert load(early | {"updated_at": NEWEST}).updated == 1
    assert task("a").status == "not_started"


def test_import_knows_a_snapshot_as_old_that_is_older_than_one_without_changes(load):
    load({"id": "a", "updated_at": OLD})
    assert load({"id": "a", "updated_at": NEWEST}).unchanged == 1
    assert load({"id": "a", "title": "Between", "updated_at": NEW}).older[0].fields == ["title"]


def test_import_without_times_of_the_source_updates_as_before(load_json):
    load_json({"key": "a", "updated_at": NEW})
    assert load_json({"key": "a", "title": "New"}).updated == 1


# Assignees


def test_import_names_each_unknown_assignee_once_and_maps_them(cast, load):
    issues = [{"id": f"a{n}", "assignee": "amp" if n < 3 else "Bo = B"} for n in range(4)]
    with pytest.raises(PlanRefused) as refused:
        load(*issues)
    assert refused.value.unknown_assignees == refused.value.data["unknown_assignees"] == ["Bo = B", "amp"]
    assert [problem.line for problem in refused.value.problems] == [1, 4]
    assert refused.value.problems[0].detail.endswith(" 2 more tasks have it, too.")
    plan = plan_of(*issues)
    plan.map_assignees({"amp": "atlas", "Bo = B": "", "nobody": "bert"})
    imported = import_plan(actor=None, project=cast.ops, plan=plan)
    assert (imported.created, notes(imported)) == (4, ["assignees: No task of the file is assigned to nobody."])
    assert task("a0").assignments.get().agent == cast.atlas
    assert not task("a3").assignments.exists()


# Notes


def test_notes_are_counted_and_bounded(load):
    imported = load(*({"id": f"d{n}", "status": "deferred"} for n in range(300)))
    shown = imported.as_dict()
    assert (shown["note_count"], len(shown["notes"])) == (300, 200)
    assert shown["notes"][0] == {"line": 1, "field": "status", "detail": imported.notes[0].detail}
    assert summary_of(imported.notes) == [f"lines 1, 2, 3, 4, 5 and 295 more, status: {imported.notes[0].detail}"]
    assert len(summary_of(Note(n, "x", str(n)) for n in range(50))) == 21
