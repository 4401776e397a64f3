"""The task itself: create, edit, delete. Its status is never written here."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db.models import Count, F, Q

from tasks import clock
from tasks.actions.assignments import add_assignments, require_workers
from tasks.actions.blockers import shift_blockers
from tasks.actions.dependencies import change_parent, connect, lock_graph
from tasks.actions.funnel import load_task, require_legal, slugs
from tasks.actions.locking import lock_runs, lock_tasks
from tasks.actions.names import set_labels, set_required_skills
from tasks.actions.transactions import in_transaction, verb
from tasks.errors import Invalid, NotPermitted, VersionMismatch
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import Agent, Dependency, Priority, Project, Role, Task, TaskLink
from tasks.permissions import has_role, require, require_in_project
from tasks.search.keeping import SOURCES, keep_words
from tasks.transitions import OPEN, Status, satisfies_dependency, settles_child
from tasks.verbs import Verb, catalogue
from tasks.verbs.catalogue import TASK_FIELDS

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Columns that ``edit_task`` writes unchanged.
PLAIN_FIELDS = (
    "title",
    "description",
    "priority",
    "criteria",
    "due_at",
    "start_after",
    "on_hold",
    "estimate_minutes",
    "review_required",
    "max_attempts",
    "external_id",
)
#: All fields that ``edit_task`` accepts.
EDITABLE_FIELDS = (*PLAIN_FIELDS, "labels", "required_skills", "parent")


@dataclass
class NewTask:
    """What a task is created from. Times are aware; ``required_skills`` are ``(name, level)``."""

    title: str
    description: str = ""
    priority: int = Priority.NORMAL
    labels: Sequence[str] = ()
    due_at: datetime | None = None
    start_after: datetime | None = None
    on_hold: bool = False
    estimate_minutes: int | None = None
    required_skills: Sequence[tuple[str, int]] = ()
    assignees: Sequence[Agent] = ()
    depends_on: Sequence[Task] = ()
    parent: Task | None = None
    criteria: list[str] = field(default_factory=list)
    review_required: bool | None = None
    max_attempts: int = 3
    external_id: str | None = None
    #: The task with whose result it was named.
    follows: Task | None = None


def next_number(project: Project, count: int = 1) -> int:
    """Take ``count`` numbers of ``project`` and return the first; locks the project's row until commit."""
    Project.objects.filter(pk=project.pk).update(last_number=F("last_number") + count)
    return Project.objects.values_list("last_number", flat=True).get(pk=project.pk) - count + 1


def _validate(task: Task) -> None:
    """Raise ``Invalid`` with a message per field, as the declarations and the model's own validators say it."""
    if problems := {each.name: problem for each in TASK_FIELDS if (problem := each.problem(getattr(task, each.name)))}:
        raise Invalid(dict(problems))
    try:
        task.clean_fields(exclude=["project", "parent", "created_by", "number", "due_order"])
    except ValidationError as error:
        raise Invalid({name: list(texts) for name, texts in error.message_dict.items()}) from None
    if task.due_at and task.start_after and task.due_at <= task.start_after:
        raise Invalid({"due_at": "Must be later than start_after."})


def _require_may_waive_review(actor: "User | None", project: Project) -> None:
    """Those who do the work may not waive its review."""
    if not has_role(actor, project, Role.MANAGER):
        raise NotPermitted(f"Only a manager of {project.key} may waive the review.")


def _deferred_until(start_after: datetime | None, now: datetime) -> datetime | None:
    return start_after if start_after is not None and start_after > now else None


@in_transaction
def create_task(*, actor: "User | None", project: Project, new: NewTask) -> Task:
    """Create a task in ``project``, completely or not at all.

    Raises ``NotPermitted`` (other members than managers create only if the project lets them, and only managers
    assign), ``Invalid`` with the fields, ``DependencyCycle``.
    """
    require_in_project(actor, "create", project)
    if new.assignees and not has_role(actor, project, Role.MANAGER):
        raise NotPermitted(f"Only a manager of {project.key} may assign tasks.")
    if new.review_required is False and project.review_required:
        _require_may_waive_review(actor, project)
    lock_graph(project)
    lock_tasks(other.pk for other in (*new.depends_on, *([new.parent] if new.parent else ())))
    now = clock.now()
    plain = {f.name: getattr(new, f.name) for f in fields(new) if f.name in PLAIN_FIELDS}
    if new.review_required is None:
        plain["review_required"] = project.review_required
    task = Task(
        project=project,
        number=next_number(project),
        created_by=actor,
        created_at=now,
        updated_at=now,
        deferred_until=_deferred_until(new.start_after, now),
        **plain,
    )
    _validate(task)
    if new.external_id and Task.objects.filter(project=project, external_id=new.external_id).exists():
        raise Invalid({"external_id": f"{new.external_id} already exists in {project.key}."})
    task.save(force_insert=True)
    labels = set_labels(task, new.labels)
    keep_words(task, labels)
    set_required_skills(task, new.required_skills)
    facts: dict[str, Any] = {"title": task.title, "labels": labels}
    if new.follows is not None:
        TaskLink.objects.create(task=task, target=new.follows, kind="discovered-from")
        facts["follows"] = new.follows.ref
    around = []
    if new.parent is not None:
        around = change_parent(task, new.parent, now=now, actor=actor).events
    if new.depends_on:
        _, waiting = connect(task, new.depends_on)
        Task.objects.filter(pk=task.pk).update(open_blockers=waiting)
        task.open_blockers = waiting
    if new.assignees:
        require_workers(task, new.assignees)
        facts["agents"] = slugs(add_assignments(task, new.assignees, actor=actor, now=now))
    record(event(kinds.TASK_CREATED, at=now, actor=actor, task=task, **facts), *around)
    return task


@in_transaction
def edit_task(*, actor: "User", task: Task, changes: dict[str, Any], expected_version: int | None = None) -> Task:
    """Change fields of ``task`` (``EDITABLE_FIELDS``); a value equal to the current one is not a change.

    ``expected_version``: the version the caller read. Raises ``VersionMismatch``, ``NotPermitted``, ``Invalid``,
    ``DependencyCycle``.
    """
    if "parent" in changes:
        lock_graph(task.project_id)
        as_read = load_task(task)
        new_parent = changes["parent"]
        lock_tasks(pk for pk in (task.pk, as_read.parent_id, new_parent.pk if new_parent else None) if pk)
    task = load_task(task, lock=True)
    require(actor, "edit", task)
    if expected_version is not None and task.version != expected_version:
        raise VersionMismatch(task.ref, task.pk)
    if task.review_required and changes.get("review_required") is False:
        _require_may_waive_review(actor, task.project)
    now = clock.now()
    before = {name: getattr(task, name) for name in PLAIN_FIELDS}
    plain = {name: value for name, value in changes.items() if name in PLAIN_FIELDS and before[name] != value}
    for name, value in plain.items():
        setattr(task, name, value)
    _validate(task)
    if "start_after" in plain and task.status == Status.NOT_STARTED:
        # A rest after a failure is not lifted by a change of the start date.
        rest = task.deferred_until if task.deferred_until != before["start_after"] else None
        ahead = [moment for moment in (task.start_after, rest) if moment is not None and moment > now]
        plain["deferred_until"] = task.deferred_until = max(ahead, default=None)
    if "due_at" in plain:
        plain["due_soon_since"] = task.due_soon_since = None
        plain["overdue_since"] = task.overdue_since = None
    changed = [name for name in plain if name in PLAIN_FIELDS]
    events = []
    if "labels" in changes and set(changes["labels"]) != set(task.labels.values_list("name", flat=True)):
        set_labels(task, changes["labels"])
        changed.append("labels")
    if "required_skills" in changes:
        present = set(task.required_skills.values_list("skill__name", "min_level"))
        if set(changes["required_skills"]) != present:
            set_required_skills(task, changes["required_skills"])
            changed.append("required_skills")
    if "parent" in changes and (changes["parent"].pk if changes["parent"] else None) != task.parent_id:
        events += change_parent(task, changes["parent"], now=now, actor=actor).events
        changed.append("parent")
    if not SOURCES.isdisjoint(changed):
        keep_words(task, task.labels.values_list("name", flat=True))
    if changed:
        Task.objects.filter(pk=task.pk).update(updated_at=now, version=F("version") + 1, **plain)
        task.updated_at, task.version = now, task.version + 1
        record(event(kinds.TASK_EDITED, at=now, actor=actor, task=task, fields=changed), *events)
    return task


@verb(catalogue.HOLD)
def hold_task(*, actor: "User", task: Task) -> Task:
    """Set ``task`` aside without a date: it is not ready until ``unhold_task``.

    Raises ``NotPermitted``, ``IllegalTransition`` once it has started.
    """
    return _set_hold(catalogue.HOLD, actor, task, on_hold=True)


@verb(catalogue.UNHOLD)
def unhold_task(*, actor: "User", task: Task) -> Task:
    """Let ``task`` be started again. Raises ``NotPermitted``, ``IllegalTransition`` once it has started."""
    return _set_hold(catalogue.UNHOLD, actor, task, on_hold=False)


def _set_hold(declared: Verb, actor: "User", task: Task, *, on_hold: bool) -> Task:
    task = load_task(task, lock=True)
    require(actor, declared.right, task)
    require_legal(declared, task)
    return edit_task(actor=actor, task=task, changes={"on_hold": on_hold})


@verb(catalogue.DELETE)
def delete_task(*, actor: "User", task: Task) -> None:
    """Remove a task that nobody is working on; what waited for it no longer does. Its events stay.

    Raises ``NotPermitted``, ``IllegalTransition`` while it is in progress.
    """
    lock_graph(task.project_id)
    task = load_task(task)
    children = Task.objects.filter(parent=task)
    dependents = set(Dependency.objects.filter(depends_on=task).values_list("task_id", flat=True))
    lock_runs(task.runs.all())
    lock_tasks([task.pk, task.parent_id or task.pk, *dependents, *children.values_list("pk", flat=True)])
    task = load_task(task)
    require(actor, "delete", task)
    require_legal(catalogue.DELETE, task)
    now = clock.now()
    deltas = {}
    if not satisfies_dependency(task.status):
        deltas = dict.fromkeys(dependents, -1)
    if task.parent_id and not settles_child(task.status):
        deltas[task.parent_id] = deltas.get(task.parent_id, 0) - 1
    moved = shift_blockers(deltas, now=now, actor=actor, cause=task)
    children.update(parent=None, updated_at=now, version=F("version") + 1)
    record(event(kinds.TASK_DELETED, at=now, actor=actor, task=task, title=task.title), *moved.events)
    task.delete()


def _miscounted(project: Project | None) -> list[Task]:
    """Open tasks whose ``open_blockers`` is wrong, each with the correct number as ``waiting``."""
    tasks = Task.objects.select_related("project").filter(status__in=sorted(OPEN))
    if project is not None:
        tasks = tasks.filter(project=project)
    counted = tasks.annotate(
        waiting=Count("dependencies", filter=~Q(dependencies__depends_on__status=Status.COMPLETED), distinct=True)
        + Count(
            "children",
            filter=~Q(children__status__in=(Status.COMPLETED, Status.CANCELLED)),
            distinct=True,
        )
    )
    return list(counted.exclude(open_blockers=F("waiting")))


def recount_blockers(project: Project | None = None) -> dict[str, tuple[int, int]]:
    """Tasks whose ``open_blockers`` is wrong: ref → (stored, counted). Nothing is changed; for ``doctor``."""
    return {task.ref: (task.open_blockers, task.waiting) for task in _miscounted(project)}  # type: ignore[attr-defined]


@in_transaction
def repair_blockers() -> list[str]:
    """Correct wrong ``open_blockers`` and record which tasks become ready or blocked; returns their refs.

    Corrects by the difference, not to the number, so that what completes meanwhile still counts.
    """
    # One repair at a time: two would both add the difference.
    list(Project.objects.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    wrong = _miscounted(None)
    deltas = {task.pk: task.waiting - task.open_blockers for task in wrong}  # type: ignore[attr-defined]
    lock_tasks(deltas)
    record(*shift_blockers(deltas, now=clock.now(), actor=None).events)
    return [task.ref for task in wrong]
