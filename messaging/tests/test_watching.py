"""Who watches a task: by having to do with it, or by choice; what they are told, and over which doors they choose."""

import re

import pytest

from messaging.models import Watch
from messaging.watching import choose_watch, watchers_of, watching_members
from tasks.actions import assignments, claims, projects, runs
from tasks.actions.messages import post_message
from tasks.models import Event, Mention, Message

pytestmark = pytest.mark.django_db


def names(task) -> set[str]:
    return {user.get_username() for user in watching_members(task)}


def test_whoever_has_to_do_with_a_task_watches_it(cast, new_task):
    task = new_task(assignees=[cast.hugo, cast.atlas])
    assert names(task) == {"ada", "hugo", "atlas"}
    assignments.unassign_task(actor=cast.ada.user, task=task, agents=[cast.hugo])
    assert names(task) == {"ada", "atlas"}
    post_message(actor=cast.rita.user, task=task, body="Why?")
    Mention.objects.create(message=Message.objects.get(), user=cast.vera)
    assert names(task) == {"ada", "atlas", "rita", "vera"}


def test_choice_to_watch_or_not_wins(cast, new_task):
    task, other = new_task(), new_task()
    assert choose_watch(user=cast.ada.user, task=task, watching=False)
    assert choose_watch(user=cast.vera, task=task, watching=True)
    assert not choose_watch(user=cast.vera, task=task, watching=True)
    assert names(task) == {"vera"}
    assert names(other) == {"ada"}
    assert watchers_of([task.pk, other.pk]) == {task.pk: {cast.vera.pk}, other.pk: {cast.ada.user.pk}}
    assert Watch.objects.count() == 2
    seen = Event.objects.filter(kind__in=("task.watched", "task.unwatched")).values_list(
        "recipient__username", flat=True
    )
    assert sorted(seen) == ["ada", "vera"], "each tells its own chooser alone, once"


def test_watchers_are_told_of_moves_but_not_of_reports_nor_twice(cast, new_task, notified):
    task = new_task(review_required=True)
    choose_watch(user=cast.vera, task=task, watching=True)
    notified()
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    assert notified() == {("ada", "watched_changed"), ("vera", "watched_changed")}
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=40)
    assert notified() == set()
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    assert notified() == {("ada", "review_asked"), ("rita", "review_asked"), ("vera", "watched_changed")}


def test_watchers_and_whom_it_answers_are_told_of_a_message(cast, new_task, notified):
    task = new_task()
    first = post_message(actor=cast.rita.user, task=task, body="Why?")
    assert notified() == {("ada", "message")}
    choose_watch(user=cast.rita.user, task=task, watching=False)
    post_message(actor=cast.hugo.user, task=task, body="Because <b>of</b> it.", in_reply_to=first.pk)
    assert notified() == {("ada", "message"), ("rita", "message")}


def test_former_member_watches_nothing(cast, new_task, notified):
    task = new_task()
    choose_watch(user=cast.hugo.user, task=task, watching=True)
    projects.remove_member(actor=cast.root, project=cast.ops, user=cast.hugo.user)
    assert names(task) == {"ada"}
    notified()
    claims.claim_task(actor=cast.atlas.user, task=task)
    assert notified() == {("ada", "watched_changed")}


def test_api_starts_and_stops_to_watch(api, cast, new_task):
    path = f"/tasks/{new_task().ref}/watch"
    answer = {"watching": True, "watchers": ["ada", "hugo"]}
    assert api.hugo.put(path).json() == api.hugo.put(path).json() == answer
    assert api.hugo.delete(path).json() == {"watching": False, "watchers": ["ada"]}
    assert api.mona.put(path).status_code == 404
    assert names(cast.ops.tasks.get()) == {"ada"}


def watched_by(page: str) -> str:
    return re.search(r"<h2>Watching</h2>\s*<p[^>]*>\s*(.*?)\s*</p>", page, re.DOTALL)[1]


def test_button_on_the_task_page_says_who_watches(client, cast, new_task):
    task = new_task()
    client.force_login(cast.hugo.user)
    page = client.get(f"/tasks/{task.ref}").content.decode()
    assert watched_by(page) == "ada"
    answer = client.post(f"/tasks/{task.ref}/watch", {"watching": "yes"}, follow=True)
    page = answer.content.decode()
    assert "You watch OPS-1." in page
    assert watched_by(page) == "ada, hugo"
    assert "Stop watching" in page
    client.post(f"/tasks/{task.ref}/watch", {"watching": "no"})
    assert names(task) == {"ada"}
    client.force_login(cast.mona.user)
    assert client.post(f"/tasks/{task.ref}/watch", {"watching": "yes"}).status_code == 404
