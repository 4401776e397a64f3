"""What the queue of a run is fed from, and what each directive says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from tasks.models import Run, Task


@dataclass(frozen=True, kw_only=True)
class Directive:
    """One thing that the holder of a run is told. ``pk`` is that of the row in its ``source``.

    ``authority`` says who may tell it: ``staff`` for instructions and stops. ``further``: members that its kind has
    besides.
    """

    source: str
    pk: int
    run_id: UUID
    kind: str
    body: str
    sender: str
    authority: str
    sent_at: datetime
    is_queued: bool
    further: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Unique among the directives of all sources: ``m7``."""
        return f"{self.source}{self.pk}"

    @property
    def place(self) -> tuple[datetime, str, int]:
        """Its place in the queue: the oldest comes first."""
        return self.sent_at, self.source, self.pk

    def output(self) -> dict[str, Any]:
        """As replies show it, in JSON values."""
        return {
            "id": self.id,
            "kind": self.kind,
            "body": self.body,
            "from": self.sender,
            "authority": self.authority,
            "sent_at": self.sent_at,
            **self.further,
        }


class Source:
    """One kind of rows that are directives of runs.

    A row is pending while it is queued or delivered for an active run; ``acknowledge``, ``end`` or its sender gives it
    its final state, once. All methods run within a verb's transaction that has locked the runs, and record what
    happened; each change is a conditional UPDATE.
    """

    #: What the ids of its directives begin with: one small letter.
    name: ClassVar[str]

    def pending(self, runs: "Sequence[Run]") -> list[Directive]:
        """Those of ``runs`` that are not acknowledged. Only reads, without locks: also to show them."""
        raise NotImplementedError

    def deliver(self, run: "Run", *, at: datetime, actor: "User | None") -> None:
        """Mark those of ``run`` that are queued as delivered: a reply is being made for the holder."""
        raise NotImplementedError

    def acknowledge(self, run: "Run", pks: Sequence[int], *, at: datetime, actor: "User | None") -> set[int]:
        """Mark these as acknowledged; returns those of ``pks`` that are directives of ``run``, with any state."""
        raise NotImplementedError

    def end(self, run: "Run", *, at: datetime) -> None:
        """``run`` has ended: give each that is pending its final state, or keep it for the next run."""
        raise NotImplementedError

    def hand_over(self, task: "Task", run: "Run") -> bool:
        """Give those kept for the next run of ``task`` to ``run``; returns whether there are any."""
        return False

    def drop_kept(self, task: "Task", *, at: datetime) -> None:
        """``task`` has ended: give those kept for a next run, which there will not be, their final state."""
