"""The fields of a task as people type them: one way to read and to write each, for every page that has them.

A field is one text: names separated by commas, a day and a time by a space. What is read raises ``Invalid`` with one
sentence at the field.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from tasks.actions.names import agents_named, skills_named, tasks_named
from tasks.dues import NotADue, is_clock, read_due
from tasks.errors import Invalid
from tasks.merging import merge_lines, merge_lists, merge_maps
from tasks.models import Agent, Assignment, Priority, Project, Task
from tasks.permissions import agent_of
from tasks.titles import ME
from tasks.using.lines import LONGEST_LIST, in_one_line, marked, names_in, skills_in
from tasks.verbs.catalogue import DESCRIPTION, LABELS, TITLE

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PRIORITIES: Final = {priority.name.lower(): priority for priority in reversed(Priority)}
END_OF_DAY = "23:59:59"


@dataclass(frozen=True)
class Typed:
    """Who typed a text, in which project, and when it is for them: ``now`` has their zone."""

    actor: "User"
    project: Project
    now: datetime


@dataclass(frozen=True)
class TaskField:
    """A field of a task. ``kind``: line, text, choice or due. ``right``: what its editor must be allowed to.

    ``read`` makes a value of what was typed; ``write`` makes of a task what one would type.
    """

    name: str
    label: str
    kind: str
    read: Callable[[str, Typed], Any]
    write: Callable[[Task, datetime], str]
    help: str = ""
    most: int = LONGEST_LIST
    right: str = "edit"
    is_required: bool = False
    #: What two people made of the same text, put together: of the text both began with, mine and theirs.
    merge: Callable[[str, str, str], str | None] = lambda base, mine, theirs: None

    @property
    def choices(self) -> list[tuple[str, str]]:
        return [(name, priority.label) for name, priority in PRIORITIES.items()] if self.kind == "choice" else []

    @property
    def noun(self) -> str:
        """What a sentence calls the field: the due date, the dependencies."""
        return {"due_at": "due date", "depends_on": "dependencies"}.get(self.name, self.label.lower())

    @property
    def clock_name(self) -> str:
        """The name of the input for the time of day that goes with a day."""
        return f"{self.name}_time"

    def typed_in(self, data: Any) -> str:
        """The text that a form sent. Browsers end lines with CR LF; everyone else reads LF."""
        text = str(data.get(self.name, "")).replace("\r\n", "\n").strip()
        if self.kind == "due":
            text = f"{text} {data.get(self.clock_name, '').strip()}".strip()
        return text


def own_slug(actor: "User", project: Project) -> str | None:
    """The slug by which tasks of ``project`` can be assigned to ``actor``; None if they cannot."""
    own = agent_of(actor)
    is_member = own is not None and actor.memberships.filter(project=project).exists()
    return own.slug if own is not None and is_member else None


def why_not_me(project: Project) -> str:
    """The sentence for whoever means themself and is nobody to assign to."""
    return f"You are not an agent of {project.key}, so no task can be assigned to you there."


def _merge_names(field: str, mark: str = "") -> Callable[[str, str, str], str | None]:
    def merge(*texts: str) -> str | None:
        return in_one_line(
            merge_lists(*(marked(text, mark, field) if mark else names_in(text, field) for text in texts))
        )

    return merge


def _write_needs(needs: dict[str, int]) -> str:
    return in_one_line([f"{name}:{level}" for name, level in sorted(needs.items())])


def _merge_skills(*texts: str) -> str | None:
    merged = merge_maps(*(skills_in(text, "required_skills") for text in texts))
    return None if merged is None else _write_needs(merged)


def _read_title(text: str, typed: Typed) -> str:
    if problem := TITLE.problem(text):
        raise Invalid({"title": problem})
    return text


def _read_description(text: str, typed: Typed) -> str:
    if problem := DESCRIPTION.problem(text):
        raise Invalid({"description": problem})
    return text


def _read_priority(text: str, typed: Typed) -> Priority:
    if text not in PRIORITIES:
        raise Invalid({"priority": "Choose a priority."})
    return PRIORITIES[text]


def _read_due(text: str, typed: Typed) -> datetime | None:
    if is_clock(text):
        # Whoever clears the day of a due date may mean to have none.
        raise Invalid({"due_at": "Choose the day too, or clear the time."})
    try:
        return read_due(text, typed.now) if text else None
    except NotADue as error:
        raise Invalid({"due_at": str(error).replace("due:", "")}) from None


def _read_labels(text: str, typed: Typed) -> list[str]:
    names = names_in(text, "labels")
    if problem := LABELS.problem(names):
        raise Invalid({"labels": problem})
    return names


def _read_skills(text: str, typed: Typed) -> list[tuple[str, int]]:
    return [(skill.name, level) for skill, level in skills_named(list(skills_in(text, "required_skills").items()))]


def _read_assignees(text: str, typed: Typed) -> list[Agent]:
    slugs = marked(text, "@", "assignees")
    if ME in slugs and not Agent.objects.filter(slug=ME, user__memberships__project=typed.project).exists():
        own = own_slug(typed.actor, typed.project)
        if own is None:
            raise Invalid({"assignees": why_not_me(typed.project)})
        slugs = [own if slug == ME else slug for slug in slugs]
    return agents_named(slugs, project=typed.project, field="assignees")


def _read_parent(text: str, typed: Typed) -> Task | None:
    return tasks_named([text.removeprefix("^")], project=typed.project, field="parent")[0] if text else None


def _read_depends_on(text: str, typed: Typed) -> list[Task]:
    return tasks_named(marked(text, "^", "depends_on"), project=typed.project, field="depends_on")


def _write_due(task: Task, now: datetime) -> str:
    if task.due_at is None:
        return ""
    local = task.due_at.astimezone(now.tzinfo)
    return f"{local:%Y-%m-%d}" if f"{local:%H:%M:%S}" == END_OF_DAY else f"{local:%Y-%m-%d %H:%M}"


def _write_assignees(task: Task, now: datetime) -> str:
    slugs = Assignment.objects.active().filter(task=task).values_list("agent__slug", flat=True)
    return in_one_line(sorted(set(slugs)))


def _write_depends_on(task: Task, now: datetime) -> str:
    numbers = sorted(task.dependencies.values_list("depends_on__number", flat=True))
    return in_one_line([f"{task.project.key}-{number}" for number in numbers])


FIELDS: Final = {
    field.name: field
    for field in (
        TaskField(
            "title",
            TITLE.label,
            "line",
            _read_title,
            lambda task, now: task.title,
            most=TITLE.most,
            is_required=True,
        ),
        TaskField(
            "description",
            DESCRIPTION.label,
            "text",
            _read_description,
            lambda task, now: task.description,
            help="Markdown.",
            merge=merge_lines,
            most=DESCRIPTION.most,
        ),
        TaskField(
            "priority",
            "Priority",
            "choice",
            _read_priority,
            lambda task, now: Priority(task.priority).name.lower(),
            is_required=True,
        ),
        TaskField("due_at", "Due", "due", _read_due, _write_due),
        TaskField(
            "labels",
            LABELS.label,
            "line",
            _read_labels,
            lambda task, now: in_one_line(sorted(task.labels.values_list("name", flat=True))),
            help="Separated by commas; new ones are created.",
            merge=_merge_names("labels"),
        ),
        TaskField(
            "required_skills",
            "Skills",
            "line",
            _read_skills,
            lambda task, now: _write_needs(dict(task.required_skills.values_list("skill__name", "min_level"))),
            help="With the minimum level, such as python:3, docs:1.",
            merge=_merge_skills,
        ),
        TaskField(
            "assignees",
            "Assignees",
            "line",
            _read_assignees,
            _write_assignees,
            help="Names of agents, separated by commas.",
            right="assign",
            merge=_merge_names("assignees", "@"),
        ),
        TaskField(
            "parent",
            "Parent",
            "line",
            _read_parent,
            lambda task, now: task.parent.ref if task.parent else "",
            help="The ref of a task in the same project, such as OPS-3.",
        ),
        TaskField(
            "depends_on",
            "Waits for",
            "line",
            _read_depends_on,
            _write_depends_on,
            help="Refs, separated by commas; the task waits until all of these are completed.",
            right="edit_dependencies",
            merge=_merge_names("depends_on", "^"),
        ),
    )
}
