"""Finishing several runs by one call: in one go where nothing hangs on them, the others one by one."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any
from uuid import UUID

from taskproject.prepared.running import send_waiting
from tasks import clock
from tasks.actions.follow_ups import lock_projects_of, open_follow_ups_if_done
from tasks.actions.funnel import dependents_of, end_runs, status_changed
from tasks.actions.holding import load_runs
from tasks.actions.locking import Held, hold
from tasks.actions.runs import Finished, bring_results, changes_of_result, complete_run, facts_of_result
from tasks.actions.transactions import verb
from tasks.errors import DomainError
from tasks.events.recording import record
from tasks.models import Run, RunStatus
from tasks.permissions import may
from tasks.transitions import Status
from tasks.verbs import catalogue

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Item = Mapping[str, Any]
#: What an item may say and still be finished together with others.
_PLAIN = frozenset({"run_id", "summary", "result", "criteria", "plan", "external_url", "usage"})


@verb(catalogue.COMPLETE_MANY)
def complete_runs(*, actor: "User", items: Sequence[Item]) -> list[Finished | DomainError]:
    """Finish several runs in one transaction, each independently: a refusal does not affect the others.

    ``items``: the arguments of ``complete_run`` except ``actor``. Returns, in order, each outcome or refusal.
    """
    # Projects, all runs, then all tasks: the lock order of every verb.
    if proposing := [item["run_id"] for item in items if item.get("follow_ups")]:
        lock_projects_of(actor, proposing)
    runs = load_runs(actor, [item["run_id"] for item in items])
    active = [run for run in runs.values() if run.ended_at is None]
    if not active:
        return [_complete_alone(actor, item) for item in items]
    held = hold([run.task for run in active], Status.COMPLETED)
    plain = _standing_alone(actor, active)
    done: list[Finished | DomainError] = []
    # What each does is recorded in their order.
    for is_plain, stretch in groupby(_chosen(actor, items, plain), key=lambda each: each[1] is not None):
        if not is_plain:
            done += [_complete_alone(actor, item) for item, _ in stretch]
            continue
        together = [(item, run) for item, run in stretch if run is not None]
        # What was done one by one has a later time.
        done += _together(actor, together, Held(clock.now()) if done else held)
    return done


def _complete_alone(actor: "User", item: Item) -> Finished | DomainError:
    try:
        return complete_run(actor=actor, **item)
    except DomainError as error:
        return error


def _standing_alone(actor: "User", runs: Sequence[Run]) -> dict[UUID, Run]:
    """Those of ``runs``, whose tasks are locked, that end without an effect on anything but themselves and their tasks,
    by id.
    """
    dependents = dependents_of([run.task_id for run in runs])
    return {run.pk: run for run in runs if not dependents[run.task_id] and _is_alone(actor, run)}


def _is_alone(actor: "User", run: Run) -> bool:
    task = run.task
    has_directives = run.has_directives or run.stop_delivered_at is not None or task.has_kept_directives
    waited_for = task.parent_id is not None or task.review_required or task.open_questions
    if has_directives or waited_for or task.status != Status.IN_PROGRESS:
        return False
    return may(actor, "complete", task, run=run, member=run.role)  # type: ignore[attr-defined]  # annotated


def _chosen(actor: "User", items: Sequence[Item], plain: dict[UUID, Run]) -> Iterator[tuple[Item, Run | None]]:
    """Each of ``items``, with its run if it can be finished together with its neighbours: once, and no further time."""
    left = dict(plain)
    for item in items:
        said = {name for name, value in item.items() if value is not None}
        is_plain = said <= _PLAIN and not catalogue.COMPLETE.problems({"actor": actor, **item})
        yield item, left.pop(UUID(str(item["run_id"])), None) if is_plain else None


def _together(actor: "User", pairs: Sequence[tuple[Item, Run]], held: Held) -> list[Finished | DomainError]:
    runs = [run for _, run in pairs]
    said: list[dict[str, Any]] = [{name: item.get(name) for name in _PLAIN if name != "run_id"} for item, _ in pairs]
    changes = [changes_of_result(run, at=held.at, **each) for run, each in zip(runs, said, strict=True)]
    # All write the same columns: what a run does not change stays as it is.
    names = sorted({name for each in changes for name in each})
    whole = [{name: getattr(run, name) for name in names} | each for run, each in zip(runs, changes, strict=True)]
    end_runs(list(zip(runs, whole, strict=True)), RunStatus.COMPLETED, now=held.at)
    tasks = [run.task for run in runs]
    own = {
        task.pk: {name: each[name] for name in ("summary", "result")} for task, each in zip(tasks, said, strict=True)
    }
    moved = bring_results(tasks, "complete", Status.COMPLETED, own=own, held=held, actor=actor, alone=True)
    record(
        *(
            status_changed(run.task, moved, held=held, actor=actor, run=run, **facts_of_result(each["summary"]))
            for run, each in zip(runs, said, strict=True)
        )
    )
    open_follow_ups_if_done([run.task for run in runs if run.number > 1])
    # A lost race here is one of all: nothing that comes next may take it for its own.
    send_waiting()
    return [Finished(task) for task in tasks]
