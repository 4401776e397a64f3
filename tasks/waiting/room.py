"""A room for the waiting callers of one process: places in order of arrival, and news that wakes whom it concerns."""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tasks.events.listening import News, Subscription, listener
from tasks.models import Event

#: How long a room keeps listening after the last caller has left.
LINGER_SECONDS = 60.0
#: How long a caller waits for the listening to start; what happens meanwhile is found when it looks again.
JOIN_SECONDS = 1.0
NEWS_KEPT = 2_000


@dataclass(eq=False, kw_only=True)
class Seat:
    """One caller's place, which it keeps while it looks again."""

    room: "Room"
    number: int = 0
    #: The news that the caller's own look has already seen.
    mark: int = 0
    #: None while the caller looks.
    wake: Callable[[], None] | None = None

    def wait(self, wake: Callable[[], None]) -> None:
        """Start or continue waiting; ``wake`` is called at most once, from any thread, possibly before this returns."""
        self.room.sit(self, wake)

    def leave(self) -> None:
        """Give the place up; harmless if it was never taken."""
        self.room.leave(self)

    @property
    def waits(self) -> bool:
        return self.wake is not None


SeatT = TypeVar("SeatT", bound=Seat)


class Room(Generic[SeatT]):
    """The callers that wait for one kind of thing.

    A caller takes its seat (``prepare``) before it looks: news that arrives between its look and its waiting is not
    lost, because the room remembers what has arrived since.
    """

    #: The kinds of events that matter here; None: all.
    kinds: Collection[str] | None = None

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._seats: dict[int, SeatT] = {}
        self._numbers = itertools.count(1)
        self._mark = 0
        self._news: deque[tuple[int, Event]] = deque(maxlen=NEWS_KEPT)
        self._subscription: Subscription | None = None
        self._joined = threading.Event()
        self._left_at = 0.0
        #: How many callers were woken, for monitoring.
        self.woken = 0

    def __len__(self) -> int:
        return len(self._seats)

    def prepare(self, seat: SeatT) -> SeatT:
        """Call this each time before the caller looks, in its thread."""
        self._listen()
        with self._changed:
            seat.number = seat.number or next(self._numbers)
            # Where listening has not begun, something may fall in between: then the caller looks once more.
            seat.mark = self._mark if self._joined.is_set() else -1
        return seat

    def _listen(self) -> None:
        with self._changed:
            self._left_at = time.monotonic()
            if self._subscription is None or self._subscription.is_closed:
                self._joined.clear()
                self._subscription = listener.subscribe(self.hear, kinds=self.kinds)
        self._joined.wait(JOIN_SECONDS)

    def sit(self, seat: SeatT, wake: Callable[[], None]) -> None:
        with self._changed:
            seat.wake = wake
            self._seats.setdefault(seat.number, seat)
            kept = list(itertools.takewhile(lambda news: news[0] > seat.mark, reversed(self._news)))
            if self._mark - seat.mark > len(kept):
                self._wake(seat)  # more than is remembered
            for _, event in reversed(kept):
                self._concern(event, [seat])
            self._changed.notify_all()

    def leave(self, seat: SeatT) -> None:
        with self._changed:
            self._left_at = time.monotonic()
            self._seats.pop(seat.number, None)
            self._changed.notify_all()

    def hear(self, news: News) -> None:
        """The listener's receiver."""
        with self._changed:
            self._joined.set()
            if not self._seats and time.monotonic() > self._left_at + LINGER_SECONDS and self._subscription:
                self._subscription.close()
                return
            seats = list(self._seats.values())
            for event in news.events:
                self._mark += 1
                self._news.append((self._mark, event))
                self._concern(event, seats)
            self._changed.notify_all()

    def close(self) -> None:
        """Stop listening; the next caller starts it again."""
        with self._changed:
            if self._subscription is not None:
                self._subscription.close()

    def _concern(self, event: Event, seats: Iterable[SeatT]) -> None:
        """Wake the ``seats`` that ``event`` concerns. Under the lock."""
        raise NotImplementedError

    def _wake(self, seat: SeatT) -> None:
        """Let the caller look again. Under the lock."""
        wake, seat.wake = seat.wake, None
        if wake is not None:
            self.woken += 1
            wake()
