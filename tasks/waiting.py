"""Waiting for news inside a request: woken by the bell of this process, with a cheap poll as the guarantee.

Those who wait for work look only when something happened in one of their projects that can bring work: if each
looked at each piece of news, thirty waiting agents would slow down every other one.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tasks.events import kinds
from tasks.events.recording import bell
from tasks.models import Event

# Another process rings no bell here; a poll so often is what its news may be late by.
POLL_SECONDS = 0.5

# Whatever was missed (a commit that became visible out of order, a rule that changed) is found after so long.
LOOK_ANYWAY_SECONDS = 5.0

_news = threading.Condition()


def _wake(**_: Any) -> None:
    with _news:
        _news.notify_all()


bell.connect(_wake, dispatch_uid="tasks.waiting")


class Places:
    """So many callers may wait at once, because each holds a thread of the server."""

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Yields whether there was a place."""
        got = self._free.acquire(blocking=False)
        try:
            yield got
        finally:
            if got:
                self._free.release()


def wait_until(condition: Callable[[], bool], deadline: float) -> bool:
    """Whether ``condition`` became true before ``deadline`` (of ``time.monotonic``)."""
    while not condition():
        rest = deadline - time.monotonic()
        if rest <= 0:
            return False
        with _news:
            _news.wait(min(rest, POLL_SECONDS))
    return True


def may_bring_work(event: Event) -> bool:
    """Whether an agent that found nothing to claim may find something after ``event``."""
    return kinds.may_bring_work(event.kind, event.data)


class WorkNews:
    """How often each project had news that may bring work; of this process by the bell, of others by a shared poll."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._heard: deque[int] = deque(maxlen=10_000)
        self._polled_id: int | None = None
        self._poll_at = 0.0
        self._polling = threading.Lock()

    def hear(self, events: Iterable[Event] = (), **_: Any) -> None:
        """The bell's receiver."""
        projects = set()
        for event in events:
            self._heard.append(event.pk)
            if may_bring_work(event):
                projects.add(event.project_id)
        self._tell(projects)

    def _tell(self, projects: Collection[int]) -> None:
        if projects:
            with _news:
                self._counts.update(projects)
                _news.notify_all()

    def mark(self, project_ids: Collection[int]) -> int:
        """Grows with every piece of news of these projects."""
        return sum(self._counts[pk] for pk in project_ids)

    def poll(self) -> None:
        """Read what other processes recorded; one of all who wait does it, at most every ``POLL_SECONDS``."""
        if time.monotonic() < self._poll_at or not self._polling.acquire(blocking=False):
            return
        try:
            newest = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
            if self._polled_id is not None and newest > self._polled_id:
                missed = Event.objects.filter(pk__gt=self._polled_id, pk__lte=newest).only("kind", "data", "project_id")
                heard = set(self._heard)
                self._tell({event.project_id for event in missed if event.pk not in heard and may_bring_work(event)})
            self._polled_id = newest
            self._poll_at = time.monotonic() + POLL_SECONDS
        finally:
            self._polling.release()


work_news = WorkNews()
bell.connect(work_news.hear, dispatch_uid="tasks.waiting.work")


def wait_for_work(
    found: Callable[[], bool], *, project_ids: Collection[int], deadline: float, gone: Callable[[], bool]
) -> bool:
    """Whether ``found`` became true before ``deadline`` (of ``time.monotonic``) and before the client was ``gone``.

    ``found`` asks the database; it is called at the start, after news of these projects, and now and then.
    """
    while not gone():
        mark, look_at = work_news.mark(project_ids), time.monotonic() + LOOK_ANYWAY_SECONDS
        if found():
            return not gone()
        while work_news.mark(project_ids) == mark:
            now = time.monotonic()
            if now >= deadline or gone():
                return False
            if now >= look_at:
                break
            with _news:
                if work_news.mark(project_ids) == mark:
                    _news.wait(min(deadline - now, POLL_SECONDS))
            work_news.poll()
    return False
