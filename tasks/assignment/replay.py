"""A project's past as a load to simulate: what arrived when, and what each agent has shown. Read-only."""

from collections import defaultdict
from datetime import datetime, timedelta

from tasks.assignment.candidates import patience
from tasks.assignment.experience import Experience
from tasks.matching.facts import GENERAL_LEVEL, NOTHING, AgentFacts, TaskFacts
from tasks.matching.simulation import Load
from tasks.models import Agent, AgentSkill, Membership, Project, RequiredSkill, Role, Run, RunStatus, Skill, Task
from tasks.refs import ref_of

MOST_TASKS = 5_000


def replay_of(project: Project, now: datetime, *, days: int = 30, most: int = MOST_TASKS) -> Load:
    """What ``project`` completed in the last ``days``, each task as large as it turned out, and its present team.

    The size of a task is the time its run took, divided by its agent's slowness; each agent's quality and slowness are
    what its runs have shown. The team or the past may be empty: then there is nothing to simulate.
    """
    members = Membership.objects.filter(project=project).exclude(role=Role.VIEWER)
    agents = list(Agent.objects.filter(user__in=members.values("user"), enabled=True).order_by("pk"))
    ids = [agent.pk for agent in agents]
    experience = Experience()
    learned = experience.of(ids, now)
    levels: dict[int, dict[int, int]] = defaultdict(dict)
    for agent, skill, level in AgentSkill.objects.filter(agent__in=ids).values_list("agent", "skill", "level"):
        levels[agent][skill] = level
    slowness = {pk: learned[pk].get(None, NOTHING).slowness for pk in ids}
    quality: dict[tuple[int, int | None], float] = {
        (pk, None): learned[pk].get(None, NOTHING).probability(GENERAL_LEVEL) for pk in ids
    }
    every = list(Skill.objects.values_list("pk", flat=True))
    for pk in ids:
        for skill in every:
            quality[pk, skill] = learned[pk].get(skill, NOTHING).probability(levels[pk].get(skill, 1))
    tasks = _tasks(project, now, days, most, slowness)
    team = tuple(
        AgentFacts(
            agent.pk, agent.slug, agent.max_concurrent, projects=frozenset({project.pk}), skills=levels[agent.pk]
        )
        for agent in agents
    )
    return Load(tasks, team, slowness, quality)


def _tasks(project: Project, now: datetime, days: int, most: int, slowness: dict[int, float]) -> tuple[TaskFacts, ...]:
    completed = Task.objects.filter(project=project, completed_at__gte=now - timedelta(days=days))
    rows = list(completed.order_by("-completed_at")[:most])
    by_id = {task.pk: task for task in rows}
    needs: dict[int, list[tuple[int, int]]] = defaultdict(list)
    hours: dict[int, float] = {}
    for start in range(0, len(rows), 1000):
        batch = [task.pk for task in rows[start : start + 1000]]
        required = RequiredSkill.objects.filter(task__in=batch).order_by("skill")
        for task, skill, level in required.values_list("task", "skill", "min_level"):
            needs[task].append((skill, level))
        runs = Run.objects.filter(task__in=batch, status=RunStatus.COMPLETED)
        for task, agent, began, ended in runs.values_list("task", "agent", "started_at", "ended_at"):
            if ended is not None:
                hours[task] = (ended - began).total_seconds() / 3600 / slowness.get(agent, 1.0)
    arrivals = [
        TaskFacts(
            id=pk,
            ref=ref_of(project.key, task.number),
            project=project.pk,
            priority=task.priority,
            waiting_since=max(task.created_at, task.start_after or task.created_at).timestamp(),
            hours=max(hours[pk], 1 / 3600),
            patience_hours=patience(project, task.priority).total_seconds() / 3600,
            due_at=task.due_at.timestamp() if task.due_at else None,
            needs=tuple(needs[pk]),
        )
        for pk, task in by_id.items()
        if pk in hours
    ]
    return tuple(sorted(arrivals, key=lambda task: (task.waiting_since, task.id)))
