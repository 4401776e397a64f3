"""The page of one task: its text, related tasks, runs and timeline, for members only."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks import engine, flow
from tasks.actions import assignments, claims, dependencies, lifecycle, reviews, runs
from tasks.actions.messages import edit_message, post_message, react
from tasks.models import Event, Message, Run
from tasks.pages.task import show_result
from tasks.tests.test_markdown import HOSTILE


@pytest.fixture
def read(client):
    """``read(user, task)`` → the page as text."""

    def get(user, task, query: str = "") -> str:
        client.force_login(user)
        response = client.get(f"/tasks/{task.ref}{query}")
        assert response.status_code == 200
        return response.content.decode()

    return get


@pytest.mark.parametrize("who", ["ada", "rita", "hugo", "vera", "atlas", "root"])
def test_task_page_is_for_every_member(read, cast, new_task, who):
    user = getattr(cast, who)
    assert "Visible" in read(getattr(user, "user", user), new_task("Visible"))


def test_task_page_of_foreign_missing_and_odd_refs_is_the_same_404(client, cast, new_task):
    foreign = new_task("Secret", project=cast.other)
    client.force_login(cast.ada.user)
    bodies = set()
    for ref in (foreign.ref, "OTHER-99", "NOWHERE-1", "OPS-1", "OPS-x", "OPS", "OPS-²", "OPS-" + "9" * 40):
        response = client.get(f"/tasks/{ref}")
        assert response.status_code == 404, ref
        bodies.add(response.content.decode().split("<main")[1])
        assert client.post(f"/tasks/{ref}", {"verb": "cancel"}).status_code == 404
    assert len(bodies) == 1
    foreign.refresh_from_db()
    assert foreign.status == "not_started"


def test_task_page_takes_the_ref_in_small_letters(read, cast, new_task, client):
    task = new_task("Found")
    client.force_login(cast.ada.user)
    assert "Found" in client.get(f"/tasks/{task.ref.lower()}").content.decode()


def test_task_page_shows_markdown_criteria_skills_and_details(read, cast, new_task):
    task = new_task(
        description="# Plan\n\nDo **it**",
        criteria=["tests pass", "docs <written>"],
        required_skills=[("python", 3)],
        estimate_minutes=90,
        labels=["docs"],
        assignees=[cast.atlas],
    )
    page = read(cast.vera, task)
    for words in (
        "<h3>Plan</h3>",
        "<strong>it</strong>",
        "tests pass",
        "docs &lt;written&gt;",
        "python ≥ 3",
        "1 h 30 min",
    ):
        assert words in page


def test_task_page_with_a_slash_at_the_end_leads_to_the_one_without(client, cast, new_task):
    client.force_login(cast.ada.user)
    assert client.get(f"/tasks/{new_task().ref}/?before=3").url == "/tasks/OPS-1?before=3"


@pytest.mark.parametrize("text", HOSTILE)
def test_task_page_lets_no_hostile_text_through(read, cast, new_task, text):
    task = new_task(text[:300], description=text, criteria=[text], review_required=True)
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=1, note=text)
    runs.complete_run(
        actor=cast.atlas.user,
        run_id=run.pk,
        summary=text,
        result={text: [text]},
        criteria=[{"criterion": text, "met": True, "note": text}],
    )
    reviews.request_changes(actor=cast.rita.user, task=task, note=text)
    again = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.fail_run(actor=cast.atlas.user, run_id=again.pk, code=text[:90], detail=text)
    page = read(cast.ada.user, task)
    main = page.split("<main")[1].split("</main>")[0].lower()
    # With a forged </main> the split would cut the page short.
    assert "timeline" in main
    for element in (
        "<script",
        "<img",
        "<iframe",
        "<style",
        "<b onclick",
        "<math",
        "<h1>forged",
        "evil.example'></iframe",
    ):
        assert element not in main
    for scheme in ('href="javascript', 'href="data', 'href="vbscript', 'href="file'):
        assert scheme not in main
    assert main.count("<form") == main.count('name="csrfmiddlewaretoken"')


def test_task_page_shows_neighbours_with_their_states(read, cast, new_task):
    parent, first = new_task("Whole"), new_task("Before")
    task = new_task("Middle", parent=parent, depends_on=[first])
    new_task("After", depends_on=[task])
    new_task("Piece", parent=task)
    page = read(cast.hugo.user, task)
    for words in ("Part of", "Whole", "Waits for", "Before", "Waited for by", "After", "Subtasks", "Piece"):
        assert words in page
    assert "Blocked by 2" in page


def test_task_page_shows_the_run_and_never_its_id(read, cast, new_task):
    task = new_task(review_required=True)
    first = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.release_run(actor=cast.atlas.user, run_id=first.pk, reason="other things first")
    second = claims.claim_task(actor=cast.bert.user, task=task)
    runs.progress_run(actor=cast.bert.user, run_id=second.pk, percent=61, note="nearly")
    for user in (cast.ada.user, cast.bert.user, cast.root):
        page = read(user, task)
        for words in ("other things first", "nearly", "61 %", "lease ends", "Earlier runs", "Released"):
            assert words in page
        for run in (first, second):
            assert str(run.pk) not in page
            assert run.pk.hex not in page


def test_task_page_shows_result_as_laid_out_json_or_as_text(read, cast, new_task):
    task = new_task()
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="ok", result={"größe": [1]})
    assert "&quot;größe&quot;: [\n    1\n  ]" in read(cast.ada.user, task)
    assert show_result(None) is None
    assert show_result("plain <b>").is_text
    assert show_result(False).text == "false"
    cut = show_result({"long": "x" * 100_000})
    assert cut.cut
    assert len(cut.text) == 20_000


def test_task_page_shows_the_whole_history_in_words(read, cast, new_task, let_lease_end):
    other = new_task("Other")
    task = new_task("Life", review_required=True)
    dependencies.add_dependencies(actor=cast.ada.user, task=task, depends_on=[other])
    dependencies.remove_dependencies(actor=cast.ada.user, task=task, depends_on=[other])
    assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.atlas], note="yours")
    let_lease_end(claims.claim_task(actor=cast.atlas.user, task=task))
    engine.tick()
    type(task).objects.filter(pk=task.pk).update(deferred_until=None)
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=50, note="half")
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="there")
    reviews.request_changes(actor=cast.rita.user, task=task, note="one more thing")
    lifecycle.cancel_task(actor=cast.ada.user, task=task, note="enough")
    lifecycle.reopen_task(actor=cast.ada.user, task=task)
    page = flow.read_flow(task, cast.vera, now=timezone.now())
    entries = page.items
    assert page.older is None
    shown = [(e.who, e.what, e.quote, e.status) for e in reversed(entries)]
    assert shown == [
        ("ada", "created the task", "", ""),
        ("ada", f"made the task wait for {other.ref}", "", ""),
        ("ada", f"removed the dependency on {other.ref}; nothing blocks it any more", "", ""),
        ("ada", "assigned atlas", "yours", ""),
        ("atlas", "started run 1", "", "in_progress"),
        ("", "The lease of run 1, held by atlas, has expired", "", "not_started"),
        ("atlas", "started run 2", "", "in_progress"),
        ("atlas", "reported progress", "half", ""),
        ("atlas", "finished run 2", "there", "in_review"),
        ("rita", "requested changes", "one more thing", "not_started"),
        ("ada", "cancelled the task", "enough", "cancelled"),
        ("ada", "reopened the task", "", "not_started"),
    ]
    page = read(cast.vera, task)
    assert page.count('class="entry-line"') == len(entries)


def test_timeline_knows_words_for_an_event_it_never_saw(cast, new_task):
    task = new_task()
    Event.objects.create(
        at=timezone.now(), project=cast.ops, project_key="OPS", task=task, task_ref=task.ref, kind="task.new_thing"
    )
    assert flow.read_flow(task, cast.vera, now=timezone.now()).items[0].what == "task new thing"


def test_timeline_is_read_in_pages(read, cast, new_task, monkeypatch):
    monkeypatch.setattr(flow, "SHOWN", 3)
    task = new_task()
    for name in ("one", "two", "three", "four", "five"):
        assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.hugo], note=name)
        post_message(actor=cast.ada.user, task=task, body=f"About {name}")
        assignments.unassign_task(actor=cast.ada.user, task=task, note=f"not {name}")
    # A page ends between two moments: these are all in one.
    moment = Message.objects.filter(task=task).order_by("pk")[1].at
    Event.objects.filter(pk__in=Event.objects.filter(task=task).order_by("pk")[2:6].values("pk")).update(at=moment)
    pages, before = [], None
    while True:
        page = flow.read_flow(task, cast.ada.user, now=timezone.now(), before=before)
        pages.append(page.items)
        if (before := page.older) is None:
            break
    seen = [item for items in pages for item in items]
    assert all(items for items in pages)
    assert len(pages) > 3
    assert [item.at for item in seen] == sorted((item.at for item in seen), reverse=True)
    assert sorted(item.id for item in seen if not hasattr(item, "message")) == sorted(
        Event.objects.filter(task=task).exclude(kind="message.posted").values_list("pk", flat=True)
    )
    assert [item.message.body for item in seen if hasattr(item, "message")] == [
        f"About {name}" for name in ("five", "four", "three", "two", "one")
    ]
    said = flow.read_flow(task, cast.ada.user, now=timezone.now(), show=flow.Show.CONVERSATION)
    assert [item.message.body for item in said.items] == ["About five", "About four", "About three"]
    happened = flow.read_flow(task, cast.ada.user, now=timezone.now(), show=flow.Show.ACTIVITY)
    assert not any(hasattr(item, "message") for item in happened.items)
    first = flow.read_flow(task, cast.ada.user, now=timezone.now())
    assert f"before={first.older}#timeline" in read(cast.ada.user, task)
    older = read(cast.ada.user, task, f"?before={first.older}")
    assert "Latest" in older
    assert "data-composer" not in older
    assert read(cast.ada.user, task, f"?before={'9' * 40}")
    assert "Conversation and history" in read(cast.ada.user, task, "?before=nonsense")


def test_task_page_queries_do_not_grow_with_neighbours_runs_and_events(
    client, cast, new_task, django_assert_num_queries
):
    task = new_task(depends_on=[new_task("Before")], labels=["a"], required_skills=[("docs", 1)])
    new_task(parent=task)
    new_task(depends_on=[task])
    type(task).objects.filter(pk=task.pk).update(open_blockers=0)

    def attempts(count):
        for _ in range(count):
            run = claims.claim_task(actor=cast.atlas.user, task=task)
            runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=3)
            runs.release_run(actor=cast.atlas.user, run_id=run.pk)
            first = post_message(actor=cast.hugo.user, task=task, body="@ada here")
            answer = post_message(actor=cast.atlas.user, task=task, body="There", in_reply_to=first.pk)
            edit_message(actor=cast.atlas.user, message=answer, body="There!")
            react(actor=cast.ada.user, message=answer, emoji="👍")

    attempts(1)
    client.force_login(cast.ada.user)
    with CaptureQueriesContext(connection) as few:
        client.get(f"/tasks/{task.ref}")
    attempts(8)
    for _ in range(8):
        new_task(parent=task)
        new_task(depends_on=[task])
    type(task).objects.filter(pk=task.pk).update(open_blockers=0)
    with django_assert_num_queries(len(few)):
        client.get(f"/tasks/{task.ref}")
    assert len(few) <= 48


def test_task_page_shows_a_late_result_to_adopt_to_staff_alone(read, client, cast, new_task, let_lease_end):
    task = new_task()
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    let_lease_end(run)
    engine.tick()
    with pytest.raises(Exception, match="expired"):
        runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="came **late**", result=7)
    assert "Adopt this result" not in read(cast.hugo.user, task)
    page = read(cast.ada.user, task)
    assert "Adopt this result" in page
    assert "came <strong>late</strong>" in page
    assert client.post(f"/tasks/{task.ref}", {"verb": "adopt", "run": 1}).status_code == 302
    task.refresh_from_db()
    assert (task.status, task.result) == ("completed", 7)


def test_task_page_shows_overdue_stalled_and_deferred(read, cast, new_task):
    task = new_task(due_at=timezone.now() - timedelta(hours=5))
    assert "Overdue" in read(cast.vera, task)
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    Run.objects.filter(pk=run.pk).update(stalled_at=timezone.now())
    assert "Stalled" in read(cast.vera, task)
    assert "Deferred" in read(cast.vera, new_task(start_after=timezone.now() + timedelta(days=1)))
