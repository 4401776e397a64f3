"""Which verbs an actor may use on a task now: legal by the table, permitted, and likely to succeed; for buttons.

Only the verb decides whether it succeeds (capacity, a lost race).
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from django.db.models import QuerySet

from tasks.actions.funnel import active_run
from tasks.actions.reviews import authored_run
from tasks.models import Agent, AgentKind, Membership, Role, Run, Task
from tasks.permissions import agent_of, may
from tasks.transitions import TRANSITIONS, Status, Who
from tasks.verbs import Door, Need, On, Verb
from tasks.verbs.catalogue import at

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def people_for(task: Task) -> QuerySet[Agent]:
    """The people who may work on the task: human agents of its project, ordered by slug."""
    members = Membership.objects.filter(project=task.project_id).exclude(role=Role.VIEWER)
    people = Agent.objects.filter(kind=AgentKind.HUMAN, enabled=True, user__in=members.values("user"))
    return people.order_by("slug")


@dataclass
class Scene:
    """A task as ``actor`` sees it at ``now``; everything is read at most once."""

    actor: "User"
    task: Task
    now: datetime
    rights: dict[tuple[str, Run | None], bool] = field(default_factory=dict)

    @cached_property
    def agent(self) -> Agent | None:
        return agent_of(self.actor)

    @cached_property
    def held(self) -> Run | None:
        """The active run."""
        return active_run(self.task) if self.task.status == Status.IN_PROGRESS else None

    @cached_property
    def judged(self) -> Run | None:
        """The run whose result is in review; its author may not judge it."""
        return authored_run(self.task) if self.task.status == Status.IN_REVIEW else None

    @cached_property
    def assignees(self) -> list[Agent]:
        return list(Agent.objects.filter(assignments__task=self.task, assignments__ended_at__isnull=True).distinct())

    @cached_property
    def people(self) -> list[str]:
        """Slugs of the people who may work on the task, as many as a choice shows."""
        return list(people_for(self.task).values_list("slug", flat=True)[:200])

    @property
    def holds(self) -> bool:
        return self.held is not None and self.agent is not None and self.held.agent_id == self.agent.pk

    def run_in_question(self, verb: Verb) -> Run | None:
        """The run under review for a verb of reviewers, else the active one."""
        return self.judged if verb.row and Who.REVIEWER in TRANSITIONS[verb.row].who else self.held

    def is_permitted(self, verb: Verb) -> bool:
        if verb.on is On.RUN and not self.holds:
            return False
        if not verb.needs_right:
            return True
        key = (verb.needs_right, self.run_in_question(verb))
        if key not in self.rights:
            self.rights[key] = may(self.actor, key[0], self.task, run=key[1])
        return self.rights[key]

    def has(self, need: Need) -> bool:
        match need:
            case Need.READY:
                return self.task.is_ready(self.now)
            case Need.ON_HOLD:
                return self.task.on_hold
            case Need.NOT_ON_HOLD:
                return not self.task.on_hold
            case Need.MAY_TAKE:
                if self.agent is None or self.agent.kind != AgentKind.HUMAN:
                    return False
                return self.agent in self.assignees or (not self.assignees and self.task.project.allow_pull)
            case Need.PERSON:
                return bool(self.people)
            case Need.ASSIGNEE:
                return self.agent in self.assignees
            case Need.ASSIGNED:
                return bool(self.assignees)
            case Need.NOBODY_ASSIGNED:
                return not self.assignees
            case Need.HELD_BY_ANOTHER:
                return not self.holds
        raise AssertionError(f"{need} is not checked.")

    def is_open(self, verb: Verb) -> bool:
        return self.task.status in verb.statuses and self.is_permitted(verb) and all(map(self.has, verb.needs))

    def open_verbs(self, door: Door) -> list[Verb]:
        """The verbs that ``door`` offers the actor now, in the order of the catalogue."""
        return [verb for verb in at(door) if self.is_open(verb)]
