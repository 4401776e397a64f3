"""When to match: soon after something changed, and periodically in case nothing reported it.

The listener brings the news. A burst is served by one matching.
"""

import logging
import threading
import time
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q

from tasks import clock
from tasks.actions.offering import BATCH, lapse_offers
from tasks.assignment.candidates import ALIVE_FOR
from tasks.assignment.dispatcher import serve
from tasks.assignment.experience import Experience
from tasks.assignment.on_demand import auto_assign
from tasks.errors import DomainError
from tasks.events import kinds
from tasks.events.listening import News, listener
from tasks.events.reading import present_cursor
from tasks.models import Agent, AgentKind, AssignmentMode, AssignmentSource, Event, Project, Task
from tasks.outage import AWAY, Outage

logger = logging.getLogger(__name__)

TICK_SECONDS = 1.0
#: How late it may notice that the engine stops.
STOP_SECONDS = 0.25
#: Changes this close together are served by one matching.
GATHER_SECONDS = 0.05
#: Working hours start, delays after a lapsed offer end, agents wake: no event reports these.
LOOK_ANYWAY_SECONDS = 10.0
EXPLAIN_AGAIN = timedelta(seconds=30)
RELEARN_AFTER = timedelta(minutes=10)
#: How many tasks' last explanations are remembered.
REMEMBERED = 20_000

#: After these, as after the end of a run, what an agent has shown differs from what is remembered.
JUDGED = ("approve", "request_changes", "adopt")


class Matchmaker:
    """Knows whether a matching is due, and runs it: a companion of the engine. Several side by side are safe."""

    name = "offers"

    def __init__(self) -> None:
        self.experience = Experience()
        self._explained: dict[int, Any] = {}
        self._news = threading.Event()
        self._learned: set[int] = set()
        self._completed: set[int] = set()
        self._passed_on: set[int] = set()
        self._matched_id = 0
        self._lock = threading.Lock()
        self._alive: frozenset[int] = frozenset()
        self._look_at = 0.0
        self._rest_until = 0.0
        self._any_auto = False

    def catch_up(self) -> int:
        """Let offers lapse and match everything that waits now; returns how many offers that made."""
        self.experience = Experience()
        self._explained.clear()
        return self.tick(always=True)

    def run(self, stop: threading.Event) -> None:
        """Match soon after each change until ``stop`` is set; waits out outages of the database."""
        outage = Outage(logger, "Assignment")
        with closing(connection), closing(listener.subscribe(self._listen, kinds=kinds.WAKING_MATCHING)):
            while not stop.is_set():
                try:
                    self.tick()
                    outage.end()
                    self._wait(stop)
                except AWAY as error:
                    outage.begin(error)
                    stop.wait(TICK_SECONDS)
                except Exception:
                    logger.exception("A matching failed; the next one will try again.")
                    stop.wait(TICK_SECONDS)

    def _listen(self, news: News) -> None:
        if news.events:
            self.hear(news.events)
        else:
            # The first look may have missed what happened before listening started.
            self._news.set()

    def hear(self, events: Iterable[Event]) -> None:
        """Remember what ``events`` mean for the next matching: quick, and without the database."""
        heard = [event for event in events if kinds.may_wake_matching(event.kind, event.data)]
        with self._lock:
            is_news = self._any_auto and any(event.pk > self._matched_id for event in heard)
            for event in heard:
                learned = "outcome" in event.data or event.data.get("verb") in JUDGED
                if event.agent_id and (learned or event.kind == kinds.AGENT_EDITED):
                    self._learned.add(event.agent_id)
                    self._completed.add(event.project_id)
                if event.kind in (kinds.TASK_DECLINED, kinds.TASK_OFFER_LAPSED) and event.task_id:
                    self._passed_on.add(event.task_id)
            is_news = is_news or bool(self._passed_on)
        if is_news:
            self._news.set()

    def _wait(self, stop: threading.Event) -> None:
        """Return when the next tick is due: soon after news, else after ``TICK_SECONDS``."""
        end = time.monotonic() + TICK_SECONDS
        while not stop.is_set() and (left := end - time.monotonic()) > 0:
            if self._news.wait(min(left, STOP_SECONDS)):
                stop.wait(min(left, max(GATHER_SECONDS, self._rest_until - time.monotonic())))
                if time.monotonic() >= self._rest_until:
                    return

    def tick(self, *, always: bool = False) -> int:
        """Let offers lapse and, if due (or ``always``), match; returns how many offers were made."""
        while ended := lapse_offers():
            with self._lock:
                self._passed_on.update(ended)
            self._news.set()
            if len(ended) < BATCH:
                break
        projects = list(Project.objects.filter(mode=AssignmentMode.AUTO).order_by("pk"))
        if projects and not self._any_auto:
            self._news.set()
        self._any_auto = bool(projects)
        self._notice_who_woke(projects)
        now = time.monotonic()
        due = always or now >= self._look_at or (self._news.is_set() and now >= self._rest_until)
        return self._match(projects) if due else 0

    def _notice_who_woke(self, projects: list[Project]) -> None:
        """An agent that calls again records no event, but adds slots."""
        if not projects:
            return
        seen = Q(last_seen_at__gt=clock.now() - ALIVE_FOR, kind=AgentKind.LLM)
        members = Agent.objects.filter(seen, user__memberships__project__in=projects)
        alive = frozenset(members.order_by().values_list("pk", flat=True).distinct())
        if alive - self._alive:
            self._news.set()
        self._alive = alive

    def _match(self, projects: list[Project]) -> int:
        self._news.clear()
        started = time.monotonic()
        # What happened up to here is read from the tables now; hearing of it later must not match it a second time.
        place = present_cursor().id
        with self._lock:
            self._matched_id = place
            learned, completed, passed_on = self._learned, self._completed, self._passed_on
            self._learned, self._completed, self._passed_on = set(), set(), set()
        now = clock.now()
        self.experience.forget(learned, completed)
        self.experience.forget_old(now, after=RELEARN_AFTER)
        if len(self._explained) > REMEMBERED:
            self._explained.clear()
        try:
            offered = self._serve(projects, now) + _pass_on(passed_on)
        except BaseException:
            with self._lock:
                self._learned |= learned
                self._completed |= completed
                self._passed_on |= passed_on
            raise
        self._look_at = time.monotonic() + LOOK_ANYWAY_SECONDS
        # Rest as long as the matching took: an endless queue takes half a core, not a whole one.
        self._rest_until = 2 * time.monotonic() - started
        return offered

    def _serve(self, projects: list[Project], now: datetime) -> int:
        if not projects:
            return 0
        served = serve(projects, self.experience, explained=self._explained, explain_again=now - EXPLAIN_AGAIN)
        if served.missed:
            self._news.set()
        return len(served.decisions)


def _pass_on(tasks: set[int]) -> int:
    """Pass an offer on demand that was not taken to the next agent, in projects that are not served anyway."""
    manual = Task.objects.filter(pk__in=tasks, project__mode=AssignmentMode.MANUAL).select_related("project")
    offered = 0
    for task in manual:
        if task.assignments.order_by("-pk").values_list("source", flat=True).first() != AssignmentSource.AUTO:
            continue
        try:
            offered += auto_assign(actor=None, task=task).agent_id is not None
        except DomainError:
            continue
    return offered


matchmaker = Matchmaker()
