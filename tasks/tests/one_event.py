"""That one verb records one event for each task that it touches."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.models import Event


@contextmanager
def one_event_for_each_task() -> Iterator[list[Event]]:
    """What happens inside is one verb; yields a list that holds its events afterwards."""
    newest = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    events: list[Event] = []
    yield events
    events += Event.objects.filter(pk__gt=newest).order_by("pk")
    counted = Counter(event.task_ref for event in events if event.task_ref)
    several = {ref: [e.kind for e in events if e.task_ref == ref] for ref, n in counted.items() if n > 1}
    assert not several, f"one verb recorded several events for a task: {several}"
