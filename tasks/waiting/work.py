"""The room of agents that wait for work: a task that becomes ready wakes one agent that may claim it, not all of them.

News says which tasks may have become ready. One look per burst reads them for everyone and wakes, for each ready task,
the agent that has waited longest among those that may claim it. The room only proposes; the claim decides. A task is
dropped once it is no longer ready or nobody here may claim it: an agent that was woken and failed goes back to its
place, and the next one is woken for what is still there.
"""

import itertools
import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import connections
from django.db.models import Q

from tasks import clock
from tasks.events.kinds import (
    AGENT_AVAILABILITY_CHANGED,
    AGENT_EDITED,
    BRINGING_WORK,
    MEMBER_PAUSED,
    MEMBER_RESUMED,
    OF_MEMBERS,
    PROJECT_EDITED,
    may_bring_work,
)
from tasks.limits import full
from tasks.models import Agent, AgentSkill, Assignment, Event, Project, RequiredSkill, Task
from tasks.outage import AWAY, Outage
from tasks.transitions import Status
from tasks.waiting.room import LINGER_SECONDS, Room, Seat

logger = logging.getLogger(__name__)

#: How many tasks one look reads.
LOOKED_AT = 200
#: How often the room looks for what no event reported: a task whose time came without an engine, a claim rolled back.
LOOK_AROUND_SECONDS = 5.0
#: How many projects it then examines, and how many tasks in each; the other projects come next time.
PROJECTS_AROUND, TASKS_AROUND = 20, 20
#: How long a task is left alone after an agent was woken for it and failed to claim it; doubles each time.
PAUSE_SECONDS = 0.05
#: An agent that asks again within this time after a wait without work resumes its old place and need not look, unless
#: it has not looked itself for longer than the second figure.
RESUME_SECONDS, LOOK_ITSELF_SECONDS = 10.0, 120.0
RETRY_SECONDS = 1.0

#: Statuses whose number of tasks a project may limit, and fields of a project that let agents take its tasks.
LIMITED = frozenset({Status.IN_PROGRESS.value, Status.IN_REVIEW.value})
LETTING_IN = frozenset({"allow_pull", "limit_in_progress", "limit_in_review"})
#: Kinds of events that change what one agent may claim.
AGENT_KINDS = OF_MEMBERS | {AGENT_EDITED, AGENT_AVAILABILITY_CHANGED, MEMBER_PAUSED, MEMBER_RESUMED}


@dataclass(eq=False, kw_only=True)
class WorkSeat(Seat):
    """One call of an agent that waits for up to ``limit`` tasks of ``projects`` (ids)."""

    agent_id: int
    projects: frozenset[int]
    limit: int
    #: The tasks that it was woken for.
    given: set[int] = field(default_factory=set)
    #: An earlier call looked, found nothing and waited without result; this one continues its wait and misses nothing.
    has_looked: bool = False
    #: Why there was nothing when it looked last.
    reason: str = "no_ready_task"
    looked_at: float = 0.0
    left_at: float = 0.0


@dataclass(eq=False)
class Due:
    """A task that may be claimable: examined from ``at`` on, unless an agent was woken for it."""

    at: float = 0.0
    held_by: WorkSeat | None = None
    #: The numbers of the seats that were woken for it without success.
    tried: set[int] = field(default_factory=set)
    failures: int = 0


@dataclass(frozen=True)
class ReadyTask:
    """What decides who may claim a ready task. ``needs``: required skills (ids) with their levels."""

    id: int
    project_id: int
    allow_pull: bool
    assigned: frozenset[int]
    needs: tuple[tuple[int, int], ...]

    def is_for(self, seat: WorkSeat, levels: Mapping[int, int]) -> bool:
        """Whether the agent may claim it, by the rules of ``tasks.actions.claims``."""
        if self.project_id not in seat.projects:
            return False
        if self.assigned:
            return seat.agent_id in self.assigned
        return self.allow_pull and all(levels.get(skill, 0) >= level for skill, level in self.needs)


class WorkRoom(Room[WorkSeat]):
    """The agents that wait for work in this process; while there are any, one thread looks for all of them."""

    kinds = BRINGING_WORK | AGENT_KINDS

    def __init__(self) -> None:
        super().__init__()
        self._due: dict[int, Due] = {}
        self._thread: threading.Thread | None = None
        self._is_closing = False
        self._look_around_at = 0.0
        self._around: deque[int] = deque()
        #: Projects in which a task has left a status that may have a limit.
        self._freed: set[int] = set()
        #: The seats of agents whose wait ended without work and that may ask again, by agent.
        self._left: dict[int, WorkSeat] = {}
        #: How often the database was read, for monitoring.
        self.looks = 0

    def seat(self, *, agent: Agent, projects: Iterable[Project], limit: int, kept: WorkSeat | None = None) -> WorkSeat:
        """The seat of a call, taken before it looks; ``kept`` is its seat from earlier looks."""
        ids = frozenset(project.pk for project in projects)
        now = time.monotonic()
        if kept is None:
            with self._changed:
                left = self._left.pop(agent.pk, None)
            if left is None or left.projects != ids or now > left.left_at + RESUME_SECONDS:
                kept = WorkSeat(room=self, agent_id=agent.pk, projects=ids, limit=limit)
            else:
                kept = left
                kept.limit = limit
                if now < kept.looked_at + LOOK_ITSELF_SECONDS:
                    kept.has_looked = True
                    return kept
        kept.projects, kept.has_looked, kept.looked_at = ids, False, now
        return self.prepare(kept)

    def sit(self, seat: WorkSeat, wake: Callable[[], None]) -> None:
        with self._changed:
            self._let_go(seat, is_failure=True)
            super().sit(seat, wake)
            self._start()

    def leave(self, seat: WorkSeat) -> None:
        with self._changed:
            self._let_go(seat, is_failure=False)
            # All news so far was looked at with this one among those that wait.
            if seat.waits and not self._due:
                seat.wake, seat.mark, seat.left_at = None, self._mark, time.monotonic()
                self._left[seat.agent_id] = seat
            super().leave(seat)

    def close(self) -> None:
        super().close()
        with self._changed:
            thread, self._is_closing = self._thread, True
            self._changed.notify_all()
        if thread is not None:
            thread.join(10)

    def _concern(self, event: Event, seats: Iterable[WorkSeat]) -> None:
        if event.kind in AGENT_KINDS:
            concerned = [seat for seat in seats if seat.agent_id == event.agent_id]
        elif event.kind == PROJECT_EDITED:
            pulls = not LETTING_IN.isdisjoint(event.data["fields"])
            concerned = [seat for seat in seats if pulls and event.project_id in seat.projects]
        else:
            concerned = []
            if event.task_id is not None and may_bring_work(event.kind, event.data):
                before = self._due.get(event.task_id)
                self._due[event.task_id] = Due(held_by=before.held_by if before else None)
            if event.data.get("from") in LIMITED:
                self._freed.add(event.project_id)
        for seat in concerned:
            self._wake(seat)

    def _let_go(self, seat: WorkSeat, *, is_failure: bool) -> None:
        """Examine the tasks that ``seat`` was woken for again: they may still be there. Under the lock."""
        for task_id in seat.given:
            due = self._due.get(task_id)
            if due is None or due.held_by is not seat:
                continue
            due.held_by, due.at = None, time.monotonic()
            if is_failure:
                due.at += min(LOOK_AROUND_SECONDS, PAUSE_SECONDS * 2**due.failures)
                due.failures += 1
                due.tried.add(seat.number)
        seat.given.clear()

    def _start(self) -> None:
        """Make sure that the thread runs. Under the lock."""
        if self._thread is None or not self._thread.is_alive():
            self._is_closing = False
            self._look_around_at = time.monotonic() + LOOK_AROUND_SECONDS
            self._thread = threading.Thread(target=self._run, name="waiting-room", daemon=True)
            self._thread.start()

    # In the room's own thread.

    def _run(self) -> None:
        outage = Outage(logger, "The waiting room")
        try:
            while self._wait_for_something():
                try:
                    if time.monotonic() >= self._look_around_at:
                        self._look_around()
                    self._look_at_freed()
                    self._look()
                    outage.end()
                except AWAY as error:
                    outage.begin(error)
                    time.sleep(RETRY_SECONDS)
                except Exception:
                    # Without this thread, those who wait would be woken by nobody.
                    logger.exception("The waiting room could not look; trying again.")
                    time.sleep(RETRY_SECONDS)
        finally:
            connections.close_all()

    def _wait_for_something(self) -> bool:
        """Return True once there is something to do; False if the thread should end."""
        leave_at = time.monotonic() + LINGER_SECONDS
        with self._changed:
            while not self._is_closing:
                now = time.monotonic()
                if not self._seats:
                    # New callers look for themselves, or hear what came since they left.
                    self._due.clear()
                    self._freed.clear()
                    if now >= leave_at:
                        break
                    self._changed.wait(leave_at - now)
                    continue
                leave_at = now + LINGER_SECONDS
                times = (due.at for due in self._due.values() if due.held_by is None)
                begin_at = min(times, default=self._look_around_at)
                if self._freed or min(begin_at, self._look_around_at) <= now:
                    return True
                self._changed.wait(min(begin_at, self._look_around_at) - now)
            self._thread = None
            return False

    def _look(self) -> None:
        """Read the tasks that are due, and wake one agent for each that is ready."""
        now = time.monotonic()
        with self._changed:
            pending = ((pk, due) for pk, due in self._due.items() if due.held_by is None and due.at <= now)
            dues = dict(itertools.islice(pending, LOOKED_AT))
            seats = sorted((seat for seat in self._seats.values() if seat.waits), key=lambda seat: seat.number)
        if not dues:
            return
        chosen: dict[int, WorkSeat] = {}
        if seats:
            self.looks += 1
            chosen = choose(dues, seats)
        with self._changed:
            for task_id, due in dues.items():
                if self._due.get(task_id) is not due:
                    continue  # There has been news about it meanwhile.
                seat = chosen.get(task_id)
                if seat is None:
                    del self._due[task_id]
                elif seat.number in self._seats and (seat.waits or seat.given):
                    due.held_by = seat
                    seat.given.add(task_id)
                    self._wake(seat)

    def _look_at_freed(self) -> None:
        """Take up the first tasks of projects whose limit kept agents from them."""
        with self._changed:
            freed, self._freed = self._freed, set()
            freed &= set().union(*(seat.projects for seat in self._seats.values()))
        if not freed:
            return
        limited = list(Project.objects.limited().filter(pk__in=freed))
        at_limit = full(limited)
        for project in limited:
            if project.pk not in at_limit:
                ready = Task.objects.ready(clock.now()).filter(project=project).in_claim_order()
                self._take_up(ready.values_list("pk", flat=True)[:TASKS_AROUND])

    def _take_up(self, task_ids: Iterable[int]) -> None:
        task_ids = list(task_ids)
        with self._changed:
            for task_id in task_ids:
                self._due.setdefault(task_id, Due())

    def _look_around(self) -> None:
        """Find what no event reported: in a few projects in turn, the first tasks and those whose time has come."""
        with self._changed:
            projects: set[int] = set().union(*(seat.projects for seat in self._seats.values()))
        self._around = deque(pk for pk in self._around if pk in projects)
        self._around.extend(sorted(projects.difference(self._around)))
        ready = Task.objects.ready(clock.now()).filter(project__in=projects)
        due = ready.filter(deferred_until__isnull=False).order_by("-deferred_until")
        task_ids = list(due.values_list("pk", flat=True)[:LOOKED_AT])
        for _ in range(min(PROJECTS_AROUND, len(self._around))):
            first = ready.filter(project=self._around[0]).in_claim_order()
            task_ids += first.values_list("pk", flat=True)[:TASKS_AROUND]
            self._around.rotate(-1)
        self._take_up(task_ids)
        with self._changed:
            outdated = time.monotonic() - RESUME_SECONDS
            self._left = {pk: seat for pk, seat in self._left.items() if seat.left_at > outdated}
        self._look_around_at = time.monotonic() + LOOK_AROUND_SECONDS


def choose(dues: Mapping[int, Due], seats: Sequence[WorkSeat]) -> dict[int, WorkSeat]:
    """Whom to wake for each of these ready tasks: the first of ``seats`` that may claim it.

    A seat that has tried without success comes last.
    """
    ready = read_ready(dues, set().union(*(seat.projects for seat in seats)))
    levels = _levels([seat.agent_id for seat in seats], {skill for task in ready for skill, _ in task.needs})
    places = {seat.number: seat.limit for seat in seats}
    chosen: dict[int, WorkSeat] = {}
    for_nobody: set[tuple[object, ...]] = set()
    for task in ready:
        alike = (task.project_id, task.allow_pull, task.assigned, task.needs)
        if not places:
            break
        if alike in for_nobody:
            continue
        fitting = (seat for seat in seats if seat.number in places and task.is_for(seat, levels[seat.agent_id]))
        first = next(fitting, None)
        if first is None:
            # An import brings thousands of such tasks; each would be compared with each seat.
            for_nobody.add(alike)
            continue
        tried = dues[task.id].tried
        seat = next((seat for seat in itertools.chain([first], fitting) if seat.number not in tried), None)
        if seat is None:
            tried.clear()
            seat = first
        chosen[task.id] = seat
        places[seat.number] -= 1
        if not places[seat.number]:
            del places[seat.number]
    return chosen


def read_ready(task_ids: Collection[int], projects: Collection[int]) -> list[ReadyTask]:
    """Which of these tasks are ready now in one of ``projects`` that is not at its limit, in claim order."""
    tasks = Task.objects.ready(clock.now()).filter(pk__in=task_ids, project__in=projects).in_claim_order()
    tasks = tasks.annotate(
        has_limit=Q(project__limit_in_progress__isnull=False) | Q(project__limit_in_review__isnull=False)
    )
    rows = list(tasks.values_list("pk", "project_id", "project__allow_pull", "has_limit"))
    if limited := {home for _, home, _, has_limit in rows if has_limit}:
        at_limit = full(Project.objects.filter(pk__in=limited))
        rows = [row for row in rows if row[1] not in at_limit]
    if not rows:
        return []
    ready = [pk for pk, *_ in rows]
    assigned: defaultdict[int, set[int]] = defaultdict(set)
    for task, agent in Assignment.objects.active().filter(task__in=ready).values_list("task_id", "agent_id"):
        assigned[task].add(agent)
    needs: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    required = RequiredSkill.objects.filter(task__in=ready).order_by()
    for task, skill, level in required.values_list("task_id", "skill_id", "min_level"):
        needs[task].append((skill, level))
    return [ReadyTask(pk, home, pull, frozenset(assigned[pk]), tuple(needs[pk])) for pk, home, pull, _ in rows]


def _levels(agents: Collection[int], skills: Collection[int]) -> defaultdict[int, dict[int, int]]:
    """Each agent's levels in those of ``skills`` that it has."""
    levels: defaultdict[int, dict[int, int]] = defaultdict(dict)
    if skills:
        rows = AgentSkill.objects.filter(agent__in=agents, skill__in=skills).order_by()
        for agent, skill, level in rows.values_list("agent_id", "skill_id", "level"):
            levels[agent][skill] = level
    return levels


work_room = WorkRoom()
