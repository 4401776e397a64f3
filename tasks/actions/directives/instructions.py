"""Instructions and stops, which staff write in a task's thread, as directives of its runs."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import Q

from tasks.actions.directives.source import Directive, Source
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import DirectiveState, Message, MessageKind, Run, Task
from tasks.models.message import PENDING
from tasks.querysets import MessageQuerySet

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from tasks.events.declaration import Kind
    from tasks.models import Event

QUEUED, DELIVERED = DirectiveState.QUEUED, DirectiveState.DELIVERED


class Instructions(Source):
    name: ClassVar[str] = "m"

    def pending(self, runs: Sequence[Run]) -> list[Directive]:
        rows = Message.objects.filter(run__in=runs, state__in=PENDING)
        return [
            Directive(
                source=self.name,
                pk=message.pk,
                run_id=message.run_id,
                kind=message.kind,
                body=message.body,
                sender=message.author_name,
                authority="staff",
                sent_at=message.at,
                is_queued=message.state == QUEUED,
            )
            for message in rows
            if message.run_id is not None
        ]

    def deliver(self, run: Run, *, at: datetime, actor: "User | None") -> None:
        self._deliver(run, Q(), at, actor)

    def _deliver(self, run: Run, which: Q, at: datetime, actor: "User | None") -> list[Message]:
        """Mark the queued ones as delivered; from a stop on, the run may only be ended."""
        queued = Message.objects.filter(which, run=run, state=QUEUED)
        # The UPDATE decides: what its sender has just withdrawn is not among those read after it.
        if not queued.update(state=DELIVERED, delivered_at=at):
            return []
        rows = list(Message.objects.filter(which, run=run, state=DELIVERED, delivered_at=at))
        record(*(self.event_of(kinds.MESSAGE_DELIVERED, message, run, at, actor) for message in rows))
        if run.stop_delivered_at is None and any(message.kind == MessageKind.STOP for message in rows):
            _begin_to_stop(run, at)
        return rows

    def acknowledge(self, run: Run, pks: Sequence[int], *, at: datetime, actor: "User | None") -> set[int]:
        known = set(Message.objects.filter(run=run, pk__in=pks).values_list("pk", flat=True))
        for pk in sorted(known):
            self.settle(run, pk, DirectiveState.ACKNOWLEDGED, at=at, actor=actor)
        return known

    def settle(
        self, run: Run, pk: int, state: DirectiveState, *, at: datetime, actor: "User | None", note: str = ""
    ) -> bool:
        """Acknowledge or decline one for ``run``, which is locked; False if it had a final state.

        Whoever answers what is still queued has read it elsewhere, such as on the page: that delivers it.
        """
        self._deliver(run, Q(pk=pk), at, actor)
        pending = Message.objects.filter(pk=pk, run=run, state=DELIVERED)
        if not pending.update(state=state, acknowledged_at=at, ended_at=at, note=note):
            return False
        kind = kinds.MESSAGE_DECLINED if state == DirectiveState.DECLINED else kinds.MESSAGE_ACKNOWLEDGED
        message = Message.objects.get(pk=pk)
        said = {"note": note} if note else {}
        record(self.event_of(kind, message, run, at, actor, **said))
        return True

    def obey_stops(self, run: Run, *, at: datetime, actor: "User | None") -> None:
        """The holder ends ``run``: that acknowledges the stops that it got."""
        stops = Message.objects.filter(run=run, kind=MessageKind.STOP, state=DELIVERED)
        for pk in stops.values_list("pk", flat=True):
            self.settle(run, pk, DirectiveState.ACKNOWLEDGED, at=at, actor=actor)

    def end(self, run: Run, *, at: datetime) -> None:
        left = _locked(Message.objects.filter(run=run, state__in=PENDING))
        kept = [message for message in left if message.keep]
        if kept:
            Message.objects.filter(pk__in=[message.pk for message in kept]).update(
                state=QUEUED, run=None, delivered_at=None
            )
            Task.objects.filter(pk=run.task_id).update(has_kept_directives=True)
            run.task.has_kept_directives = True
        self._undelivered([message for message in left if not message.keep], run.task, run, at)
        record(*(self.event_of(kinds.MESSAGE_KEPT, message, run, at, None) for message in kept))

    def hand_over(self, task: Task, run: Run) -> bool:
        return bool(Message.objects.filter(task=task, run=None, state=QUEUED).update(run=run))

    def drop_kept(self, task: Task, *, at: datetime) -> None:
        self._undelivered(_locked(Message.objects.filter(task=task, run=None, state=QUEUED)), task, None, at)

    def _undelivered(self, messages: Sequence[Message], task: Task, run: Run | None, at: datetime) -> None:
        Message.objects.filter(pk__in=[message.pk for message in messages]).update(
            state=DirectiveState.UNDELIVERED, ended_at=at
        )
        for message in messages:
            message.task = task
        record(*(self.event_of(kinds.MESSAGE_UNDELIVERED, message, run, at, None) for message in messages))

    @staticmethod
    def event_of(
        kind: "Kind", message: Message, run: Run | None, at: datetime, actor: "User | None", **said: Any
    ) -> "Event":
        """What became of ``message``; ``run`` is the one that it was for."""
        task = run.task if run else message.task
        return event(
            kind,
            at=at,
            actor=actor,
            task=task,
            run=run,
            agent=run.agent if run else None,
            message=message.pk,
            message_kind=message.kind,
            author=message.author_name,
            **said,
        )


def _locked(messages: MessageQuerySet) -> list[Message]:
    """These, locked: a sender who withdraws one needs neither the run nor the task for that."""
    return list(messages.select_for_update(of=("self",), no_key=True).order_by("pk"))


def _begin_to_stop(run: Run, at: datetime) -> None:
    """From now on ``run`` may only be ended. Its lease is what the project grants for that; a person has none."""
    changes: dict[str, object] = {"stop_delivered_at": at}
    if run.lease_seconds is not None:
        grace = run.task.project.stop_grace_seconds
        changes |= {"lease_seconds": grace, "lease_expires_at": at + timedelta(seconds=grace)}
    Run.objects.filter(pk=run.pk).update(**changes)
    for name, value in changes.items():
        setattr(run, name, value)


instructions = Instructions()
