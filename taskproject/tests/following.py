"""What an open page does with the stream, without a browser: state as it was + events = a fresh page."""

import re
import time
from typing import Any

from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import Client

from tasks.events.reading import Cursor, present_cursor, read_all, read_events
from tasks.models import Agent, AgentKind, Event, Task

#: What refresh.js sends: the page is open already and keeps its frame.
RENEWAL = {"X-Requested-With": "refresh"}
#: As in follow.js.
RESHAPES = re.compile(r"^task\.(created|edited|imported|reimported|deleted|dependencies_)")
#: What only time changes: the texts of times, which the page's own clock writes.
MOMENTS = re.compile(r"<time [^>]*>[^<]*</time>")
#: Different in each response.
CSRF = re.compile(r'<input type="hidden" name="csrfmiddlewaretoken" value="[^"]*">')
#: Changed by every call without an event: pages refresh these every few seconds.
SIGNS_OF_LIFE = re.compile(
    r'<span class="muted small agent-seen">.*?</span>|<p class="muted small">Last progress .*?</p>'
)


def settled(html: str) -> str:
    return SIGNS_OF_LIFE.sub("", MOMENTS.sub("", CSRF.sub("", html)))


def regions_of(html: str) -> str:
    """The part of a page that follows the server."""
    return settled(html[html.index("<main") : html.index("</main>")])


def news(user: User, after: Cursor) -> tuple[list[Event], Cursor]:
    """All events after ``after``; waits while another transaction in the database, e.g. a vacuum, holds them back."""
    newest = Event.objects.order_by("-pk").first()
    is_read = newest is None or Cursor.of(newest) <= after
    until = time.monotonic() + 30
    while True:
        everything, _ = read_all(after, 1000)
        if is_read or newest in everything:
            return read_events(user=user, after=after, limit=1000)
        assert time.monotonic() < until, "the stream is held up"
        time.sleep(0.05)


class OpenBoard:
    """A board in a tab: columns of cards, updated by events alone, through ``/board/changes``."""

    def __init__(self, client: Client, user: User, query: str = "") -> None:
        self.client, self.user, self.query = client, user, query
        self.cursor = present_cursor()
        self.cards: dict[str, str] = {}
        self.columns: dict[str, Any] = {}
        self.rendered = 0
        self._show(client.get(f"/{query}").context)

    def _show(self, context: Any) -> set[str]:
        """Apply a response; returns the refs of cards that it assumes to be known but that are not."""
        unknown, shown = set(), {}
        self.columns = {}
        for column in context["columns"]:
            self.columns[column.status] = (column.count, column.hidden, [card.ref for card in column.cards])
            for card in column.cards:
                if not card.is_kept:
                    self.rendered += 1
                    shown[card.ref] = settled(render_to_string("tasks/_card.html", {"card": card}))
                elif card.ref in self.cards:
                    shown[card.ref] = self.cards[card.ref]
                else:
                    unknown.add(card.ref)
        self.cards = shown
        return unknown

    def follow(self) -> list[Event]:
        """Read new events and fetch what they name; returns the events."""
        events, self.cursor = news(self.user, self.cursor)
        wanted = {event.task_ref for event in events if event.task_ref}
        while wanted:
            joint = "&" if self.query else "?"
            path = f"/board/changes{self.query}{joint}refs={','.join(sorted(wanted))}"
            answer = self.client.get(path, headers=RENEWAL)
            wanted = self._show(answer.context)
        return events

    def assert_as_fresh(self) -> None:
        fresh = OpenBoard(self.client, self.user, self.query)
        assert (self.columns, self.cards) == (fresh.columns, fresh.cards)


def concerns(event: Event, page: str, ref: str) -> bool:
    """Whether the page of task ``ref`` reloads for ``event``, as in follow.js."""
    named = bool(event.task_ref) and f'data-about="{event.task_ref}"' in page
    if event.project_key != ref.rpartition("-")[0]:
        return named
    return not event.task_ref or event.task_ref == ref or bool(RESHAPES.match(event.kind)) or named


class OpenPages:
    """Boards, task pages and pages of agents, all open at once and kept open while the verbs are used."""

    def __init__(self, client: Client, user: User) -> None:
        client.force_login(user)
        self.client, self.user = client, user
        self.cursor: Cursor = present_cursor()
        self.boards = [OpenBoard(client, user, query) for query in ("", "?assignee=atlas", "?q=task&priority=normal")]
        self.pages = self._fetch()

    def _fetch(self) -> dict[str, str]:
        refs = [task.ref for task in Task.objects.visible_to(self.user).select_related("project")]
        slugs = Agent.objects.visible_to(self.user).filter(kind=AgentKind.LLM).distinct().values_list("slug", flat=True)
        paths = [*(f"/tasks/{ref}" for ref in refs), "/agents/", *(f"/agents/{slug}" for slug in slugs)]
        return {path: self.client.get(path, headers=RENEWAL).content.decode() for path in paths}

    def follow(self) -> None:
        """Assert that each page is as a fresh one, by what events told it since the last call; pages since are new."""
        for board in self.boards:
            board.follow()
            board.assert_as_fresh()
        events, self.cursor = news(self.user, self.cursor)
        fresh = self._fetch()
        for path, page in self.pages.items():
            if path in fresh and regions_of(fresh[path]) == regions_of(page):
                continue
            is_told = (
                any(concerns(event, page, path.removeprefix("/tasks/")) for event in events)
                if path.startswith("/tasks/")
                else bool(events)
            )
            assert is_told, f"{path} is out of date, and {[event.kind for event in events]} do not say so"
        self.pages = fresh
