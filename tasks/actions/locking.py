"""The locks of verbs: runs before tasks, tasks in the order of their ids; and what they prove."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from taskproject.prepared.parameters import for_driver
from taskproject.prepared.running import run as run_statement
from tasks import clock
from tasks.models import Dependency, Run, Task
from tasks.transitions import TERMINAL, Status, satisfies_dependency, settles_child


@dataclass(frozen=True)
class Held:
    """Proof that the locks for a move have been held since ``at``, the time of everything that the verb writes.

    ``dependents``: ids of the locked dependents; None if the database has no row locks, and so no race.
    ``alone``: when they were locked, the tasks had neither dependents nor a parent to hear of it.
    """

    at: datetime
    dependents: frozenset[int] | None = None
    alone: bool = False


def lock_tasks(ids: Iterable[int]) -> dict[int, str]:
    """Lock the tasks with these ids, in id order, and return the status of each that exists.

    A verb that writes several tasks locks them in one call before it writes the first, so that no two verbs deadlock,
    whatever depends on what.
    """
    rows = Task.objects.select_for_update(no_key=True).filter(pk__in=set(ids)).order_by("pk")
    return dict(rows.values_list("pk", "status"))


def fails_dependents(source: str, target: str) -> bool:
    """Whether this move leaves what depends on the task blocked, so that somebody has to decide."""
    return target in (Status.FAILED, Status.CANCELLED) and source not in TERMINAL


#: What events say of a task besides what its verb did: as it is under the lock.
_FACTS = ("open_blockers", "on_hold", "start_after", "priority", "due_at", "estimate_minutes")
_COLUMNS = ", ".join(["id", *_FACTS])
#: The tasks in the first list, in the lock order of every verb; and the time once each is locked.
_LOCK = f"""
WITH held AS (SELECT {_COLUMNS} FROM {Task._meta.db_table} WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE)
SELECT {_COLUMNS}, clock_timestamp() FROM held
"""  # noqa: S608 - our own names
#: The same with all that depend on those in the second list. One statement for both, because the ORM's OR of a list
#: and a subquery would read the whole table.
_DEPENDENTS = f"ARRAY(SELECT task_id FROM {Dependency._meta.db_table} WHERE depends_on_id = ANY(%s))"  # noqa: S608
_LOCK_WITH_DEPENDENTS = _LOCK.replace("= ANY(%s)", f"= ANY(%s || {_DEPENDENTS})")


def hold(tasks: Sequence[Task], target: str) -> Held:
    """Lock ``tasks`` and those around that will hear of it when they go to ``target``; then look at the clock.

    A verb that ends or starts a run locks the run first. What was read about the tasks before this counts only if the
    move finds it unchanged; what events say of the tasks is read again.
    """
    if not connection.features.has_select_for_update:
        return Held(clock.now())
    source = tasks[0].status
    own = [task.pk for task in tasks]
    ids = set(own)
    if settles_child(source) != settles_child(target):
        ids |= {task.parent_id for task in tasks if task.parent_id}
    with_dependents = satisfies_dependency(source) != satisfies_dependency(target) or fails_dependents(source, target)
    lists = [sorted(ids), own] if with_dependents else [sorted(ids)]
    rows, _ = run_statement(_LOCK_WITH_DEPENDENTS if with_dependents else _LOCK, [for_driver(each) for each in lists])
    facts_now = {pk: values for pk, *values, _ in rows}
    for task in tasks:
        for name, value in zip(_FACTS, facts_now.get(task.pk, ()), strict=False):
            setattr(task, name, value)
    # The rows come one after the other, each with the time at which it was locked.
    at = max((moment for *_, moment in rows), default=None)
    return Held(
        clock.read(at) if at else clock.now(),
        frozenset(facts_now) if with_dependents else frozenset(),
        alone=with_dependents and facts_now.keys() == set(own),
    )


def lock_runs(runs: QuerySet[Run]) -> list[Run]:
    """Lock these runs in id order and return them; a verb locks all runs it writes before it locks a task."""
    return list(runs.select_for_update(of=("self",), no_key=True).order_by("pk"))
