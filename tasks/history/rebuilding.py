"""Rebuilds the history of tasks from their events, or says where what is kept differs from that.

Safe beside running servers: the tasks of each batch are locked like by verbs, which record events only of tasks whose
lock they hold; so no event of them is on its way. Of a deleted task none ever is.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.db import transaction
from django.db.models import F, Q

from tasks.batches import batches
from tasks.events import kinds
from tasks.events.kinds import CATALOGUE
from tasks.history.assigning import agents_named
from tasks.history.facts import NAMES_OF_PRIORITIES, like, usage_of
from tasks.history.inferring import Remembered, complete
from tasks.history.labels import label_sets_of, names_in
from tasks.history.line import Line
from tasks.history.questions import copy_questions, questions_missed
from tasks.history.rows import insert
from tasks.history.tables import Tables, tables_of
from tasks.history.telling import MOVING
from tasks.models import Event, Project
from tasks.models.history import AssignmentStepKind, Credit

BATCH = 500
_ALWAYS: Final = (kinds.TASK_CREATED, kinds.TASK_DELETED, kinds.TASK_DECLINED, kinds.TASK_OFFER_LAPSED)
#: Kinds of events that may change the history of a task; early ones lack what new ones say.
KINDS: Final = sorted(
    name for name, kind in CATALOGUE.items() if kind in _ALWAYS or any(fact in kind.declared.data for fact in MOVING)
)


class Kept(NamedTuple):
    """The rows of some tasks, by task."""

    intervals: dict[int, list[Any]]
    episodes: dict[int, list[Any]]
    steps: dict[int, list[Any]]


@dataclass(frozen=True)
class Difference:
    """Where the history of a task is not what its events say; ``what`` in words."""

    task: str
    what: str


class _Differing(NamedTuple):
    """A task whose history is not what its events say: what they say, the questions to copy again, and where."""

    line: Line
    questions: list[int]
    difference: Difference


def tasks_with_events(project: Project | None = None, *, tables: Tables | None = None) -> list[int]:
    """Ids of the tasks that have a history, in order; also of those that were deleted."""
    tables = tables or tables_of()
    events = tables.event.objects.filter(task__isnull=False, kind__in=KINDS)
    kept = tables.episode.objects.all()
    if project is not None:
        events, kept = events.filter(project=project), kept.filter(project=project)
    ids = set(events.order_by().values_list("task_id", flat=True).distinct())
    return sorted(ids.union(kept.order_by().values_list("task_id", flat=True).distinct()))


def check(ids: Sequence[int]) -> list[Difference]:
    """Where the history of these tasks differs from their events. Nothing is changed."""
    suspects = _differing(ids, tables_of(), create=False)
    if not suspects:
        return []
    # What was recorded between reading the events and the rows is no difference.
    with transaction.atomic():
        _lock(list(suspects), tables_of())
        return [each.difference for each in _differing(list(suspects), tables_of(), create=False).values()]


def rebuild(ids: Sequence[int], *, tables: Tables | None = None, lock: bool = True) -> list[Difference]:
    """Rewrite the history of these tasks where it is not what their events say; returns what has differed."""
    tables = tables or tables_of()
    with transaction.atomic():
        if lock:
            _lock(ids, tables)
        differing = _differing(ids, tables)
        for batch in batches(list(differing)):
            tables.interval.objects.filter(task__in=batch).delete()
            tables.episode.objects.filter(task__in=batch).delete()
            tables.step.objects.filter(task__in=batch).delete()
        insert([row for each in differing.values() for row in each.line.intervals])
        insert([row for each in differing.values() for row in each.line.episodes])
        insert([row for each in differing.values() for row in each.line.steps])
        copy_questions([pk for each in differing.values() for pk in each.questions], tables)
    return [each.difference for each in differing.values()]


def rebuild_all(
    ids: Sequence[int], *, write: bool = True, progress: Callable[[int], None] = lambda count: None
) -> Iterator[Difference]:
    """The same for any number of tasks, in batches, each a transaction of its own."""
    for batch in batches(ids, BATCH):
        yield from rebuild(batch) if write else check(batch)
        progress(len(batch))


def _lock(ids: Sequence[int], tables: Tables) -> None:
    rows = tables.task.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk")
    list(rows.values_list("pk"))


def _differing(ids: Sequence[int], tables: Tables, *, create: bool = True) -> dict[int, _Differing]:
    """Those of the tasks whose rows are not what their events say.

    ``create``: the sets of labels that are missing.
    """
    kept = _kept(ids, tables)
    missed = questions_missed(ids, tables)
    differing = {}
    for task, line in _derive(ids, tables, kept, create=create).items():
        what = _difference("interval", kept.intervals[task], line.intervals)
        what = what or _difference("episode", kept.episodes[task], line.episodes)
        what = what or _difference("step of assignment", kept.steps[task], line.steps)
        if not what and task in missed:
            what = f"question {missed[task][0]} is not what is kept of it"
        if what:
            rows = (*line.episodes, *kept.episodes[task], *kept.intervals[task])
            ref = next((row.task_ref for row in rows), str(task))
            differing[task] = _Differing(line, missed.get(task, []), Difference(ref, what))
    return differing


def _kept(ids: Sequence[int], tables: Tables) -> Kept:
    kept = Kept(defaultdict(list), defaultdict(list), defaultdict(list))
    sources = ((tables.interval, "id"), (tables.episode, "number"), (tables.step, "id"))
    for batch in batches(ids):
        for (model, order), rows in zip(sources, kept, strict=True):
            for row in model.objects.filter(task__in=batch).order_by("task_id", order):
                rows[row.task_id].append(row)
    return kept


def _difference(what: str, kept: Sequence[Any], made: Sequence[Any]) -> str:
    """The first difference between the rows of one task, in words; empty if there is none."""
    for number, (row, other) in enumerate(zip(kept, made, strict=False), 1):
        for field in row._meta.concrete_fields:
            if field.primary_key:
                continue
            is_kept, should_be = getattr(row, field.attname), getattr(other, field.attname)
            if is_kept != should_be:
                return f"{what} {number}: {field.name} is {_shown(is_kept)}, its events say {_shown(should_be)}"
    if len(kept) != len(made):
        return f"{len(kept)} {what}s, its events say {len(made)}"
    return ""


def _shown(value: Any) -> str:
    return "empty" if value in (None, "") else str(value)


def _derive(ids: Sequence[int], tables: Tables, kept: Kept, *, create: bool) -> dict[int, Line]:
    """What the events of these tasks make of their history; the rows are for what old events do not say."""
    events: dict[int, list[Event]] = {task: [] for task in ids}
    for batch in batches(ids):
        rows = tables.event.objects.filter(task__in=batch, kind__in=KINDS).order_by("task_id", "id")
        for event in rows.only("at", "project_id", "task_id", "task_ref", "agent_id", "actor_name", "kind", "data"):
            events[event.task_id].append(event)
    known = _remember(ids, tables, kept)
    for task, of_task in events.items():
        complete(of_task, known[task])
    happened = [event for of_task in events.values() for event in of_task]
    agents, label_sets = agents_named(happened, tables), label_sets_of(happened, tables, create=create)
    lines = {}
    for task, of_task in events.items():
        lines[task] = line = Line(tables, agents=agents, label_sets=label_sets)
        for event in of_task:
            line.advance(event)
    return lines


def _remember(ids: Sequence[int], tables: Tables, kept: Kept) -> dict[int, Remembered]:
    known = {task: Remembered() for task in ids}
    intervals, episodes = kept.intervals, kept.episodes
    for task, rows in intervals.items():
        known[task].intervals = rows
        known[task].used = {row.run_number: usage_of(row) for row in rows if row.run_number is not None}
    for task, rows in episodes.items():
        known[task].like = {row.number: like(row) for row in rows}
        known[task].created_at = rows[0].entered_at if rows else None
    _remember_starts(intervals, episodes, known, tables)
    _remember_offers(
        [row for rows in kept.steps.values() for row in rows if row.step == AssignmentStepKind.OFFERED], known
    )
    for batch in batches(ids):
        for task in tables.task.objects.filter(pk__in=batch).prefetch_related("labels").order_by():
            known[task.pk].task, known[task.pk].created_at = task, task.created_at
            known[task.pk].like[0] = like(task)
            known[task.pk].labels = sorted(label.name for label in task.labels.all())
        used = Q(input_tokens__gt=0) | Q(output_tokens__gt=0) | Q(cost__gt=0)
        for run in (
            tables.run.objects.filter(used, task__in=batch)
            .order_by()
            .only("task_id", "number", "input_tokens", "output_tokens", "cost")
        ):
            known[run.task_id].used[run.number] = usage_of(run)
        closed = tables.assignment.objects.filter(task__in=batch, end_reason="closed", ended_at=F("created_at"))
        for row in closed.order_by("id").values_list("task_id", "created_at", "agent__slug"):
            known[row[0]].imported.setdefault(row[1], []).append(row[2])
        # Where the decision is still there, it is known better than from what was kept.
        decided = tables.decision.objects.filter(task__in=batch, score__isnull=False).order_by("id")
        _remember_offers(decided.only("task_id", "at", "score", "margin"), known)
    _remember_credit(
        [row for rows in episodes.values() for row in rows if row.credit and row.is_imported], known, tables
    )
    return known


def _remember_starts(
    intervals: dict[int, list[Any]], episodes: dict[int, list[Any]], known: dict[int, Remembered], tables: Tables
) -> None:
    """What tasks were like as their episodes began, as far as it was kept then."""
    kept = {task: [row for row in rows if row.created_by is not None] for task, rows in episodes.items()}
    sets = {row.label_set_id for rows in (*kept.values(), *intervals.values()) for row in rows}
    names = names_in(sets - {None}, tables)
    for task, rows in kept.items():
        first = {row.episode: row for row in reversed(intervals[task])}
        for row in rows:
            start = first.get(row.number, row)
            labels = names.get(start.label_set_id, [])
            known[task].began[row.number] = {"priority": NAMES_OF_PRIORITIES[start.priority], "labels": labels}


def _remember_offers(rows: Iterable[Any], known: dict[int, Remembered]) -> None:
    for row in rows:
        figures = {"score": row.score, "margin": row.margin}
        known[row.task_id].offers[row.at] = {name: value for name, value in figures.items() if value is not None}


def _remember_credit(imported: Sequence[Any], known: dict[int, Remembered], tables: Tables) -> None:
    rows = [row for row in imported if known[row.task_id].task is None]
    slugs = dict(tables.agent.objects.filter(pk__in={row.agent_id for row in rows}).values_list("pk", "slug"))
    for row in rows:
        credited = {Credit.AGENT: [slugs.get(row.agent_id, "")], Credit.SEVERAL: ["", ""]}
        known[row.task_id].credited[row.number] = credited.get(row.credit, [])
