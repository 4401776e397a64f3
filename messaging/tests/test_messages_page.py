"""The page of messages: the reader's conversations, one of them with what is new, and how far it is read."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from messaging.conversation import pages
from messaging.models import ReadMark
from tasks.actions import assignments
from tasks.actions.messages import post_direct, post_in_channel, post_message

pytestmark = pytest.mark.django_db


@pytest.fixture
def read(client):
    """``read(user, path)`` → the page as text."""

    def get(user, path, status=200):
        client.force_login(getattr(user, "user", user))
        response = client.get(path)
        assert response.status_code == status
        return response.content.decode()

    return get


def test_page_lists_what_the_reader_may_read_and_nothing_else(read, cast, new_task):
    task = new_task("Keys")
    assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.hugo])
    post_message(actor=cast.ada.user, task=task, body="In the thread")
    post_in_channel(actor=cast.ada.user, project=cast.ops, body="In the <b>channel</b>")
    post_direct(actor=cast.ada.user, to=cast.hugo.user, body="Between us")
    page = read(cast.hugo, "/messages/")
    for shown in ("In the thread", "In the &lt;b&gt;channel", "Between us", "/messages/OPS-1", "/messages/@ada"):
        assert shown in page
    assert page.count('class="talk-unread"') == 3
    for user in (cast.atlas, cast.root, cast.vera):
        assert "Between us" not in read(user, "/messages/")
    assert "Between us" not in read(cast.hugo, "/messages/?kind=channel")
    stranger = read(cast.zed, "/messages/")
    for hidden in ("In the", "Between us", "Keys"):
        assert hidden not in stranger
    for path in ("/messages/OPS", f"/messages/{task.ref}", "/messages/@ada", "/messages/@nobody", "/messages/OPS-999"):
        read(cast.zed, path, status=404)
    assert read(cast.hugo, "/messages/?cursor=nonsense&kind=nonsense")


def test_conversation_shows_what_is_new_below_a_line_until_it_is_read(read, client, cast, new_task):
    first = post_in_channel(actor=cast.ada.user, project=cast.ops, body="One")
    read(cast.hugo, "/messages/OPS")
    # A GET reads nothing.
    assert not ReadMark.objects.exists()
    assert client.post("/messages/OPS", {"up_to": first.pk}).status_code == 302
    post_in_channel(actor=cast.hugo.user, project=cast.ops, body="Own words")
    second = post_in_channel(actor=cast.ada.user, project=cast.ops, body="Two")
    page = read(cast.hugo, "/messages/OPS")
    assert page.count("data-unread-line") == 1
    assert page.index("Own words") < page.index("data-unread-line") < page.index("Two</p>")
    client.post("/messages/OPS", {"up_to": second.pk})
    page = read(cast.hugo, "/messages/OPS")
    assert "data-unread-line" not in page
    assert "data-mark-read" not in page
    # The page that was open keeps its line.
    assert "data-unread-line" in read(cast.hugo, f"/messages/OPS?since={first.pk}")


def test_history_is_read_in_pages_and_begins_with_the_first_unread(read, cast, monkeypatch):
    monkeypatch.setattr(pages, "SHOWN", 3)
    sent = [post_in_channel(actor=cast.ada.user, project=cast.ops, body=f"No {n}.") for n in range(1, 9)]

    def numbers(page):
        return [n for n in range(1, 9) if f"<p>No {n}.</p>" in page]

    assert numbers(read(cast.hugo, "/messages/OPS")) == [1, 2, 3]
    ReadMark.objects.create(user=cast.hugo.user, channel=cast.ops, up_to=sent[5].pk, at=sent[5].at)
    newest = read(cast.hugo, "/messages/OPS")
    assert numbers(newest) == [6, 7, 8]
    assert f"?before={sent[5].pk}" in newest
    assert "Newer messages" not in newest
    assert numbers(read(cast.hugo, f"/messages/OPS?before={sent[5].pk}")) == [3, 4, 5]
    assert numbers(read(cast.hugo, f"/messages/OPS?before={sent[2].pk}")) == [1, 2]
    middle = read(cast.hugo, f"/messages/OPS?at={sent[1].pk}")
    assert numbers(middle) == [2, 3, 4]
    assert f"?at={sent[4].pk}" in middle
    assert f"?before={sent[1].pk}" in middle


def test_writing_is_offered_to_those_who_may(read, cast, new_task):
    task = new_task()
    assert 'data-composer="OPS"' in read(cast.hugo, "/messages/OPS")
    assert f'data-composer="{task.ref}"' in read(cast.hugo, f"/messages/{task.ref}")
    assert 'data-composer="@ada"' in read(cast.vera, "/messages/@ada")
    for path in ("/messages/OPS", f"/messages/{task.ref}"):
        page = read(cast.vera, path)
        assert "data-composer" not in page
        assert "lets you read, not write" in page


def test_write_to_leads_to_a_member_and_names_nobody_else(client, read, cast):
    client.force_login(cast.hugo.user)
    assert client.get("/messages/to?to=@atlas")["Location"] == "/messages/@atlas"
    for name in ("zed", "nobody", "", "hugo"):
        led = client.get(f"/messages/to?to={name}")
        assert led["Location"] == "/messages/"
        assert "with whom you share a project" in client.get("/messages/").content.decode()


def test_page_of_many_costs_as_many_queries_as_of_few(client, cast, new_task):
    def fill(count):
        for number in range(count):
            task = new_task()
            assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.hugo])
            post_message(actor=cast.ada.user, task=task, body=f"About {number}")
            post_in_channel(actor=cast.ada.user, project=cast.ops, body=f"@hugo No {number}")
        post_direct(actor=cast.ada.user, to=cast.hugo.user, body="Direct")

    fill(2)
    client.force_login(cast.hugo.user)
    with CaptureQueriesContext(connection) as few:
        client.get("/messages/OPS")
    fill(12)
    with CaptureQueriesContext(connection) as many:
        client.get("/messages/OPS")
    # PostgreSQL adds queries for its clock and for how far the stream is complete.
    assert len(many) <= len(few) <= (36 if connection.vendor == "sqlite" else 38)
