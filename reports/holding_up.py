"""Which tasks hold up how many others: a walk over what waits for what. Pure."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple


class Hold(NamedTuple):
    """``blocker`` holds up ``directly`` as many tasks, and ``in_all`` with what waits for those, and so on."""

    blocker: int
    directly: int
    in_all: int


def top(edges: Iterable[tuple[int, int]], most: int, *, check: Callable[[], None] = lambda: None) -> list[Hold]:
    """The ``most`` blockers that hold up the most in all, then directly, then the oldest (by id).

    ``edges``: (task that waits, what it waits for), without cycles. ``check`` is called before each walk: before many
    roots of one long chain it is walked from each of them, and what ``check`` raises ends that.
    """
    waiting: dict[int, set[int]] = defaultdict(set)
    left: dict[int, set[int]] = defaultdict(set)
    for task, blocker in edges:
        waiting[blocker].add(task)
        left[task].add(blocker)

    def rank(blocker: int) -> tuple[int, int, int]:
        check()
        return (-len(_reached(waiting, blocker)), -len(waiting[blocker]), blocker)

    # What waits for a task holds up less in all than that task does: so the next one is always among those that wait
    # for nothing but what is listed, and most tasks are never walked from.
    heap = [rank(blocker) for blocker in list(waiting) if not left.get(blocker)]
    heapq.heapify(heap)
    listed: list[Hold] = []
    while heap and len(listed) < most:
        in_all, directly, blocker = heapq.heappop(heap)
        listed.append(Hold(blocker, -directly, -in_all))
        for task in waiting[blocker]:
            left[task].discard(blocker)
            if not left[task] and task in waiting:
                heapq.heappush(heap, rank(task))
    return listed


def _reached(waiting: Mapping[int, set[int]], blocker: int) -> set[int]:
    """All that waits for ``blocker``, over any number of steps."""
    reached: set[int] = set()
    frontier = [blocker]
    while frontier:
        for task in waiting.get(frontier.pop(), ()):
            if task not in reached:
                reached.add(task)
                frontier.append(task)
    return reached
