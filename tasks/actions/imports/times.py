"""The times of a task as an import takes them, and where each comes from.

Those that cannot be as a file has them are set right and noted, since clocks differ, and refuse nothing.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from tasks.actions.imports.node import Node, Times
from tasks.actions.imports.plan import MissingTimes
from tasks.models import TimeSource
from tasks.transitions import TERMINAL, Status

#: Clocks differ, but nothing can have happened further in the future than this.
CLOCK_TOLERANCE = timedelta(days=1)
#: Each of these cannot lie before those that precede it in its tuple.
FOLLOWS = {
    "started_at": ("created_at",),
    "completed_at": ("created_at", "started_at"),
    "updated_at": ("created_at",),
}


def mend_times(node: Node, now: datetime) -> None:
    """Move times of ``node`` that lie in the future to ``now``, and those before what they follow up to it."""
    values, entry = node.entry.values, node.entry
    for name in ("created_at", *FOLLOWS):
        if values.get(name) and values[name] > now + CLOCK_TOLERANCE:
            entry.notes.append(entry.note(name, "Was in the future; it is now the time of the import."))
            values[name] = now
            node.moved[name] = TimeSource.UNKNOWN
    _know_creation(node)
    for name, earlier in FOLLOWS.items():
        moments = [(moment, of) for of in earlier if (moment := values.get(of) or getattr(node.task, of, None))]
        last, of = max(moments, default=(None, ""))
        if last is not None and values.get(name) and values[name] < last:
            called = entry.places.get(of, (0, of))[1]
            entry.notes.append(entry.note(name, f"Was before {called}; it is now the same."))
            values[name] = last
            node.moved.setdefault(name, TimeSource.INFERRED)


def _know_creation(node: Node) -> None:
    """Move a creation of which nothing was known before what the file now says of the task's life."""
    values = node.entry.values
    if not node.creation_unknown or values.get("created_at"):
        return
    first, of = min(((values[name], name) for name in FOLLOWS if values.get(name)), default=(None, ""))
    if first is not None and first < node.row.created_at:
        values["created_at"] = first
        is_all = values.get("completed_at") == first or (of == "updated_at" and node.status == Status.COMPLETED)
        node.moved["created_at"] = TimeSource.UNKNOWN if is_all else TimeSource.INFERRED


def times_of(node: Node, now: datetime) -> Times:
    """When the task of ``node`` was created and completed; to be asked once its times are mended."""
    completed, completed_from = _completion(node, now)
    if created := node.value("created_at"):
        created_from = node.moved.get("created_at", TimeSource.GIVEN)
        begins_here = created_from is TimeSource.UNKNOWN
    else:
        others = (now, node.entry.values.get("updated_at"), node.value("started_at"), completed)
        created = min(filter(None, others))
        # Of a completion alone nothing follows: it would have taken no time at all.
        created_from = TimeSource.INFERRED if created < (completed or now) else TimeSource.UNKNOWN
        begins_here = created == now
    if begins_here and node.status not in TERMINAL:
        return Times(created, None)
    return Times(created, created_from, completed, completed_from)


def _completion(node: Node, now: datetime) -> tuple[datetime | None, TimeSource | None]:
    if node.status != Status.COMPLETED:
        return None, None
    values = node.entry.values
    if values.get("completed_at"):
        return values["completed_at"], node.moved.get("completed_at", TimeSource.GIVEN)
    changed = values.get("updated_at")
    known = changed is not None and node.moved.get("updated_at") is not TimeSource.UNKNOWN
    moments = (changed or now, node.value("started_at"), node.value("created_at"))
    return max(filter(None, moments)), TimeSource.INFERRED if known else TimeSource.UNKNOWN


def missing_times(nodes: Iterable[Node]) -> MissingTimes:
    """How many of the tasks of ``nodes`` that are written come in completed at a time that the file does not give."""
    missing = MissingTimes()
    for node in nodes:
        times = node.times
        if not node.writes or not node.ends_anew or times is None or times.completed_from is None:
            continue
        missing.completion_unknown += times.completed_from is TimeSource.UNKNOWN
        missing.completion_inferred += times.completed_from is TimeSource.INFERRED
        if times.completed_from is not TimeSource.UNKNOWN:
            missing.creation_unknown += times.created_from is TimeSource.UNKNOWN
            missing.creation_inferred += times.created_from is TimeSource.INFERRED
    return missing
