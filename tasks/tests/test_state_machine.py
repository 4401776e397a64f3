"""All verbs against the domain in plain Python (``model.py``): the same outcome and state after every step.

On each push the same walks; at full size new ones each time.
"""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings, strategies
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tasks import engine
from tasks.actions import agents, assignments, claims, dependencies, lifecycle, projects, questions, reviews, runs
from tasks.actions import tasks as verbs
from tasks.errors import DomainError
from tasks.models import Assignment, Availability, Dependency, Event, Question, Run, Task
from tasks.tests import model
from tasks.tests.history_recount import assert_history
from tasks.tests.invariants import assert_invariants
from tasks.tests.sizes import THOROUGH, WALK_STEPS, WALKS

COMMON = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "database": None,
    "print_blob": False,
    "report_multiple_bugs": False,
}
# Shrinking a walk takes minutes; only at full size there is time for it.
SAME_WALKS = {} if THOROUGH else {"derandomize": True, "phases": (Phase.explicit, Phase.generate)}
SETTINGS = settings(max_examples=WALKS, stateful_step_count=WALK_STEPS, **COMMON, **SAME_WALKS)

LONG_AGO, NEVER = datetime(2000, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)

staff_or_not = strategies.sampled_from(["ada", "ada", "ada", "ada", "rita", "hugo", "atlas", "mona"])
workers = strategies.sampled_from(["atlas", "bert", "hugo"])
anyone = strategies.sampled_from(["atlas", "bert", "hugo", "ada", "rita", "zed"])
places = strategies.integers(0, 5)
assignable = strategies.sampled_from(["atlas", "bert", "hugo", "ada", "atlas", "bert", "zed"])
few_agents = strategies.lists(assignable, max_size=2)
yes_or_no = strategies.booleans()


def has_tasks(machine):
    return bool(machine.world.tasks)


def has_runs(machine):
    return bool(machine.world.runs)


def has_questions(machine):
    return bool(machine.world.questions)


class TaskLives(RuleBasedStateMachine):
    """Several agents, staff, a stranger and the engine working on the tasks of one project."""

    cast = None

    def __init__(self):
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()
        cast = self.cast
        cast.ops.refresh_from_db()
        self.people = {name: getattr(cast, name) for name in ("ada", "rita", "hugo", "atlas", "bert", "zed", "mona")}
        self.world = model.World(
            {
                "ada": model.Agent("ada", "manager", human=True, capacity=2),
                "rita": model.Agent("rita", "reviewer", human=True, capacity=1),
                "hugo": model.Agent("hugo", "worker", human=True, capacity=1),
                "atlas": model.Agent("atlas", "worker", capacity=1, skills=frozenset({"python", "docs"})),
                "bert": model.Agent("bert", "worker", capacity=3, skills=frozenset({"docs"})),
                "zed": model.Agent("zed", None),
                "mona": model.Agent("mona", None, human=True),
            }
        )
        for name, agent in self.world.agents.items():
            type(self.people[name]).objects.filter(slug=name).update(max_concurrent=agent.capacity)
        self.run_ids = []
        self.seen = {}

    def teardown(self):
        try:
            assert_invariants()
            assert_history()
        finally:
            transaction.set_rollback(True)
            self.undo.__exit__(None, None, None)

    # -- how a step is taken ------------------------------------------------------------------------------------------

    def user(self, name):
        return self.people[name].user

    def task(self, place):
        keys = sorted(self.world.tasks)
        return Task(pk=keys[place % len(keys)], project=self.cast.ops, project_id=self.cast.ops.pk)

    def stored(self, place):
        return Task.objects.select_related("project").get(pk=self.task(place).pk)

    def run_key(self, place):
        keys = sorted(self.world.runs)
        return keys[-1 - place % len(keys)]

    def key_of(self, run):
        if run is None:
            return -1
        if run.pk not in self.run_ids:
            self.run_ids.append(run.pk)
        return self.run_ids.index(run.pk)

    def both(self, verb, by_model):
        """Use the verb, let the model do the same with its answer, and compare the outcomes."""
        answer = got = expected = None
        try:
            answer = verb()
        except DomainError as error:
            got = (error.code, error.data.get("reason"))
        try:
            by_model(answer)
        except model.Refused as refused:
            expected = (refused.code, refused.reason)
        assert got == expected, f"the verb ended with {got}, the model says {expected}"
        # Time stands still: a delay is over when the machine says so.
        Task.objects.filter(deferred_until__gt=LONG_AGO).update(deferred_until=NEVER)
        return answer

    # -- staff --------------------------------------------------------------------------------------------------------

    @initialize(review=yes_or_no)
    def begin_with_two_tasks(self, review):
        for _ in range(2):
            self.create("ada", review, None, 2, 2, [], None, [])

    @precondition(lambda self: len(self.world.tasks) < 6)
    @rule(
        by=staff_or_not,
        review=yes_or_no,
        skill=strategies.sampled_from([None, None, "python", "docs"]),
        priority=strategies.integers(1, 4),
        max_attempts=strategies.integers(1, 3),
        waits_for=strategies.lists(places, max_size=2),
        parent=strategies.none() | places,
        assignees=few_agents,
    )
    def create(self, by, review, skill, priority, max_attempts, waits_for, parent, assignees):
        waits_for = [self.stored(place) for place in waits_for] if self.world.tasks else []
        parent = self.stored(parent) if parent is not None and self.world.tasks else None
        new = verbs.NewTask(
            title="A task",
            review_required=review,
            required_skills=[(skill, 1)] if skill else [],
            priority=priority,
            max_attempts=max_attempts,
            depends_on=waits_for,
            parent=parent,
            assignees=[self.people[name] for name in assignees],
        )
        self.both(
            lambda: verbs.create_task(actor=self.user(by), project=self.cast.ops, new=new),
            lambda task: self.world.create(
                by,
                task.pk if task else -1,
                review=review,
                skill=skill,
                priority=priority,
                max_attempts=max_attempts,
                waits_for={other.pk for other in waits_for},
                parent=parent.pk if parent else None,
                assignees=assignees,
            ),
        )

    @precondition(has_tasks)
    @rule(by=staff_or_not, place=places, review=yes_or_no, priority=strategies.integers(1, 4), stale=yes_or_no)
    def edit(self, by, place, review, priority, stale):
        task = self.stored(place)
        changes = {"review_required": review, "priority": priority}
        version = task.version - 1 if stale else task.version
        self.both(
            lambda: verbs.edit_task(actor=self.user(by), task=task, changes=changes, expected_version=version),
            lambda _: self.world.edit(by, task.pk, review=review, priority=priority, stale=stale),
        )

    @precondition(has_tasks)
    @rule(by=staff_or_not, place=places, parent=strategies.none() | places)
    def change_parent(self, by, place, parent):
        task, above = self.task(place), None if parent is None else self.stored(parent)
        self.both(
            lambda: verbs.edit_task(actor=self.user(by), task=task, changes={"parent": above}),
            lambda _: self.world.change_parent(by, task.pk, above.pk if above else None),
        )

    @precondition(has_tasks)
    @rule(by=staff_or_not, place=places, other=places)
    def add_dependency(self, by, place, other):
        task, before = self.task(place), self.stored(other)
        self.both(
            lambda: dependencies.add_dependencies(actor=self.user(by), task=task, depends_on=[before]),
            lambda _: self.world.add_dependency(by, task.pk, before.pk),
        )

    @precondition(has_tasks)
    @rule(by=staff_or_not, place=places, other=places)
    def remove_dependency(self, by, place, other):
        task, before = self.task(place), self.stored(other)
        self.both(
            lambda: dependencies.remove_dependencies(actor=self.user(by), task=task, depends_on=[before]),
            lambda _: self.world.remove_dependency(by, task.pk, before.pk),
        )

    @precondition(lambda self: len(self.world.tasks) > 2)
    @rule(by=staff_or_not, place=places)
    def delete(self, by, place):
        task = self.task(place)
        self.both(lambda: verbs.delete_task(actor=self.user(by), task=task), lambda _: self.world.delete(by, task.pk))

    @precondition(has_tasks)
    @rule(by=staff_or_not, place=places, names=few_agents)
    def assign(self, by, place, names):
        task, chosen = self.task(place), [self.people[name] for name in names]
        self.both(
            lambda: assignments.assign_task(actor=self.user(by), task=task, agents=chosen),
            lambda _: self.world.assign(by, task.pk, names),
        )

    @precondition(has_tasks)
    @rule(by=staff_or_not, place=places, names=few_agents)
    def unassign(self, by, place, names):
        task, chosen = self.task(place), [self.people[name] for name in names]
        self.both(
            lambda: assignments.unassign_task(actor=self.user(by), task=task, agents=chosen),
            lambda _: self.world.unassign(by, task.pk, names),
        )

    @precondition(has_tasks)
    @rule(by=staff_or_not, place=places, names=strategies.lists(assignable, min_size=1, max_size=2))
    def reassign(self, by, place, names):
        task, chosen = self.task(place), [self.people[name] for name in names]
        self.both(
            lambda: assignments.reassign_task(actor=self.user(by), task=task, agents=chosen),
            lambda _: self.world.reassign(by, task.pk, names),
        )

    @precondition(has_tasks)
    @rule(by=staff_or_not, place=places)
    def cancel(self, by, place):
        task = self.task(place)
        self.both(
            lambda: lifecycle.cancel_task(actor=self.user(by), task=task), lambda _: self.world.cancel(by, task.pk)
        )

    @precondition(has_tasks)
    @rule(by=staff_or_not, place=places)
    def reopen(self, by, place):
        task = self.task(place)
        self.both(
            lambda: lifecycle.reopen_task(actor=self.user(by), task=task), lambda _: self.world.reopen(by, task.pk)
        )

    @precondition(has_tasks)
    @rule(by=anyone, place=places)
    def release_by_staff(self, by, place):
        task = self.task(place)
        self.both(
            lambda: lifecycle.release_task(actor=self.user(by), task=task),
            lambda _: self.world.release_by_staff(by, task.pk),
        )

    @precondition(has_tasks)
    @rule(by=anyone, place=places)
    def approve(self, by, place):
        task = self.task(place)
        self.both(
            lambda: reviews.approve_task(actor=self.user(by), task=task), lambda _: self.world.approve(by, task.pk)
        )

    @precondition(has_tasks)
    @rule(by=anyone, place=places, note=strategies.sampled_from(["Again.", "Again.", ""]))
    def request_changes(self, by, place, note):
        task = self.task(place)
        self.both(
            lambda: reviews.request_changes(actor=self.user(by), task=task, note=note),
            lambda _: self.world.request_changes(by, task.pk, note),
        )

    @precondition(has_runs)
    @rule(by=staff_or_not, place=places)
    def adopt(self, by, place):
        key = self.run_key(place)
        self.both(
            lambda: reviews.adopt_late_result(actor=self.user(by), run=Run(pk=self.run_ids[key])),
            lambda _: self.world.adopt(by, key),
        )

    @precondition(lambda self: any(run.late and not run.adopted for run in self.world.runs.values()))
    @rule(by=staff_or_not)
    def adopt_what_came_late(self, by):
        key = next(run.key for run in self.world.runs.values() if run.late and not run.adopted)
        self.both(
            lambda: reviews.adopt_late_result(actor=self.user(by), run=Run(pk=self.run_ids[key])),
            lambda _: self.world.adopt(by, key),
        )

    @rule(pull=strategies.sampled_from([True, True, False]))
    def change_pull(self, pull):
        projects.edit_project(actor=self.user("ada"), project=self.cast.ops, changes={"allow_pull": pull})
        self.cast.ops.allow_pull = self.world.pull = pull

    # -- agents -------------------------------------------------------------------------------------------------------

    @rule(name=workers, paused=yes_or_no)
    def pause(self, name, paused):
        availability = Availability.PAUSED if paused else Availability.AVAILABLE
        agents.set_availability(actor=self.user(name), agent=self.people[name], availability=availability)
        self.world.pause(name, paused)

    @precondition(has_tasks)
    @rule(by=anyone, place=places)
    def claim(self, by, place):
        task = self.task(place)
        self.both(
            lambda: claims.claim_task(actor=self.user(by), task=task),
            lambda run: self.world.claim(by, task.pk, self.key_of(run)),
        )

    @rule(by=workers, limit=strategies.integers(1, 3))
    def claim_next(self, by, limit):
        keys, reason = self.world.claim_next(by, limit)
        claimed = claims.claim_next(actor=self.user(by), projects=[self.cast.ops], limit=limit)
        assert ([run.task_id for run in claimed.runs], claimed.reason) == (keys, reason)
        for run in claimed.runs:
            self.world.take(by, run.task_id, self.key_of(run))

    @precondition(has_tasks)
    @rule(
        by=strategies.sampled_from(["hugo", "rita", "ada", "atlas", "zed"]), place=places, other=anyone, self_=yes_or_no
    )
    def start(self, by, place, other, self_):
        task, name = self.task(place), by if self_ else other
        self.both(
            lambda: claims.start_task(actor=self.user(by), task=task, agent=self.people[name]),
            lambda run: self.world.start(by, task.pk, self.key_of(run), name),
        )

    def holder(self, key, stranger):
        holder = self.world.runs[key].agent
        return "bert" if stranger and holder != "bert" else holder

    @precondition(has_runs)
    @rule(place=places, stranger=strategies.sampled_from([False, False, False, True]))
    def heartbeat(self, place, stranger):
        key = self.run_key(place)
        by = self.holder(key, stranger)
        self.both(
            lambda: runs.heartbeat_run(actor=self.user(by), run_id=self.run_ids[key]),
            lambda _: self.world.heartbeat(by, key),
        )

    @precondition(has_runs)
    @rule(place=places, percent=strategies.integers(0, 100))
    def progress(self, place, percent):
        key = self.run_key(place)
        by = self.holder(key, False)
        self.both(
            lambda: runs.progress_run(actor=self.user(by), run_id=self.run_ids[key], percent=percent),
            lambda _: self.world.progress(by, key, percent),
        )

    @precondition(has_runs)
    @rule(place=places, stranger=strategies.sampled_from([False, False, False, True]))
    def complete(self, place, stranger):
        key = self.run_key(place)
        by = self.holder(key, stranger)
        self.both(
            lambda: runs.complete_run(actor=self.user(by), run_id=self.run_ids[key], summary="done"),
            lambda _: self.world.complete(by, key),
        )

    @precondition(has_runs)
    @rule(place=places, retryable=yes_or_no)
    def fail(self, place, retryable):
        key = self.run_key(place)
        by = self.holder(key, False)
        self.both(
            lambda: runs.fail_run(
                actor=self.user(by), run_id=self.run_ids[key], code="x", detail="y", retryable=retryable
            ),
            lambda _: self.world.fail(by, key, retryable),
        )

    @precondition(has_runs)
    @rule(place=places)
    def release(self, place):
        key = self.run_key(place)
        by = self.holder(key, False)
        self.both(
            lambda: runs.release_run(actor=self.user(by), run_id=self.run_ids[key]),
            lambda _: self.world.release(by, key),
        )

    # -- questions ----------------------------------------------------------------------------------------------------

    def question(self, place):
        keys = sorted(self.world.questions)
        return keys[-1 - place % len(keys)]

    @precondition(has_runs)
    @rule(
        place=places,
        count=strategies.integers(1, 2),
        park=yes_or_no,
        to=strategies.sampled_from([None, None, None, "hugo", "bert", "rita", "zed"]),
        on_expiry=strategies.sampled_from(["keep", "default", "escalate", "fail", "fail"]),
    )
    def ask(self, place, count, park, to, on_expiry):
        key = self.run_key(place)
        by = self.holder(key, False)
        parts = [{"prompt": "Which?", "default": "d", **({"to": to} if to else {})} for _ in range(count)]
        self.both(
            lambda: questions.ask_run(
                actor=self.user(by),
                run_id=self.run_ids[key],
                questions=parts,
                park=park,
                on_expiry=on_expiry,
                expires_in_seconds=10**6,
            ),
            lambda asked: self.world.ask(
                by, key, [each.pk for each in asked.questions] if asked else [-1], park=park, to=to, on_expiry=on_expiry
            ),
        )

    @precondition(has_questions)
    @rule(by=anyone, place=places, value=strategies.sampled_from(["this", "that"]))
    def answer(self, by, place, value):
        key = self.question(place)
        self.both(
            lambda: questions.answer_question(actor=self.user(by), question_id=key, value=value),
            lambda _: self.world.answer(by, key, value),
        )

    @precondition(has_questions)
    @rule(by=anyone, place=places)
    def withdraw(self, by, place):
        key = self.question(place)
        self.both(
            lambda: questions.withdraw_question(actor=self.user(by), question_id=key),
            lambda _: self.world.withdraw(by, key),
        )

    @precondition(has_questions)
    @rule(place=places)
    def question_is_over(self, place):
        key = self.question(place)
        # One after the other, in the order of their ids.
        Question.objects.filter(pk=key).update(expires_at=LONG_AGO + timedelta(seconds=key % 10**6))
        self.world.question_is_over(key)

    # -- time ---------------------------------------------------------------------------------------------------------

    @precondition(lambda self: any(run.status == "active" and run.leased for run in self.world.runs.values()))
    @rule(place=places)
    def lease_ends(self, place):
        leased = [run.key for run in self.world.runs.values() if run.status == "active" and run.leased]
        key = leased[place % len(leased)]
        Run.objects.filter(pk=self.run_ids[key]).update(lease_expires_at=LONG_AGO)
        self.world.lease_ends(key)

    @precondition(lambda self: any(task.resting for task in self.world.tasks.values()))
    @rule()
    def rest_is_over(self):
        Task.objects.update(deferred_until=LONG_AGO)
        for key in self.world.tasks:
            self.world.rest_is_over(key)

    @rule()
    def tick(self):
        self.both(lambda: engine.tick().expired, self._same_number)

    def _same_number(self, expired):
        assert expired == self.world.tick()

    # -- what holds after every step ----------------------------------------------------------------------------------

    @invariant()
    def the_database_says_what_the_model_says(self):
        stored = {task.pk: task for task in Task.objects.all()}
        assert set(stored) == set(self.world.tasks)
        held = {run.task_id: run for run in Run.objects.active().select_related("agent")}
        for key, expected in self.world.tasks.items():
            task, run = stored[key], self.world.active_run(expected)
            assert task.status == expected.status
            assert task.open_blockers == self.world.blockers(expected)
            assert (task.attempts, task.lease_losses) == (expected.attempts, expected.losses)
            assert task.progress_percent == expected.percent
            assert (task.parent_id, task.priority, task.review_required) == (
                expected.parent,
                expected.priority,
                expected.review,
            )
            assert (held[key].agent.slug if key in held else None) == (run.agent if run else None)
        self._assignees_and_dependencies_are_the_same()
        self._runs_are_the_same()
        self._questions_are_the_same()
        self._events_tell_each_status()

    def _assignees_and_dependencies_are_the_same(self):
        assigned = set(Assignment.objects.active().values_list("task_id", "agent__slug"))
        assert assigned == {(task.key, name) for task in self.world.tasks.values() for name in task.assignees}
        edges = set(Dependency.objects.values_list("task_id", "depends_on_id"))
        assert edges == {(task.key, other) for task in self.world.tasks.values() for other in task.waits_for}

    def _runs_are_the_same(self):
        stored = {run.pk: run for run in Run.objects.all()}
        assert set(stored) == {self.run_ids[key] for key in self.world.runs}
        for key, expected in self.world.runs.items():
            run = stored[self.run_ids[key]]
            assert run.status == expected.status
            assert (run.late_result or {}).get("verb") == expected.late
            assert (run.adopted_at is not None) == expected.adopted

    def _questions_are_the_same(self):
        stored = dict(Question.objects.values_list("pk", "state"))
        assert stored == {key: each.state for key, each in self.world.questions.items()}

    def _events_tell_each_status(self):
        moves = {key: [] for key in self.world.tasks}
        # Whatever the kind: taking a task from its holder is in the event that unassigns.
        for task_id, data in Event.objects.filter(data__has_key="to").in_order().values_list("task_id", "data"):
            if task_id in moves:
                moves[task_id].append(data["to"])
        assert moves == {key: task.statuses for key, task in self.world.tasks.items()}

    @invariant()
    def versions_grow_with_every_change_that_is_seen(self):
        for task in Task.objects.prefetch_related("dependencies", "assignments"):
            shown = (
                task.status,
                task.progress_percent,
                task.open_blockers,
                task.parent_id,
                task.priority,
                task.review_required,
                task.open_questions,
                sorted(a.agent_id for a in task.assignments.all() if a.counts),
                sorted(edge.depends_on_id for edge in task.dependencies.all()),
            )
            version, before = self.seen.get(task.pk, (0, None))
            assert task.version > version or (task.version == version and shown == before), (
                f"version {version} showed {before}, version {task.version} shows {shown}"
            )
            self.seen[task.pk] = (task.version, shown)


@pytest.mark.slow
def test_verbs_do_what_the_model_says(cast):
    TaskLives.cast = cast
    run_state_machine_as_test(TaskLives, settings=SETTINGS)
