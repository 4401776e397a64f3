"""One verb records one event for each task that it touches, with all its facts; see ``test_edges`` for the table."""

import json
from datetime import timedelta

import pytest

from tasks import clock
from tasks.actions import (
    agents,
    assignments,
    claims,
    dependencies,
    lifecycle,
    many_runs,
    passing_time,
    projects,
    reviews,
    runs,
)
from tasks.actions.imports import import_plan
from tasks.actions.offering import decline_task, lapse_offers
from tasks.actions.tasks import NewTask, create_task, delete_task, edit_task, repair_blockers
from tasks.assignment.on_demand import auto_assign
from tasks.errors import LeaseLost
from tasks.formats import json_list
from tasks.models import Agent, Assignment, AssignmentSource, Availability, Event, Run, Task
from tasks.tests.invariants import assert_invariants
from tasks.tests.one_event import one_event_for_each_task

pytestmark = pytest.mark.django_db


def event_of(task: Task, events: list[Event]) -> Event:
    (event,) = [event for event in events if event.task_id == task.pk]
    return event


FOR_HISTORY = ("waits_for", "priority", "due_at", "estimate_minutes", "labels", "agent_version")


def facts_of(task: Task, events: list[Event]) -> tuple[str, dict]:
    """Kind and data of the task's event, without what it says for the history: ``test_history_facts``."""
    event = event_of(task, events)
    return event.kind, {name: value for name, value in event.data.items() if name not in FOR_HISTORY}


def test_claim_says_status_run_and_source_in_one_event(cast, new_task):
    task = new_task()
    with one_event_for_each_task() as events:
        run = claims.claim_next(actor=cast.atlas.user, projects=[cast.ops]).runs[0]
    assert facts_of(task, events) == (
        "task.status_changed",
        {"verb": "claim", "from": "not_started", "to": "in_progress", "run": 1, "source": "pull"},
    )
    event = event_of(task, events)
    assert (event.run_id, event.agent_slug, event.actor_name) == (run.pk, "atlas", "atlas")


def test_claim_of_what_is_assigned_names_no_source(cast, new_task):
    task = new_task(assignees=[cast.atlas])
    with one_event_for_each_task() as events:
        claims.claim_task(actor=cast.atlas.user, task=task)
    assert "source" not in event_of(task, events).data


def test_claim_next_of_several_records_one_event_for_each(cast, new_task):
    wanted = {new_task().ref, new_task().ref, new_task(assignees=[cast.atlas]).ref}
    with one_event_for_each_task() as events:
        claims.claim_next(actor=cast.atlas.user, projects=[cast.ops], limit=5)
    assert {event.task_ref for event in events} == wanted
    assert_invariants()


def test_completion_records_its_summary_and_one_event_per_related_task(cast, new_task):
    parent = new_task("Whole")
    task = new_task("Piece", parent=parent)
    dependencies.add_dependencies(actor=cast.ada.user, task=parent, depends_on=[task])
    other = new_task("After", depends_on=[task])
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    with one_event_for_each_task() as events:
        runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    assert facts_of(task, events)[1] == {
        "verb": "complete",
        "from": "in_progress",
        "to": "completed",
        "run": 1,
        "outcome": "completed",
        "summary": "done",
    }
    assert facts_of(parent, events) == ("task.unblocked", {"open": 0, "by": task.ref})
    assert facts_of(other, events) == ("task.unblocked", {"open": 0, "by": task.ref})


def test_failure_says_code_and_detail(cast, new_task):
    task = new_task()
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    with one_event_for_each_task() as events:
        runs.fail_run(actor=cast.atlas.user, run_id=run.pk, code="broken", detail="It broke.", retryable=False)
    data = event_of(task, events).data
    assert (data["to"], data["outcome"], data["code"], data["detail"], data["retryable"]) == (
        "failed",
        "failed",
        "broken",
        "It broke.",
        False,
    )


def test_assigning_several_agents_is_one_event_that_names_them(cast, new_task):
    task = new_task()
    with one_event_for_each_task() as events:
        assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.atlas, cast.bert], note="both of you")
    kind, data = facts_of(task, events)
    assert (kind, data) == (
        "task.assigned",
        {"agents": ["atlas", "bert"], "source": "manual", "note": "both of you"},
    )
    assert event_of(task, events).agent_id is None


@pytest.mark.parametrize("verb", ["unassign", "reassign"])
def test_taking_a_task_from_its_holder_is_one_event_with_the_move(cast, new_task, verb):
    task = new_task(assignees=[cast.bert])
    run = claims.claim_task(actor=cast.bert.user, task=task)
    assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.hugo])
    with one_event_for_each_task() as events:
        if verb == "unassign":
            assignments.unassign_task(actor=cast.ada.user, task=task)
        else:
            assignments.reassign_task(actor=cast.ada.user, task=task, agents=[cast.atlas])
    kind, data = facts_of(task, events)
    moved = {"verb": "revoke", "from": "in_progress", "to": "not_started", "run": 1, "outcome": "revoked"}
    assert {name: data[name] for name in moved} == moved
    assert event_of(task, events).run_id == run.pk
    if verb == "unassign":
        assert (kind, sorted(data["agents"])) == ("task.unassigned", ["bert", "hugo"])
    else:
        assert (kind, data["agents"], sorted(data["taken_from"])) == ("task.assigned", ["atlas"], ["bert", "hugo"])
    assert_invariants()


def test_cancelling_a_child_that_its_parent_depends_on_is_one_event_of_the_parent(cast, new_task):
    parent = new_task("Whole")
    task = new_task("Piece", parent=parent)
    dependencies.add_dependencies(actor=cast.ada.user, task=parent, depends_on=[task])
    claims.claim_task(actor=cast.atlas.user, task=task)
    with one_event_for_each_task() as events:
        lifecycle.cancel_task(actor=cast.ada.user, task=task, note="enough")
    assert event_of(task, events).data["outcome"] == "cancelled"
    assert facts_of(parent, events) == ("task.dependency_failed", {"cancelled": [task.ref], "open": 1})


def test_adopting_over_an_active_run_is_one_event_that_names_both(cast, new_task, let_lease_end):
    task = new_task()
    late = claims.claim_task(actor=cast.atlas.user, task=task)
    let_lease_end(late)
    with one_event_for_each_task():
        assert passing_time.expire_run(run=late)
    with one_event_for_each_task() as events, pytest.raises(LeaseLost):
        runs.complete_run(actor=cast.atlas.user, run_id=late.pk, summary="late")
    assert facts_of(task, events) == ("run.late_result_kept", {"run": 1, "verb": "complete"})
    Task.objects.filter(pk=task.pk).update(deferred_until=None)
    claims.claim_task(actor=cast.bert.user, task=task)
    with one_event_for_each_task() as events:
        reviews.adopt_late_result(actor=cast.ada.user, run=late)
    data = event_of(task, events).data
    assert (data["run"], data["revoked_run"], data["taken_from"]) == (1, 2, ["bert"])
    assert_invariants()


def test_requesting_changes_of_an_author_who_was_taken_off_is_one_event(cast, new_task):
    task = new_task(review_required=True)
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="there")
    assignments.unassign_task(actor=cast.ada.user, task=task)
    with one_event_for_each_task() as events:
        reviews.request_changes(actor=cast.rita.user, task=task, note="one more thing")
    data = event_of(task, events).data
    assert (data["verb"], data["agents"], data["note"]) == ("request_changes", ["atlas"], "one more thing")


def test_creation_with_all_around_it_is_one_event_for_each(cast, new_task):
    parent, first = new_task(), new_task()
    with one_event_for_each_task() as events:
        new = NewTask(title="New", assignees=[cast.atlas, cast.bert], depends_on=[first], parent=parent)
        task = create_task(actor=cast.ada.user, project=cast.ops, new=new)
    assert facts_of(task, events) == ("task.created", {"title": "New", "agents": ["atlas", "bert"]})
    assert facts_of(parent, events) == ("task.blocked", {"open": 1, "by": task.ref})


def test_dependencies_edits_deletions_and_repairs_are_one_event_for_each(cast, new_task):
    old, new, task, first = new_task("Old"), new_task("New"), new_task("Task"), new_task("First")
    with one_event_for_each_task() as events:
        dependencies.add_dependencies(actor=cast.ada.user, task=task, depends_on=[first, new])
    assert facts_of(task, events) == ("task.dependencies_added", {"depends_on": [first.ref, new.ref], "open": 2})
    with one_event_for_each_task() as events:
        dependencies.remove_dependencies(actor=cast.ada.user, task=task, depends_on=[first, new])
    assert facts_of(task, events) == ("task.dependencies_removed", {"depends_on": [first.ref, new.ref], "open": 0})
    edit_task(actor=cast.ada.user, task=task, changes={"parent": old})
    with one_event_for_each_task() as events:
        edit_task(actor=cast.ada.user, task=task, changes={"parent": new, "title": "Renamed", "labels": ["a"]})
    assert {event.kind for event in events} == {"task.edited", "task.unblocked", "task.blocked"}
    dependencies.add_dependencies(actor=cast.ada.user, task=new, depends_on=[task])
    with one_event_for_each_task() as events:
        delete_task(actor=cast.ada.user, task=task)
    assert facts_of(new, events)[0] == "task.unblocked"
    Task.objects.update(open_blockers=3)
    with one_event_for_each_task() as events:
        repair_blockers()
    assert len(events) == Task.objects.count()


def test_import_of_anything_is_one_event_for_each_task(cast, new_task):
    def load(*entries):
        with one_event_for_each_task() as events:
            import_plan(actor=cast.ada.user, project=cast.ops, plan=json_list.read(json.dumps(entries)))
        assert_invariants()
        return events

    first = {"key": "a", "title": "A", "assignees": ["atlas", "bert"]}
    other = {"key": "b", "title": "B", "depends_on": ["a"], "parent": "c"}
    load(first, other, {"key": "c", "title": "C"}, {"key": "d", "title": "D", "depends_on": ["a", "b"]})
    load({**first, "status": "failed", "assignees": ["hugo"]}, {**other, "assignees": ["atlas"], "status": "cancelled"})
    by_id = {task.external_id: task for task in Task.objects.all()}
    with_both = Event.objects.get(task=by_id["d"], kind="task.dependency_failed").data
    assert (with_both["failed"], with_both["cancelled"]) == ([by_id["a"].ref], [by_id["b"].ref])
    events = load({**first, "status": "not_started", "assignees": ["hugo"]}, {**other, "depends_on": []})
    assert event_of(by_id["a"], events).data["from"] == "failed"


def test_bulk_verbs_and_leaving_members_are_one_event_for_each_task(cast, new_task):
    tasks = [new_task(assignees=[cast.atlas]) for _ in range(3)]
    claims.claim_task(actor=cast.atlas.user, task=tasks[0])
    with one_event_for_each_task() as events:
        projects.remove_member(actor=cast.ada.user, project=cast.ops, user=cast.atlas.user)
    assert {event.task_ref for event in events} == {"", *(task.ref for task in tasks)}
    held = [claims.claim_task(actor=cast.bert.user, task=task) for task in tasks]
    with one_event_for_each_task():
        many_runs.complete_runs(actor=cast.bert.user, items=[{"run_id": run.pk, "summary": "done"} for run in held])
    with one_event_for_each_task() as events:
        agents.edit_agent(actor=cast.root, agent=cast.bert, changes={"max_concurrent": 3})
    assert [event.kind for event in events] == ["agent.edited"]
    assert_invariants()


def test_offers_are_one_event_for_each_task_however_they_end(cast, new_task):
    Agent.objects.filter(slug__in=("atlas", "bert")).update(last_seen_at=clock.now())
    Agent.objects.filter(kind="human").update(availability=Availability.PAUSED)
    task, past = new_task(), clock.now() - timedelta(seconds=1)
    with one_event_for_each_task() as events:
        auto_assign(actor=cast.ada.user, task=task)
    (slug,) = event_of(task, events).data["agents"]
    offered = Assignment.objects.active().get(task=task)
    agent = {"atlas": cast.bert, "bert": cast.atlas}[slug]
    Assignment.objects.create(task=task, agent=agent, source=AssignmentSource.AUTO, created_at=offered.created_at)
    Assignment.objects.filter(task=task).update(accept_by=past)
    with one_event_for_each_task() as events:
        lapse_offers()
    assert facts_of(task, events) == ("task.offer_lapsed", {"agents": [offered.agent.slug, agent.slug]})
    assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.atlas])
    with one_event_for_each_task():
        decline_task(actor=cast.atlas.user, task=task, reason="no key")


def test_steps_of_the_engine_are_one_event_for_each_task(cast, new_task):
    past = clock.now() - timedelta(hours=2)
    tasks = [new_task(due_at=clock.now() + timedelta(hours=1)) for _ in range(2)]
    with one_event_for_each_task() as events:
        passing_time.report_due_soon()
    assert len(events) == 2
    Task.objects.filter(pk__in=[task.pk for task in tasks]).update(due_at=past, deferred_until=past)
    for step in (passing_time.report_overdue, passing_time.wake_deferred):
        with one_event_for_each_task() as events:
            step()
        assert len(events) == 2
    run = claims.claim_task(actor=cast.atlas.user, task=tasks[0])
    Run.objects.filter(pk=run.pk).update(last_progress_at=past)
    with one_event_for_each_task() as events:
        passing_time.report_stalled()
    assert facts_of(tasks[0], events)[0] == "task.stalled"
    with one_event_for_each_task():
        runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=10, note="again", checkpoint={"step": 1})
