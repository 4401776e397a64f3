"""Using a verb by its declaration: names become rows, the function is called, the outcome becomes a sentence."""

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from tasks import actions
from tasks.actions.claims import projects_to_work_in
from tasks.actions.names import agents_named, tasks_named
from tasks.actions.runs import Finished
from tasks.actions.transactions import FUNCTIONS
from tasks.assignment import on_demand
from tasks.errors import Invalid
from tasks.limits import limits_of
from tasks.matching.words import why_nobody
from tasks.models import AssignmentDecision, Project, Run, Task
from tasks.transitions import Status
from tasks.verbs import Answer, Verb
from tasks.verbs.catalogue import VERBS
from tasks.verbs.fields import Agents, Names, Person, Projects, Tasks

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Any module of the actions may bind verbs; automatic assignment, one floor above, binds its own.
BINDING = (
    *(
        importlib.import_module(f"{actions.__name__}.{module.name}")
        for module in pkgutil.iter_modules(actions.__path__)
    ),
    on_demand,
)

assert set(FUNCTIONS) == set(VERBS), f"Declared and not bound: {', '.join(sorted(set(VERBS) - set(FUNCTIONS)))}."


def _rows(field: Names, names: Any, actor: "User", project: Project | None) -> Any:
    if problem := field.problem(names):
        raise Invalid({field.name: problem})
    if isinstance(field, Projects):
        return projects_to_work_in(actor, names)
    assert project is not None
    if isinstance(field, Tasks):
        return tasks_named(names, project=project, field=field.name)
    if isinstance(field, Agents):
        return agents_named(names, project=project, field=field.name)
    assert isinstance(field, Person)
    return agents_named([names], project=project, field=field.name)[0] if names else None


def use(verb: Verb, *, actor: "User", values: dict[str, Any], **used_on: Any) -> Any:
    """Call the function of ``verb`` and return what it returns.

    ``values``: its fields by name, with agents and tasks by their names; None means not given. ``used_on``: the
    ``task``, ``run_id``, ``run`` or ``tasks`` that it is used on. Raises ``DomainError``.
    """
    task = used_on.get("task")
    given = {name: value for name, value in values.items() if value is not None}
    for field in verb.fields:
        if isinstance(field, Names) and field.name in given:
            given[field.name] = _rows(field, given[field.name], actor, task.project if task is not None else None)
    return FUNCTIONS[verb.key](actor=actor, **used_on, **given)


def outcome(verb: Verb, ref: str, result: Any) -> str:
    """One or two sentences about the outcome of using ``verb`` on the task with this ref."""
    done = verb.did(ref)
    match result:
        case AssignmentDecision():
            if result.agent is None:
                return f"Nobody was found for {ref}. {why_nobody(result.candidates, result.others)}"
            return f"Offered {ref} to {result.agent.slug}."
        case Run() if verb.answer is Answer.RUN:
            return f"{done}: run {result.number} of {result.agent.slug}.{_limit_of(result.task)}"
        case Finished():
            ready = f" Ready now: {', '.join(result.unblocked)}." if result.unblocked else ""
            return f"{_with_status(verb, done, result.task)}{ready}"
        case Task():
            return _with_status(verb, done, result)
    return f"{done}."


def _limit_of(task: Task) -> str:
    """A warning if the project has more tasks in progress than its limit: people may exceed it."""
    limit = limits_of(task.project).get(Status.IN_PROGRESS.value)
    if limit is None or not limit.is_exceeded:
        return ""
    return f" {task.project.key} now has {limit.count} in progress, over its limit of {limit.most}."


def _with_status(verb: Verb, done: str, task: Task) -> str:
    """For a verb that may lead to several statuses, add the one it led to."""
    return f"{done}: it is now {Status(task.status).label.lower()}." if len(verb.targets) > 1 else f"{done}."
