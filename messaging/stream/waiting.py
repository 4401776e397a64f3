"""The room of readers that wait for events over plain HTTP: each is woken by what it requested and may see."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import User

from messaging.stream.hub import may_see
from messaging.stream.visitors import Visitor, visitor_of
from tasks.events.kinds import OF_MEMBERS
from tasks.events.narrowing import Narrowing
from tasks.events.reading import Cursor
from tasks.events.recording import name_of
from tasks.models import Event
from tasks.waiting.room import Room, Seat


@dataclass(eq=False, kw_only=True)
class ReaderSeat(Seat):
    """One call that waits for events in ``narrowing``; it has read up to ``cursor``."""

    visitor: Visitor
    name: str
    narrowing: Narrowing
    cursor: Cursor | None = None

    def wants(self, event: Event) -> bool:
        """Whether ``event`` may give it something to read; the read decides what it may see."""
        if event.kind in OF_MEMBERS and event.data.get("member") == self.name:
            return True
        return self.narrowing.takes(event) and may_see(self.visitor, event)


class ReadersRoom(Room[ReaderSeat]):
    def seat(self, user: User, narrowing: Narrowing, kept: ReaderSeat | None = None) -> ReaderSeat:
        """The seat of a call, taken before it reads; ``kept`` is its seat from earlier reads."""
        visitor = visitor_of(user)
        seat = kept or ReaderSeat(room=self, visitor=visitor, name=name_of(user), narrowing=narrowing)
        seat.visitor = visitor
        return self.prepare(seat)

    def _concern(self, event: Event, seats: Iterable[ReaderSeat]) -> None:
        for seat in seats:
            if seat.waits and seat.wants(event):
                self._wake(seat)


readers_room = ReadersRoom()
