"""Long-lived threads for requests, each with its own persistent database connection."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

#: A thread that had nothing to do for this long is idle.
IDLE_SECONDS = 60.0


class Job:
    """One piece of work for a thread, and the future for its result."""

    __slots__ = ("future", "loop", "work")

    def __init__(self, work: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.loop = loop
        self.future: asyncio.Future = loop.create_future()

    def settle(self, result: Any, error: BaseException | None) -> None:
        """Deliver the result; only the first call counts. In the loop's thread only."""
        if self.future.done():
            return
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class _Thread:
    __slots__ = ("inbox", "pool", "thread")

    def __init__(self, pool: "ThreadPool", number: int) -> None:
        self.pool = pool
        self.inbox: SimpleQueue[Job | None] = SimpleQueue()
        # Daemon: a thread that still works must not keep a stopping process alive.
        self.thread = threading.Thread(target=self._run, name=f"{pool.name}-{number}", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            result, error = None, None
            try:
                result = job.work()
            except BaseException as raised:
                error = raised
            try:
                job.loop.call_soon_threadsafe(self.pool.finished, self, job, result, error)
            except RuntimeError:
                break  # the loop is closed: the process is ending
            job = result = error = None
        self.pool.on_thread_end()

    def _next(self) -> Job | None:
        try:
            return self.inbox.get(timeout=self.pool.idle_seconds)
        except Empty:
            self.pool.on_thread_idle()
        return self.inbox.get()


class ThreadPool:
    """At most ``size`` threads, started when all others are busy; the one that was busy last is used first.

    Last in, first out: with few concurrent requests, few threads work, and their connections and caches stay warm.
    Belongs to one event loop; only ``Job.work`` runs in other threads. ``on_thread_end`` runs in each thread that ends,
    ``on_thread_idle`` in each that had no work for ``idle_seconds``, once until it has some again; neither may raise.
    """

    def __init__(
        self,
        name: str,
        size: int,
        *,
        on_thread_end: Callable[[], None] = lambda: None,
        on_thread_idle: Callable[[], None] = lambda: None,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self.name = name
        self.size = size
        self.on_thread_end = on_thread_end
        self.on_thread_idle = on_thread_idle
        self.idle_seconds = idle_seconds
        self._threads: list[_Thread] = []
        self._idle: list[_Thread] = []
        self._waiting: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        """Let a thread do ``job``; its ``future`` gets what the work returns or raises."""
        if self._idle:
            self._idle.pop().inbox.put(job)
        elif len(self._threads) < self.size:
            thread = _Thread(self, len(self._threads) + 1)
            self._threads.append(thread)
            thread.inbox.put(job)
        else:
            self._waiting.append(job)

    def cancel(self, job: Job) -> bool:
        """Drop a job that no thread has started; False if one has."""
        try:
            self._waiting.remove(job)
        except ValueError:
            return False
        job.future.cancel()
        return True

    def finished(self, thread: _Thread, job: Job, result: Any, error: BaseException | None) -> None:
        """A thread is free again: it takes the next job or becomes idle. Called in the loop's thread."""
        if self._waiting:
            thread.inbox.put(self._waiting.popleft())
        else:
            self._idle.append(thread)
        job.settle(result, error)

    @property
    def threads(self) -> int:
        return len(self._threads)

    @property
    def busy(self) -> int:
        return len(self._threads) - len(self._idle)

    def close(self) -> None:
        """Let every thread end after its current job."""
        for thread in self._threads:
            thread.inbox.put(None)
        self._threads, self._idle = [], []
