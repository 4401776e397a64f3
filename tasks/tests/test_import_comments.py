"""Comments of other trackers come in as messages: once, in order, under names that nobody here can be blamed for."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tasks import clock
from tasks.actions.imports import import_plan
from tasks.actions.messages import post_message
from tasks.formats import beads, csv_table, json_list
from tasks.models import Event, Message, Task
from tasks.tests.one_event import one_event_for_each_task

pytestmark = pytest.mark.django_db


def said(text: str, *, author: str = "ada", at: str = "2026-05-01T10:00:00Z", **more) -> dict:
    return {"id": 1, "issue_id": "bd-1", "author": author, "text": text, "created_at": at, **more}


def load(cast, *comments: object, reader=beads, dry_run: bool = False, **fields):
    issue = {"id": "bd-1", "title": "Issue", "status": "open", "comments": list(comments), **fields}
    plan = reader.read(json.dumps(issue if reader is beads else [issue]))
    with one_event_for_each_task():
        return import_plan(actor=cast.ada.user, project=cast.ops, plan=plan, dry_run=dry_run)


def thread() -> list[str]:
    return list(Message.objects.order_by("pk").values_list("body", flat=True))


def test_comments_come_in_as_messages_with_their_times_in_order(api, cast):
    later, first = said("Second\n\n*done*", at="2026-05-02T10:00:00Z", author="sam"), said("First")
    assert load(cast, later, first).comments == 2
    assert thread() == ["First", "Second\n\n*done*"]
    message = Message.objects.order_by("pk")[0]
    assert message.at == datetime(2026, 5, 1, 10, tzinfo=UTC)
    # There is an ada here, and a file does not speak for her.
    assert (message.author, message.author_name, message.kind) == (None, "ada", "comment")
    task = Task.objects.get()
    shown = api.vera.get(f"/tasks/OPS-{task.number}/messages").json()["results"]
    assert [(each["author"], each["imported"]) for each in shown] == [("ada", True), ("sam", True)]
    assert api.ada.patch(f"/messages/{message.pk}", {"body": "x"}).status_code == 403
    assert Event.objects.get(kind="task.imported").data["comments"] == 2
    assert not Event.objects.filter(kind="message.posted").exists()


def test_import_again_brings_only_new_comments_whatever_became_of_the_task(cast):
    load(cast, said("1"))
    events = Event.objects.count()
    assert load(cast, said("1", id=7)).comments == 0
    assert (thread(), Event.objects.count()) == (["1"], events)
    post_message(actor=cast.ada.user, task=Task.objects.get(), body="ours")
    assert load(cast, said("1"), said("2", at="2026-05-03T10:00:00Z")).comments == 1
    event = Event.objects.order_by("-pk")[0]
    assert (event.kind, event.data) == ("task.comments_imported", {"source": "beads", "comments": 1})
    # Changed here, so the file no longer does; what was said there comes in all the same.
    Task.objects.update(status="cancelled")
    report = load(cast, said("1"), said("3", at="2026-05-04T10:00:00Z"), title="Another")
    assert (report.comments, len(report.left_alone)) == (1, 1)
    assert thread() == ["1", "ours", "2", "3"]
    assert load(cast, title="Another").comments == 0
    assert len(thread()) == 4


def test_changed_task_has_one_event_that_counts_its_new_comments(cast):
    load(cast, said("1"))
    load(cast, said("1"), said("2"), title="Another")
    event = Event.objects.order_by("-pk")[0]
    assert (event.kind, event.data["fields"], event.data["comments"]) == ("task.reimported", ["title"], 1)


def test_dry_run_counts_and_writes_nothing(cast):
    assert load(cast, said("1"), dry_run=True).comments == 1
    assert thread() == []


def test_odd_comments_are_noted_and_keep_no_task_out(cast):
    report = load(
        cast,
        "text",
        said(""),
        said("a\0b"),
        said("\u200b"),
        said("x" * 10_001, author="y" * 200),
        said("without a time", at=""),
        said("without an author", author=None),
        said("from the future", at=(clock.now() + timedelta(days=9)).isoformat()),
        said("twice"),
        said("twice", id=2),
        said("<script>alert(1)</script>", author="<b>"),
        {"body": "elsewhere called so", "author": "sam", "createdAt": "yesterday"},
    )
    assert Task.objects.count() == 1
    assert len(thread()) == 7
    assert Message.objects.filter(author_name="unknown").count() == 1
    assert Message.objects.order_by("-at")[0].at <= clock.now()
    assert max(map(len, thread())) == 10_000
    details = {note.detail for note in report.notes if note.field == "comments"}
    assert details >= {
        "Left out a comment: it is not an object.",
        "Left out a comment: it says nothing.",
        "A comment of more than 10,000 characters is cut.",
        "A comment without a time counts as written now.",
    }
    assert load(cast, reader=beads, comments="not a list").created == 0
    assert len(thread()) == 7


def test_json_and_csv_have_comments_too(cast):
    comment = {"author": "sam", "at": "2026-05-01T10:00:00Z", "body": "From JSON"}
    plan = json_list.read(json.dumps([{"title": "One", "comments": [comment]}, {"title": "Two", "comments": 5}]))
    report = import_plan(actor=cast.ada.user, project=cast.ops, plan=plan)
    assert (report.comments, [note.field for note in report.notes]) == (1, ["comments"])
    cell = json.dumps([comment | {"body": "From CSV"}]).replace('"', '""')
    plan = csv_table.read(f'title,comments\nThree,"{cell}"\nFour,\n')
    assert import_plan(actor=cast.ada.user, project=cast.ops, plan=plan).comments == 1
    assert thread() == ["From JSON", "From CSV"]


def test_ten_thousand_comments_come_in_with_a_bounded_number_of_queries(cast, django_assert_max_num_queries):
    lines = [
        json.dumps({"id": f"bd-{number}", "title": "x", "comments": [said(f"{each}") for each in range(100)]})
        for number in range(100)
    ]
    plan = beads.read("\n".join(lines))
    with django_assert_max_num_queries(150):
        assert import_plan(actor=cast.ada.user, project=cast.ops, plan=plan).comments == 10_000
    with django_assert_max_num_queries(60):
        assert import_plan(actor=cast.ada.user, project=cast.ops, plan=plan).comments == 0
