"""Who could have been given work, and when: told backwards from what an agent can do now, by the events since then.

An agent could be given work in a scope while it was a member of one of its projects in a role that works, not paused
there, enabled, available, and, if it keeps working hours, within them. Whether an LLM agent was alive is not kept.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar

from django.conf import settings
from django.db.models import QuerySet

from reports.scopes import Scope
from reports.sql import by_index
from tasks.events import kinds
from tasks.matching.working_hours import parse, working_times, zone_named
from tasks.models import Agent, Availability, Event, Membership, Project, Role

ALWAYS: Final = datetime.min.replace(tzinfo=UTC)
_OF_AGENTS = (kinds.AGENT_EDITED, kinds.AGENT_AVAILABILITY_CHANGED, kinds.MEMBER_REMOVED)
_OF_MEMBERS = (
    kinds.MEMBER_ADDED,
    kinds.MEMBER_JOINED,
    kinds.MEMBER_ROLE_CHANGED,
    kinds.MEMBER_PAUSED,
    kinds.MEMBER_RESUMED,
    kinds.MEMBER_REMOVED,
)
T = TypeVar("T")
#: (since when, what), in order of time; each holds until the next.
Steps = Sequence[tuple[datetime, T]]


class Span(NamedTuple):
    """A time during which an agent could be given work, and how many tasks at a time."""

    start: datetime
    end: datetime
    capacity: int

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


class Ability(NamedTuple):
    """What decides when an agent can work; the names are those of ``Agent``."""

    enabled: bool
    availability: str
    max_concurrent: int
    working_hours: str
    time_zone: str


class Place(NamedTuple):
    """An agent's place in a project; no role: none."""

    role: str
    is_paused: bool = False

    @property
    def works(self) -> bool:
        return self.role not in ("", Role.VIEWER) and not self.is_paused


@dataclass(frozen=True, slots=True)
class Worker:
    """When an agent could have been given work in the scope and the period; ``plans``: only as a manager."""

    agent: Agent
    spans: tuple[Span, ...]
    plans: bool

    @property
    def capacity_seconds(self) -> float:
        return sum(span.seconds * span.capacity for span in self.spans)


def spans_of(abilities: Steps[Ability], places: Sequence[Steps[Place]], start: datetime, end: datetime) -> list[Span]:
    """When an agent with these ``abilities``, in projects with these ``places``, could be given work.

    Each of ``places`` is one project. Spans follow each other without overlaps; neighbours differ in their capacity.
    """
    moments = {at for steps in (abilities, *places) for at, _ in steps if start < at < end}
    spans: list[Span] = []
    for since, until in pairwise(sorted({start, end, *moments})):
        ability = _at(abilities, since)
        if ability is None or not ability.enabled or ability.availability != Availability.AVAILABLE:
            continue
        if not any(place is not None and place.works for place in (_at(steps, since) for steps in places)):
            continue
        zone = zone_named(ability.time_zone, default=settings.TIME_ZONE)
        for begins, ends in working_times(parse(ability.working_hours), zone, since, until):
            if spans and (spans[-1].end, spans[-1].capacity) == (begins, ability.max_concurrent):
                begins = spans.pop().start
            spans.append(Span(begins, ends, ability.max_concurrent))
    return spans


def _at(steps: Steps[T], moment: datetime) -> T | None:
    place = bisect_right(steps, moment, key=lambda step: step[0])
    return steps[place - 1][1] if place else None


def workers(scope: Scope, start: datetime, end: datetime) -> dict[int, Worker]:
    """All agents that could have been given work in ``scope`` between the two times, by id.

    Later changes of the agents and the projects' members change nothing of it; deleted agents are left out.
    """
    if start >= end:
        return {}
    places = _places(scope)
    agents = Agent.objects.in_bulk(list(places))
    abilities = _abilities(agents, start)
    by_id = {}
    for pk, agent in agents.items():
        spans = spans_of(abilities[pk], list(places[pk].values()), start, end)
        if spans:
            plans = not any(_did_work(steps, start, end) for steps in places[pk].values())
            by_id[pk] = Worker(agent, tuple(spans), plans)
    return by_id


def _did_work(steps: Steps[Place], start: datetime, end: datetime) -> bool:
    """Whether it was a worker or reviewer at some time of the period."""
    ends = [at for at, _ in steps[1:]] + [end]
    held = zip(steps, ends, strict=True)
    return any(place.role in (Role.WORKER, Role.REVIEWER) and since < end and until > start
               for (since, place), until in held)  # fmt: skip


def _happened(projects: Sequence[int], of: Sequence[str], since: datetime | None = None) -> "QuerySet[Event]":
    """The events of ``projects`` of these kinds, few among many."""
    events = Event.objects.filter(project_id__in=projects, kind__in=of)
    return by_index(events if since is None else events.filter(at__gte=since), "event_for_reports")


def _places(scope: Scope) -> dict[int, dict[int, Steps[Place]]]:
    """For each agent (by id) that is or was a member in the scope: its places in each project."""
    ids = scope.project_ids
    happened = _happened(ids, _OF_MEMBERS).filter(agent__isnull=False).order_by("id")
    of_member: dict[tuple[int, int], list[tuple[datetime, str, Mapping[str, Any]]]] = defaultdict(list)
    for agent, project, at, kind, data in happened.values_list("agent_id", "project_id", "at", "kind", "data"):
        of_member[agent, project].append((at, kind, data))
    members = Membership.objects.filter(project_id__in=ids, user__agent__isnull=False)
    now = {
        (agent, project): Place(role, paused is not None)
        for agent, project, role, paused in members.values_list("user__agent", "project_id", "role", "paused_at")
    }
    beginnings = _happened(ids, (kinds.PROJECT_CREATED,))
    created = {project: (at, maker) for project, at, maker in beginnings.values_list("project_id", "at", "actor_id")}
    makers = Agent.objects.filter(user_id__in=[maker for _, maker in created.values()])
    users = dict(makers.values_list("pk", "user_id"))
    places: dict[int, dict[int, Steps[Place]]] = defaultdict(dict)
    for agent, project in of_member.keys() | now.keys():
        since, maker = created.get(project, (ALWAYS, None))
        # Who made the project is its manager without an event of their own.
        first = Place(Role.MANAGER if agent in users and users[agent] == maker else Role.WORKER)
        places[agent][project] = _told(of_member[agent, project], now.get((agent, project)), since, first)
    return places


def _told(
    events: Iterable[tuple[datetime, str, Mapping[str, Any]]], now: Place | None, created: datetime, first: Place
) -> list[tuple[datetime, Place]]:
    """The places in a project that its events tell of. Who came in without one was there from the beginning."""
    steps: list[tuple[datetime, Place]] = []
    for at, kind, data in events:
        if not steps and kind not in (kinds.MEMBER_ADDED, kinds.MEMBER_JOINED):
            steps.append((created, first._replace(is_paused=kind == kinds.MEMBER_RESUMED)))
        last = steps[-1][1] if steps else Place("")
        if kind == kinds.MEMBER_REMOVED:
            place = Place("")
        elif kind in (kinds.MEMBER_PAUSED, kinds.MEMBER_RESUMED):
            place = last._replace(is_paused=kind == kinds.MEMBER_PAUSED)
        else:
            place = Place(data["role"], last.is_paused and bool(last.role))
        # Never before what happened earlier: clocks of several servers differ.
        steps.append((max(at, steps[-1][0]) if steps else at, place))
    if not steps and now is not None:
        steps.append((created, now))
    return steps


def _abilities(agents: Mapping[int, Agent], start: datetime) -> dict[int, Steps[Ability]]:
    """For each of ``agents``: what it could do from ``start`` on, told backwards from now."""
    known = {pk: Ability(*(getattr(agent, name) for name in Ability._fields)) for pk, agent in agents.items()}
    steps: dict[int, list[tuple[datetime, Ability]]] = {pk: [] for pk in agents}
    for agent, at, kind, data in _edits(agents, start):
        steps[agent].append((at, known[agent]))
        known[agent] = known[agent]._replace(**_before(kind, data))
    for later in steps.values():
        later.reverse()
        # The clocks of several servers differ.
        later.sort(key=itemgetter(0))
    return {pk: [(ALWAYS, known[pk]), *steps[pk]] for pk in agents}


def _edits(agents: Iterable[int], start: datetime) -> Iterator[tuple[int, datetime, str, Mapping[str, Any]]]:
    """What changed of ``agents`` since ``start``, latest first; a change in each project that an agent is in."""
    # An agent belongs to many projects: what it could do is not theirs, and shows nothing of them.
    ids = list(Project.objects.values_list("pk", flat=True))
    edits = _happened(ids, _OF_AGENTS, since=start).filter(agent_id__in=list(agents))
    yield from edits.order_by("-id").values_list("agent_id", "at", "kind", "data").iterator(chunk_size=1000)


def _before(kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The abilities that a change ended, or that an agent had when it left a project."""
    if kind == kinds.MEMBER_REMOVED:
        return {name: data[name] for name in Ability._fields if name in data}
    if kind == kinds.AGENT_AVAILABILITY_CHANGED:
        was_paused = data["availability"] == Availability.AVAILABLE
        return {"availability": Availability.PAUSED if was_paused else Availability.AVAILABLE}
    return {name: data[f"{name}_before"] for name in Ability._fields if f"{name}_before" in data}
