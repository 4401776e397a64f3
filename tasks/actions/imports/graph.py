"""Cycles among what waits for what."""

import heapq
from collections import defaultdict
from collections.abc import Hashable, Iterable
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

N = TypeVar("N", bound=Hashable)

#: If everything waits for everything, the number of cycles explodes; nobody reads more than this many.
MOST_CYCLES = 100


def find_cycles(waits_for: dict[N, set[N]]) -> list[list[N]]:
    """Cycles of the graph, each from a node back to itself along *waits for*; removing them all leaves none.

    At most ``MOST_CYCLES`` are returned.
    """
    cycles: list[list[N]] = []
    while len(cycles) < MOST_CYCLES and (stuck := _stuck(waits_for)):
        waits_for = {node: waits_for[node] & stuck.keys() for node in stuck}
        walked: set[N] = set()
        new: list[list[N]] = []
        for start in stuck:
            path: dict[N, None] = {}
            node = start
            while node not in walked:
                walked.add(node)
                path[node] = None
                # Each stuck node waits for at least one stuck node, which is what keeps it stuck.
                node = min(waits_for[node], key=stuck.__getitem__)
            if node in path:
                nodes = list(path)
                new.append([*nodes[nodes.index(node) :], node])
        for cycle in new:
            waits_for[cycle[0]].discard(cycle[1])
        cycles += new
    return cycles[:MOST_CYCLES]


def _stuck(waits_for: dict[N, set[N]]) -> dict[N, int]:
    """The nodes that are in a cycle or wait for one, in their order in ``waits_for``."""
    sorter = TopologicalSorter(waits_for)
    try:
        sorter.prepare()
    except CycleError:
        pass
    else:
        return {}
    free: set[N] = set()
    while ready := sorter.get_ready():
        free.update(ready)
        sorter.done(*ready)
    return {node: place for place, node in enumerate(waits_for) if node not in free}


def in_order(nodes: Iterable[N], waits_for: dict[N, set[N]]) -> list[N]:
    """``nodes`` in their given order, except that each comes after those it waits for. The graph must be acyclic."""
    places = {node: place for place, node in enumerate(nodes)}
    by_place = list(places)
    followers: dict[N, list[N]] = defaultdict(list)
    waiting = {}
    for node in by_place:
        before = [other for other in waits_for.get(node, ()) if other in places]
        waiting[node] = len(before)
        for other in before:
            followers[other].append(node)
    heap = [place for place, node in enumerate(by_place) if not waiting[node]]
    ordered = []
    while heap:
        node = by_place[heapq.heappop(heap)]
        ordered.append(node)
        for follower in followers[node]:
            waiting[follower] -= 1
            if not waiting[follower]:
                heapq.heappush(heap, places[follower])
    return ordered
