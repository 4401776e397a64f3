"""The page carries the stream position from before its rows were read."""

import re

import pytest

from tasks.events.reading import Cursor, read_events
from tasks.pages import board

pytestmark = pytest.mark.django_db(transaction=True)


def cursor_of(client, path: str) -> Cursor:
    match = re.search(r'<body data-cursor="([^"]+)">', client.get(path).content.decode())
    assert match, path
    return Cursor.parse(match[1])


@pytest.mark.parametrize("path", ["/", "/agents/", "/tasks/OPS-1", "/reports/", "/no-such-page"])
def test_page_carries_the_cursor_behind_what_it_shows(client, cast, new_task, path):
    new_task("Before")
    client.force_login(cast.ada.user)
    cursor = cursor_of(client, path)
    assert read_events(user=cast.ada.user, after=cursor)[0] == []
    new_task("After")
    assert [event.data["title"] for event in read_events(user=cast.ada.user, after=cursor)[0]] == ["After"]


def test_event_that_comes_while_a_page_is_read_lies_behind_its_cursor(client, cast, new_task, monkeypatch):
    """Whether or not the page shows it, the page receives it."""
    new_task("Before")
    client.force_login(cast.ada.user)
    read_cards = board.read_cards

    def read_late(*args, **kwargs):
        new_task("In between")
        return read_cards(*args, **kwargs)

    monkeypatch.setattr(board, "read_cards", read_late)
    cursor = cursor_of(client, "/")
    assert [event.data["title"] for event in read_events(user=cast.ada.user, after=cursor)[0]] == ["In between"]


def test_page_of_a_stranger_costs_no_look_at_the_stream(client, django_assert_num_queries, db):
    with django_assert_num_queries(0):
        assert "data-cursor" not in client.get("/login/").content.decode()
