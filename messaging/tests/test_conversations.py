"""The list of conversations, and how far somebody has read: bounded, and for their readers alone."""

from datetime import timedelta

import pytest

from messaging.models import ReadMark
from tasks import clock
from tasks.actions import assignments, projects
from tasks.actions.agents import create_token
from tasks.actions.messages import edit_message, post_direct, post_in_channel, post_message
from tasks.models import Membership, Mention, Message, Role, Task
from tasks.tests.api_client import client_of
from tasks.tests.cast import join, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def talk(cast, new_task):
    """A thread, the channel of OPS and a direct conversation between hugo and atlas, in this order."""
    task = new_task("Rotate keys", assignees=[cast.hugo])
    first = post_message(actor=cast.atlas.user, task=task, body="1")
    post_message(actor=cast.ada.user, task=task, body="2 " + "x" * 500)
    channel = post_in_channel(actor=cast.ada.user, project=cast.ops, body="3")
    direct = post_direct(actor=cast.atlas.user, to=cast.hugo.user, body="4")
    return task, first, channel, direct


def listed(api, name: str, query: str = "") -> dict[str, dict]:
    answer = getattr(api, name).get(f"/conversations{query}")
    assert answer.status_code == 200
    return {row["conversation"]: row for row in answer.json()["results"]}


def test_conversations_are_the_readers_own_with_what_is_left_to_read(api, cast, talk):
    task, first, channel, direct = talk
    rows = listed(api, "hugo")
    assert list(rows) == ["@atlas", "OPS", task.ref]
    thread = rows[task.ref]
    assert (thread["kind"], thread["title"], thread["unread"]) == ("task", "Rotate keys", 2)
    assert (thread["first_unread"], thread["read_up_to"]) == (first.pk, None)
    assert thread["unread_since"] == api.hugo.get(f"/messages/{first.pk}").json()["at"]
    assert len(thread["last"]["body"]) == 200
    assert rows["@atlas"]["last"]["id"] == direct.pk
    assert (rows["@atlas"]["title"], rows["@atlas"]["unread"]) == ("Atlas", 1)
    assert rows["OPS"]["last"] == {
        "id": channel.pk,
        "at": api.hugo.get(f"/messages/{channel.pk}").json()["at"],
        "author": "ada",
        "body": "3",
    }
    assert list(listed(api, "atlas")) == ["@hugo", "OPS", task.ref]
    assert listed(api, "atlas")["@hugo"]["unread"] == 0
    assert list(listed(api, "ada")) == ["OPS", task.ref]
    assert list(listed(api, "rita")) == ["OPS"]
    assert listed(api, "root") == {}
    assert list(listed(api, "mona")) == ["OTHER"]
    assert listed(api, "mona")["OTHER"]["last"] is None
    assert list(listed(api, "hugo", "?kind=direct")) == ["@atlas"]
    assert list(listed(api, "rita", f"?conversation={task.ref}")) == [task.ref]


def test_threads_are_those_one_takes_part_in(api, cast, new_task):
    by_mention, assigned, silent, over = new_task(), new_task(), new_task(assignees=[cast.bert]), new_task()
    post_message(actor=cast.ada.user, task=by_mention, body="@bert look")
    assignments.assign_task(actor=cast.ada.user, task=assigned, agents=[cast.bert])
    post_message(actor=cast.ada.user, task=assigned, body="x")
    assignments.assign_task(actor=cast.ada.user, task=over, agents=[cast.bert])
    post_message(actor=cast.ada.user, task=over, body="x")
    assignments.unassign_task(actor=cast.ada.user, task=over, agents=[cast.bert])
    assert list(listed(api, "bert", "?kind=task")) == [assigned.ref, by_mention.ref]
    assert silent.ref not in listed(api, "ada")


def test_reading_moves_a_mark_that_never_goes_back(api, cast, talk):
    task, first, channel, direct = talk
    read = api.hugo.post("/messages/read", {"conversation": task.ref, "up_to": first.pk}).json()
    assert read["read"] == [{"conversation": task.ref, "read_up_to": first.pk}]
    row = listed(api, "hugo")[task.ref]
    assert (row["unread"], row["first_unread"], row["read_up_to"]) == (1, first.pk + 1, first.pk)
    # What is not of this conversation counts as the last one of it before.
    assert api.hugo.post("/messages/read", {"conversation": task.ref, "up_to": channel.pk}).json()["read"] == [
        {"conversation": task.ref, "read_up_to": first.pk + 1}
    ]
    for up_to in (first.pk, 1):
        again = api.hugo.post("/messages/read", {"conversation": task.ref, "up_to": up_to}).json()
        assert again["read"][0]["read_up_to"] == first.pk + 1
    assert listed(api, "hugo")[task.ref]["unread"] == 0
    both = api.hugo.post("/messages/read", {"ids": [channel.pk, direct.pk]}).json()
    assert both["read"] == [
        {"conversation": "OPS", "read_up_to": channel.pk},
        {"conversation": "@atlas", "read_up_to": direct.pk},
    ]
    assert {row["unread"] for row in listed(api, "hugo").values()} == {0}
    assert ReadMark.objects.filter(user=cast.hugo.user).count() == 3
    post_direct(actor=cast.atlas.user, to=cast.hugo.user, body="5")
    assert listed(api, "hugo")["@atlas"]["unread"] == 1
    assert api.hugo.post("/messages/read", {"conversation": "@atlas"}).json()["read"][0]["read_up_to"] == direct.pk + 1
    assert listed(api, "rita")["OPS"]["unread"] == 1
    assert ReadMark.objects.filter(user=cast.rita.user).count() == 0


def test_reading_what_one_may_not_read_is_refused_and_marks_nothing(api, cast, talk, subtests):
    _, _, channel, direct = talk
    for body, status in (
        ({"ids": [channel.pk, direct.pk]}, 400),
        ({"ids": [channel.pk, 2**63 - 1]}, 400),
        ({"conversation": "@zed"}, 404),
        ({"conversation": "OTHER"}, 404),
        ({"conversation": "OTHER-1"}, 404),
        ({"conversation": "@"}, 404),
        ({"conversation": "\0"}, 400),
        ({"conversation": "OPS", "ids": [1]}, 400),
        ({}, 400),
        ({"ids": [1], "up_to": 1}, 400),
        ({"conversation": "OPS", "up_to": 2**63}, 400),
    ):
        with subtests.test(body=str(body)):
            assert api.rita.post("/messages/read", body).status_code == status
    assert not ReadMark.objects.exists()
    for query in ("?kind=x", "?limit=0", "?cursor=x", "?cursor=W10", "?conversation=@zed", "?x=1"):
        assert api.rita.get(f"/conversations{query}").status_code in (400, 404), query


def test_channel_is_unread_since_one_joined_and_imported_comments_are_not(api, cast, new_task):
    old = post_in_channel(actor=cast.ada.user, project=cast.ops, body="old")
    Message.objects.update(at=clock.now() - timedelta(days=1))
    new = make_user("fresh")
    join(cast.ops, new, Role.WORKER)
    after = post_in_channel(actor=cast.ada.user, project=cast.ops, body="new")
    calls = client_of(new)
    [row] = calls.get("/api/v1/conversations").json()["results"]
    assert (row["unread"], row["first_unread"]) == (1, after.pk)
    assert old.pk < after.pk
    task = new_task(assignees=[cast.hugo])
    Message.objects.create(
        project=cast.ops, task=task, author_name="someone", body="x", at=clock.now(), external_id="c1"
    )
    assert listed(api, "hugo")[task.ref]["unread"] == 0


def test_reading_a_conversation_reads_what_told_of_its_messages(api, cast, new_task, notified):
    task = new_task()
    post_message(actor=cast.ada.user, task=task, body="@hugo look")
    first = post_direct(actor=cast.ada.user, to=cast.hugo.user, body="one")
    notified()
    second = post_direct(actor=cast.ada.user, to=cast.hugo.user, body="two")
    notified()
    assert api.hugo.get("/me").json()["unread"] == 3
    assert api.hugo.post("/messages/read", {"conversation": "@ada", "up_to": first.pk}).json()["unread"] == 2
    assert api.hugo.post("/messages/read", {"ids": [second.pk]}).json()["unread"] == 1
    assert api.hugo.post("/messages/read", {"conversation": "OPS"}).json()["unread"] == 1
    edited = post_in_channel(actor=cast.ada.user, project=cast.ops, body="look")
    edit_message(actor=cast.ada.user, message=edited, body="@hugo look")
    notified()
    assert api.hugo.get("/me").json()["unread"] == 2
    assert api.hugo.post("/messages/read", {"conversation": task.ref}).json()["unread"] == 1
    assert api.hugo.post("/messages/read", {"conversation": "OPS"}).json()["unread"] == 0


def test_watched_thread_is_listed_and_an_ignored_one_is_not(api, cast, new_task):
    watched, ignored = new_task(), new_task()
    for task in (watched, ignored):
        post_message(actor=cast.ada.user, task=task, body="x")
    assert api.rita.put(f"/tasks/{watched.ref}/watch").status_code == 200
    assert api.ada.delete(f"/tasks/{ignored.ref}/watch").status_code == 200
    assert list(listed(api, "rita", "?kind=task")) == [watched.ref]
    assert list(listed(api, "ada", "?kind=task")) == [watched.ref]


def test_list_pages_through_all_conversations_once(api, cast, new_task):
    for number in range(7):
        post_message(actor=cast.ada.user, task=new_task(), body=f"{number}")
    for key in ("AAA", "BBB", "CCC"):
        projects.create_project(actor=cast.ada.user, key=key, name=key)
    post_direct(actor=cast.ada.user, to=cast.hugo.user, body="x")
    seen, path = [], "/api/v1/conversations?limit=3"
    while path:
        answer = api.ada.client.get(path).json()
        assert len(answer["results"]) <= 3
        seen += [row["conversation"] for row in answer["results"]]
        path = answer["next"]
    assert seen == ["@hugo", *(f"OPS-{number}" for number in range(7, 0, -1)), "AAA", "BBB", "CCC", "OPS"]


def test_limited_token_lists_what_it_reaches(api, cast, talk):
    second = projects.create_project(actor=cast.root, key="SECOND", name="Second")
    for user in (cast.hugo.user, cast.atlas.user):
        join(second, user, Role.WORKER)
    post_direct(actor=cast.atlas.user, to=cast.hugo.user, body="y", project="SECOND")
    _, secret = create_token(actor=cast.hugo.user, agent=cast.hugo, name="limited", projects=["SECOND"])
    limited = client_of(cast.hugo.user)
    limited.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    rows = {row["conversation"]: row for row in limited.get("/api/v1/conversations").json()["results"]}
    assert list(rows) == ["@atlas", "SECOND"]
    assert (rows["@atlas"]["unread"], rows["@atlas"]["last"]["body"]) == (1, "y")
    assert listed(api, "hugo")["@atlas"]["unread"] == 2


def test_list_of_ten_thousand_messages_in_a_thousand_conversations_is_bounded(api, cast, django_assert_max_num_queries):
    now, ops, ada, hugo = clock.now(), cast.ops, cast.ada.user, cast.hugo.user
    others = [make_user(f"user{number}") for number in range(100)]
    Membership.objects.bulk_create(Membership(project=ops, user=user, role=Role.WORKER) for user in others)
    tasks = Task.objects.bulk_create(
        Task(project=ops, number=number, title="x", created_by=hugo, created_at=now, updated_at=now)
        for number in range(1, 901)
    )
    said = {"project": ops, "author": ada, "author_name": "ada", "body": "x" * 1000, "at": now}
    Message.objects.bulk_create(Message(**said, task=tasks[number % 900]) for number in range(8_000))
    Message.objects.bulk_create(Message(**said) for _ in range(1_000))
    Message.objects.bulk_create(Message(**said | {"author": others[number % 100]}, to=hugo) for number in range(1_000))
    with django_assert_max_num_queries(20):
        answer = api.hugo.get("/conversations?limit=200").json()
    assert len(answer["results"]) == 200
    assert [row["unread"] for row in answer["results"][:101]] == [10] * 100 + [100]
    assert answer["results"][150]["unread"] in (8, 9)
    assert not Mention.objects.exists()


def test_names_that_no_database_takes_are_refused(api, cast, subtests):
    for path in (
        "/messages?with=%00",
        "/conversations?conversation=@%00",
        "/members?q=%00",
        "/tasks?project=OPS&project=%00",
        "/events?project=%00",
    ):
        with subtests.test(path=path):
            assert api.hugo.get(path).status_code == 400
