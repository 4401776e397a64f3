"""What waits for itself in a plan: links that no longer matter are left out and noted; any other cycle is refused."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tasks.actions.imports.graph import find_cycles
from tasks.actions.imports.node import Fate, Node
from tasks.actions.imports.plan import Problem, in_the_file
from tasks.models import Dependency, Task
from tasks.transitions import TERMINAL, satisfies_dependency

if TYPE_CHECKING:
    from tasks.actions.imports.draft import Draft

Graph = dict[Any, set[Any]]
#: Who waits for whom: the key of the one that waits, then of the other.
Edge = tuple[Node, Node]


def settle_cycles(draft: "Draft") -> None:
    """Leave out what closes a cycle without need, until no such cycle is left; refuse the other cycles."""
    waits_for = _graph(draft)
    nodes: dict[Any, Node] = {node.key: node for node in draft.nodes} | draft.node_of_task
    while cycles := find_cycles(waits_for):
        _read_missing(nodes, {key for cycle in cycles for key in cycle})
        settled = False
        for keys in cycles:
            cycle = [nodes[key] for key in keys]
            # An earlier cycle of this round may have shared the link.
            if all(other.key in waits_for[node.key] for node, other in pairwise(cycle)) and _settle(cycle, waits_for):
                settled = True
        if not settled:
            draft.problems += [problem for keys in cycles for problem in _refusal([nodes[key] for key in keys])]
            return


def _graph(draft: "Draft") -> Graph:
    writing = [node for node in draft.nodes if node.writes]
    waits_for: Graph = defaultdict(set)
    for node in writing:
        waits_for[node.key] = set()
    parent_of: dict[Any, Any] = dict(_edges_in_project(draft, writing, waits_for))
    for node in writing:
        if node.depends_on is not None:
            waits_for[node.key] = {other.key for other in node.depends_on}
        if node.gives("parent"):
            parent_of[node.key] = node.parent.key if node.parent else None
    for child, parent in parent_of.items():
        if parent is not None:
            waits_for[parent].add(child)
    return dict(waits_for)


def _edges_in_project(draft: "Draft", writing: list[Node], waits_for: Graph) -> Iterator[tuple[int, int]]:
    """Add the project's own edges, unless the plan cannot have touched them: then no cycle leads through them."""
    if all(
        node.fate == Fate.CREATE
        and all(other.fate == Fate.CREATE for other in (*(node.depends_on or ()), node.parent) if other)
        for node in writing
    ):
        return
    edges = Dependency.objects.filter(task__project=draft.project)
    for task_id, other in edges.order_by().values_list("task_id", "depends_on_id").iterator():
        waits_for[task_id].add(other)
    children = Task.objects.filter(project=draft.project, parent__isnull=False)
    yield from children.order_by().values_list("pk", "parent_id").iterator()


def _read_missing(nodes: dict[Any, Node], keys: set[Any]) -> None:
    missing = Task.objects.filter(pk__in=[key for key in keys if key not in nodes]).select_related("project")
    nodes.update((task.pk, Node(task=task)) for task in missing)


def _gives_dependency(node: Node, other: Node) -> bool:
    return node.writes and node.planned is not None and other in (node.depends_on or ())


def _gives_parent(node: Node, other: Node) -> bool:
    """Whether ``node`` waits for ``other`` because the file makes it the parent."""
    return other.writes and other.planned is not None and other.parent is node


def _settle(cycle: list[Node], waits_for: Graph) -> bool:
    """Leave out one link of ``cycle`` that is not needed, if there is any: of several the last in the file."""
    edges = list(pairwise(cycle))
    names = " → ".join(node.name for node in cycle)
    for node, other in edges:
        if _gives_parent(node, other) and other.parent_is_implied:
            _drop_parent(other, f"the id says {node.name}, but that would create a cycle ({names}).")
            break
    else:
        dependencies = [edge for edge in edges if _gives_dependency(*edge)]
        over = [edge for edge in dependencies if edge[0].status in TERMINAL or satisfies_dependency(edge[1].status)]
        own = dependencies if len(edges) > len(dependencies) == 1 and _rest_are_parents(edges, dependencies[0]) else []
        if over:
            node, other = max(over, key=lambda edge: _place(edge[0]))
            which = node if node.status in TERMINAL else other
            reason = f"{which.name} is over, and it creates a cycle ({names})."
            _drop_dependency(node, other, reason)
        elif own:
            node, other = own[0]
            reason = f"{other.name} is above it and waits for it ({names})."
            _drop_dependency(node, other, reason)
        else:
            parents = [edge for edge in edges if _gives_parent(*edge)]
            if not parents or any(node.status not in TERMINAL for node in cycle):
                return False
            node, other = max(parents, key=lambda edge: _place(edge[1]))
            _drop_parent(other, f"{node.name} as its parent creates a cycle ({names}); all of them are over.")
    if not (_gives_dependency(node, other) or _gives_parent(node, other) or _is_stored_parent(node, other)):
        waits_for[node.key].discard(other.key)
    return True


def _place(node: Node) -> tuple[int, int]:
    return node.entry.line, node.entry.item


def _rest_are_parents(edges: list[Edge], dependency: Edge) -> bool:
    rest = (edge for edge in edges if edge != dependency)
    return all(other.parent is node or _is_stored_parent(node, other) for node, other in rest)


def _is_stored_parent(node: Node, other: Node) -> bool:
    if other.task is None or node.task is None or (other.writes and other.gives("parent")):
        return False
    return other.task.parent_id == node.task.pk


def _drop_dependency(node: Node, other: Node, reason: str) -> None:
    node.depends_on = [each for each in node.depends_on or () if each is not other]
    if node.links is not None and ("blocks", other) not in node.links:
        node.links.append(("blocks", other))
    node.entry.notes.append(node.entry.note("depends_on", f"Does not wait for {other.name} here: {reason}"))


def _drop_parent(node: Node, reason: str) -> None:
    node.parent = None
    node.entry.values["parent"] = None
    node.entry.notes.append(node.entry.note("parent", f"Has no parent here: {reason}"))


def _refusal(cycle: list[Node]) -> list[Problem]:
    detail = f"That creates a cycle, in which each waits for the next: {' → '.join(node.name for node in cycle)}."
    problems = []
    for node, other in pairwise(cycle):
        if _gives_dependency(node, other):
            problems.append(node.entry.problem("depends_on", detail))
        elif _gives_parent(node, other):
            problems.append(other.entry.problem("parent", f"{detail[:-1]}; a parent waits for its children."))
    return sorted(problems, key=in_the_file)[:1]
