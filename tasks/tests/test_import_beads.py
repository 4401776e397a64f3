"""beads' issues.jsonl: what happens to states, times, links, and fields that a task does not have."""

import json
from datetime import UTC, datetime

import pytest

from tasks.actions import claims
from tasks.actions.imports import PlanRefused, import_plan
from tasks.actions.tasks import edit_task, recount_blockers
from tasks.formats import beads
from tasks.models import Dependency, Event, Label, Priority, Task, TaskLink
from tasks.tests.lado import LADO

pytestmark = pytest.mark.django_db


def issue(id: str, **fields) -> dict:
    times = {"created_at": "2026-05-01T08:00:00Z", "updated_at": "2026-05-02T08:00:00Z"}
    return {"id": id, "title": f"Issue {id}", "status": "open", "priority": 2, "issue_type": "task", **times, **fields}


def blocks(target: str, kind: str = "blocks") -> dict:
    return {"issue_id": "x", "depends_on_id": target, "type": kind}


def load(cast, *issues: dict | str):
    lines = [line if isinstance(line, str) else json.dumps(line) for line in issues]
    return import_plan(actor=None, project=cast.ops, plan=beads.read("\n".join(lines) + "\n"))


def task(external_id: str) -> Task:
    return Task.objects.select_related("project", "parent").get(external_id=external_id)


def labels(external_id: str) -> set[str]:
    return set(task(external_id).labels.values_list("name", flat=True))


def problems(cast, *issues) -> list[str]:
    with pytest.raises(PlanRefused) as refused:
        load(cast, *issues)
    assert not Task.objects.exists()
    return [str(problem) for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("status", "more", "becomes"),
    [
        ("open", {}, "not_started"),
        ("in_progress", {}, "not_started"),
        ("closed", {"closed_at": "2026-05-02T08:00:00Z"}, "completed"),
        ("done", {}, "completed"),
        ("Completed", {}, "completed"),
        ("resolved", {}, "completed"),
        ("To Do", {}, "not_started"),
        ("failed", {}, "failed"),
        ("won't fix", {}, "cancelled"),
        ("deferred", {"defer_until": "2099-01-01T00:00:00Z"}, "not_started"),
    ],
)
def test_import_beads_maps_every_known_status(cast, status, more, becomes):
    load(cast, issue("b-1", status=status, **more))
    assert (task("b-1").status, task("b-1").on_hold, labels("b-1")) == (becomes, False, set())


@pytest.mark.parametrize(
    ("status", "more", "label", "reason"),
    [
        ("blocked", {}, "status:blocked", "blocked, and by no open issue of the file"),
        ("deferred", {}, None, "deferred, and no date lies ahead"),
        ("deferred", {"defer_until": "2026-01-01T00:00:00Z"}, None, "deferred, and no date lies ahead"),
        ("pinned", {}, "status:pinned", "pinned, which beads never hands out"),
        ("hooked", {}, "status:hooked", "held by a worker in beads"),
        ("waiting", {}, "status:waiting", "waiting, which is not a known status"),
        ("In Review", {}, "status:In Review", "In Review, which is not a known status"),
        ("needs-design", {}, "status:needs-design", "needs-design, which is not a known status"),
        ("x" * 80, {}, ("status:" + "x" * 80)[:60], f"{'x' * 59}…, which is not a known status"),
    ],
)
def test_import_beads_holds_what_beads_would_not_hand_out(cast, status, more, label, reason):
    imported = load(cast, issue("b-1", status=status, priority=0, **more), issue("b-2", priority=4))
    assert (task("b-1").status, task("b-1").on_hold) == ("not_started", True)
    assert labels("b-1") == ({label} if label else set())
    assert [str(note) for note in imported.notes] == [
        f"line 1, status: Is {reason}: it is on hold until a manager takes it off hold."
    ]
    taken = claims.claim_next(actor=cast.atlas.user, projects=[cast.ops], limit=5)
    assert [run.task.external_id for run in taken.runs] == ["b-2"]


@pytest.mark.parametrize("half", ["\0", "\ud800"])
def test_import_beads_refuses_a_status_that_no_label_can_hold(cast, half):
    [problem] = problems(cast, issue("b-1", status=f"odd{half}"))
    assert problem.startswith("line 1, status: ")
    assert problem.endswith("characters are not allowed.")


@pytest.mark.parametrize("status", ["", " ", None])
def test_import_beads_takes_an_empty_status_for_open(cast, status):
    assert load(cast, issue("b-1", status=status)).notes == []
    assert (task("b-1").on_hold, labels("b-1")) == (False, set())


def test_import_beads_blocked_by_an_open_issue_waits_for_it_only(cast):
    blocked = [issue(f"b-{n}", status="blocked", dependencies=[blocks(f"a-{n}")]) for n in (1, 2)]
    load(cast, *blocked, issue("a-1"), issue("a-2", status="closed"))
    assert (task("b-1").on_hold, task("b-1").open_blockers) == (False, 1)
    assert (task("b-2").on_hold, task("b-2").open_blockers) == (True, 0)


def test_import_beads_releases_what_is_opened_there_and_keeps_what_was_released_here(cast):
    first, second = issue("b-1", status="deferred"), issue("b-2", status="pinned")
    load(cast, first, second)
    edit_task(actor=cast.ada.user, task=task("b-2"), changes={"on_hold": False})
    imported = load(cast, first | {"status": "open"}, second)
    assert (imported.updated, imported.unchanged, imported.notes) == (1, 1, [])
    assert (task("b-1").on_hold, task("b-2").on_hold) == (False, False)


def test_import_beads_keeps_times(cast):
    at = {day: datetime(2026, 5, day, 8, tzinfo=UTC) for day in range(1, 5)}
    load(
        cast,
        issue(
            "done", status="closed", started_at="2026-05-02T10:00:00+02:00", closed_at="2026-05-03T08:00:00.123456789Z"
        ),
        issue("under-way", status="in_progress", started_at="2026-05-02T08:00:00Z"),
        issue("no-close", status="closed"),
        issue("never", status="open", started_at="0001-01-01T00:00:00Z"),
    )
    done, under_way = task("done"), task("under-way")
    assert (done.created_at, done.started_at) == (at[1], at[2])
    assert done.completed_at == at[3].replace(microsecond=123456)
    assert done.updated_at >= done.completed_at
    assert (under_way.status, under_way.started_at, under_way.completed_at) == ("not_started", at[2], None)
    assert task("no-close").completed_at == at[2]
    assert task("never").started_at is None


def test_import_beads_maps_priorities(cast):
    load(cast, *(issue(f"p{number}", priority=number) for number in range(5)))
    priorities = [Priority(task(f"p{number}").priority).name for number in range(5)]
    assert priorities == ["URGENT", "HIGH", "NORMAL", "LOW", "LOW"]


def test_import_beads_dependencies_parents_and_links(cast, new_task):
    here = new_task("Here", external_id="here")
    load(
        cast,
        issue("epic", issue_type="epic"),
        issue("child", dependencies=[blocks("epic", "parent-child"), blocks("first"), blocks("first")]),
        issue("first", dependencies=[blocks("child", "discovered-from"), blocks("here")]),
        issue(
            "loose",
            dependencies=[
                blocks("first", "related"),
                blocks("nowhere", "related"),
                blocks("here", "made-up"),
                blocks("external:lib:feature"),
                blocks("epic", "parent-child"),
                blocks("first", "parent-child"),
            ],
        ),
    )
    assert set(Dependency.objects.values_list("task__external_id", "depends_on__external_id")) == {
        ("child", "first"),
        ("first", "here"),
    }
    assert {t.external_id for t in task("epic").children.all()} == {"child", "loose"}
    assert set(TaskLink.objects.values_list("task__external_id", "kind", "target__external_id")) == {
        ("first", "discovered-from", "child"),
        ("loose", "related", "first"),
        ("loose", "made-up", "here"),
        ("loose", "parent-child", "first"),
    }
    assert labels("loose") == {"related:nowhere", "blocks:external:lib:feature"}
    assert [task(name).open_blockers for name in ("epic", "child", "first", "loose")] == [2, 1, 1, 0]
    assert recount_blockers() == {}
    assert task("first").number < task("child").number
    assert here.open_blockers == 0


def test_import_beads_texts_find_their_place(cast):
    imported = load(
        cast,
        issue(
            "b-1",
            title="T" * 400,
            description="What",
            design="How",
            notes="And",
            acceptance_criteria="- [ ] it runs\n\n2. it is quick\nplain",
            labels=["ui", "ui"],
            issue_type="bug",
            estimated_minutes=30,
            comments=[{"text": "x", "created_at": "2026-05-01T08:00:00Z"}],
            external_ref="gh-9",
            assignee="",
        ),
        issue("b-2", status="closed", close_reason="Merged", closed_at="2026-05-02T08:00:00Z"),
        {"_type": "memory", "key": "k", "value": "v"},
        issue("b-3", status="tombstone"),
        issue("b-4", dependencies=[blocks("b-3"), blocks("b-3", "related")]),
    )
    stored = task("b-1")
    assert stored.title == "T" * 299 + "…"
    assert stored.description == "T" * 400 + "\n\nWhat\n\n## Design\n\nHow\n\n## Notes\n\nAnd"
    assert stored.criteria == ["it runs", "it is quick", "plain"]
    assert (stored.estimate_minutes, labels("b-1")) == (30, {"ui", "type:bug"})
    assert task("b-2").summary == "Merged"
    assert imported.created == 3
    assert labels("b-4") == set()
    assert [str(note) for note in imported.notes] == [
        "Left out, because a task has no such field: external_ref (1).",
        "Left out: lines of type memory (1), which are not issues.",
        "Left out: removed issues, or tombstones (1).",
    ]


def test_import_beads_lists_every_problem_with_line_and_field(cast):
    listed = problems(
        cast,
        issue("a", dependencies=[blocks("b")]),
        issue("b", dependencies=[blocks("a")]),
        "",
        issue("c", dependencies=[blocks("gone"), blocks("lost", "parent-child"), blocks("", "blocks"), "no object"]),
        issue("a"),
        issue("d", priority=9, status=3, created_at="yesterday", labels="ui", estimated_minutes="long"),
        issue("e", title=" ", assignee="atlsa", dependencies={}),
        {"title": "No id"},
        issue("f", dependencies=[blocks("f")]),
    )
    assert listed == [
        "line 1, dependencies: That creates a cycle, in which each waits for the next: a → b → a.",
        "line 4, dependencies: Each must be an object with depends_on_id and type.",
        "line 4, dependencies: There is no task gone in this file or in OPS.",
        "line 4, dependencies: There is no task lost in this file or in OPS.",
        "line 4, dependencies: depends_on_id and type: Must not be empty.",
        "line 5, id: a is already the task of line 1.",
        "line 6, created_at: 'yesterday' is not a time; write 2026-11-22T10:00:00Z or 2026-11-22.",
        "line 6, estimated_minutes: Must be a whole number, not 'long'.",
        "line 6, labels: Must be a list, not a text.",
        "line 6, priority: Must be a number from 0 to 4, not 9.",
        "line 6, status: Must be a text.",
        "line 7, assignee: There is no agent in OPS named 'atlsa'; did you mean 'atlas'?",
        "line 7, dependencies: Must be a list.",
        "line 7, title: Is missing; every task needs a title.",
        "line 8, id: Is missing; every issue needs an id.",
        "line 9, dependencies: That creates a cycle, in which each waits for the next: f → f.",
    ]


def test_import_beads_with_broken_lines_names_each_and_no_names_that_may_stand_there(cast):
    listed = problems(
        cast,
        '{"id": "a", "title": ',
        issue("b", dependencies=[blocks("a")]),
        "[1]",
        '{"id": "c", "title": "c", "priority": NaN}',
        '{"id": "d", "x": ' + "[" * 100_000 + "}",
        '{"id": "e", "priority": ' + "9" * 5000 + "}",
    )
    assert listed == [
        "line 1: This is not JSON: Expecting value at column 22.",
        "line 3: An issue must be an object.",
        "line 4: NaN is not JSON.",
        "line 5: Is nested too deeply.",
        "line 6: Contains a number with too many digits.",
    ]


# If they lie beside the repository, they must import.
if LADO is not None:

    def test_import_lado_comes_in_whole(cast):
        imported = import_plan(actor=None, project=cast.ops, plan=beads.read(LADO.read_text()))
        assert (imported.created, imported.updated, imported.unchanged, imported.notes) == (19, 0, 0, [])
        tasks = Task.objects.filter(project=cast.ops)
        # Counted by hand in the file: 11 closed; 5 open and 3 in progress elsewhere.
        assert tasks.filter(status="completed", completed_at__isnull=False).count() == 11
        assert tasks.filter(status="not_started", completed_at=None).count() == 8
        assert tasks.filter(started_at__isnull=False).count() == 11
        assert tasks.filter(started_at__isnull=False, status="not_started").count() == 3
        assert tasks.filter(priority=Priority.HIGH).get().external_id == "diff-d7d"
        assert tasks.filter(priority=Priority.NORMAL).count() == 18
        assert set(Dependency.objects.values_list("task__external_id", "depends_on__external_id")) == {
            ("diff-cxu", "diff-u6w"),
            ("lado-f01", "lado-1h8"),
        }
        assert set(tasks.filter(parent__external_id="diff-2v5").values_list("external_id", flat=True)) == {
            f"diff-{name}" for name in ("e3h", "aib", "bno", "lyr", "cxu", "u6w", "vag")
        }
        assert dict(tasks.filter(open_blockers__gt=0).values_list("external_id", "open_blockers")) == {
            "diff-2v5": 2,
            "diff-cxu": 1,
            "lado-f01": 1,
        }
        assert set(tasks.ready().values_list("external_id", flat=True)) == {
            "diff-u6w",
            "diff-3js",
            "lado-rw7",
            "lado-cs7",
            "lado-1h8",
        }
        assert {label.name: label.tasks.count() for label in Label.objects.all()} == {"type:feature": 7, "type:bug": 4}
        vag = task("diff-vag")
        assert [vag.created_at, vag.started_at, vag.completed_at, vag.updated_at] == [
            datetime(2026, 6, 2, 7, 57, 44, tzinfo=UTC),
            datetime(2026, 6, 2, 7, 59, 10, tzinfo=UTC),
            datetime(2026, 6, 2, 8, 14, 57, tzinfo=UTC),
            datetime(2026, 6, 2, 8, 14, 57, tzinfo=UTC),
        ]
        assert sorted(tasks.values_list("number", flat=True)) == list(range(1, 20))
        assert Event.objects.filter(kind="task.imported", project=cast.ops).count() == 19
        assert recount_blockers() == {}
        again = import_plan(actor=None, project=cast.ops, plan=beads.read(LADO.read_text()))
        assert (again.created, again.updated, again.unchanged, again.left_alone) == (0, 0, 19, [])
