"""A new task from what somebody typed: a title that may say more, fields, and a form that makes one task however often
it is sent.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from taskproject.errors import MOST_COMPARED
from taskproject.models import IdempotencyKey
from taskproject.reach import reach_of
from tasks.actions.names import tasks_named
from tasks.actions.tasks import NewTask, create_task
from tasks.errors import Invalid
from tasks.models import Agent, Project, Role, Skill, Task
from tasks.permissions import has_role
from tasks.refs import parse_ref
from tasks.titles import ME, Names, Reading, mentioned, read_title
from tasks.using.task_fields import FIELDS, PRIORITIES, Typed, own_slug, why_not_me

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Names that one title may mention; what more it has is not looked up.
MOST_MENTIONED = 50
#: Where keys of the form are kept apart from those of the API.
PATH = "/tasks/new/"
LONGEST_KEY = 64
#: The part of a title that means the same as a field of which a task has only one value.
_SINGLE: Final = {"priority": "priority", "due_at": "due", "parent": "parent"}


def read_for(actor: "User", project: Project, text: str, now: datetime) -> Reading:
    """What a title says that ``actor`` types in ``project``, whose members and tasks it may name."""
    return read_title(text, now, _names(actor, project, text))


def _names(actor: "User", project: Project, text: str) -> Names:
    may_assign = has_role(actor, project, Role.MANAGER)
    return Names(
        agents=_agents(actor, project, text) if may_assign else {},
        skills=_skills(text),
        tasks=_tasks(project, text),
        why_no_agents="" if may_assign else f"Only a manager of {project.key} may assign tasks.",
        why_not_me=why_not_me(project),
    )


def _agents(actor: "User", project: Project, text: str) -> dict[str, str]:
    wanted = mentioned(text, "@")[:MOST_MENTIONED]
    if not wanted:
        return {}
    members = Agent.objects.filter(user__memberships__project=project).order_by("slug")
    agents = {slug.lower(): slug for slug in members.filter(slug__in=wanted).values_list("slug", flat=True)}
    if ME in wanted and ME not in agents and (own := own_slug(actor, project)):
        agents[ME] = own
    if len(agents) < len(wanted):
        # For the nearest name to an unknown one.
        slugs = members.values_list("slug", flat=True)[:MOST_COMPARED]
        agents = {slug.lower(): slug for slug in slugs} | agents
    return agents


def _skills(text: str) -> dict[str, str]:
    if not mentioned(text, "+"):
        return {}
    return {
        name.lower(): name for name in Skill.objects.order_by("name").values_list("name", flat=True)[:MOST_COMPARED]
    }


def _tasks(project: Project, text: str) -> dict[str, str]:
    wanted = [parsed for name in mentioned(text, "^")[:MOST_MENTIONED] if (parsed := parse_ref(name))]
    numbers = [number for key, number in wanted if key == project.key]
    if not numbers:
        return {}
    known = Task.objects.filter(project=project, number__in=numbers).values_list("number", flat=True)
    return {f"{project.key}-{number}".lower(): f"{project.key}-{number}" for number in known}


@dataclass
class Draft:
    """What was typed for a new task, by field; ``reading``: what its title says."""

    typed: Mapping[str, str]
    reading: Reading = field(default_factory=lambda: Reading(""))

    def digest(self, project: Project) -> str:
        text = json.dumps([project.pk, sorted((name, text) for name, text in self.typed.items() if text)])
        return hashlib.sha256(text.encode()).hexdigest()


def new_task_of(draft: Draft, *, actor: "User", project: Project, now: datetime) -> NewTask:
    """The task that ``draft`` describes, with its ``reading`` set. Raises ``Invalid`` with all that is wrong."""
    typed = Typed(actor, project, now)
    draft.reading = reading = read_for(actor, project, draft.typed.get("title", ""), now)
    errors: dict[str, list[str] | str] = {}
    values: dict[str, Any] = {}
    for name, of_task in FIELDS.items():
        text = reading.title if name == "title" else draft.typed.get(name, "")
        if not text and name in _SINGLE:
            continue
        try:
            values[name] = of_task.read(text, typed)
        except Invalid as error:
            errors |= error.data["errors"]
    for name, kind in _SINGLE.items():
        _agree(name, kind, reading, project, values, errors)
    values["labels"] = _together(values.get("labels", ()), reading.values("label"))
    values["assignees"] = _together(values.get("assignees", ()), _assigned(reading, project))
    values["required_skills"] = list(
        {**dict(reading.values("skill")), **dict(values.get("required_skills", ()))}.items()
    )
    if errors:
        raise Invalid(errors)
    return NewTask(**values)


def _together(typed: Any, said: Any) -> list[Any]:
    return list(dict.fromkeys([*typed, *said]))


def _assigned(reading: Reading, project: Project) -> list[Agent]:
    slugs = reading.values("agent")
    members = Agent.objects.filter(user__memberships__project=project, slug__in=slugs).select_related("user")
    return list(members.order_by("slug")) if slugs else []


def _agree(
    name: str, kind: str, reading: Reading, project: Project, values: dict[str, Any], errors: dict[str, Any]
) -> None:
    """Take a value from the title, unless its field says something else."""
    said = reading.value(kind)
    if said is None:
        return
    if kind == "priority":
        said = PRIORITIES[said]
    elif kind == "parent":
        said = tasks_named([said], project=project, field=name)[0]
    if name in values and values[name] != said:
        text = next(part.text for part in reading.parts if part.kind == kind)
        errors[name] = f"The title says {text[:60]}, and this field something else; keep only one of them."
    elif name not in errors:
        values[name] = said


def create_once(*, actor: "User", project: Project, new: NewTask, draft: Draft, key: str) -> Task:
    """Create the task; if the form with this ``key`` has already made one from the same words, return that.

    Raises what ``create_task`` raises, and ``Invalid`` if the form has made a task from other words.
    """
    if not key or len(key) > LONGEST_KEY or not key.isascii() or not key.isalnum():
        return create_task(actor=actor, project=project, new=new)
    with transaction.atomic():
        kept = IdempotencyKey.objects.filter(user=actor, reach=reach_of(actor).key, key=key, path=PATH)
        kept.outdated().delete()
        stored, is_new = IdempotencyKey.objects.get_or_create(
            user=actor,
            reach=reach_of(actor).key,
            key=key,
            path=PATH,
            defaults={"body_digest": draft.digest(project), "status_code": 201, "body": b""},
        )
        if not is_new:
            return _made_before(stored, draft, project)
        task = create_task(actor=actor, project=project, new=new)
        stored.body = str(task.pk).encode()
        stored.save(update_fields=["body"])
        return task


def _made_before(stored: IdempotencyKey, draft: Draft, project: Project) -> Task:
    task = Task.objects.select_related("project").filter(pk=int(bytes(stored.body) or b"0")).first()
    if task is None:
        raise Invalid({"key": "The task that this form has made is deleted; send it again to make another."})
    if stored.body_digest != draft.digest(project):
        raise Invalid({"key": f"This form has already made {task.ref}; send it again to make another."})
    return task
