"""Turns the names that people and agents write into rows; an unknown name is refused with the nearest known one."""

from collections.abc import Sequence

from tasks.errors import Invalid, unknown_name
from tasks.models import Agent, Label, Project, RequiredSkill, Skill, Task
from tasks.refs import number_in
from tasks.verbs.catalogue import LABELS


def agents_named(slugs: Sequence[str], *, project: Project | None = None, field: str = "agents") -> list[Agent]:
    """The agents with these slugs, in order, without repeats. Raises ``Invalid`` for an unknown one.

    With ``project``, only its members are known, so as not to reveal others' names.
    """
    agents = Agent.objects.select_related("user")
    if project is not None:
        agents = agents.filter(user__memberships__project=project)
    by_slug = {agent.slug: agent for agent in agents.filter(slug__in=list(slugs))}
    for slug in slugs:
        if slug not in by_slug:
            raise Invalid({field: unknown_name(slug, agents.values_list("slug", flat=True), what="agent")})
    return [by_slug[slug] for slug in dict.fromkeys(slugs)]


def tasks_named(refs: Sequence[str], *, project: Project, field: str) -> list[Task]:
    """The tasks of ``project`` with these refs (``OPS-1``), in order. Raises ``Invalid`` for an unknown one."""
    tasks = []
    for ref in dict.fromkeys(refs):
        number = number_in(project.key, ref)
        task = None
        if number is not None:
            task = Task.objects.select_related("project").filter(project=project, number=number).first()
        if task is None:
            raise Invalid({field: f"There is no task {ref!r} in {project.key}."})
        tasks.append(task)
    return tasks


def set_labels(task: Task, names: Sequence[str]) -> list[str]:
    """Set the labels of ``task`` to ``names``, which are returned in order; unknown ones are created in its project."""
    wanted = sorted({name.strip() for name in names if name.strip()})
    if problem := LABELS.problem(wanted):
        raise Invalid({"labels": problem})
    Label.objects.bulk_create([Label(project=task.project, name=name) for name in wanted], ignore_conflicts=True)
    task.labels.set(Label.objects.filter(project=task.project, name__in=wanted))
    return wanted


def skills_named(needs: Sequence[tuple[str, int]], *, field: str = "required_skills") -> list[tuple[Skill, int]]:
    """``(skill, level)`` for ``(name, level)``. Raises ``Invalid`` for an unknown name or a level outside 1 to 5."""
    by_name = {skill.name: skill for skill in Skill.objects.filter(name__in=[name for name, _ in needs])}
    for name, level in needs:
        if name not in by_name:
            raise Invalid({field: unknown_name(name, Skill.objects.values_list("name", flat=True), what="skill")})
        if not 1 <= level <= 5:
            raise Invalid({field: f"The level of {name} must be from 1 to 5."})
    return [(by_name[name], level) for name, level in dict(needs).items()]


def set_required_skills(task: Task, needs: Sequence[tuple[str, int]]) -> None:
    """Set the required skills of ``task`` to ``needs``."""
    rows = skills_named(needs)
    task.required_skills.all().delete()
    RequiredSkill.objects.bulk_create([RequiredSkill(task=task, skill=skill, min_level=level) for skill, level in rows])
