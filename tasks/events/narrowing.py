"""What a reader of the stream requests: one project, one task, certain kinds. It may name only what it may see."""

from dataclasses import dataclass

from django.contrib.auth.models import User

from tasks.errors import Invalid, unknown_name
from tasks.events.kinds import CATALOGUE
from tasks.finding import no_project, no_task, task_named
from tasks.models import Event, Project


@dataclass(frozen=True)
class Narrowing:
    """A part of the stream; empty fields mean everything that the reader may see. ``project`` is a key."""

    project: str | None = None
    task_id: int | None = None
    kinds: frozenset[str] = frozenset()

    def takes(self, event: Event) -> bool:
        return (
            (self.project is None or event.project_key == self.project)
            and (self.task_id is None or event.task_id == self.task_id)
            and (not self.kinds or event.kind in self.kinds)
        )


def narrowing_of(user: User, *, project: str | None = None, task: str | None = None, kinds: str = "") -> Narrowing:
    """The part of the stream that a query names: a key, a ref, comma-separated kinds.

    Raises ``NotFound`` for a project or task that ``user`` may not see, ``Invalid`` for an unknown kind, with the
    nearest known one. Reads the database.
    """
    wanted = frozenset(kind.strip() for kind in kinds.split(",") if kind.strip())
    for kind in sorted(wanted):
        if kind not in CATALOGUE:
            raise Invalid({"kinds": unknown_name(kind, CATALOGUE, what="kind of events")})
    if project is not None:
        project = project.upper()
        if not Project.objects.visible_to(user).filter(key=project).exists():
            raise no_project(project)
    task_id = None
    if task is not None:
        task_id = task_named(user, task).values_list("pk", flat=True).first()
        if task_id is None:
            raise no_task(task)
    return Narrowing(project, task_id, wanted)
