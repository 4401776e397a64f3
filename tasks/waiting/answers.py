"""The room of callers that wait until something happens to a question."""

from collections.abc import Iterable
from dataclasses import dataclass

from tasks.events import kinds
from tasks.models import Event
from tasks.waiting.room import Room, Seat

#: What one question may be in the data of: alone, or one of those that ended with a move.
_KINDS = frozenset(
    {
        kinds.QUESTION_ANSWERED,
        kinds.QUESTION_WITHDRAWN,
        kinds.QUESTION_SUPERSEDED,
        kinds.QUESTION_EXPIRED,
        kinds.QUESTION_ESCALATED,
        kinds.TASK_STATUS_CHANGED,
        kinds.TASK_DELETED,
    }
)


@dataclass(eq=False, kw_only=True)
class QuestionSeat(Seat):
    """One call that waits for the end of a question about a task (both by id)."""

    question_id: int
    task_id: int


class QuestionsRoom(Room[QuestionSeat]):
    kinds = _KINDS

    def seat(self, question_id: int, task_id: int, kept: QuestionSeat | None = None) -> QuestionSeat:
        """The seat of a call, taken before it looks; ``kept`` is its seat from earlier looks."""
        return self.prepare(kept or QuestionSeat(room=self, question_id=question_id, task_id=task_id))

    def _concern(self, event: Event, seats: Iterable[QuestionSeat]) -> None:
        for seat in seats:
            if not seat.waits or event.task_id != seat.task_id:
                continue
            named = event.data.get("question") == seat.question_id
            if named or event.kind == kinds.TASK_DELETED or seat.question_id in event.data.get("questions", ()):
                self._wake(seat)


questions_room = QuestionsRoom()
