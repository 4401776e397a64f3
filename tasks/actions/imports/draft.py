"""A plan compared with the project: what each of its tasks would become, and every problem. Writes nothing."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

from django.db import connection

from tasks import clock
from tasks.actions.funnel import lock_tasks
from tasks.actions.imports.graph import find_cycles
from tasks.actions.imports.node import Fate, Node, Present, batches
from tasks.actions.imports.plan import Plan, Problem, shown
from tasks.errors import unknown_name
from tasks.events import kinds
from tasks.models import Agent, Dependency, Event, Membership, Project, Role, Task
from tasks.refs import number_in
from tasks.transitions import TERMINAL, Status

#: The events that store what the file said about a task when it was last imported.
IMPORTS = (kinds.TASK_IMPORTED, kinds.TASK_REIMPORTED)

LABEL_LENGTH = 60
#: Clocks differ, but nothing can have happened further in the future than this.
CLOCK_TOLERANCE = timedelta(days=1)


def _lock_with_the_tasks_around(held: set[int], referred: set[int]) -> None:
    """Lock everything that the import may write or count before writing: in id order, like all verbs."""
    around: set[int] = set()
    for ids in batches(held):
        around.update(Task.objects.filter(pk__in=ids, parent__isnull=False).values_list("parent_id", flat=True))
        around.update(Dependency.objects.filter(depends_on__in=ids).values_list("task_id", flat=True))
    for ids in batches(sorted(held | referred | around)):
        lock_tasks(ids)


class Draft:
    """``plan`` compared with ``project`` at ``now``; ``problems`` lists everything that prevents writing it.

    With ``lock`` what it may write is locked, since before ``now``.
    """

    def __init__(self, project: Project, plan: Plan, *, lock: bool) -> None:
        self.project, self.plan, self.lock = project, plan, lock
        self.problems: list[Problem] = list(plan.problems)
        self._by_key: dict[str, Node] = {}
        self._by_external_id: dict[str, Node] = {}
        self._in_project: dict[str, Node] = {}
        self.node_of_task: dict[int, Node] = {}
        self.nodes = [Node(planned=planned) for planned in plan.tasks]
        self._name_nodes()
        self._find_tasks()
        self.now = clock.now()
        self._decide()
        self._resolve_references()
        self._resolve_assignees()
        self._check_times()
        self._compare()
        self._check_cycles()

    def with_fate(self, fate: Fate) -> list[Node]:
        return [node for node in self.nodes if node.fate == fate]

    def _refuse(self, node: Node, of: str, detail: str) -> None:
        self.problems.append(node.entry.problem(of, detail))

    # Names

    def _name_nodes(self) -> None:
        for node in self.nodes:
            planned = node.entry
            if planned.key is not None:
                first = self._by_key.setdefault(planned.key, node)
                if first is not node:
                    self._refuse_double(node, "key", planned.key, first)
                    continue
            first = self._by_external_id.setdefault(planned.external_id, node)
            if first is not node:
                self._refuse_double(node, "external_id", planned.external_id, first)

    def _refuse_double(self, node: Node, of: str, value: str, first: Node) -> None:
        self._refuse(node, of, f"{shown(value)} is already the task of {first.entry.place}.")

    def _find_tasks(self) -> None:
        """The tasks of the project that the plan contains or refers to, by external id or ref."""
        used = {name for _, _, name in self._names_used()} - self._by_key.keys() - self._by_external_id.keys()
        by_number: dict[int, list[str]] = defaultdict(list)
        for name in used:
            if (number := number_in(self.project.key, name)) is not None:
                by_number[number].append(name)
        tasks = Task.objects.filter(project=self.project).order_by()
        held: set[int] = set()
        ids: set[int] = set()
        for batch in batches(self._by_external_id):
            held.update(tasks.filter(external_id__in=batch).values_list("pk", flat=True))
        for batch in batches(used):
            ids.update(tasks.filter(external_id__in=batch).values_list("pk", flat=True))
        for batch in batches(by_number):
            ids.update(tasks.filter(number__in=batch).values_list("pk", flat=True))
        ids |= held
        if self.lock and connection.features.has_select_for_update:
            _lock_with_the_tasks_around(held, ids)
        for batch in batches(sorted(ids)):
            for task in tasks.filter(pk__in=batch).order_by("pk"):
                task.project = self.project
                node = self._by_external_id.get(task.external_id or "")
                if node is None:
                    node = Node(task=task)
                node.task = task
                self.node_of_task[task.pk] = node
                self._in_project.update(dict.fromkeys(by_number.get(task.number, ()), node))
                if task.external_id is not None:
                    self._in_project.setdefault(task.external_id, node)

    def _decide(self) -> None:
        """Decide what becomes of each task, by what was recorded when it was last imported."""
        imported: dict[int, dict[str, Any]] = defaultdict(dict)
        for ids in batches(self.node_of_task):
            events = Event.objects.filter(project=self.project, kind__in=IMPORTS, task__in=ids)
            for task_id, data in events.order_by("pk").values_list("task_id", "data"):
                # An import that did not change the status says nothing of it: an earlier one did.
                imported[task_id] |= data
        for node in self.nodes:
            if node.task is None:
                node.fate = Fate.CREATE
                continue
            last = imported[node.row.pk]
            if last.get("fingerprint") == node.entry.fingerprint():
                node.fate = Fate.UNCHANGED
            elif node.row.run_count or node.row.status != last.get("to", Status.NOT_STARTED):
                node.fate = Fate.LEAVE_ALONE
            else:
                node.fate = Fate.UPDATE

    # References

    def _names_used(self) -> Iterator[tuple[Node, str, str]]:
        for node in self.nodes:
            values = node.entry.values
            for name in values.get("depends_on") or ():
                yield node, "depends_on", name
            if values.get("parent"):
                yield node, "parent", values["parent"]
            for _, name in values.get("links") or ():
                yield node, "links", name

    def _find(self, name: str) -> Node | None:
        return self._by_key.get(name) or self._by_external_id.get(name) or self._in_project.get(name)

    def _resolve_references(self) -> None:
        for node in self.nodes:
            values = node.entry.values
            node.labels = list(values["labels"]) if "labels" in values else None
            if "depends_on" in values:
                node.depends_on = self._found(node, "depends_on", values["depends_on"])
            if values.get("parent"):
                node.parent = next(iter(self._found(node, "parent", [values["parent"]])), None)
            if "links" in values:
                self._resolve_links(node, values["links"])

    def _found(self, node: Node, of: str, names: Iterable[str]) -> list[Node]:
        nodes: dict[Node, None] = {}
        for name in names:
            other = self._find(name)
            if other is not None:
                nodes[other] = None
            elif self.plan.complete and name not in self.plan.gone:
                detail = f"There is no task {shown(name)} in this file or in {self.project.key}."
                self._refuse(node, of, detail)
        return list(nodes)

    def _resolve_links(self, node: Node, links: Iterable[tuple[str, str]]) -> None:
        """Turn a link to an unknown task into a label, so that nothing is lost."""
        typed_links: dict[tuple[str, Node], None] = {}
        labels = dict.fromkeys(node.labels or ())
        for kind, name in links:
            other = self._find(name)
            if other is None and name in self.plan.gone:
                continue
            if other is None:
                labels[f"{kind}:{name}"[:LABEL_LENGTH].strip()] = None
            else:
                typed_links[kind, other] = None
        node.links = list(typed_links)
        if labels or node.labels is not None:
            node.labels = list(labels)

    def _resolve_assignees(self) -> None:
        if not any(node.gives("assignees") for node in self.nodes):
            return
        members = Membership.objects.filter(project=self.project, user__agent__isnull=False)
        known: dict[str, tuple[Agent, str]] = {
            membership.user.agent.slug: (membership.user.agent, membership.role)
            for membership in members.select_related("user__agent")
        }
        for node in self.nodes:
            if not node.gives("assignees"):
                continue
            node.assignees = []
            for slug in dict.fromkeys(node.entry.values["assignees"]):
                agent, role = known.get(slug, (None, None))
                if agent is None:
                    what = f"agent in {self.project.key} named"
                    self._refuse(node, "assignees", unknown_name(shown(slug), known, what=what))
                elif role == Role.VIEWER:
                    self._refuse(
                        node, "assignees", f"{slug} is only a viewer of {self.project.key}; make it a worker first."
                    )
                elif not agent.enabled and node.status not in TERMINAL:
                    self._refuse(node, "assignees", f"{slug} is disabled.")
                else:
                    node.assignees.append(agent)

    # Values that must fit each other

    def _check_times(self) -> None:
        for node in self.nodes:
            if node.fate == Fate.UNCHANGED:
                continue
            values = node.entry.values
            due, begin = node.value("due_at"), node.value("start_after")
            if due and begin and due <= begin and node.writes:
                given = "due_at" if "due_at" in values else "start_after"
                self._refuse(node, given, "due_at must be later than start_after.")
            completed = values.get("completed_at")
            if completed and values.get("status", node.status) != Status.COMPLETED:
                self._refuse(node, "completed_at", "Only a completed task may have one.")
            for name in ("created_at", "started_at"):
                if completed and values.get(name) and values[name] > completed:
                    self._refuse(node, "completed_at", f"Must not be before {name}.")
            for name in ("created_at", "started_at", "completed_at", "updated_at"):
                if values.get(name) and values[name] > self.now + CLOCK_TOLERANCE:
                    self._refuse(node, name, "Is in the future.")

    # What differs

    def _compare(self) -> None:
        nodes = [node for node in self.nodes if node.fate in (Fate.UPDATE, Fate.LEAVE_ALONE)]
        if nodes:
            present = Present(nodes)
            for node in nodes:
                node.changed = present.differing(node)
                if not node.changed:
                    node.fate = Fate.UNCHANGED

    # Cycles

    def _check_cycles(self) -> None:
        writing = [node for node in self.nodes if node.writes]
        waits_for: dict[Any, set[Any]] = defaultdict(set)
        for node in writing:
            waits_for[node.key] = set()
        parent_of: dict[Any, Any] = dict(self._parents_in_project(writing, waits_for))
        for node in writing:
            if node.depends_on is not None:
                waits_for[node.key] = {other.key for other in node.depends_on}
            if node.gives("parent"):
                parent_of[node.key] = node.parent.key if node.parent else None
        for child, parent in parent_of.items():
            if parent is not None:
                waits_for[parent].add(child)
        by_key: dict[Any, Node] = {node.key: node for node in self.nodes} | self.node_of_task
        for cycle in find_cycles(dict(waits_for)):
            self._refuse_cycle(cycle, by_key)

    def _parents_in_project(self, writing: list[Node], waits_for: dict[Any, set[Any]]) -> Iterator[tuple[int, int]]:
        """Add the project's own edges, unless the plan cannot have touched them: then no cycle leads through them."""
        if all(
            node.fate == Fate.CREATE
            and all(o.fate == Fate.CREATE for o in (*(node.depends_on or ()), node.parent) if o)
            for node in writing
        ):
            return
        edges = Dependency.objects.filter(task__project=self.project)
        for task_id, other in edges.order_by().values_list("task_id", "depends_on_id").iterator():
            waits_for[task_id].add(other)
        children = Task.objects.filter(project=self.project, parent__isnull=False)
        yield from children.order_by().values_list("pk", "parent_id").iterator()

    def _refuse_cycle(self, cycle: list[Any], by_key: dict[Any, Node]) -> None:
        missing = [key for key in cycle if key not in by_key]
        for task in Task.objects.filter(pk__in=missing):
            task.project = self.project
            by_key[task.pk] = Node(task=task)
        nodes = [by_key[key] for key in cycle]
        detail = f"That creates a cycle, in which each waits for the next: {' → '.join(node.name for node in nodes)}."
        problems = []
        for node, other in pairwise(nodes):
            if node.writes and node.planned and other in (node.depends_on or ()):
                problems.append(node.entry.problem("depends_on", detail))
            elif other.writes and other.planned and other.parent is node:
                problems.append(other.entry.problem("parent", f"{detail[:-1]}; a parent waits for its children."))
        self.problems += sorted(problems)[:1]
