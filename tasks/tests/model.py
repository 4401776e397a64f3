"""The domain in plain Python: what each verb must do, without Django or a database.

The state machine drives this model and the verbs in parallel. Verbs raise ``Refused`` with the code of the error.
Time stands still: a lease ends and a delay is over when ``lease_ends`` and ``rest_is_over`` say so.
"""

from dataclasses import dataclass, field, replace

ROLES = ("viewer", "worker", "reviewer", "manager")
OPEN = ("not_started", "in_progress", "waiting", "in_review")
ENDED = ("completed", "failed", "cancelled")
LEASE_LOSS_LIMIT = 5
LATE_IS_KEPT_AFTER = ("expired", "revoked", "cancelled", "released")


#: An assignment that lapses: staff make it theirs, and nobody gets it back when the task is reopened.
OFFER = "offer"


class Refused(Exception):
    """A verb was refused with this code and, if it matters, this reason."""

    def __init__(self, code: str, reason: str | None = None) -> None:
        super().__init__(code)
        self.code, self.reason = code, reason


@dataclass
class Agent:
    name: str
    role: str | None
    human: bool = False
    capacity: int = 1
    skills: frozenset[str] = frozenset()
    paused: bool = False

    def may(self, least: str) -> bool:
        return self.role is not None and ROLES.index(self.role) >= ROLES.index(least)


@dataclass
class Run:
    key: int
    task: int
    agent: str
    leased: bool
    status: str = "active"
    lease_over: bool = False
    percent: int = 0
    late: str | None = None
    adopted: bool = False
    result_since: int = 0


@dataclass
class Task:
    key: int
    creator: str
    review: bool = False
    skill: str | None = None
    priority: int = 2
    max_attempts: int = 3
    status: str = "not_started"
    attempts: int = 0
    losses: int = 0
    resting: bool = False
    percent: int = 0
    waits_for: set[int] = field(default_factory=set)
    parent: int | None = None
    #: Assignee → whether they pulled the task themselves; ``OFFER``: it is kept for them after an answer.
    assignees: dict[str, bool | str] = field(default_factory=dict)
    #: Assignments that ended with the task, in the order in which they were made.
    closed: list[tuple[str, bool | str]] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)


@dataclass
class Question:
    key: int
    task: int
    run: int
    asker: str
    to: str | None = None
    on_expiry: str = "keep"
    parked: bool = False
    over: bool = False
    is_told: bool = False
    state: str = "open"
    answer: tuple[str, str] | None = None


@dataclass
class World:
    """One project, its agents, tasks and runs."""

    agents: dict[str, Agent]
    pull: bool = True
    tasks: dict[int, Task] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)
    questions: dict[int, Question] = field(default_factory=dict)
    results: int = 0

    # -- what is derived ----------------------------------------------------------------------------------------------

    def blockers(self, task: Task) -> int:
        open_dependencies = sum(self.tasks[key].status != "completed" for key in task.waits_for)
        children = [other for other in self.tasks.values() if other.parent == task.key]
        return open_dependencies + sum(child.status not in ("completed", "cancelled") for child in children)

    def ready(self, task: Task) -> bool:
        return task.status == "not_started" and not self.blockers(task) and not task.resting

    def active_run(self, task: Task) -> Run | None:
        return next((run for run in self.runs.values() if run.task == task.key and run.status == "active"), None)

    def unanswered(self, task: Task) -> list[Question]:
        return [each for each in self.questions.values() if each.task == task.key and each.state == "open"]

    def free(self, agent: Agent) -> int:
        return agent.capacity - sum(run.agent == agent.name and run.status == "active" for run in self.runs.values())

    def closes_cycle(self, start: int, goal: int) -> bool:
        """Whether ``start`` already waits for ``goal``, over any number of steps."""
        seen, frontier = set(), [start]
        while frontier:
            key = frontier.pop()
            if key == goal:
                return True
            if key not in seen:
                seen.add(key)
                frontier += self.tasks[key].waits_for
                frontier += [other.key for other in self.tasks.values() if other.parent == key]
        return False

    def author(self, task: Task) -> str | None:
        carried = [run for run in self.runs.values() if run.task == task.key and run.result_since]
        return max(carried, key=lambda run: run.result_since).agent if carried else None

    # -- what verbs share ---------------------------------------------------------------------------------------------

    def _require(self, condition: bool, code: str, reason: str | None = None) -> None:
        if not condition:
            raise Refused(code, reason)

    def _require_role(self, agent: str, least: str) -> None:
        self._require(self.agents[agent].may(least), "permission_denied")

    def _require_status(self, task: Task, *statuses: str) -> None:
        self._require(task.status in statuses, "illegal_transition")

    def _move(self, task: Task, status: str) -> None:
        before, task.status = task.status, status
        task.statuses.append(status)
        if status in ("not_started", "failed", "cancelled"):
            task.percent = 0
        if status in ENDED or status == "in_review":
            for question in self.unanswered(task):
                question.state = "withdrawn"
        if status in ENDED:
            task.closed += task.assignees.items()
            task.assignees = {}
        elif before in ENDED:
            for number in range(len(task.closed) - 1, -1, -1):
                agent, pulled = task.closed[number]
                if agent not in task.assignees and pulled != OFFER:
                    task.assignees[agent] = pulled
                    del task.closed[number]

    def _give_back_pulled(self, task: Task, agent: str) -> None:
        if task.assignees.get(agent):
            del task.assignees[agent]

    def _end_active_run(self, task: Task, status: str) -> None:
        if run := self.active_run(task):
            run.status = status

    def _open_run(self, key: int, task: Task, agent: str, *, leased: bool) -> None:
        task.assignees.setdefault(agent, True)
        task.resting, task.percent = False, 0
        self._move(task, "in_progress")
        self.runs[key] = Run(key, task.key, agent, leased)

    # -- staff and members --------------------------------------------------------------------------------------------

    def create(
        self,
        by: str,
        key: int,
        *,
        review: bool,
        skill: str | None,
        priority: int,
        max_attempts: int,
        waits_for: set[int],
        parent: int | None,
        assignees: list[str],
    ) -> None:
        self._require_role(by, "manager")
        cycle = parent is not None and any(self.closes_cycle(other, parent) for other in waits_for)
        self._require(not cycle, "dependency_cycle")
        self._require(all(self.agents[name].may("worker") for name in assignees), "validation_error")
        self.tasks[key] = Task(key, by, review, skill, priority, max_attempts, waits_for=set(waits_for), parent=parent)
        self.tasks[key].assignees = dict.fromkeys(assignees, False)

    def edit(self, by: str, key: int, *, review: bool, priority: int, stale: bool) -> None:
        self._require_role(by, "manager")
        self._require(not stale, "version_mismatch")
        self.tasks[key] = replace(self.tasks[key], review=review, priority=priority)

    def change_parent(self, by: str, key: int, parent: int | None) -> None:
        self._require_role(by, "manager")
        task = self.tasks[key]
        if parent is not None and parent != task.parent:
            self._require(not self.closes_cycle(key, parent), "dependency_cycle")
        task.parent = parent

    def add_dependency(self, by: str, key: int, other: int) -> None:
        self._require_role(by, "manager")
        task = self.tasks[key]
        self._require_status(task, *OPEN)
        if other not in task.waits_for:
            self._require(not self.closes_cycle(other, key), "dependency_cycle")
        task.waits_for.add(other)

    def remove_dependency(self, by: str, key: int, other: int) -> None:
        self._require_role(by, "manager")
        self.tasks[key].waits_for.discard(other)

    def delete(self, by: str, key: int) -> None:
        self._require_role(by, "manager")
        self._require(self.tasks[key].status != "in_progress", "illegal_transition")
        del self.tasks[key]
        self.runs = {number: run for number, run in self.runs.items() if run.task != key}
        self.questions = {number: each for number, each in self.questions.items() if each.task != key}
        for task in self.tasks.values():
            task.waits_for.discard(key)
            task.parent = None if task.parent == key else task.parent

    def assign(self, by: str, key: int, agents: list[str]) -> None:
        self._require(bool(agents), "validation_error")
        self._require_role(by, "manager")
        task = self.tasks[key]
        self._require_status(task, *OPEN)
        self._require(all(self.agents[name].may("worker") for name in agents), "validation_error")
        self._assign(task, agents)

    def _assign(self, task: Task, agents: list[str]) -> None:
        for name in agents:
            if task.assignees.get(name, OFFER) == OFFER:
                task.assignees.pop(name, None)
                task.assignees[name] = False

    def unassign(self, by: str, key: int, agents: list[str]) -> None:
        self._require(bool(agents), "validation_error")
        self._require_role(by, "manager")
        task = self.tasks[key]
        self._require_status(task, *OPEN)
        self._take_from(task, agents)

    def reassign(self, by: str, key: int, agents: list[str]) -> None:
        self._require_role(by, "manager")
        task = self.tasks[key]
        self._require_status(task, *OPEN)
        self._require(all(self.agents[name].may("worker") for name in agents), "validation_error")
        self._take_from(task, [name for name in task.assignees if name not in agents])
        self._assign(task, agents)

    def _take_from(self, task: Task, agents: list[str]) -> None:
        run = self.active_run(task)
        if run is not None and run.agent in agents:
            run.status = "revoked"
            self._move(task, "not_started")
        for name in agents:
            task.assignees.pop(name, None)

    def cancel(self, by: str, key: int) -> None:
        self._require_role(by, "manager")
        task = self.tasks[key]
        self._require_status(task, *OPEN)
        self._end_active_run(task, "cancelled")
        self._move(task, "cancelled")

    def reopen(self, by: str, key: int) -> None:
        self._require_role(by, "manager")
        task = self.tasks[key]
        self._require_status(task, *ENDED)
        task.attempts = task.losses = 0
        self._move(task, "not_started")

    def release_by_staff(self, by: str, key: int) -> None:
        task = self.tasks[key]
        run = self.active_run(task)
        self._require(self.agents[by].may("manager") or (run is not None and run.agent == by), "permission_denied")
        self._require_status(task, "in_progress")
        assert run is not None
        self._give_back(run)

    def approve(self, by: str, key: int) -> None:
        task = self.tasks[key]
        self._require_role(by, "reviewer")
        self._require(self.author(task) != by, "permission_denied")
        self._require_status(task, "in_review")
        self._move(task, "completed")

    def request_changes(self, by: str, key: int, note: str) -> None:
        self._require(bool(note), "validation_error")
        task = self.tasks[key]
        self._require_role(by, "reviewer")
        author = self.author(task)
        self._require(author != by, "permission_denied")
        self._require_status(task, "in_review")
        self._move(task, "not_started")
        if author is not None:
            self._assign(task, [author])

    def adopt(self, by: str, run_key: int) -> None:
        run = self.runs[run_key]
        task = self.tasks[run.task]
        self._require_role(by, "manager")
        self._require_status(task, "not_started", "in_progress", "failed")
        self._require(run.late == "complete" and not run.adopted, "validation_error")
        self._end_active_run(task, "revoked")
        run.adopted = True
        self._finish(task, run)

    def pause(self, agent: str, paused: bool) -> None:
        self.agents[agent].paused = paused

    # -- agents -------------------------------------------------------------------------------------------------------

    def claim(self, by: str, key: int, run_key: int) -> None:
        self._require_role(by, "worker")
        task, agent = self.tasks[key], self.agents[by]
        run = self.active_run(task)
        if run is not None:
            self._require(run.agent == by, "already_claimed")
            run.lease_over = False
            return
        self._require_may_begin(task, agent)
        self._open_run(run_key, task, by, leased=True)

    def start(self, by: str, key: int, run_key: int, agent: str) -> None:
        self._require_role(by, "worker")
        task, worker = self.tasks[key], self.agents[agent]
        self._require(worker.human, "validation_error")
        for_other = by != agent
        self._require(not for_other or self.agents[by].may("manager"), "permission_denied")
        self._require(not for_other or worker.may("worker"), "validation_error")
        run = self.active_run(task)
        if run is not None:
            self._require(run.agent == agent, "already_claimed")
            return
        self._require_may_begin(task, worker, by_staff=for_other)
        self._open_run(run_key, task, agent, leased=False)

    def _require_may_begin(self, task: Task, agent: Agent, *, by_staff: bool = False) -> None:
        self._require_status(task, "not_started")
        self._require(self.ready(task), "not_ready")
        if not by_staff and agent.name not in task.assignees:
            self._require(not task.assignees and self.pull, "not_assignee")
            self._require(task.skill is None or task.skill in agent.skills, "missing_skill")
        self._require(self.free(agent) > 0, "at_capacity")

    def claim_next(self, by: str, limit: int) -> tuple[list[int], str | None]:
        """The tasks that would be claimed, in order, or why there are none; ``take`` then claims them."""
        agent = self.agents[by]
        if agent.paused:
            return [], "paused"
        if self.free(agent) <= 0:
            return [], "at_capacity"
        ready = sorted((t for t in self.tasks.values() if self.ready(t)), key=lambda t: (-t.priority, t.key))
        mine = [t for t in ready if by in t.assignees]
        pool = [t for t in ready if self.pull and not t.assignees and (t.skill is None or t.skill in agent.skills)]
        picked = (mine + pool)[: min(limit, self.free(agent))]
        return [task.key for task in picked], None if picked else "no_ready_task"

    def take(self, by: str, key: int, run_key: int) -> None:
        self._open_run(run_key, self.tasks[key], by, leased=True)

    def _held(self, by: str, run_key: int, late: str | None = None) -> tuple[Run, Task]:
        run = self.runs[run_key]
        self._require(run.agent == by, "not_found")
        if run.status != "active":
            if late and run.status in LATE_IS_KEPT_AFTER:
                run.late = run.late or late
            raise Refused("lease_lost", run.status)
        run.lease_over = False
        return run, self.tasks[run.task]

    def heartbeat(self, by: str, run_key: int) -> None:
        self._held(by, run_key)

    def progress(self, by: str, run_key: int, percent: int) -> None:
        run, task = self._held(by, run_key)
        run.percent = task.percent = percent

    def complete(self, by: str, run_key: int) -> None:
        run, task = self._held(by, run_key, late="complete")
        run.status = "completed"
        self._finish(task, run)

    def _finish(self, task: Task, run: Run) -> None:
        self.results += 1
        run.result_since = self.results
        task.percent = 100
        self._move(task, "in_review" if task.review else "completed")

    def fail(self, by: str, run_key: int, retryable: bool) -> None:
        run, task = self._held(by, run_key, late="fail")
        run.status = "failed"
        task.attempts += 1
        if retryable and task.attempts < task.max_attempts:
            task.resting = True
            self._move(task, "not_started")
            self._give_back_pulled(task, by)
        else:
            self._move(task, "failed")

    def release(self, by: str, run_key: int) -> None:
        run, _ = self._held(by, run_key)
        self._give_back(run)

    def _give_back(self, run: Run) -> None:
        task = self.tasks[run.task]
        run.status = "released"
        self._move(task, "not_started")
        self._give_back_pulled(task, run.agent)

    # -- questions ----------------------------------------------------------------------------------------------------

    def ask(self, by: str, run_key: int, keys: list[int], *, park: bool, to: str | None, on_expiry: str) -> None:
        run, task = self._held(by, run_key)
        self._require(to != by and (to is None or self.agents[to].may("worker")), "validation_error")
        for key in keys:
            self.questions[key] = Question(key, task.key, run_key, by, to, on_expiry)
        if park:
            run.status = "parked"
            for question in self.unanswered(task):
                question.parked = True
            self._move(task, "waiting")

    def answer(self, by: str, key: int, value: str) -> None:
        question = self.questions[key]
        self._require(self.agents[by].role is not None, "not_found")
        self._require(self._may_answer(self.agents[by], question), "permission_denied")
        if question.answer == (by, value):
            return
        self._require(question.state not in ("answered", "defaulted"), "already_answered")
        self._require(question.state == "open", "question_ended")
        question.state, question.answer = "answered", (by, value)
        self._go_on(question)

    def _may_answer(self, agent: Agent, question: Question) -> bool:
        if agent.name == question.asker or not agent.may("worker"):
            return False
        if question.to == agent.name:
            return True
        return agent.human and (question.to is None or agent.may("manager"))

    def withdraw(self, by: str, key: int) -> None:
        question, agent = self.questions[key], self.agents[by]
        self._require(agent.role is not None, "not_found")
        self._require(agent.may("manager") or question.asker == by, "permission_denied")
        if question.state == "withdrawn":
            return
        self._require(question.state not in ("answered", "defaulted"), "already_answered")
        self._require(question.state == "open", "question_ended")
        question.state = "withdrawn"
        self._go_on(question)

    def _go_on(self, question: Question) -> None:
        """With its last open question a waiting task is there for the same agent first."""
        task = self.tasks[question.task]
        if task.status == "waiting" and not self.unanswered(task):
            self._move(task, "not_started")
            if task.assignees.get(question.asker):
                task.assignees[question.asker] = OFFER

    def _expire(self, question: Question) -> None:
        task = self.tasks[question.task]
        if question.on_expiry in ("keep", "escalate"):
            question.is_told = True
        elif question.on_expiry == "default":
            question.state = "defaulted"
            self._go_on(question)
        else:
            question.state = "failed"
            run = self.runs[question.run]
            if task.status == "waiting" or run.status == "active":
                run.status = "failed" if run.status == "active" else run.status
                task.attempts += 1
                if task.attempts < task.max_attempts:
                    task.resting = True
                    self._move(task, "not_started")
                    self._give_back_pulled(task, run.agent)
                else:
                    self._move(task, "failed")

    # -- time ---------------------------------------------------------------------------------------------------------

    def lease_ends(self, run_key: int) -> None:
        self.runs[run_key].lease_over = True

    def question_is_over(self, key: int) -> None:
        self.questions[key].over = True

    def rest_is_over(self, key: int) -> None:
        self.tasks[key].resting = False

    def tick(self) -> int:
        """One tick of the engine: end the runs whose lease is over; returns how many."""
        over = [run for run in self.runs.values() if run.status == "active" and run.leased and run.lease_over]
        for run in over:
            run.status = "expired"
            task = self.tasks[run.task]
            task.losses += 1
            if task.losses < LEASE_LOSS_LIMIT:
                task.resting = True
                self._move(task, "not_started")
                self._give_back_pulled(task, run.agent)
            else:
                self._move(task, "failed")
        for key in sorted(key for key, each in self.questions.items() if each.over and not each.is_told):
            if self.questions[key].state == "open":
                self._expire(self.questions[key])
        return len(over)
