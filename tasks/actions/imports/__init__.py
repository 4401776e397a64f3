"""Importing a plan from a file: completely or not at all, and a second time without changes."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tasks.actions.dependencies import lock_graph
from tasks.actions.funnel import (
    in_transaction,
)
from tasks.actions.imports.draft import Draft
from tasks.actions.imports.node import Fate
from tasks.actions.imports.plan import (
    Imported,
    LeftAlone,
    Note,
    Plan,
    PlannedTask,
    PlanRefused,
    Problem,
    held,
    shown,
    summary_of,
)
from tasks.actions.imports.write import Writer, labels_used, skills_used
from tasks.errors import NotPermitted
from tasks.models import Label, Project, Role, Skill
from tasks.permissions import has_role

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = [
    "Imported",
    "LeftAlone",
    "Note",
    "Plan",
    "PlanRefused",
    "PlannedTask",
    "Problem",
    "held",
    "import_plan",
    "shown",
    "summary_of",
]


def _quietly(count: int) -> None:
    """Ignore progress."""


def _skipped(draft: Draft, fate: Fate) -> list[LeftAlone]:
    return [LeftAlone(node.row.ref, node.name, node.changed) for node in draft.with_fate(fate)]


@in_transaction
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
    if not has_role(actor, project, Role.MANAGER):
        raise NotPermitted(f"Only a manager of {project.key} may import tasks there.")
    if not dry_run:
        lock_graph(project)
    draft = Draft(project, plan, lock=not dry_run)
    if draft.problems:
        raise PlanRefused(draft.problems, unknown_assignees=draft.unknown_assignees)
    imported = Imported(
        project=project.key,
        source=plan.source,
        dry_run=dry_run,
        created=len(draft.with_fate(Fate.CREATE)),
        updated=len(draft.with_fate(Fate.UPDATE)),
        unchanged=len(draft.with_fate(Fate.UNCHANGED)),
        left_alone=_skipped(draft, Fate.LEAVE_ALONE),
        older=_skipped(draft, Fate.OLDER),
        skills_created=sorted(skills_used(draft) - set(Skill.objects.values_list("name", flat=True))),
        labels_created=sorted(
            labels_used(draft) - set(Label.objects.filter(project=project).values_list("name", flat=True))
        ),
        notes=draft.notes(),
    )
    if not dry_run:
        Writer(draft, actor=actor, progress=progress).write()
    return imported
