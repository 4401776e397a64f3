"""The room of agents that work and wait for what they are told: whatever is for a run, or ends it, wakes its holder."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from tasks.events.kinds import (
    MESSAGE_POSTED,
    QUESTION_ANSWERED,
    QUESTION_SUPERSEDED,
    QUESTION_WITHDRAWN,
    TASK_ASSIGNED,
    TASK_STATUS_CHANGED,
    TASK_UNASSIGNED,
)
from tasks.models import Event
from tasks.waiting.room import Room, Seat


@dataclass(eq=False, kw_only=True)
class HolderSeat(Seat):
    """One call of the holder of a run."""

    run_id: UUID


class HoldersRoom(Room[HolderSeat]):
    kinds = frozenset(
        {
            MESSAGE_POSTED,
            QUESTION_ANSWERED,
            QUESTION_SUPERSEDED,
            QUESTION_WITHDRAWN,
            TASK_ASSIGNED,
            TASK_STATUS_CHANGED,
            TASK_UNASSIGNED,
        }
    )

    def seat(self, run_id: UUID, kept: HolderSeat | None = None) -> HolderSeat:
        """The seat of a call, taken before it looks; ``kept`` is its seat from earlier looks."""
        return self.prepare(kept or HolderSeat(room=self, run_id=run_id))

    def _concern(self, event: Event, seats: Iterable[HolderSeat]) -> None:
        for seat in seats:
            if seat.waits and event.run_id == seat.run_id:
                self._wake(seat)


holders_room = HoldersRoom()
