"""Times that cannot be as a file has them: clocks differ, so they are set right and noted, and refuse nothing."""

from datetime import datetime, timedelta

from tasks.actions.imports.node import Node

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
    for name, earlier in FOLLOWS.items():
        moments = [(moment, of) for of in earlier if (moment := values.get(of) or getattr(node.task, of, None))]
        last, of = max(moments, default=(None, ""))
        if last is not None and values.get(name) and values[name] < last:
            called = entry.places.get(of, (0, of))[1]
            entry.notes.append(entry.note(name, f"Was before {called}; it is now the same."))
            values[name] = last
