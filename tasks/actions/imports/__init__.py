"""Importing a plan from a file: completely or not at all, and a second time without changes."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.db import connection, transaction

from tasks.actions.dependencies import lock_graph
from tasks.actions.imports.beforehand import Moment, moment_of, still_holds
from tasks.actions.imports.draft import Draft
from tasks.actions.imports.node import Fate
from tasks.actions.imports.plan import (
    Imported,
    LeftAlone,
    MissingTimes,
    Note,
    Plan,
    PlannedComment,
    PlannedTask,
    PlanRefused,
    Problem,
    held,
    shown,
    summary_of,
)
from tasks.actions.imports.times import missing_times
from tasks.actions.imports.write import Writer, labels_used, skills_used
from tasks.actions.transactions import in_transaction
from tasks.errors import NotPermitted
from tasks.models import Label, Project, Role, Skill
from tasks.permissions import has_role

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = [
    "Imported",
    "LeftAlone",
    "MissingTimes",
    "Note",
    "Plan",
    "PlanRefused",
    "PlannedComment",
    "PlannedTask",
    "Problem",
    "held",
    "import_plan",
    "shown",
    "summary_of",
]


#: How often a draft is made while others may write; then once more while they wait.
COMPARED_BEFOREHAND = 3


def _quietly(count: int) -> None:
    """Ignore progress."""


def _skipped(draft: Draft, fate: Fate) -> list[LeftAlone]:
    return [LeftAlone(node.row.ref, node.name, node.changed) for node in draft.with_fate(fate)]


def import_plan(
    *,
    actor: "User | None",
    project: Project,
    plan: Plan,
    dry_run: bool = False,
    progress: Callable[[int], None] = _quietly,
) -> Imported:
    """Write ``plan`` into ``project``: create what is new, update what differs and has not started here.

    A task is identified by its external id. It is left as it is if the file says the same as at its last import, so
    that a second import changes nothing, whatever was edited here. ``progress`` is called with the number of tasks
    of each lot written; ``dry_run`` writes nothing and answers what would be.

    Raises ``NotPermitted`` unless the actor manages the project, ``PlanRefused`` with every problem.
    """
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        for _ in range(COMPARED_BEFOREHAND):
            since = moment_of(project)
            draft = _compared(actor, project, plan, lock=False)
            if dry_run and still_holds(draft, since):
                return _report(_sound(draft), dry_run=True)
            if (imported := _written_if_it_holds(draft, since, actor=actor, progress=progress)) is not None:
                return imported
    return _in_one_transaction(actor=actor, project=project, plan=plan, dry_run=dry_run, progress=progress)


@in_transaction
def _in_one_transaction(
    *, actor: "User | None", project: Project, plan: Plan, dry_run: bool, progress: Callable[[int], None]
) -> Imported:
    """Compare under the locks of everything that may be written."""
    if dry_run:
        return _report(_sound(_compared(actor, project, plan, lock=False)), dry_run=True)
    lock_graph(project)
    draft = _sound(_compared(actor, project, plan, lock=True))
    imported = _report(draft, dry_run=False)
    Writer(draft, actor=actor, progress=progress).write()
    return imported


def _written_if_it_holds(
    draft: Draft, since: Moment, *, actor: "User | None", progress: Callable[[int], None]
) -> Imported | None:
    """What was written; None, and nothing is written, if the project has changed since the draft was made."""
    writer = Writer(draft, actor=actor, progress=progress)
    if not draft.problems:
        writer.prepare()
    with transaction.atomic():
        if not still_holds(draft, since):
            return None
        imported = _report(_sound(draft), dry_run=False)
        _require_manager(actor, draft.project)
        writer.write()
        return imported


def _require_manager(actor: "User | None", project: Project) -> None:
    if not has_role(actor, project, Role.MANAGER):
        raise NotPermitted(f"Only a manager of {project.key} may import tasks there.")


def _compared(actor: "User | None", project: Project, plan: Plan, *, lock: bool) -> Draft:
    _require_manager(actor, project)
    return Draft(project, plan, lock=lock)


def _sound(draft: Draft) -> Draft:
    """``draft``, if it may be written. Raises ``PlanRefused``."""
    if draft.problems:
        raise PlanRefused(draft.problems, unknown_assignees=draft.unknown_assignees)
    return draft


def _report(draft: Draft, *, dry_run: bool) -> Imported:
    """What writing ``draft`` does; to be made before it is written."""
    project = draft.project
    return Imported(
        project=project.key,
        source=draft.plan.source,
        dry_run=dry_run,
        created=len(draft.with_fate(Fate.CREATE)),
        updated=len(draft.with_fate(Fate.UPDATE)),
        unchanged=len(draft.with_fate(Fate.UNCHANGED)),
        comments=sum(len(node.comments) for node in draft.nodes),
        left_alone=_skipped(draft, Fate.LEAVE_ALONE),
        older=_skipped(draft, Fate.OLDER),
        skills_created=sorted(skills_used(draft) - set(Skill.objects.values_list("name", flat=True))),
        labels_created=sorted(
            labels_used(draft) - set(Label.objects.filter(project=project).values_list("name", flat=True))
        ),
        notes=draft.notes(),
        missing_times=missing_times(draft.nodes),
    )
