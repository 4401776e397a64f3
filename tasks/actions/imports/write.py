"""Writes a draft: new tasks in bulk, changed ones row by row, then the counters of all affected tasks."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import F, Model

from taskproject.sqlite.inserting import Rows, insert_many, insert_values
from tasks.actions.blockers import dependency_failed, shift_blockers
from tasks.actions.imports.comments import messages_of
from tasks.actions.imports.draft import Draft
from tasks.actions.imports.graph import in_order
from tasks.actions.imports.node import COLUMNS, Fate, Node, count_blockers
from tasks.actions.names import set_labels, set_required_skills
from tasks.actions.tasks import next_number
from tasks.batches import batches
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import (
    Agent,
    Assignment,
    AssignmentEnd,
    Dependency,
    Event,
    Label,
    Priority,
    RequiredSkill,
    Skill,
    Task,
    TaskLink,
    TaskText,
)
from tasks.search.keeping import SOURCES, rebuild_all, with_ref, words_of
from tasks.transitions import TERMINAL, Status, satisfies_dependency, settles_child

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SLICE = 500
#: What waits for a task in one of these needs somebody's decision.
FAILS = (Status.FAILED, Status.CANCELLED)


def insert(objects: Iterable[Model]) -> None:
    """Insert unsaved objects of one model, in the way that is fastest here."""
    rows = list(objects)
    if connection.vendor == "sqlite":
        insert_many(rows)
    elif rows:
        type(rows[0])._default_manager.bulk_create(rows)


def insert_pairs(model: type[Model], names: tuple[str, ...], values: Iterable[tuple[Any, ...]]) -> None:
    """The same for rows of ids and numbers; ``names`` are those of the attributes, such as ``task_id``."""
    if connection.vendor == "sqlite":
        insert_values(model, names, list(values))
    else:
        model._default_manager.bulk_create(model(**dict(zip(names, row, strict=True))) for row in values)


Progress = Callable[[int], None]


class Writer:
    """Writes ``draft`` on behalf of ``actor``; ``progress`` is called with the size of each lot written.

    An import takes long. Its events are recorded at the very end, because what others record after it has taken the ids
    of its own waits for its commit; until then it holds up nobody. ``prepare`` does what needs no lock, and may be
    called before the transaction: on SQLite that is most of the work.
    """

    def __init__(self, draft: Draft, *, actor: "User | None", progress: Progress) -> None:
        self.draft, self.project, self.now = draft, draft.project, draft.now
        self.actor, self.progress = actor, progress
        self.new: list[Node] = []
        self.changed: list[Node] = []
        self._is_prepared = False
        self._assignments: list[Assignment] = []
        #: On SQLite: the rows of new tasks, and of those of their events that nothing can change any more.
        self._task_rows: Rows | None = None
        self._foreseen: dict[Node, Event] = {}
        self._words: dict[Node, str] = {}
        self._event_rows: Rows | None = None
        #: What happened to each task of the file, for its one event; see ``_record``.
        self.facts: dict[Node, dict[str, Any]] = {}
        #: The events of tasks that are not in the file, by id.
        self.around: dict[int, Event] = {}
        #: Existing tasks whose blockers may have changed.
        self.concerned: set[int] = set()

    def prepare(self) -> None:
        self._is_prepared = True
        self.new = self.draft.with_fate(Fate.CREATE)
        self.changed = self.draft.with_fate(Fate.UPDATE)
        self._make_tasks()
        self._assign([(node, agent) for node in self.new for agent in node.assignees or ()])
        self._words = {
            node: words_of(node.row.title, set(node.labels or ()), node.row.description) for node in self.new
        }
        if connection.vendor == "sqlite":
            self._task_rows = Rows(node.row for node in self.new)
            self._foreseen = {node: self._event_of(node) for node in self.new if not _failing(node)}
            self._event_rows = Rows(self._foreseen.values())

    def write(self) -> None:
        if not self._is_prepared:
            self.prepare()
        self._create_names()
        self._insert_tasks()
        for node in self.changed:
            self._update(node)
            self.progress(1)
        self._keep_words()
        for assignment in self._assignments:
            # Made before its task had an id.
            assignment.task = assignment.task
        insert(self._assignments)
        self._connect([*self.new, *self.changed])
        self._link([*self.new, *self.changed])
        insert(messages_of(self.draft.nodes, self.project, self.now))
        self._note_newer_sources()
        self._recount()
        self._find_failed_dependencies()
        self._record()

    # Names that are created with the first task that uses them

    def _create_names(self) -> None:
        # In name order, so that two imports that create the same ones cannot deadlock.
        Skill.objects.bulk_create([Skill(name=name) for name in sorted(skills_used(self.draft))], ignore_conflicts=True)
        Label.objects.bulk_create(
            [Label(project=self.project, name=name) for name in sorted(labels_used(self.draft))], ignore_conflicts=True
        )

    # New tasks

    def _make_tasks(self) -> None:
        """The new tasks in the order of their numbers, which they get under the lock."""
        self.new = in_order(self.new, {node: set(node.depends_on or ()) for node in self.new})
        children: dict[Node, list[Node]] = {}
        for node in self.new:
            if node.parent is not None:
                children.setdefault(node.parent, []).append(node)
        # An existing task that moves below a new one also counts.
        for node in self.changed:
            if "parent" in node.changed and node.parent is not None and node.parent.fate == Fate.CREATE:
                children.setdefault(node.parent, []).append(node)
        for node in self.new:
            waiting = sum(not satisfies_dependency(other.status) for other in node.depends_on or ())
            waiting += sum(not settles_child(child.status) for child in children.get(node, ()))
            node.task = self._new_task(node, open_blockers=waiting)
            self.facts[node] = {"to": str(node.status), **_commented(node)}

    def _insert_tasks(self) -> None:
        if not self.new:
            return
        for number, node in enumerate(self.new, next_number(self.project, len(self.new))):
            node.row.number = number
        below = [node for node in self.new if node.parent is not None]
        if self._task_rows is not None:
            self._task_rows.take_ids()
            for node in below:
                if node.parent is not None:
                    node.row.parent = node.parent.row
            self._task_rows.insert(late=("number", "parent_id"))
            self._insert_relations(self.new)
            self.progress(len(self.new))
        else:
            self._insert_in_lots(below)
        self.concerned.update(
            node.parent.row.pk for node in below if node.parent is not None and node.parent.fate != Fate.CREATE
        )

    def _insert_in_lots(self, below: list[Node]) -> None:
        for batch in batches(self.new, SLICE):
            Task.objects.bulk_create([node.row for node in batch])
            self._insert_relations(batch)
            self.progress(len(batch))
        for batch in batches(below, SLICE):
            for node in batch:
                node.row.parent = node.parent.row if node.parent is not None else None
            Task.objects.bulk_update([node.row for node in batch], ["parent"])

    def _new_task(self, node: Node, *, open_blockers: int) -> Task:
        given = {name: value for name, value in node.entry.values.items() if name in COLUMNS}
        values = {"review_required": self.project.review_required, "priority": Priority.NORMAL, **given}
        values.update(self._times(node, given))
        return Task(
            project=self.project,
            external_id=node.entry.external_id,
            created_by=self.actor,
            open_blockers=open_blockers,
            source_updated_at=self._source_time(node),
            **values,
        )

    def _source_time(self, node: Node) -> datetime | None:
        """When the source changed the task last. What it says of the future would outlast all later snapshots."""
        return min(node.source_updated_at, self.now) if node.source_updated_at else None

    def _times(self, node: Node, given: dict[str, Any]) -> dict[str, Any]:
        """The times of a new task: the file's, and the ones that follow from them."""
        assert node.times is not None
        updated = node.entry.values.get("updated_at") or self.now
        return {
            "created_at": node.times.created_at,
            "updated_at": max(filter(None, (updated, node.times.completed_at))),
            "started_at": given.get("started_at"),
            "completed_at": node.times.completed_at,
            "deferred_until": self._deferred_until(node.status, given.get("start_after")),
        }

    def _deferred_until(self, status: str, start_after: datetime | None) -> "datetime | None":
        ahead = status == Status.NOT_STARTED and start_after is not None and start_after > self.now
        return start_after if ahead else None

    def _insert_relations(self, nodes: list[Node]) -> None:
        labels = self._rows(
            Label.objects.filter(project=self.project), {n for node in nodes for n in node.labels or ()}
        )
        needs = {node: dict(node.entry.values.get("required_skills") or ()) for node in nodes}
        skills = self._rows(Skill.objects.all(), {name for levels in needs.values() for name in levels})
        labelled = ((node.row.pk, labels[name]) for node in nodes for name in node.labels or ())
        insert_pairs(Task.labels.through, ("task_id", "label_id"), labelled)
        needed = ((node.row.pk, skills[name], level) for node in nodes for name, level in needs[node].items())
        insert_pairs(RequiredSkill, ("task_id", "skill_id", "min_level"), needed)

    def _keep_words(self) -> None:
        key = self.project.key
        new = [(node.row.pk, with_ref(key, node.row.number, words)) for node, words in self._words.items()]
        for lot in batches(new, SLICE):
            insert_pairs(TaskText, ("task_id", "words"), lot)
        changed = [node.row.pk for node in self.changed if not SOURCES.isdisjoint(node.changed)]
        for _ in rebuild_all(changed):
            pass

    @staticmethod
    def _rows(queryset: Any, names: set[str]) -> dict[str, int]:
        return dict(queryset.filter(name__in=names).values_list("name", "pk")) if names else {}

    def _record(self) -> None:
        """One event for each task, with all that happened to it."""
        for node, foreseen in self._foreseen.items():
            foreseen.__dict__["task_id"], foreseen.task_ref = node.row.pk, node.row.ref
        events = [self._event_of(node) for node in self.facts if node not in self._foreseen]
        for node in self.draft.nodes:
            if node.comments and node not in self.facts:
                self._tell_of_comments(node)
        record(*events, *self.around.values(), ready=self._event_rows)

    def _tell_of_comments(self, node: Node) -> None:
        """Of a task that is otherwise left as it is. What its dependencies did to it is an event of its own already."""
        known = self.around.get(node.row.pk)
        if known is None:
            self.around[node.row.pk] = event(
                kinds.TASK_COMMENTS_IMPORTED,
                at=self.now,
                actor=self.actor,
                task=node.row,
                source=self.draft.plan.source,
                comments=len(node.comments),
            )

    def _event_of(self, node: Node) -> Event:
        task, facts = node.row, self.facts[node]
        task.open_blockers = facts.get("open", task.open_blockers)
        times: dict[str, datetime | None] = {"started_at": task.started_at, "completed_at": task.completed_at}
        if node.fate == Fate.CREATE or "created_at" in node.changed:
            times["created_at"] = task.created_at
        facts |= {name: moment.isoformat() for name, moment in times.items() if moment is not None}
        facts |= _sources(node)
        if node.fate == Fate.CREATE or "labels" in node.changed:
            facts["labels"] = sorted(node.labels or ())
        return event(
            # What was completed elsewhere counts at the file's time, not at ours, as it does for a new task.
            kinds.TASK_IMPORTED if "to" in facts else kinds.TASK_REIMPORTED,
            at=self.now,
            actor=self.actor,
            task=task,
            title=task.title,
            source=self.draft.plan.source,
            fingerprint=node.fingerprint,
            **facts,
        )

    def _assign(self, pairs: Iterable[tuple[Node, Agent]]) -> None:
        """Assign by hand on behalf of the importing user; for ended tasks without notifications."""
        for node, agent in pairs:
            ended = node.status in TERMINAL
            self._assignments.append(
                Assignment(
                    task=node.row,
                    agent=agent,
                    assigned_by=self.actor,
                    created_at=self.now,
                    ended_at=self.now if ended else None,
                    end_reason=AssignmentEnd.CLOSED if ended else "",
                )
            )
            if not ended:
                self.facts[node].setdefault("agents", []).append(agent.slug)

    # Changed tasks

    def _update(self, node: Node) -> None:
        task, values = node.row, node.entry.values
        source = Status(task.status)
        columns = {name: values[name] for name in node.changed if name in COLUMNS}
        if "status" in columns:
            columns["completed_at"] = node.times.completed_at if node.times else None
        if not {"status", "start_after"}.isdisjoint(columns):
            columns["deferred_until"] = self._deferred_until(node.status, node.value("start_after"))
        if "due_at" in columns:
            columns["due_soon_since"] = columns["overdue_since"] = None
        if "parent" in node.changed:
            self.concerned.update(parent for parent in (task.parent_id,) if parent)
            task.parent = node.parent.row if node.parent else None
            columns["parent"] = task.parent
            if task.parent_id:
                self.concerned.add(task.parent_id)
        if node.source_updated_at:
            columns["source_updated_at"] = self._source_time(node)
        for name, value in columns.items():
            setattr(task, name, value)
        Task.objects.filter(pk=task.pk).update(updated_at=self.now, version=F("version") + 1, **columns)
        if "labels" in node.changed:
            set_labels(task, node.labels or [])
        if "required_skills" in node.changed:
            set_required_skills(task, values["required_skills"])
        self.concerned.add(task.pk)
        self.facts[node] = {"fields": node.changed, **_commented(node)}
        if "status" in columns:
            self.facts[node] |= {"from": source.value, "to": node.status.value}
        if "status" in columns:
            self._close_or_reopen(node, source)
        if "assignees" in node.changed:
            self._reassign(node)

    def _close_or_reopen(self, node: Node, source: Status) -> None:
        """Assignments end and return with the task; those that wait for it are affected."""
        task = node.row
        if (source in TERMINAL) != (node.status in TERMINAL):
            closes = node.status in TERMINAL
            mine = Assignment.objects.filter(task=task)
            if closes:
                mine.active().update(ended_at=self.now, end_reason=AssignmentEnd.CLOSED)
            else:
                mine.filter(end_reason=AssignmentEnd.CLOSED).update(ended_at=None, end_reason="")
        self.concerned.update(Dependency.objects.filter(depends_on=task).values_list("task_id", flat=True))
        if task.parent_id:
            self.concerned.add(task.parent_id)

    def _reassign(self, node: Node) -> None:
        wanted = {agent.pk: agent for agent in node.assignees or ()}
        present = [row for row in Assignment.objects.filter(task=node.row).select_related("agent") if row.counts]
        for row in present:
            if row.agent_id not in wanted:
                Assignment.objects.filter(pk=row.pk).update(ended_at=self.now, end_reason=AssignmentEnd.UNASSIGNED)
                self.facts[node].setdefault("taken_from", []).append(row.agent.slug)
        has = {row.agent_id for row in present}
        self._assign([(node, agent) for pk, agent in wanted.items() if pk not in has])

    # Between tasks

    def _connect(self, nodes: list[Node]) -> None:
        """Insert the dependencies of new tasks, and make those of changed ones what the file says."""
        made_at = Dependency._meta.get_field("created_at").get_db_prep_save(self.now, connection)
        rows: list[tuple[Any, ...]] = []
        for node in nodes:
            if node.depends_on is None or (node.fate == Fate.UPDATE and "depends_on" not in node.changed):
                continue
            wanted = {other.row.pk for other in node.depends_on}
            present: set[int] = set()
            if node.fate == Fate.UPDATE:
                edges = Dependency.objects.filter(task=node.row)
                edges.exclude(depends_on__in=wanted).delete()
                present = set(edges.values_list("depends_on_id", flat=True))
            rows += [(node.row.pk, pk, made_at) for pk in sorted(wanted - present)]
        insert_pairs(Dependency, ("task_id", "depends_on_id", "created_at"), rows)

    def _note_newer_sources(self) -> None:
        """Keep that the source said the same again later, so that what is older than that is known as old."""
        newer = []
        for node in self.draft.with_fate(Fate.UNCHANGED):
            said, known = self._source_time(node), node.row.source_updated_at
            if said is not None and (known is None or known < said):
                node.row.source_updated_at = said
                newer.append(node.row)
        Task.objects.bulk_update(newer, ["source_updated_at"], batch_size=SLICE)

    def _link(self, nodes: list[Node]) -> None:
        rows = []
        for node in nodes:
            if node.links is None or (node.fate == Fate.UPDATE and "links" not in node.changed):
                continue
            if node.fate == Fate.UPDATE:
                TaskLink.objects.filter(task=node.row).delete()
            rows += [TaskLink(task=node.row, target=other.row, kind=kind) for kind, other in node.links]
        insert(rows)

    def _recount(self) -> None:
        """Update ``open_blockers`` of the affected existing tasks, and record what changed."""
        written = {node.row.pk: facts for node, facts in self.facts.items()}
        for ids in batches(sorted(self.concerned)):
            counted = count_blockers(ids)
            stored = dict(Task.objects.filter(pk__in=ids).values_list("pk", "open_blockers"))
            deltas = {pk: counted[pk] - blockers for pk, blockers in stored.items()}
            for shifted in shift_blockers(deltas, now=self.now, actor=self.actor).events:
                assert shifted.task_id is not None
                if shifted.task_id in written:
                    written[shifted.task_id]["open"] = shifted.data["open"]
                else:
                    self.around[shifted.task_id] = shifted

    def _find_failed_dependencies(self) -> None:
        """Report tasks that wait for what will not be completed, since somebody must decide about them."""
        failed: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        written = {node.row.pk: node for node in self.facts}
        for node, facts in self.facts.items():
            if node.status in TERMINAL or (node.fate == Fate.UPDATE and "depends_on" not in node.changed):
                continue
            for other in node.depends_on or ():
                if other.status in FAILS:
                    facts.setdefault(other.status.value, []).append(other.row.ref)
        for other in self.changed:
            if "status" not in other.changed or other.status not in FAILS:
                continue
            status, ref = other.status.value, other.row.ref
            edges = Dependency.objects.filter(depends_on=other.row).order_by("task_id")
            for pk in edges.values_list("task_id", flat=True):
                if pk not in written:
                    failed[pk][status].append(ref)
                elif written[pk].status not in TERMINAL and ref not in self.facts[written[pk]].get(status, ()):
                    self.facts[written[pk]].setdefault(status, []).append(ref)
        self.around |= dependency_failed(failed, now=self.now, actor=self.actor)


def _sources(node: Node) -> dict[str, Any]:
    """Where the times come from that the file says of the task, and whose completion it says it was."""
    assert node.times is not None
    facts: dict[str, Any] = {}
    if node.times.created_from and (node.fate == Fate.CREATE or "created_at" in node.changed):
        facts["created_from"] = node.times.created_from.value
    if node.times.completed_from and node.ends_anew:
        facts["completed_from"] = node.times.completed_from.value
        if node.assignees:
            facts["credited"] = [agent.slug for agent in node.assignees]
    return facts


def _commented(node: Node) -> dict[str, Any]:
    return {"comments": len(node.comments)} if node.comments else {}


def _failing(node: Node) -> bool:
    """Whether the task waits for one that will not be completed; its event says for which, by refs."""
    return any(other.status in FAILS for other in node.depends_on or ())


def skills_used(draft: Draft) -> set[str]:
    """Names of the skills required by the tasks to be written."""
    return {
        name
        for node in draft.nodes
        if node.writes and node.planned is not None
        for name, _ in node.entry.values.get("required_skills") or ()
    }


def labels_used(draft: Draft) -> set[str]:
    return {name for node in draft.nodes if node.writes for name in node.labels or ()}
