"""SQLite: a file is compared with its project without the write lock, and only what still holds is written."""

import pytest
from django.db import connection, transaction

from taskproject.sqlite.inserting import insert_many
from tasks.actions import claims, imports, tasks
from tasks.actions.imports import import_plan
from tasks.actions.imports.draft import Draft
from tasks.actions.imports.write import Writer
from tasks.actions.tasks import recount_blockers
from tasks.events import kinds
from tasks.models import Dependency, Event, Label, Task
from tasks.tests.invariants import assert_invariants
from tasks.tests.test_import_bulk import entries, plan_of

pytestmark = [
    pytest.mark.skipif(connection.vendor != "sqlite", reason="Only on SQLite: it has one writer"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def drafts(monkeypatch):
    """What was compared, each with whether the lock was held; ``drafts.meanwhile`` is called once after the first."""

    class Drafts(list):
        meanwhile = None

    made = Drafts()
    compare = Draft.__init__

    def watched(self, *args, **kwargs):
        made.append(connection.in_atomic_block)
        compare(self, *args, **kwargs)
        if made.meanwhile is not None:
            happen, made.meanwhile = made.meanwhile, None
            happen()

    monkeypatch.setattr(Draft, "__init__", watched)
    return made


def test_file_is_compared_without_the_lock(cast, drafts):
    plan = plan_of(entries(30))
    assert import_plan(actor=None, project=cast.ops, plan=plan, dry_run=True).created == 30
    assert import_plan(actor=None, project=cast.ops, plan=plan).created == 30
    assert import_plan(actor=None, project=cast.ops, plan=plan).unchanged == 30
    assert drafts == [False] * 3
    assert recount_blockers() == {}
    assert_invariants()


def test_work_on_other_tasks_meanwhile_changes_nothing(cast, drafts, new_task):
    other = new_task()
    drafts.meanwhile = lambda: claims.claim_task(actor=cast.atlas.user, task=other)
    assert import_plan(actor=None, project=cast.ops, plan=plan_of(entries(5))).created == 5
    assert drafts == [False]


def test_file_is_compared_again_after_the_project_has_changed(cast, drafts, new_task):
    """Each change would make the draft wrong: a task that is referred to, or of the file, or a member."""
    changed = [{**entry, "title": f"{entry['title']} changed"} for entry in entries(5)]
    import_plan(actor=None, project=cast.ops, plan=plan_of(entries(5)))
    started = Task.objects.get(external_id="t0")
    changes = [
        new_task,
        lambda: claims.claim_task(actor=cast.atlas.user, task=started),
        lambda: tasks.delete_task(actor=cast.ada.user, task=Task.objects.get(external_id="t4")),
        lambda: cast.ops.memberships.filter(user=cast.vera).delete(),
    ]
    for number, change in enumerate(changes):
        drafts.clear()
        drafts.meanwhile = change
        entries_now = [{**entry, "description": str(number)} for entry in changed]
        result = import_plan(actor=None, project=cast.ops, plan=plan_of(entries_now))
        assert drafts == [False, False], change
        if number == 1:
            assert [left.ref for left in result.left_alone] == [started.ref]
        if number == 2:
            assert result.created == 1
    assert recount_blockers() == {}
    assert_invariants()


def test_project_that_never_rests_is_compared_under_the_lock(cast, drafts, new_task):
    def go_on():
        new_task()
        if len(drafts) < imports.COMPARED_BEFOREHAND:
            drafts.meanwhile = go_on

    drafts.meanwhile = go_on
    assert import_plan(actor=None, project=cast.ops, plan=plan_of(entries(5))).created == 5
    assert drafts == [False] * imports.COMPARED_BEFOREHAND + [True]


def test_import_that_fails_at_its_end_leaves_nothing(cast, monkeypatch):
    before = Event.objects.count()

    def fail(self):
        raise RuntimeError("no more power")

    monkeypatch.setattr(Writer, "_record", fail)
    with pytest.raises(RuntimeError):
        import_plan(actor=None, project=cast.ops, plan=plan_of(entries(20)))
    assert (Task.objects.count(), Dependency.objects.count(), Event.objects.count()) == (0, 0, before)
    assert not Label.objects.exists()


def test_rows_inserted_at_once_are_as_django_inserts_them(cast, new_task):
    first, second = new_task(labels=["a"]), new_task()

    def made(task):
        return Event(
            kind=kinds.TASK_EDITED, project=cast.ops, project_key="OPS", task=task, task_ref=task.ref,
            at=task.created_at, actor=cast.ada.user, actor_name="ada", data={"fields": ["title"], "ü": None},
        )  # fmt: skip

    with transaction.atomic():
        insert_many(objects := [made(first), made(second)])
    Event.objects.bulk_create([made(first)])
    ours, other, theirs = Event.objects.order_by("-pk")[:3][::-1]
    assert [ours.pk, other.pk] == [each.pk for each in objects] == [theirs.pk - 2, theirs.pk - 1]
    for field in Event._meta.concrete_fields:
        if not field.primary_key and field.name != "task":
            assert getattr(ours, field.attname) == getattr(theirs, field.attname), field.name
    insert_many([])
