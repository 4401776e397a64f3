"""What an event does to the history of its task. Pure: rows are made and changed in memory, and stored by others."""

from datetime import datetime
from typing import Any, Final

from tasks.events import kinds
from tasks.history.assigning import steps
from tasks.history.labels import LabelSets
from tasks.history.rows import row_of
from tasks.history.tables import Tables
from tasks.history.telling import begins, end_elsewhere, ended_by, kept_by, moment, started_elsewhere
from tasks.models import AssignmentSource, Event, RunStatus
from tasks.models.history import Credit, Episode, EpisodeEnd, StatusInterval, TimeSource, WaitReason
from tasks.transitions import TERMINAL, Status

_REASONS: Final = {Status.WAITING: WaitReason.ANSWER, Status.IN_REVIEW: WaitReason.REVIEW}


class Line:
    """The history of one task: its last episode, and the open interval of that.

    ``is_partial``: of the episode that was there only the number is known, and what is added to it. To be stored are
    the new ``intervals``, ``episodes`` and ``steps``, the ``altered`` fields of ``begun`` and the ``touched`` ones of
    ``known``.
    """

    __slots__ = (
        "agents",
        "altered",
        "begun",
        "episode",
        "episodes",
        "interval",
        "intervals",
        "is_partial",
        "known",
        "label_sets",
        "steps",
        "tables",
        "touched",
    )

    def __init__(
        self,
        tables: Tables,
        episode: Episode | None = None,
        interval: StatusInterval | None = None,
        *,
        is_partial: bool = False,
        agents: dict[str, int] | None = None,
        label_sets: LabelSets | None = None,
    ) -> None:
        self.episode, self.interval, self.is_partial = episode, interval, is_partial
        self.tables = tables
        #: The episode and the open interval that were there.
        self.known, self.begun = episode, interval
        #: Ids of agents by slug, of those that events alone name; and of the sets of labels that events name.
        self.agents = agents or {}
        self.label_sets = label_sets or LabelSets({})
        self.intervals: list[Any] = []
        self.episodes: list[Any] = []
        self.steps: list[Any] = []
        #: The changed fields of the episode and of the interval that were there.
        self.touched: set[str] = set()
        self.altered: set[str] = set()

    # What an event does

    def advance(self, event: Event) -> None:
        self._advance(event)
        label_set = self.episode.label_set_id if self.episode is not None else None
        self.steps += steps(event, self.tables, self.agents, label_set)

    def _advance(self, event: Event) -> None:
        if begins(event):
            self._begin(event)
            return
        if self._is_open():
            # What ends with this ends as what the task is by it.
            self._describe(event)
        if event.kind == kinds.TASK_DELETED:
            self._delete(event)
        elif event.data.get("to") is not None:
            self._move(event)
        elif "waits_for" in event.data:
            self._wait(event)

    def _begin(self, event: Event) -> None:
        data, at = event.data, event.at
        if event.kind == kinds.TASK_CREATED:
            self._enter(event, at)
            self._open(event, Status.NOT_STARTED, at)
            return
        target = Status(data["to"])
        created = min(moment(data.get("created_at")) or at, at)
        started = started_elsewhere(event)
        end, ended_from = end_elsewhere(event)
        source = data.get("created_from")
        if source is None:
            source = TimeSource.GIVEN if created < at else TimeSource.HERE
        if target in TERMINAL:
            end = max(end, created)
        self._enter(event, created, source=source)
        if started is not None:
            self._set(started_at=started)
        if target not in TERMINAL:
            if created < at:
                self._span(event, Status.NOT_STARTED, WaitReason.ELSEWHERE, created, at)
            self._open(event, target, at)
            return
        until = end
        if started is not None and ended_from != TimeSource.UNKNOWN:
            until = min(max(started, created), end)
        if created < until:
            self._span(event, Status.NOT_STARTED, WaitReason.ELSEWHERE, created, until)
        if until < end:
            self._span(event, Status.IN_PROGRESS, "", until, end)
        self._finish(event, EpisodeEnd(target.value), end, source=ended_from, elsewhere=True)

    def _move(self, event: Event) -> None:
        data, at = event.data, event.at
        source, target = Status(data["from"]), Status(data["to"])
        imported = event.kind == kinds.TASK_IMPORTED
        if source in TERMINAL:
            self._enter_again(event, target)
        elif not self._is_open():
            # Its history is not known: it was written by other means than verbs.
            self._enter(event, at, source=TimeSource.UNKNOWN)
        if imported and target in TERMINAL:
            self._end_by_import(event, target)
            return
        at = self._close(event, at)
        if data.get("verb") == "request_changes":
            self._add(changes_requested=1)
        if target in TERMINAL:
            self._finish(event, EpisodeEnd(target.value), at)
        else:
            self._open(event, target, at)

    def _end_by_import(self, event: Event, target: Status) -> None:
        """A file says that it ended elsewhere, which may be before what is known here: nothing ends before it began."""
        end, source = end_elsewhere(event)
        began = self.interval.began_at if self.interval is not None else end
        end = max(end, began)
        started = started_elsewhere(event)
        known = started is not None and source != TimeSource.UNKNOWN
        until = min(max(started, began), end) if started is not None and known else end
        at = self._close(event, until)
        if known and self.episode is not None:
            self._start(until)
        if at < end:
            self._span(event, Status.IN_PROGRESS, "", at, end)
        self._finish(event, EpisodeEnd(target.value), end, source=source, elsewhere=True)

    def _wait(self, event: Event) -> None:
        """What a task that is not started waits for has changed."""
        reason = event.data["waits_for"]
        if self.interval is not None:
            if self.interval.status != Status.NOT_STARTED or self.interval.reason == reason:
                return
            at = self._close(event, event.at)
        else:
            if not self._is_open():
                self._enter(event, event.at, source=TimeSource.UNKNOWN)
            at = event.at
        self._open(event, Status.NOT_STARTED, at)

    def _delete(self, event: Event) -> None:
        if self._is_open():
            at = self._close(event, event.at)
            self._finish(event, EpisodeEnd.DELETED, at)

    # Episodes

    def _is_open(self) -> bool:
        return self.episode is not None and not self.episode.end

    def _enter(self, event: Event, at: datetime, *, source: str = TimeSource.HERE, **values: Any) -> None:
        former = self.episode
        number = former.number + 1 if former is not None else 1
        creator = event.actor_name if begins(event) else former.created_by if former is not None else ""
        self.episode = row_of(self.tables.episode)(
            project_id=event.project_id,
            task_id=event.task_id,
            task_ref=event.task_ref,
            number=number,
            entered_at=at,
            entered_from=str(source),
            created_by=creator,
            **values,
        )
        self.episodes.append(self.episode)
        self._describe(event)

    def _enter_again(self, event: Event, target: Status) -> None:
        """The episode after one that ended. A result that comes after all continues that one."""
        former = self.episode
        if former is None or not former.end:
            if former is not None:
                at = self._close(event, event.at)
                self._finish(event, EpisodeEnd(event.data["from"]), at, source=TimeSource.UNKNOWN)
            self._enter(event, event.at, source=TimeSource.UNKNOWN)
        elif target == Status.NOT_STARTED:
            self._enter(event, event.at, is_reopened=former.end == EpisodeEnd.COMPLETED)
        else:
            self._enter(event, former.entered_at, source=former.entered_from, started_at=former.started_at)

    def _describe(self, event: Event) -> None:
        data = event.data
        if "priority" in data:
            self._set(due_at=moment(data.get("due_at")), estimate_minutes=data.get("estimate_minutes"))
        if kept := kept_by(event, self.label_sets):
            self._set(**kept)
            if self.interval is not None:
                self._alter(self.interval, **kept)

    def _finish(
        self,
        event: Event,
        end: EpisodeEnd,
        at: datetime,
        *,
        source: str = TimeSource.HERE,
        elsewhere: bool = False,
    ) -> None:
        self._set(end=end.value, ended_at=at, ended_from=str(source), is_imported=elsewhere)
        if end != EpisodeEnd.COMPLETED:
            return
        if elsewhere:
            credited = event.data.get("credited") or []
            agent = self._sole_agent(event)
            several = len(credited) > 1
        else:
            agent, several = event.agent_id, False
        credit = Credit.AGENT if agent is not None else Credit.SEVERAL if several else Credit.NOBODY
        self._set(credit=credit.value)
        if agent is not None:
            self._set(agent_id=agent)

    def _sole_agent(self, event: Event) -> int | None:
        """Who did what was done elsewhere, if the file names one."""
        credited = event.data.get("credited") or []
        return self.agents.get(credited[0]) if len(credited) == 1 else None

    # Intervals

    def _close(self, event: Event, at: datetime) -> datetime:
        """End the open interval, if there is one, at ``at`` or when it began; returns the time."""
        interval = self.interval
        if interval is None:
            return at
        at = max(at, interval.began_at)
        self._alter(interval, ended_at=at, **ended_by(event, interval.status))
        if interval.status == Status.IN_PROGRESS:
            self._count_run(interval, at)
        self.interval = None
        return at

    def _count_run(self, run: StatusInterval, at: datetime) -> None:
        self._add(
            failed_runs=int(run.outcome == RunStatus.FAILED),
            worked_seconds=(at - run.began_at).total_seconds(),
            input_tokens=run.input_tokens,
            output_tokens=run.output_tokens,
            cost=run.cost,
        )

    def _open(self, event: Event, status: Status, at: datetime) -> None:
        data = event.data
        reason = _REASONS.get(status, "")
        if status == Status.NOT_STARTED:
            reason = data.get("waits_for", WaitReason.NO_AGENT)
        interval = self._new(event, status, reason, at)
        if status == Status.IN_PROGRESS:
            interval.run_number = data.get("run")
            interval.version = data.get("agent_version", "")
            interval.is_pulled = data.get("source") == AssignmentSource.PULL
            self._start(at)
            self._set(agent_id=event.agent_id, version=interval.version)
            self._add(runs=1)
        if status != Status.NOT_STARTED:
            interval.agent_id = event.agent_id
        self.interval = interval

    def _start(self, at: datetime) -> None:
        assert self.episode is not None
        if self.episode.started_at is None:
            self._set(started_at=at)

    def _span(self, event: Event, status: Status, reason: str, began: datetime, ended: datetime) -> None:
        """An interval of what was before an import."""
        interval = self._new(event, status, reason, began)
        interval.ended_at = ended
        if status == Status.IN_PROGRESS:
            interval.agent_id = self._sole_agent(event)
            self._add(worked_seconds=(ended - began).total_seconds())

    def _new(self, event: Event, status: Status, reason: str, began: datetime) -> StatusInterval:
        assert self.episode is not None
        interval: StatusInterval = row_of(self.tables.interval)(
            project_id=event.project_id,
            task_id=event.task_id,
            task_ref=event.task_ref,
            episode=self.episode.number,
            status=status.value,
            reason=str(reason),
            began_at=began,
            priority=self.episode.priority,
            label_set_id=self.episode.label_set_id,
        )
        self.intervals.append(interval)
        return interval

    # Changes

    def _alter(self, interval: StatusInterval, **values: Any) -> None:
        if interval is self.begun:
            # ``ending`` may have been stored already.
            self.altered.update(name for name, value in values.items() if getattr(interval, name) != value)
        for name, value in values.items():
            setattr(interval, name, value)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self.episode, name, value)
        self._touch(values)

    def _add(self, **values: Any) -> None:
        values = {name: value for name, value in values.items() if value}
        for name, value in values.items():
            setattr(self.episode, name, getattr(self.episode, name) + value)
        self._touch(values)

    def _touch(self, names: Any) -> None:
        if self.episode is self.known:
            self.touched.update(names)
