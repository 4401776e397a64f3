"""A plan compared with the project: what each of its tasks would become, and every problem. Writes nothing."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import connection

from tasks import clock
from tasks.actions.imports.comments import find_new_comments
from tasks.actions.imports.cycles import settle_cycles
from tasks.actions.imports.node import Fate, Node, Present
from tasks.actions.imports.plan import Note, Plan, Problem, held, in_the_file, shown
from tasks.actions.imports.times import mend_times, times_of
from tasks.actions.locking import lock_tasks
from tasks.batches import batches
from tasks.errors import unknown_name
from tasks.events import kinds
from tasks.models import Agent, Dependency, Event, Membership, Project, Role, Task, TimeSource
from tasks.refs import number_in
from tasks.transitions import TERMINAL, Status

#: The events that store what the file said about a task when it was last imported.
IMPORTS = (kinds.TASK_IMPORTED, kinds.TASK_REIMPORTED)

LABEL_LENGTH = 60


def _lock_with_the_tasks_around(held: set[int], referred: set[int]) -> None:
    """Lock everything that the import may write or count before writing: in id order, like all verbs."""
    around: set[int] = set()
    for ids in batches(held):
        around.update(Task.objects.filter(pk__in=ids, parent__isnull=False).values_list("parent_id", flat=True))
        around.update(Dependency.objects.filter(depends_on__in=ids).values_list("task_id", flat=True))
    for ids in batches(sorted(held | referred | around)):
        lock_tasks(ids)


def _is_older(node: Node) -> bool:
    """Whether the source has since said something newer about the task."""
    said, known = node.source_updated_at, node.row.source_updated_at
    return said is not None and known is not None and said < known


def _is_of_new(note: Note, node: Node) -> bool:
    """Whether it is about comments, some of which come in even if the task stays as it is."""
    return note.field == "comments" and bool(node.comments)


class Draft:
    """``plan`` compared with ``project`` at ``now``; ``problems`` lists everything that prevents writing it.

    With ``lock`` what it may write is locked, since before ``now``.
    """

    def __init__(self, project: Project, plan: Plan, *, lock: bool) -> None:
        self.project, self.plan, self.lock = project, plan, lock
        self.problems: list[Problem] = list(plan.problems)
        self.unknown_assignees: set[str] = set()
        self._by_key: dict[str, Node] = {}
        self._by_external_id: dict[str, Node] = {}
        self._in_project: dict[str, Node] = {}
        self.node_of_task: dict[int, Node] = {}
        self.nodes = [Node.of(planned) for planned in plan.tasks]
        self._name_nodes()
        self._find_tasks()
        self.now = clock.now()
        self._decide()
        self._resolve_references()
        self._resolve_assignees()
        self._check_times()
        settle_cycles(self)
        self._compare()
        find_new_comments(self.nodes)

    def with_fate(self, fate: Fate) -> list[Node]:
        return [node for node in self.nodes if node.fate == fate]

    def notes(self) -> list[Note]:
        """What the file has and these tasks do not take as it stands, in the file's order."""
        of_tasks = (note for node in self.nodes for note in node.entry.notes if node.writes or _is_of_new(note, node))
        return sorted([*self.plan.notes, *of_tasks], key=in_the_file)

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
        for numbers in batches(by_number):
            ids.update(tasks.filter(number__in=numbers).values_list("pk", flat=True))
        ids |= held
        if self.lock and connection.features.has_select_for_update:
            _lock_with_the_tasks_around(held, ids)
        for pks in batches(sorted(ids)):
            for task in tasks.filter(pk__in=pks).order_by("pk"):
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
            node.creation_unknown = last.get("created_from") == TimeSource.UNKNOWN
            if last.get("fingerprint") == node.fingerprint:
                node.fate = Fate.UNCHANGED
            elif _is_older(node):
                node.fate = Fate.OLDER
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
            for name in node.entry.implied_parents:
                yield node, "parent", name
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
            elif node.entry.implied_parents:
                self._imply_parent(node)
            if "links" in values:
                self._resolve_links(node, values["links"])

    def _imply_parent(self, node: Node) -> None:
        for name in node.entry.implied_parents:
            other = self._find(name)
            if other is not None and other is not node:
                node.parent, node.parent_is_implied = other, True
                node.entry.values["parent"] = name
                return

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
        unknown: dict[str, list[Node]] = defaultdict(list)
        for node in self.nodes:
            if not node.gives("assignees"):
                continue
            node.assignees = []
            for slug in dict.fromkeys(node.entry.values["assignees"]):
                agent, role = known.get(slug, (None, None))
                if agent is None:
                    unknown[slug].append(node)
                elif role == Role.VIEWER:
                    self._refuse(
                        node, "assignees", f"{slug} is only a viewer of {self.project.key}; make it a worker first."
                    )
                elif not agent.enabled and node.status not in TERMINAL:
                    self._refuse(node, "assignees", f"{slug} is disabled.")
                else:
                    node.assignees.append(agent)
        for slug, nodes in unknown.items():
            # Once for each name: the same people stand on most lines of a file.
            sentence = unknown_name(shown(slug), known, what=f"agent in {self.project.key} named")
            more = ""
            if others := len(nodes) - 1:
                more = f" {others} more task{'s have' if others > 1 else ' has'} it, too."
            self._refuse(nodes[0], "assignees", sentence + more)
        self.unknown_assignees = set(unknown)

    # Values that must fit each other

    def _check_times(self) -> None:
        for node in self.nodes:
            if node.fate in (Fate.UNCHANGED, Fate.OLDER):
                continue
            values = node.entry.values
            due, begin = node.value("due_at"), node.value("start_after")
            if due and begin and due <= begin and node.writes:
                given = "due_at" if "due_at" in values else "start_after"
                self._refuse(node, given, "due_at must be later than start_after.")
            self._check_completion(node)
            mend_times(node, self.now)
            node.times = times_of(node, self.now)
            if node.entry.deferred and not (begin and begin > self.now):
                values["on_hold"] = True
                node.entry.notes.append(node.entry.note("status", held("deferred, and no date lies ahead")))

    def _check_completion(self, node: Node) -> None:
        values = node.entry.values
        if not values.get("completed_at") or values.get("status", node.status) == Status.COMPLETED:
            return
        if "status" not in values:
            self._refuse(node, "completed_at", "Only a completed task may have one; give the status, too.")
            return
        node.entry.notes.append(node.entry.note("completed_at", "Left out, because the task is not completed."))
        del values["completed_at"]

    # What differs

    def _compare(self) -> None:
        nodes = [node for node in self.nodes if node.fate in (Fate.UPDATE, Fate.LEAVE_ALONE, Fate.OLDER)]
        if nodes:
            present = Present(nodes)
            for node in nodes:
                node.changed = present.differing(node)
                if not node.changed:
                    node.fate = Fate.UNCHANGED
