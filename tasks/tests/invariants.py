"""What must hold whatever happened: the promises of the domain, checked against the rows."""

from collections import Counter, defaultdict
from datetime import datetime

from django.db.models import Count, Q

from tasks.events import kinds
from tasks.models import Agent, Assignment, Dependency, Event, Question, Run, RunStatus, Task
from tasks.transitions import TERMINAL, TRANSITIONS, Status


def assert_invariants() -> None:
    """Raise ``AssertionError`` naming the first broken promise anywhere in the database."""
    tasks = {task.pk: task for task in Task.objects.select_related("project")}
    _one_active_run_exactly_while_in_progress(tasks)
    _open_blockers_equal_a_recount(tasks)
    _no_cycle(tasks)
    _assignments_fit_the_status(tasks)
    _capacity_is_kept()
    _questions_fit_the_status(tasks)
    _events_tell_the_same_story(tasks)


def _one_active_run_exactly_while_in_progress(tasks: dict[int, Task]) -> None:
    active: dict[int, list[Run]] = defaultdict(list)
    for run in Run.objects.filter(status=RunStatus.ACTIVE).select_related("agent"):
        active[run.task_id].append(run)
    for task in tasks.values():
        expected = 1 if task.status == Status.IN_PROGRESS else 0
        assert len(active[task.pk]) == expected, f"{task.ref} is {task.status} with {len(active[task.pk])} active runs"
    numbers: dict[int, list[int]] = defaultdict(list)
    for task_id, number in Run.objects.order_by("number").values_list("task_id", "number"):
        numbers[task_id].append(number)
    for task in tasks.values():
        assert numbers[task.pk] == list(range(1, task.run_count + 1)), f"the runs of {task.ref} are not numbered in row"


def _open_blockers_equal_a_recount(tasks: dict[int, Task]) -> None:
    counted = Task.objects.annotate(
        waiting=Count("dependencies", filter=~Q(dependencies__depends_on__status=Status.COMPLETED), distinct=True)
        + Count("children", filter=~Q(children__status__in=(Status.COMPLETED, Status.CANCELLED)), distinct=True)
    )
    for task in counted:
        assert task.open_blockers == task.waiting, (
            f"{tasks[task.pk].ref} counts {task.open_blockers} blockers, there are {task.waiting}"
        )


def _no_cycle(tasks: dict[int, Task]) -> None:
    waits_for: dict[int, set[int]] = defaultdict(set)
    for task_id, other in Dependency.objects.values_list("task_id", "depends_on_id"):
        waits_for[task_id].add(other)
    for task in tasks.values():
        if task.parent_id:
            waits_for[task.parent_id].add(task.pk)
    left = {pk: set(others) for pk, others in waits_for.items()}
    done = set(tasks) - set(left)
    while done:
        finished = {pk for pk, others in left.items() if others <= (set(tasks) - set(left))}
        for pk in finished:
            del left[pk]
        done = finished
    assert not left, f"tasks wait for each other in a cycle: {sorted(tasks[pk].ref for pk in left)}"


def _assignments_fit_the_status(tasks: dict[int, Task]) -> None:
    assigned: dict[int, set[int]] = defaultdict(set)
    for task_id, agent_id in Assignment.objects.active().values_list("task_id", "agent_id"):
        assigned[task_id].add(agent_id)
    for task in tasks.values():
        assert not (task.status in TERMINAL and assigned[task.pk]), f"{task.ref} is {task.status} and still assigned"
    for run in Run.objects.active().select_related("agent"):
        assert run.agent_id in assigned[run.task_id], (
            f"{run.agent} holds {tasks[run.task_id].ref} and is not assigned to it"
        )


def _questions_fit_the_status(tasks: dict[int, Task]) -> None:
    waiting = Counter(Question.objects.open().values_list("task_id", flat=True))
    for task in tasks.values():
        assert task.open_questions == waiting[task.pk], (
            f"{task.ref} counts {task.open_questions} open questions, there are {waiting[task.pk]}"
        )
        assert task.status != Status.WAITING or waiting[task.pk], f"{task.ref} waits for no answer"
        over = task.status in TERMINAL or task.status == Status.IN_REVIEW
        assert not (over and waiting[task.pk]), f"{task.ref} is {task.status} and has open questions"


def _capacity_is_kept() -> None:
    for agent in Agent.objects.with_load():
        assert agent.active_runs <= agent.max_concurrent, (  # type: ignore[attr-defined]
            f"{agent} works on more than {agent.max_concurrent} tasks"
        )


def _events_tell_the_same_story(tasks: dict[int, Task]) -> None:
    """From each task's creation on, every move begins where the last one ended, and the last ends at its status.

    A reader who folds the ``to`` of any event that has one is right. Runs begin and end in turn. What stands after
    another of the same task did not happen before it.
    """
    last_at: dict[int, datetime] = {}
    folded: dict[int, str] = dict.fromkeys(tasks, Status.NOT_STARTED.value)
    runs: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for event in Event.objects.filter(task__in=tasks).order_by("pk"):
        data = event.data
        assert event.task_id is not None
        if event.recipient_id is None:
            earlier = last_at.setdefault(event.task_id, event.at)
            assert earlier <= event.at, f"{event.kind} of {event.task_ref} stands after what happened later"
            last_at[event.task_id] = event.at
        if "to" not in data:
            continue
        before = folded[event.task_id]
        folded[event.task_id] = data["to"]
        if event.kind == kinds.TASK_IMPORTED:
            continue
        source, target, verb = data["from"], data["to"], data["verb"]
        assert before == source, f"{event.task_ref} was {before}, the event says {source}"
        row = TRANSITIONS[verb]
        assert source in row.sources, f"{event.task_ref}: {verb} is no way from {source}"
        assert target in row.targets, f"{event.task_ref}: {verb} is no way to {target}"
        if target == Status.IN_PROGRESS:
            runs[event.task_id].append((data["run"], "begins"))
        elif source == Status.IN_PROGRESS:
            number = data.get("revoked_run", data["run"])
            runs[event.task_id].append((number, "ends"))
    for pk, status in folded.items():
        assert tasks[pk].status == status, f"{tasks[pk].ref} is {tasks[pk].status}, its events end at {status}"
    for pk, steps in runs.items():
        expected = [(number, step) for number in range(1, len(steps) // 2 + 2) for step in ("begins", "ends")]
        assert steps == expected[: len(steps)], f"the runs of {tasks[pk].ref} are recorded as {steps}"
