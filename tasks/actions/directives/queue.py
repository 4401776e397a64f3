"""The queue of each run: what its holder must be told, the oldest first, until it is acknowledged.

It is fed from several ``SOURCES``, which keep the rows. ``Run.has_directives`` says whether there may be any, so that a
run without directives costs no query. Whoever adds one (``added``) has locked the run; lock order: runs, tasks, and
last what the sources keep.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from tasks.actions.directives.answers import answers
from tasks.actions.directives.instructions import instructions
from tasks.actions.directives.source import Directive, Source
from tasks.errors import Invalid
from tasks.models import Run, Task

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SOURCES: Final[tuple[Source, ...]] = (instructions, answers)
_BY_NAME: Final = {source.name: source for source in SOURCES}
_ID: Final = re.compile(r"([a-z])([0-9]{1,18})")


def pending(runs: Iterable[Run]) -> dict[UUID, list[Directive]]:
    """What is not acknowledged, by run, the oldest first. Only reads: showing it delivers nothing."""
    waited_for = [run for run in runs if run.has_directives and run.ended_at is None]
    by_run: defaultdict[UUID, list[Directive]] = defaultdict(list)
    if waited_for:
        for source in SOURCES:
            for directive in source.pending(waited_for):
                by_run[directive.run_id].append(directive)
    for directives in by_run.values():
        directives.sort(key=lambda directive: directive.place)
    return by_run


def added(run: Run) -> None:
    """A source has a new directive for ``run``, which is active and locked."""
    if not run.has_directives:
        Run.objects.filter(pk=run.pk).update(has_directives=True)
        run.has_directives = True


def acknowledge(run: Run, ids: Sequence[str], *, at: datetime, actor: "User | None") -> None:
    """Mark the directives with these ids as acknowledged by the holder of ``run``, which is locked; all or none.

    What has a final state already stays as it is, so repeating it is safe. Raises ``Invalid`` for any id that is not
    one of this run's directives.
    """
    by_source: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for text in ids:
        match = _ID.fullmatch(text)
        if match is None or match[1] not in _BY_NAME:
            raise _unknown(text)
        by_source[match[1]][int(match[2])] = text
    for name, texts in by_source.items():
        known = _BY_NAME[name].acknowledge(run, list(texts), at=at, actor=actor)
        for pk, text in texts.items():
            if pk not in known:
                raise _unknown(text)


def _unknown(text: str) -> Invalid:
    return Invalid({"ack": f"This run has no directive {text[:30]!r}; acknowledge what its replies brought."})


def end(run: Run, *, at: datetime) -> None:
    """``run``, which is locked, has ended: each pending directive gets its final state or waits for the next run."""
    if run.has_directives:
        for source in SOURCES:
            source.end(run, at=at)


def hand_over(task: Task, run: Run) -> None:
    """Give ``run``, just opened, what was kept for the next run of ``task``, which is locked."""
    if task.has_kept_directives:
        for source in SOURCES:
            if source.hand_over(task, run):
                added(run)
        Task.objects.filter(pk=task.pk).update(has_kept_directives=False)
        task.has_kept_directives = False


def drop_kept(task: Task, *, at: datetime) -> None:
    """``task``, which is locked, has ended, and so there is no next run for what was kept."""
    if task.has_kept_directives:
        for source in SOURCES:
            source.drop_kept(task, at=at)
        Task.objects.filter(pk=task.pk).update(has_kept_directives=False)
        task.has_kept_directives = False
