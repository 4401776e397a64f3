"""What is in whose inbox, in which order, and how it goes and comes back."""

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from messaging.conversation.reading import read_conversation
from messaging.inbox.items import Group, Scope, State
from messaging.inbox.putting_aside import archive_item, restore_item, snooze_item
from messaging.inbox.reader import Reader
from messaging.inbox.reading import COUNTED, _counting, count_items, find_item, read_inbox
from messaging.models import PutAside, Webhook
from messaging.tests.inbox_rows import asked, begun, fail, failed, in_review
from messaging.webhooks.endpoints import edit_webhook
from taskproject.errors import Invalid, NotFound
from taskproject.reach import Reach, limited
from taskproject.tests.following import RENEWAL, regions_of
from tasks import clock, engine
from tasks.actions import assignments, claims, dependencies, lifecycle, reviews, runs
from tasks.actions import tasks as task_actions
from tasks.actions.messages import post_direct, post_in_channel, post_message
from tasks.actions.offering import decline_task
from tasks.conversations import find_conversation
from tasks.errors import LeaseLost
from tasks.models import (
    AssignmentDecision,
    Event,
    FollowUp,
    Invitation,
    Membership,
    Message,
    Priority,
    Question,
    Role,
    Run,
    Task,
)

pytestmark = pytest.mark.django_db
MINE, TEAM = Scope.MINE, Scope.TEAM


def names(user, scope=MINE, state=State.ACTIVE) -> list[str]:
    return [item.name for item in read_inbox(getattr(user, "user", user), scope=scope, state=state).items]


def item(user, name):
    return find_item(getattr(user, "user", user), name)


def actions(user, name) -> list[str]:
    return [action.name for action in item(user, name).actions]


def everything(cast) -> dict[str, list[str]]:
    people = {name: getattr(cast, name) for name in ("ada", "rita", "hugo", "vera", "atlas", "bert", "mona", "zed")}
    inboxes = {name: sorted(names(user, scope=None)) for name, user in people.items()}
    return {name: inbox for name, inbox in inboxes.items() if inbox}


def test_review_is_for_reviewers_and_never_for_its_author(cast, new_task):
    task = in_review(cast, new_task)
    assert everything(cast) == {"ada": ["review-OPS-1"], "rita": ["review-OPS-1"]}
    assert (names(cast.rita), names(cast.ada), names(cast.ada, TEAM)) == (["review-OPS-1"], [], ["review-OPS-1"])
    there = item(cast.rita, "review-OPS-1")
    assert (there.why, there.text, there.others) == (
        "atlas completed it and waits for a review.",
        "All keys are new.",
        ["ada"],
    )
    assert [action.path for action in there.actions] == [
        "/api/v1/tasks/OPS-1/approve",
        "/api/v1/tasks/OPS-1/request_changes",
    ]
    own = new_task(review_required=True)
    run = claims.start_task(actor=cast.rita.user, task=own)
    runs.complete_run(actor=cast.rita.user, run_id=run.pk, summary="mine")
    assert names(cast.rita, None) == ["review-OPS-1"]
    reviews.approve_task(actor=cast.ada.user, task=task)
    assert everything(cast) == {"ada": ["review-OPS-2"]}


def test_review_leads_to_what_the_run_hands_over(cast, new_task, client):
    task = new_task("Tidy up", review_required=True)
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    handed_over = [
        {"name": "tidy.diff", "kind": "diff", "text": "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"},
        {"name": "preview", "kind": "link", "url": "https://example.org/preview"},
    ]
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="Tidy.", artifacts=handed_over)
    in_review(cast, new_task)
    client.force_login(cast.rita.user)
    page = client.get("/inbox/").content.decode()
    diff = run.artifacts.get(name="tidy.diff")
    assert page.count("tidy.diff") == 1
    assert f'href="/tasks/OPS-1/artifacts/{diff.pk}"' in page
    assert 'href="https://example.org/preview"' in page


@pytest.mark.parametrize(
    ("who", "url", "counts"),
    [("rita", "/inbox/", 1), ("ada", "/inbox/", 2), ("ada", "/inbox/?scope=team", 2)],
    ids=["reviewer", "manager", "team"],
)
def test_page_counts_no_items_twice(cast, new_task, client, who, url, counts):
    in_review(cast, new_task)
    client.force_login(getattr(cast, who).user)
    with CaptureQueriesContext(connection) as queries:
        page = client.get(url).content.decode()
    assert sum("SELECT 'question', COUNT" in query["sql"] for query in queries) == counts
    assert f'data-inbox-count="{1 if who == "rita" else 0}"' in page


def test_open_page_that_renews_itself_is_not_counted_for_and_shows_the_same(cast, new_task, client):
    task = in_review(cast, new_task)
    client.force_login(cast.rita.user)
    for path in ("/", f"/tasks/{task.ref}", "/messages/"):
        opened = client.get(path).content.decode()
        assert 'data-inbox-count="1"' in opened
        with CaptureQueriesContext(connection) as queries:
            renewed = client.get(path, headers=RENEWAL).content.decode()
        assert not any("SELECT 'question', COUNT" in query["sql"] for query in queries)
        assert regions_of(renewed) == regions_of(opened)


def test_changes_requested_are_the_authors_until_they_start_again(cast, new_task):
    task = in_review(cast, new_task)
    reviews.request_changes(actor=cast.rita.user, task=task, note="Add a test.")
    assert everything(cast) == {"atlas": ["changes-OPS-1"]}
    there = item(cast.atlas, "changes-OPS-1")
    assert (there.why, there.text) == ("rita requested changes to your work.", "Add a test.")
    assert actions(cast.atlas, "changes-OPS-1") == ["decline"]
    claims.claim_task(actor=cast.atlas.user, task=task)
    assert everything(cast) == {}


def test_failure_is_for_managers_and_gone_when_reopened(cast, new_task):
    task = failed(cast, new_task)
    assert everything(cast) == {"ada": ["failed-OPS-1"]}
    there = item(cast.ada, "failed-OPS-1")
    assert (there.text, actions(cast.ada, "failed-OPS-1")) == ("broken: It broke.", ["reopen"])
    assert "atlas failed it" in there.why
    lifecycle.reopen_task(actor=cast.root, task=task)
    assert everything(cast) == {}


def test_trouble_of_another_managers_task_is_the_teams(cast, new_task, django_user_model):
    other = django_user_model.objects.create(username="max")
    cast.ops.memberships.create(user=other, role=Role.MANAGER)
    failed(cast, new_task)
    failed(cast, new_task, actor=other)
    assert names(other) == ["failed-OPS-2"]
    assert names(other, TEAM) == ["failed-OPS-1"]
    assert set(names(cast.root, TEAM)) == {"failed-OPS-1", "failed-OPS-2"}
    django_user_model.objects.filter(pk=other.pk).update(is_active=False)
    assert set(names(cast.ada)) == {"failed-OPS-1", "failed-OPS-2"}


def test_stalled_run_is_for_its_holder_and_for_managers(cast, new_task):
    _, run = begun(cast, new_task)
    Run.objects.update(last_progress_at=timezone.now() - timedelta(hours=1))
    engine.tick()
    assert everything(cast) == {"ada": ["stalled-OPS-1"], "atlas": ["stalled-OPS-1"]}
    assert (names(cast.ada), actions(cast.ada, "stalled-OPS-1")) == (["stalled-OPS-1"], ["release", "cancel"])
    assert actions(cast.atlas, "stalled-OPS-1") == []
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=10)
    assert everything(cast) == {}


def test_overdue_is_first_for_the_person_who_has_it(cast, new_task):
    past = timezone.now() - timedelta(hours=1)
    new_task("Nobody has it", due_at=past)
    new_task("hugo has it", due_at=past, assignees=[cast.hugo])
    new_task("atlas has it", due_at=past, assignees=[cast.atlas])
    engine.tick()
    assert names(cast.hugo) == ["overdue-OPS-2"]
    assert (sorted(names(cast.ada)), names(cast.ada, TEAM)) == (["overdue-OPS-1", "overdue-OPS-3"], ["overdue-OPS-2"])
    assert actions(cast.ada, "overdue-OPS-1") == ["assign", "cancel"]
    assert actions(cast.hugo, "overdue-OPS-2") == ["start"]
    assert item(cast.ada, "overdue-OPS-2").others == ["hugo"]


def test_declined_task_is_for_managers_until_somebody_has_it(cast, new_task):
    task = new_task(assignees=[cast.hugo])
    decline_task(actor=cast.hugo.user, task=task, reason="I am away.")
    assert everything(cast) == {"ada": ["declined-OPS-1"]}
    assert item(cast.ada, "declined-OPS-1").text == "I am away."
    assert actions(cast.ada, "declined-OPS-1") == ["assign", "auto_assign", "cancel"]
    assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.bert])
    assert everything(cast) == {}


def test_nobody_found_is_for_managers_and_hides_the_decline_before_it(cast, new_task):
    task = new_task(assignees=[cast.hugo])
    decline_task(actor=cast.hugo.user, task=task, reason="No.")
    AssignmentDecision.objects.create(
        task=task, at=clock.now(), mode="auto", policy="value", policy_version="1", warning="Nobody has the skill."
    )
    assert everything(cast) == {"ada": ["nobody_found-OPS-1"]}
    assert item(cast.ada, "nobody_found-OPS-1").text == "Nobody has the skill."


def test_dependency_failed_names_the_task_and_offers_to_reopen_it(cast, new_task):
    first = failed(cast, new_task)
    second = new_task("Waits", depends_on=[first])
    assert sorted(names(cast.ada)) == ["dependency_failed-OPS-2", "failed-OPS-1"]
    there = item(cast.ada, "dependency_failed-OPS-2")
    assert there.why == "It waits for OPS-1, which failed."
    assert [action.path for action in there.actions] == [
        "/api/v1/tasks/OPS-1/reopen",
        "/api/v1/tasks/OPS-2/cancel",
    ]
    dependencies.remove_dependencies(actor=cast.ada.user, task=second, depends_on=[first])
    assert names(cast.ada) == ["failed-OPS-1"]


def test_late_result_is_for_managers_until_adopted(cast, new_task, let_lease_end):
    task, run = begun(cast, new_task)
    let_lease_end(run)
    engine.tick()
    with pytest.raises(LeaseLost):
        runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="Better late.")
    assert everything(cast) == {"ada": ["late_result-OPS-1"]}
    there = item(cast.ada, "late_result-OPS-1")
    assert (there.text, there.actions[0].path) == ("Better late.", "/api/v1/tasks/OPS-1/runs/1/adopt")
    reviews.adopt_late_result(actor=cast.ada.user, run=Run.objects.get(pk=run.pk))
    assert Task.objects.get(pk=task.pk).status == "completed"
    assert everything(cast) == {}


def test_invitation_is_for_whoever_answers_it(cast):
    row = Invitation.objects.create(
        project=cast.other, name="hugo", user=cast.hugo.user, role=Role.WORKER, invited_by=cast.mona.user,
        created_at=clock.now(),
    )  # fmt: skip
    assert everything(cast) == {"hugo": [f"invitation-{row.pk}"]}
    assert item(cast.hugo, f"invitation-{row.pk}").why == "mona invites you as worker."


def test_question_is_for_those_who_may_answer_and_first_for_whom_it_was_addressed_to(cast, new_task):
    _, run = begun(cast, new_task)
    asked(run)
    asked(run, to_user=cast.hugo.user)
    asked(run, to_role=Role.REVIEWER)
    asked(run, to_role=Role.MANAGER)
    everyone, hugo, reviewers, managers = [f"question-{pk}" for pk in Question.objects.values_list("pk", flat=True)]
    assert everything(cast) == {
        "ada": sorted([everyone, hugo, reviewers, managers]),
        "rita": sorted([everyone, reviewers]),
        "hugo": sorted([everyone, hugo]),
    }
    assert (sorted(names(cast.ada)), sorted(names(cast.ada, TEAM))) == (
        sorted([everyone, managers]),
        sorted([hugo, reviewers]),
    )
    assert sorted(names(cast.rita)) == sorted([everyone, reviewers])
    assert item(cast.ada, hugo).others == ["hugo"]
    assert item(cast.hugo, hugo).why == "atlas has a question for you and goes on meanwhile."
    Question.objects.filter(to_user=cast.hugo.user).update(escalated_at=clock.now())
    assert sorted(names(cast.ada)) == sorted([everyone, managers, hugo])


def test_questions_of_one_ask_are_one_item_for_those_whom_they_are_for(cast, new_task):
    _, run = begun(cast, new_task)
    ask = uuid.uuid4()
    first, second = asked(run, ask=ask, position=0), asked(run, ask=ask, position=1, kind="confirm")
    asked(run, ask=ask, position=2, to_user=cast.hugo.user)
    assert names(cast.rita) == [f"question-{first.pk}"]
    assert [question.pk for question in item(cast.rita, f"question-{first.pk}").row] == [first.pk, second.pk]
    assert len(names(cast.hugo)) == 2
    place = item(cast.rita, f"question-{first.pk}").place
    Question.objects.filter(pk=first.pk).update(state="answered", value="Staging", ended_at=clock.now())
    assert names(cast.rita) == [f"question-{second.pk}"]
    assert item(cast.rita, f"question-{second.pk}").place == place


def test_agent_finds_what_is_addressed_to_it_by_name(cast, new_task):
    _, run = begun(cast, new_task)
    question = asked(run, to_user=cast.bert.user)
    assert names(cast.bert) == [f"question-{question.pk}"]
    assert names(cast.atlas) == []


def test_limited_credentials_find_only_what_they_reach(cast, new_task):
    in_review(cast, new_task)
    for projects, seen in (([cast.ops.pk], ["review-OPS-1"]), ([cast.other.pk], []), ([], [])):
        user = limited(User.objects.get(pk=cast.rita.user.pk), Reach(projects=frozenset(projects)))
        assert names(user, None) == seen
        assert sum(count_items(user).values()) == len(seen)
        root = limited(User.objects.get(pk=cast.root.pk), Reach(projects=frozenset(projects)))
        assert names(root, None) == seen
    made = limited(User.objects.get(pk=cast.rita.user.pk), Reach(made_by=cast.atlas.user.pk))
    assert names(made, None) == []


def test_most_urgent_is_first_and_says_why(cast, new_task):
    soon = timezone.now() + timedelta(hours=3)
    plain = failed(cast, new_task)
    failed(cast, new_task, priority=Priority.HIGH)
    failed(cast, new_task, due_at=soon)
    blocking = failed(cast, new_task, due_at=soon)
    new_task(depends_on=[blocking])
    _, run = begun(cast, new_task)
    asked(run, urgency=Priority.URGENT, is_parked=True)
    old = failed(cast, new_task, priority=Priority.LOW)
    Run.objects.filter(task=old).update(ended_at=clock.now() - timedelta(days=8))
    failed(cast, new_task, priority=Priority.LOW)
    there = read_inbox(cast.ada.user).items
    assert [(each.ref, each.level, each.because) for each in there if each.source.name != "dependency_failed"] == [
        ("OPS-6", "high", ["urgent question"]),
        ("OPS-4", "high", ["due within a day", "1 task waits for it"]),
        ("OPS-2", "normal", ["high priority"]),
        ("OPS-3", "normal", ["due within a day"]),
        (old.ref, "normal", ["low priority"]),
        (plain.ref, "normal", []),
        ("OPS-8", "low", ["low priority"]),
    ]


def test_archived_item_is_gone_until_it_happens_anew(cast, new_task):
    task = failed(cast, new_task)
    archive_item(user=cast.ada.user, name="failed-OPS-1")
    assert (names(cast.ada), names(cast.ada, state=State.ARCHIVED)) == ([], ["failed-OPS-1"])
    assert sum(count_items(cast.ada.user).values()) == 0
    assert names(cast.root, None) == ["failed-OPS-1"]
    lifecycle.reopen_task(actor=cast.ada.user, task=task)
    assert names(cast.ada, state=State.ARCHIVED) == []
    fail(cast, task)
    assert names(cast.ada) == ["failed-OPS-1"]


def test_archived_question_comes_back_when_it_is_escalated(cast, new_task):
    _, run = begun(cast, new_task)
    question = asked(run, to_user=cast.hugo.user)
    archive_item(user=cast.ada.user, name=f"question-{question.pk}")
    assert names(cast.ada, None) == []
    asked(run, to_user=cast.hugo.user)
    assert len(names(cast.ada, None)) == 1
    Question.objects.filter(pk=question.pk).update(escalated_at=clock.now())
    assert len(names(cast.ada, None)) == 2


def test_overdue_comes_back_with_another_due_date(cast, new_task):
    task = new_task(due_at=timezone.now() - timedelta(hours=2))
    engine.tick()
    archive_item(user=cast.ada.user, name="overdue-OPS-1")
    task_actions.edit_task(actor=cast.ada.user, task=task, changes={"due_at": timezone.now() - timedelta(hours=1)})
    engine.tick()
    assert names(cast.ada) == ["overdue-OPS-1"]


def test_snoozed_item_comes_back_at_its_time(cast, new_task):
    failed(cast, new_task)
    until = clock.now() + timedelta(hours=1)
    snooze_item(user=cast.ada.user, name="failed-OPS-1", until=until)
    assert names(cast.ada) == []
    snoozed = read_inbox(cast.ada.user, state=State.SNOOZED).items
    assert [(each.name, each.until, each.state) for each in snoozed] == [("failed-OPS-1", until, State.SNOOZED)]
    PutAside.objects.update(until=clock.now() - timedelta(seconds=1))
    assert names(cast.ada) == ["failed-OPS-1"]
    assert names(cast.ada, state=State.SNOOZED) == []


def test_restored_item_is_back_and_every_change_is_an_event_for_its_reader_alone(cast, new_task):
    failed(cast, new_task)
    snooze_item(user=cast.ada.user, name="failed-OPS-1", until=clock.now() + timedelta(hours=1))
    archive_item(user=cast.ada.user, name="failed-OPS-1")
    restore_item(user=cast.ada.user, name="failed-OPS-1")
    restore_item(user=cast.ada.user, name="failed-OPS-1")
    assert names(cast.ada) == ["failed-OPS-1"]
    events = Event.objects.filter(kind="inbox.changed").order_by("pk")
    assert [event.data["state"] for event in events] == ["snoozed", "archived", "active"]
    assert {event.recipient_id for event in events} == {cast.ada.user.pk}


def test_putting_aside_what_is_not_there_or_not_ahead_is_refused(cast, new_task):
    failed(cast, new_task)
    later = clock.now() + timedelta(hours=1)
    for name in (
        "failed-OPS-9",
        "failed-NIX-1",
        "review-OPS-1",
        "question-1",
        "question-x",
        "x",
        "",
        "failed-",
        "\x00-1",
    ):
        with pytest.raises(NotFound):
            archive_item(user=cast.ada.user, name=name)
    for user in (cast.rita.user, cast.vera, cast.mona.user):
        with pytest.raises(NotFound):
            snooze_item(user=user, name="failed-OPS-1", until=later)
    for until in (clock.now() - timedelta(seconds=1), clock.now() + timedelta(days=400)):
        with pytest.raises(Invalid):
            snooze_item(user=cast.ada.user, name="failed-OPS-1", until=until)
    assert not PutAside.objects.exists()


def test_pages_of_one_reading_have_each_item_once_in_both_directions(cast, new_task):
    for number in range(7):
        failed(cast, new_task, priority=1 + number % 3)
    _, run = begun(cast, new_task)
    asked(run)
    whole = names(cast.ada)
    assert len(whole) == 8
    pages, place = [], None
    while True:
        page = read_inbox(cast.ada.user, place=place, limit=3)
        pages.append([each.name for each in page.items])
        if page.next is None:
            break
        place = page.next
    assert [name for listed in pages for name in listed] == whole
    back = [pages[-1]]
    while page.previous is not None:
        page = read_inbox(cast.ada.user, place=page.previous, limit=3)
        back.insert(0, [each.name for each in page.items])
    assert back == pages


def test_inbox_of_thousands_costs_as_many_queries_as_of_one(cast, new_task, django_assert_num_queries):
    def make(count, first):
        tasks = Task.objects.bulk_create(
            [
                Task(project=cast.ops, number=first + n, title="x", status="failed", priority=1 + n % 4,
                     created_by=cast.ada.user, created_at=now, updated_at=now)
                for n in range(count)
            ]
        )  # fmt: skip
        made = Run.objects.bulk_create(
            [
                Run(task=task, agent=cast.atlas, number=1, status="parked", started_at=now, ended_at=now,
                    last_heartbeat_at=now, last_progress_at=now)
                for task in tasks
            ]
        )  # fmt: skip
        Question.objects.bulk_create(
            [
                Question(project=cast.ops, task=run.task, run=run, ask=uuid.uuid4(), prompt="?", asked_at=now)
                for run in made
            ]
        )

    def read(limit):
        with CaptureQueriesContext(connection) as read_with:
            page = read_inbox(User.objects.get(pk=cast.ada.user.pk), limit=limit)
        return len(page.items), len(read_with)

    now = clock.now()
    make(1, 1)
    shown, few = read(50)
    assert shown == 2
    # PostgreSQL is also asked for its time.
    assert few <= 10
    make(5_000, 2)
    shown, many = read(50)
    assert (shown, many <= few) == (50, True)
    with django_assert_num_queries(3):  # user, agent, counts
        counts = count_items(User.objects.get(pk=cast.ada.user.pk))
    assert (counts[Group.QUESTIONS], counts[Group.TROUBLE]) == (100, 100)


def test_statement_of_the_count_is_made_once_for_all_who_stand_alike(cast, new_task, monkeypatch):
    in_review(cast, new_task)
    failed(cast, new_task)
    _counting.cache_clear()
    people = [User.objects.get(pk=each.user.pk) for each in (cast.ada, cast.rita, cast.hugo)]
    count_items(people[0], scope=None)
    monkeypatch.setattr("messaging.inbox.sources.source.Source.chosen", None)
    counts = [count_items(user, scope=None) for user in people]
    monkeypatch.undo()
    assert [sum(count.values()) for count in counts] == [len(names(user, None)) for user in people] == [2, 1, 0]
    # Roles are read by the statement itself.
    Membership.objects.filter(project=cast.ops, user=people[2]).update(role=Role.MANAGER)
    assert sum(count_items(people[2], scope=None).values()) == len(names(people[2], None)) == 2


@pytest.mark.parametrize("who", ["ada", "atlas", "root", "limited", "off"])
def test_statement_of_the_count_depends_on_no_moment_and_no_row(cast, who, monkeypatch):
    user = User.objects.get(pk=getattr(getattr(cast, who, cast.hugo), "user", cast.root).pk)
    if who == "limited":
        limited(user, Reach(projects=frozenset([cast.ops.pk]), made_by=cast.ada.user.pk))
    user.is_active = who != "off"
    standing = Reader(user, timezone.now(), joined=True).standing
    make = _counting.__wrapped__
    with CaptureQueriesContext(connection) as queries:
        first = make(standing, MINE, State.ACTIVE, COUNTED)
    assert not queries.captured_queries
    later = timezone.now() + timedelta(days=1)
    monkeypatch.setattr(timezone, "now", lambda: later)
    # By their texts: psycopg's wrapper of a JSON value equals none other.
    assert repr(make(standing, MINE, State.ACTIVE, COUNTED)) == repr(first)


def test_direct_message_is_there_until_it_is_read_or_answered(cast):
    post_direct(actor=cast.hugo.user, to=cast.atlas.user, body="Are you there?")
    post_direct(actor=cast.hugo.user, to=cast.atlas.user, body="Hello?")
    post_direct(actor=cast.rita.user, to=cast.atlas.user, body="Hi.")
    assert everything(cast) == {"atlas": ["direct-hugo", "direct-rita"]}
    there = item(cast.atlas, "direct-hugo")
    assert (there.why, there.text, there.task) == ("hugo wrote to you.", "Hello?", None)
    archive_item(user=cast.atlas.user, name="direct-hugo")
    assert names(cast.atlas) == ["direct-rita"]
    post_direct(actor=cast.hugo.user, to=cast.atlas.user, body="Again.")
    assert sorted(names(cast.atlas)) == ["direct-hugo", "direct-rita"]
    post_direct(actor=cast.atlas.user, to=cast.hugo.user, body="Yes.")
    assert names(cast.atlas) == ["direct-rita"]
    assert names(cast.hugo) == ["direct-atlas"]
    read_conversation(find_conversation(cast.atlas.user, "@rita"))
    assert names(cast.atlas) == []


def test_reply_on_the_page_says_that_it_is_sent(cast, client):
    post_direct(actor=cast.hugo.user, to=cast.ada.user, body="Are you there?")
    client.force_login(cast.ada.user)
    page = client.post("/messages/@hugo/write", {"body": "Yes.", "next": "/inbox/"}, follow=True)
    assert (page.redirect_chain[-1][0], "Sent." in page.content.decode()) == ("/inbox/", True)
    assert names(cast.ada) == []


def test_mention_is_there_until_it_is_read_or_answered(cast, new_task):
    task = new_task("Rotate the keys")
    first = post_message(actor=cast.hugo.user, task=task, body="@rita look, and @hugo too")
    second = post_in_channel(actor=cast.hugo.user, project=cast.ops, body="@rita hello")
    assert everything(cast) == {"rita": sorted([f"mention-{first.pk}", f"mention-{second.pk}"])}
    assert item(cast.rita, f"mention-{first.pk}").why == "hugo mentions you in OPS-1."
    assert item(cast.rita, f"mention-{second.pk}").why == "hugo mentions you in the channel of OPS."
    read_conversation(find_conversation(cast.rita.user, "OPS"))
    assert names(cast.rita) == [f"mention-{first.pk}"]
    post_message(actor=cast.rita.user, task=task, body="I see.")
    assert names(cast.rita) == []


def test_instruction_that_reached_nobody_is_its_senders_while_the_task_is_open(cast, new_task):
    task, run = begun(cast, new_task)
    Message.objects.create(
        project=cast.ops, task=task, run=run, author=cast.ada.user, author_name="ada", kind="instruction",
        body="Use the new key.", state="undelivered", at=clock.now(), ended_at=clock.now(),
    )  # fmt: skip
    name = f"undelivered-{Message.objects.get().pk}"
    assert everything(cast) == {"ada": [name]}
    assert item(cast.ada, name).why == "Your instruction did not reach atlas: the run ended first."
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    assert everything(cast) == {}


def test_open_follow_up_is_for_managers_until_decided(cast, new_task):
    _, run = begun(cast, new_task)
    runs.complete_run(
        actor=cast.atlas.user,
        run_id=run.pk,
        summary="done",
        follow_ups=[{"title": "Rotate the others", "priority": "high"}],
    )
    row = FollowUp.objects.get()
    assert everything(cast) == {"ada": [f"follow_up-{row.pk}"]}
    there = item(cast.ada, f"follow_up-{row.pk}")
    assert (there.title, there.because) == ("Rotate the others", ["high priority"])
    assert there.why == "atlas found more to do in OPS-1 and proposes it as a task."
    FollowUp.objects.update(state="dismissed", ended_at=clock.now())
    assert everything(cast) == {}


def test_webhook_that_nobody_answers_is_for_managers_until_enabled(cast):
    row = Webhook.objects.create(
        project=cast.ops, url="https://hooks.example/x", created_by=cast.ada.user, created_at=clock.now(),
        disabled_at=clock.now(), disabled_because="gone",
    )  # fmt: skip
    assert everything(cast) == {"ada": [f"webhook-{row.pk}"]}
    assert item(cast.ada, f"webhook-{row.pk}").why == "Nothing more is sent to it: it answered 410 Gone."
    edit_webhook(actor=cast.ada.user, webhook=row, changes={"enabled": True})
    assert everything(cast) == {}
