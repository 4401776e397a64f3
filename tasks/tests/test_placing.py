"""Cards dropped in another lane: its field changes, with the column or not at all, or a sentence says why."""

import pytest
from django.utils import timezone

from tasks.actions import claims, lifecycle, runs
from tasks.actions.assignments import assign_task
from tasks.actions.tasks import edit_task
from tasks.models import Event, Membership, Priority, Role, Run, Task
from tasks.tests.cast import join
from tasks.using.placing import base_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def drop(client, cast):
    """``drop(user, task, group, "from", "to", status=…, verb=…)`` → whether it was done, and the sentence."""

    def post(user, task, group, came_from, lane, *, status=None, verb="", base=None, **data):
        client.force_login(user)
        task.refresh_from_db()
        sent = {
            "group": group,
            "came_from": came_from,
            "lane": lane,
            "status": status or task.status,
            "base": base_of(task, group, timezone.now()) if base is None else base,
            "verb": verb,
            **data,
        }
        answer = client.post(f"/tasks/{task.ref}", sent)
        task.refresh_from_db()
        if answer.status_code == 302:
            [message] = client.get(answer.url).context["messages"]
            return True, str(message)
        assert answer.status_code == 409
        return False, answer.context["problem"]

    return post


def assigned(task: Task) -> list[str]:
    return sorted(task.assignments.filter(ended_at=None).values_list("agent__slug", flat=True))


def labels(task: Task) -> list[str]:
    return sorted(task.labels.values_list("name", flat=True))


def test_lane_of_an_agent_assigns_to_that_agent_alone(cast, new_task, drop):
    ada, task = cast.ada.user, new_task()
    assert drop(ada, task, "assignee", "", "hugo") == (True, "Assigned OPS-1 to hugo.")
    assert assigned(task) == ["hugo"]
    assert drop(ada, task, "assignee", "hugo", "atlas") == (True, "Assigned OPS-1 to atlas, no longer to hugo.")
    assert assigned(task) == ["atlas"]
    assign_task(actor=ada, task=task, agents=[cast.hugo])
    assert drop(ada, task, "assignee", "atlas", "hugo") == (True, "Assigned OPS-1 to hugo, no longer to atlas.")
    assert drop(ada, task, "assignee", "hugo", "") == (True, "Unassigned OPS-1: nobody has it now.")
    assert (assigned(task), task.status) == ([], "not_started")


def test_lanes_of_priority_label_and_parent_set_the_field(cast, new_task, drop):
    ada, task = cast.ada.user, new_task(labels=["b", "d"])
    epic, other = new_task("Epic"), new_task("Other")
    assert drop(ada, task, "priority", "normal", "urgent") == (True, "The priority of OPS-1 is now urgent.")
    assert task.priority == Priority.URGENT
    assert drop(ada, task, "label", "b", "a") == (True, "OPS-1 now has the label a instead of b.")
    assert labels(task) == ["a", "d"]
    done = drop(ada, task, "label", "a", "x, y")
    assert done == (True, "OPS-1 now has the label x, y instead of a. It is shown with d, its first label.")
    assert labels(task) == ["d", "x, y"]
    assert drop(ada, task, "label", "d", "") == (True, "OPS-1 has no label now.")
    assert drop(ada, task, "label", "", "b") == (True, "OPS-1 now has the label b.")
    assert drop(ada, task, "parent", "", epic.ref) == (True, "OPS-1 is now part of OPS-2.")
    assert drop(ada, task, "parent", epic.ref, other.ref) == (True, "OPS-1 is now part of OPS-3.")
    assert task.parent == other
    done, why = drop(ada, other, "parent", "", task.ref)
    assert (done, "OPS-3" in why, Task.objects.get(pk=other.pk).parent) == (False, True, None)
    assert drop(ada, task, "parent", other.ref, "") == (True, "OPS-1 is no longer part of OPS-3.")


def test_lane_needs_the_right_of_the_editor(cast, new_task, drop):
    task = new_task(assignees=[cast.hugo], labels=["a"])
    for user in (cast.hugo.user, cast.rita.user, cast.vera):
        for group, came_from, lane in (
            ("assignee", "hugo", "atlas"),
            ("priority", "normal", "low"),
            ("label", "a", "b"),
        ):
            done, why = drop(user, task, group, came_from, lane)
            assert (done, why.startswith("Only ")) == (False, True), why
    assert (assigned(task), task.priority, labels(task)) == (["hugo"], Priority.NORMAL, ["a"])


def test_lane_of_another_project_is_refused_in_a_sentence(cast, new_task, drop):
    task, theirs = new_task(), new_task(project=cast.other)
    join(cast.other, cast.ada.user, Role.MANAGER)
    ada = cast.ada.user
    assert drop(ada, task, "assignee", "", "zed") == (False, "There is no agent 'zed'.")
    assert drop(ada, task, "parent", "", theirs.ref) == (False, "There is no task 'OTHER-1' in OPS.")
    assert drop(ada, task, "project", "OPS", "OTHER") == (False, "A task does not change its project.")
    assert drop(ada, task, "zzz", "a", "b")[0] is False
    assert drop(ada, task, "priority", "normal", "enormous")[0] is False
    assert drop(ada, task, "priority", "normal", "")[0] is False


def test_whoever_was_faster_is_not_overwritten(cast, new_task, drop):
    task = new_task(assignees=[cast.hugo], labels=["a"])
    ada = cast.ada.user
    assign_task(actor=cast.root, task=task, agents=[cast.atlas])
    done, why = drop(ada, task, "assignee", "hugo", "rita", base="hugo")
    assert (done, "changed the assignees of OPS-1 meanwhile" in why) == (False, True)
    assert assigned(task) == ["atlas", "hugo"]
    edit_task(actor=cast.root, task=task, changes={"priority": Priority.LOW})
    done, why = drop(ada, task, "priority", "normal", "urgent", base="normal")
    assert (
        why
        == "root changed the priority of OPS-1 meanwhile, so nothing was changed; look at the card and drop it again."
    )
    # What another field says is no conflict.
    assert drop(ada, task, "label", "a", "b")[0] is True
    # With a column too.
    done, why = drop(
        ada, task, "priority", "normal", "urgent", base="normal", status="cancelled", verb="cancel", reason="no"
    )
    assert (done, "Somebody changed the priority" in why, task.status) == (False, True, "not_started")


def test_column_and_lane_change_together_or_not_at_all(cast, new_task, drop):
    ada = cast.ada.user
    task = new_task(review_required=True, assignees=[cast.atlas])
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="look")
    before = Event.objects.count()
    # A reviewer may judge, but not set a priority.
    done, why = drop(cast.rita.user, task, "priority", "normal", "high", status="completed", verb="approve")
    assert (done, task.status, task.priority, Event.objects.count()) == (False, "in_review", Priority.NORMAL, before), (
        why
    )
    # Nobody is assigned to what has ended.
    done, why = drop(ada, task, "assignee", "atlas", "hugo", status="completed", verb="approve")
    assert (done, task.status, assigned(task), Event.objects.count()) == (False, "in_review", ["atlas"], before), why
    done, why = drop(
        ada, task, "assignee", "atlas", "hugo", status="not_started", verb="request_changes", note="Say more"
    )
    assert (done, task.status, assigned(task)) == (True, "not_started", ["hugo"]), why
    assert why.endswith("Assigned OPS-1 to hugo, no longer to atlas.")
    done, why = drop(ada, task, "priority", "normal", "high", status="cancelled", verb="cancel", reason="no")
    assert (done, task.status, task.priority) == (True, "cancelled", Priority.HIGH), why
    done, why = drop(ada, task, "assignee", "hugo", "rita", status="not_started", verb="reopen")
    assert (done, task.status, assigned(task)) == (True, "not_started", ["rita"]), why


def test_lane_in_progress_starts_for_whoever_it_is_of(cast, new_task, drop):
    ada, hugo = cast.ada.user, cast.hugo.user
    task = new_task()
    begin = {"status": "in_progress", "verb": "start"}
    assert drop(ada, task, "assignee", "", "", **begin) == (
        False, "Whoever starts OPS-1 has it; drop it in somebody's lane.",
    )  # fmt: skip
    done, why = drop(ada, task, "assignee", "", "atlas", **begin)
    assert (done, "LLM agents claim" in why, assigned(task)) == (False, True, [])
    # Whoever may take it needs no right to assign.
    assert drop(hugo, task, "assignee", "", "hugo", **begin) == (True, "Started OPS-1: run 1 of hugo.")
    second = new_task(assignees=[cast.hugo])
    done, why = drop(cast.rita.user, second, "assignee", "hugo", "rita", **begin)
    assert (done, second.status, assigned(second)) == (False, "not_started", ["hugo"]), why
    assert drop(ada, second, "assignee", "hugo", "rita", **begin) == (True, "Started OPS-2: run 1 of rita.")
    assert (second.status, assigned(second), Run.objects.get(task=second).agent) == ("in_progress", ["rita"], cast.rita)
    third = new_task(assignees=[cast.hugo])
    Membership.objects.filter(user=cast.rita.user).update(role=Role.VIEWER)
    done, why = drop(ada, third, "assignee", "hugo", "rita", **begin)
    assert (done, third.status, assigned(third)) == (False, "not_started", ["hugo"]), why


def test_holder_loses_the_task_only_by_a_drop_that_says_so(cast, new_task, drop, client):
    ada, task = cast.ada.user, new_task()
    claims.start_task(actor=cast.hugo.user, task=task)
    why = "hugo is working on OPS-1; drop it in “Not started” to take it away."
    assert drop(ada, task, "assignee", "hugo", "atlas") == (False, why)
    page = client.get(f"/tasks/{task.ref}/moves?group=assignee").content.decode()
    assert "<p data-other-lane >hugo is working on OPS-1" in page
    done, said = drop(ada, task, "assignee", "hugo", "atlas", status="not_started", verb="release")
    assert (done, task.status, assigned(task)) == (True, "not_started", ["atlas"]), said
    assert Run.objects.get(task=task).ended_at is not None


def test_card_whose_task_moved_meanwhile_stays_as_it_is(cast, new_task, drop):
    task = new_task(assignees=[cast.hugo])
    lifecycle.cancel_task(actor=cast.root, task=task)
    done, why = drop(cast.ada.user, task, "priority", "normal", "high", status="not_started")
    assert (done, task.priority) == (False, Priority.NORMAL)
    assert why == "OPS-1 was moved meanwhile, so nothing was changed; look at the card and drop it again."


@pytest.mark.parametrize(
    ("who", "group", "says"),
    [
        ("ada", "priority", "<form"),
        ("ada", "assignee", "<form"),
        ("ada", "project", "OPS-1 stays in its lane"),
        ("rita", "priority", "data-everywhere"),
        ("ada", "zzz", None),
        ("ada", "", None),
    ],
)
def test_moves_say_beforehand_whether_another_lane_is_open(cast, new_task, client, who, group, says):
    new_task()
    client.force_login(getattr(cast, who).user)
    page = client.get(f"/tasks/OPS-1/moves?group={group}").content.decode()
    if says is None:
        assert ("data-other-lane" in page, 'name="group"' in page) == (False, False)
    else:
        assert says in page.rpartition("data-target")[2]
