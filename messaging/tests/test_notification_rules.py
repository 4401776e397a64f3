"""Who is notified of what: each rule, and what applies to all of them."""

from datetime import timedelta

import pytest

from messaging.models import Notification, NotificationKind
from messaging.notifications import rules
from messaging.notifications.choices import mute_kinds
from messaging.notifications.rules import RULES
from messaging.notifications.sentences import ICONS, note, sentence
from tasks import clock, engine
from tasks.actions import assignments, claims, lifecycle, offering, projects, reviews, runs
from tasks.actions.tasks import delete_task
from tasks.errors import LeaseLost
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import Assignment, AssignmentSource, Event, Role, Run, Task

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("manager_mia")]


@pytest.fixture(autouse=True)
def _nobody_watches(monkeypatch) -> None:
    """Whoever watches is told of every move; that has tests of its own."""
    monkeypatch.setattr(rules, "watchers_of", lambda tasks: {})


def test_every_kind_has_a_rule():
    assert set(RULES) == set(NotificationKind)


def test_assigned_notifies_each_agent_but_not_the_actor(cast, new_task, notified):
    task = new_task()
    notified()
    assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.hugo, cast.atlas, cast.ada])
    assert notified() == {("hugo", "assigned"), ("atlas", "assigned")}


def test_assigned_by_a_pull_notifies_nobody(cast, new_task, notified):
    claims.claim_task(actor=cast.atlas.user, task=new_task())
    assert notified() == set()


def test_unassigned_notifies_the_agent_once_although_its_run_is_revoked_too(cast, new_task, notified):
    task = new_task(assignees=[cast.atlas])
    claims.claim_task(actor=cast.atlas.user, task=task)
    notified()
    assignments.unassign_task(actor=cast.ada.user, task=task)
    assert notified() == {("atlas", "unassigned")}


def test_unassigned_by_reassign_notifies_both_sides(cast, new_task, notified):
    task = new_task(assignees=[cast.atlas])
    notified()
    assignments.reassign_task(actor=cast.ada.user, task=task, agents=[cast.bert])
    assert notified() == {("atlas", "unassigned"), ("bert", "assigned")}


def test_release_by_staff_notifies_the_holder_and_by_the_holder_nobody(cast, new_task, notified):
    task = new_task()
    claims.claim_task(actor=cast.atlas.user, task=task)
    lifecycle.release_task(actor=cast.ada.user, task=task)
    assert notified() == {("atlas", "unassigned")}
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.release_run(actor=cast.atlas.user, run_id=run.pk)
    assert notified() == set()


def test_adopted_late_result_notifies_creator_author_and_the_agent_that_loses_the_task(
    cast, new_task, notified, let_lease_end
):
    task = new_task()
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    let_lease_end(run)
    engine.tick()
    Task.objects.update(deferred_until=None)
    claims.claim_task(actor=cast.bert.user, task=task)
    with pytest.raises(LeaseLost):
        runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="late")
    notified()
    run.refresh_from_db()
    reviews.adopt_late_result(actor=cast.root, run=run)
    assert notified() == {("bert", "unassigned"), ("atlas", "completed"), ("ada", "completed")}


def test_cancelled_notifies_the_assignees(cast, new_task, notified):
    task = new_task(assignees=[cast.atlas, cast.hugo])
    assignments.unassign_task(actor=cast.ada.user, task=task, agents=[cast.hugo])
    claims.claim_task(actor=cast.atlas.user, task=task)
    notified()
    lifecycle.cancel_task(actor=cast.ada.user, task=task)
    assert notified() == {("atlas", "unassigned")}


def test_completed_notifies_the_creator(cast, new_task, notified):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task())
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    assert notified() == {("ada", "completed")}


def test_completed_task_of_an_agent_notifies_that_agent(cast, notified, new_task):
    cast.ops.workers_create = True
    cast.ops.save()
    run = claims.claim_task(actor=cast.bert.user, task=new_task(actor=cast.atlas.user))
    runs.complete_run(actor=cast.bert.user, run_id=run.pk, summary="done")
    assert notified() == {("atlas", "completed")}


def test_review_notifies_the_reviewers_then_the_author(cast, new_task, notified):
    task = new_task(review_required=True)
    run = claims.claim_task(actor=cast.rita.user, task=task)
    runs.complete_run(actor=cast.rita.user, run_id=run.pk, summary="done")
    assert notified() == {("ada", "review_asked"), ("mia", "review_asked")}
    reviews.request_changes(actor=cast.ada.user, task=task, note="Again, with tests.")
    assert notified() == {("rita", "changes_requested")}
    run = claims.claim_task(actor=cast.rita.user, task=task)
    runs.complete_run(actor=cast.rita.user, run_id=run.pk, summary="done")
    notified()
    reviews.approve_task(actor=cast.root, task=task)
    assert notified() == {("rita", "completed"), ("ada", "completed")}


def test_failed_notifies_creator_and_managers_once_it_is_given_up(cast, new_task, notified):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task(max_attempts=2))
    runs.fail_run(actor=cast.atlas.user, run_id=run.pk, code="x", detail="y")
    assert notified() == set()
    Task.objects.update(deferred_until=None)
    run = claims.claim_task(actor=cast.atlas.user, task=run.task)
    runs.fail_run(actor=cast.atlas.user, run_id=run.pk, code="x", detail="y")
    assert notified() == {("ada", "failed"), ("mia", "failed")}


def test_stalled_notifies_creator_managers_and_the_agent(cast, new_task, notified):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task())
    Run.objects.filter(pk=run.pk).update(last_progress_at=run.started_at - timedelta(hours=1))
    engine.tick()
    assert notified() == {("ada", "stalled"), ("mia", "stalled"), ("atlas", "stalled")}


def test_dependency_failed_notifies_managers_and_waiting_agents(cast, new_task, notified):
    first = new_task()
    second = new_task(depends_on=[first], assignees=[cast.hugo])
    notified()
    lifecycle.cancel_task(actor=cast.ada.user, task=first)
    assert notified(second) == {("mia", "dependency_failed"), ("hugo", "dependency_failed")}


def test_due_dates_notify_the_assignees_else_the_caretakers(cast, new_task, notified):
    given, free = new_task(assignees=[cast.hugo], due_at=clock.now() + timedelta(hours=1)), new_task()
    Task.objects.filter(pk=free.pk).update(due_at=clock.now() + timedelta(hours=1))
    notified()
    engine.tick()
    events = Event.objects.filter(kind="task.due_date_neared")
    assert {event.task_id for event in events} == {given.pk, free.pk}
    assert notified() == {("hugo", "due_soon"), ("ada", "due_soon"), ("mia", "due_soon")}
    Task.objects.update(due_at=clock.now() - timedelta(hours=1))
    engine.tick()
    assert notified(given) == {("hugo", "overdue"), ("ada", "overdue"), ("mia", "overdue")}


# -- what applies to all rules ----------------------------------------------------------------------------------------


def test_muted_kind_is_muted_for_that_user_only(cast, new_task, notified):
    mute_kinds(user=cast.hugo.user, kinds=["assigned"])
    task = new_task(assignees=[cast.hugo, cast.atlas])
    assert notified() == {("atlas", "assigned")}
    assignments.unassign_task(actor=cast.ada.user, task=task)
    assert notified() == {("hugo", "unassigned"), ("atlas", "unassigned")}


def test_creator_who_left_the_project_is_not_notified(cast, new_task, notified):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task())
    projects.remove_member(actor=cast.root, project=cast.ops, user=cast.ada.user)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    assert notified() == set()


def test_superuser_is_notified_without_being_a_member(cast, new_task, notified):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task(actor=cast.root))
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    assert notified() == {("root", "completed")}


def test_user_who_may_not_sign_in_is_not_notified(cast, new_task, notified):
    cast.hugo.user.is_active = False
    cast.hugo.user.save()
    new_task(assignees=[cast.hugo])
    assert notified() == set()


def test_deleted_task_notifies_nobody(cast, new_task, notified):
    task = new_task(assignees=[cast.hugo])
    delete_task(actor=cast.ada.user, task=task)
    assert notified() == set()


def test_event_for_the_recipients_eyes_says_which_notification(cast, new_task, notified):
    new_task(assignees=[cast.hugo])
    notified()
    recorded = Event.objects.get(kind="notification.created")
    assert (recorded.recipient, recorded.actor, recorded.task_ref) == (cast.hugo.user, None, "OPS-1")
    notification = cast.hugo.user.notifications.get()
    assert recorded.data == {"notification": notification.pk, "notification_kind": "assigned"}
    assert notified() == set(), "notification.created itself notifies nobody"


def test_batch_of_many_events_costs_the_same_queries_as_one(cast, new_task, django_assert_max_num_queries):
    from messaging.notifications.making import wanted

    for _ in range(40):
        new_task(assignees=[cast.hugo, cast.atlas])
    events = list(Event.objects.order_by("pk"))
    with django_assert_max_num_queries(12):
        assert len(wanted(events).notifications) == 80


@pytest.mark.parametrize("role", [Role.VIEWER, Role.WORKER])
def test_review_is_not_requested_from_members_who_may_not_judge(cast, new_task, notified, role):
    projects.set_member(actor=cast.root, project=cast.ops, user=cast.rita.user, role=role)
    run = claims.claim_task(actor=cast.atlas.user, task=new_task(review_required=True))
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    assert ("rita", "review_asked") not in notified()


def test_offer_that_lapses_or_is_declined_notifies(cast, new_task, notified):
    first, second = new_task(assignees=[cast.atlas]), new_task(assignees=[cast.bert])
    notified()
    past = clock.now() - timedelta(seconds=1)
    Assignment.objects.filter(task=first).update(accept_by=past, source=AssignmentSource.AUTO)
    offering.lapse_offers()
    assert notified() == {("atlas", "unassigned")}
    offering.decline_task(actor=cast.bert.user, task=second, reason="no key")
    assert notified() == {("ada", "declined"), ("mia", "declined")}


def test_nobody_found_notifies_creator_and_managers(cast, new_task, notified):
    task = new_task()
    notified()
    record(event(kinds.TASK_NOBODY_FOUND, at=clock.now(), actor=None, task=task, note="Nobody has the skill."))
    assert notified() == {("ada", "nobody_found"), ("mia", "nobody_found")}


def test_instruction_that_is_declined_or_not_delivered_comes_back_to_its_sender(cast, new_task, notified):
    task = new_task()
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    notified()
    data = {"message": 1, "message_kind": "instruction", "author": "ada"}
    for kind in (kinds.MESSAGE_DECLINED, kinds.MESSAGE_UNDELIVERED):
        record(event(kind, at=clock.now(), actor=cast.atlas.user, task=task, run=run, agent=run.agent, **data))
        assert notified() == {("ada", "undelivered")}


def test_member_who_is_mentioned_is_told_of_that_and_the_other_alone_of_what_is_direct(cast, new_task, notified):
    task = new_task()
    notified()
    data = {"message": 1, "message_kind": "comment", "body": "@vera @hugo look", "mentions": ["vera", "hugo"]}
    record(event(kinds.MESSAGE_POSTED, at=clock.now(), actor=cast.ada.user, task=task, **data))
    assert notified() == {("vera", "mention"), ("hugo", "mention")}
    private = {"message": 2, "message_kind": "comment", "body": "psst", "to": "hugo"}
    direct = event(
        kinds.MESSAGE_POSTED, at=clock.now(), actor=cast.ada.user, project=cast.ops, recipient=cast.hugo.user, **private
    )
    record(direct)
    assert notified() == {("hugo", "direct_message")}
    row = Notification.objects.latest("pk")
    assert (sentence(row), note(row)) == ("ada wrote you a message.", "psst")


def test_each_kind_has_an_icon_and_each_of_its_sentences_names_the_task_or_project(cast, new_task):
    task, agent = new_task(), cast.atlas
    declared = [(kind, name) for kind in kinds.NOTIFYING for name in kind.declared.notifies]
    assert {name for _, name in declared} == set(NotificationKind) == set(ICONS)
    for kind, name in declared:
        happened = Event(
            kind=kind,
            data={"to": "in_review", "questions": [1], "on_expiry": "keep"},
            task=task,
            task_ref=task.ref,
            agent=agent,
            agent_slug="atlas",
            actor_name="ada",
        )
        happened.project_key = "OPS"
        words = sentence(Notification(kind=name, event=happened))
        of_no_task = {NotificationKind.INVITED: "to OPS", NotificationKind.WEBHOOK_DISABLED: "of OPS"}
        assert of_no_task.get(name, "OPS-1") in words or name == "direct_message"
        assert words != f"{NotificationKind(name).label}: OPS-1", f"{kind} has no words for {name}"
