"""Directives against a model in plain Python: whatever happens in whatever order, each ends in exactly one final state,
their order is kept, none reaches the wrong run, and a later run carries no trace of a stop.
"""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tasks import clock
from tasks.actions import assignments, claims, lifecycle, passing_time, runs
from tasks.actions.directives import delivery
from tasks.actions.messages import ack_message, post_message, withdraw_message
from tasks.actions.questions import answer_question, ask_run
from tasks.errors import DirectiveEnded, LeaseLost, NoActiveRun, NotPermitted, StopRequested
from tasks.models import Event, Message, Question, Run, Task
from tasks.tests.invariants import assert_invariants
from tasks.tests.sizes import THOROUGH

SETTINGS = settings(
    max_examples=400 if THOROUGH else 15,
    stateful_step_count=60 if THOROUGH else 30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    report_multiple_bugs=False,
    **({} if THOROUGH else {"derandomize": True, "phases": (Phase.explicit, Phase.generate)}),
)
FINAL = ("acknowledged", "declined", "withdrawn", "undelivered")
TERMINAL = ("completed", "failed", "cancelled")
places = strategies.integers(0, 9)
few = strategies.sets(places, max_size=3)
agents = strategies.sampled_from(["atlas", "bert"])
#: Whether the process is killed before it commits: then nothing has happened.
killed = strategies.sampled_from([False, False, False, True])


class Killed(Exception):
    """The process died before its transaction committed."""


@dataclass
class Sent:
    """What the model knows of a message; ``run``: its number, None while it waits for the next one."""

    pk: int
    kind: str
    keep: bool
    run: int | None
    state: str = "queued"
    #: Numbers of the runs that it was delivered to.
    reached: list[int] = field(default_factory=list)


def is_held(machine):
    return machine.holder is not None


def is_free(machine):
    return machine.holder is None


class Directives(RuleBasedStateMachine):
    """One task, two agents that take turns at it, and ada, who instructs."""

    cast = task = None

    def __init__(self):
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()
        self.sent: list[Sent] = []
        self.holder = self.run_id = None
        self.number, self.status, self.is_stopped = 0, "not_started", False

    def teardown(self):
        try:
            assert_invariants()
        finally:
            transaction.set_rollback(True)
            self.undo.__exit__(None, None, None)

    # -- how a step is taken

    def do(self, dies, call):
        """``call``; if the process ``dies``, its effects are gone. Returns what it returned, or None."""
        try:
            with transaction.atomic():
                result = call()
                if dies:
                    raise Killed
        except Killed:
            return None
        return result

    @property
    def mine(self):
        """What waits for the active run, in order."""
        return [each for each in self.sent if each.run == self.number and each.state in ("queued", "delivered")]

    def on_run(self):
        return {"actor": getattr(self.cast, self.holder).user, "run_id": self.run_id}

    def written(self):
        """The columns of the run, but the flag that spares a look at its queue: a reply may find that empty."""
        columns = Run.objects.filter(pk=self.run_id).values().get()
        del columns["has_directives"]
        return columns

    def reply(self):
        """What a reply to the holder brings, as the API makes it."""
        run = Run.objects.select_related("task__project", "agent__user").get(pk=self.run_id)
        return delivery.deliver([run], actor=run.agent.user).get(run.pk, [])

    def delivered(self):
        """The model of a reply: everything that waits is delivered now."""
        for each in self.mine:
            if each.state == "queued":
                each.state = "delivered"
                each.reached.append(self.number)
            self.is_stopped = self.is_stopped or each.kind == "stop"
        return [f"m{each.pk}" for each in self.mine]

    def ended(self, status, *, by_holder=False):
        """The model of the end of a run, which leads the task to ``status``."""
        for each in self.mine:
            if by_holder and each.kind == "stop" and each.state == "delivered":
                each.state = "acknowledged"
            elif each.keep:
                each.state, each.run = "queued", None
            else:
                each.state = "undelivered"
        self.holder, self.status, self.is_stopped = None, status, False
        self.task_ended()

    def task_ended(self):
        if self.status in TERMINAL:
            for each in self.sent:
                if each.run is None and each.state == "queued":
                    each.state = "undelivered"

    # -- what may happen

    @rule(kind=strategies.sampled_from(["instruction", "instruction", "stop"]), keep=strategies.booleans(), dies=killed)
    def send(self, kind, keep, dies):
        keep = keep and kind == "instruction"

        def call():
            return post_message(actor=self.cast.ada.user, task=self.task, body=f"{kind} secret", kind=kind, keep=keep)

        if self.holder is None and (not keep or self.status in TERMINAL):
            with pytest.raises(NoActiveRun):
                call()
            return
        message = self.do(dies, call)
        if message is not None:
            self.sent.append(Sent(message.pk, kind, keep, self.number if self.holder else None))

    @precondition(lambda self: self.sent)
    @rule(place=places, dies=killed)
    def withdraw(self, place, dies):
        each = self.sent[-1 - place % len(self.sent)]

        def call():
            return withdraw_message(actor=self.cast.ada.user, message=Message(pk=each.pk))

        if each.state in ("queued", "withdrawn"):
            if self.do(dies, call) is not None:
                each.state = "withdrawn"
        else:
            with pytest.raises(DirectiveEnded):
                call()

    @precondition(is_free)
    @rule(name=agents, dies=killed)
    def claim(self, name, dies):
        if self.status != "not_started":
            self.reopen()
        assignments.unassign_task(actor=self.cast.ada.user, task=self.task)
        Task.objects.filter(pk=self.task.pk).update(deferred_until=None)
        run = self.do(dies, lambda: claims.claim_task(actor=getattr(self.cast, name).user, task=self.task))
        if run is None:
            return
        self.holder, self.run_id, self.number, self.status = name, run.pk, run.number, "in_progress"
        for each in self.sent:
            if each.run is None and each.state == "queued":
                each.run = self.number
        self.assert_no_trace(run)

    def assert_no_trace(self, run):
        from tasks.briefing import contexts_of

        run = Run.objects.select_related("task__project", "agent__user").get(pk=run.pk)
        assert run.stop_delivered_at is None
        assert "stop secret" not in str(contexts_of([run], waiting=[run.task_id], discussed=[run.task_id]))

    def reopen(self):
        if self.status == "waiting":
            for question in Question.objects.filter(task=self.task, ended_at=None):
                answer_question(actor=self.cast.ada.user, question_id=question.pk, value="Yes.")
            self.status = Task.objects.get(pk=self.task.pk).status
        if self.status in TERMINAL:
            lifecycle.reopen_task(actor=self.cast.ada.user, task=self.task)
            self.status = "not_started"

    @precondition(is_held)
    @rule(verb=strategies.sampled_from(["heartbeat", "progress", "claim"]), dies=killed)
    def poll(self, verb, dies):
        """A call on the run, and its reply."""
        verbs = {
            "heartbeat": lambda: runs.heartbeat_run(**self.on_run()),
            "progress": lambda: runs.progress_run(**self.on_run(), note=f"{len(self.sent)} {self.number}"),
            "claim": lambda: claims.claim_task(actor=getattr(self.cast, self.holder).user, task=self.task),
        }
        if self.is_stopped and verb != "claim":
            before = self.written()
            with pytest.raises(StopRequested) as refused:
                verbs[verb]()
            assert [each["id"] for each in refused.value.data["directives"]] == self.delivered()
            assert self.written() == before
            return
        verbs[verb]()
        brought = self.do(dies, self.reply)
        if brought is not None:
            assert [each["id"] for each in brought] == self.delivered()

    @precondition(is_held)
    @rule(
        chosen=strategies.sets(places, max_size=3), verb=strategies.sampled_from(["heartbeat", "release"]), dies=killed
    )
    def acknowledge(self, chosen, verb, dies):
        """Acknowledge with a call: what was brought, or read elsewhere; also again what was acknowledged before."""
        own = [each for each in self.sent if each.run == self.number]
        acked = [own[-1 - place % len(own)] for place in sorted(chosen)] if own else []
        if verb == "heartbeat" and self.is_stopped and not acked:
            return
        ids = [f"m{each.pk}" for each in acked]

        def call():
            if verb == "release":
                return runs.release_run(**self.on_run(), ack=ids)
            return runs.heartbeat_run(**self.on_run(), ack=ids)

        if self.do(dies, call) is None:
            return
        for each in acked:
            if each.state in ("queued", "delivered"):
                if each.state == "queued":
                    each.reached.append(self.number)
                self.is_stopped = self.is_stopped or each.kind == "stop"
                each.state = "acknowledged"
        if verb == "release":
            self.ended("not_started", by_holder=True)

    @precondition(lambda self: self.sent)
    @rule(place=places, name=agents, outcome=strategies.sampled_from(["acknowledged", "declined"]), dies=killed)
    def answer(self, place, name, outcome, dies):
        """Answer one by its id."""
        each = self.sent[-1 - place % len(self.sent)]
        outcome = "acknowledged" if each.kind == "stop" else outcome

        def call():
            return ack_message(
                actor=getattr(self.cast, name).user, message=Message(pk=each.pk), outcome=outcome, note="So."
            )

        run = Run.objects.filter(task=self.task, number=each.run).select_related("agent").first()
        if run is None or run.agent.slug != name:
            with pytest.raises(NotPermitted):
                call()
        elif each.state == outcome:
            call()
        elif each.run != self.number or self.holder is None:
            with pytest.raises(LeaseLost):
                call()
        elif each.state in FINAL:
            with pytest.raises(DirectiveEnded):
                call()
        elif self.do(dies, call) is not None:
            if each.state == "queued":
                each.reached.append(self.number)
            each.state = outcome
            self.is_stopped = self.is_stopped or each.kind == "stop"

    @precondition(is_held)
    @rule(
        how=strategies.sampled_from(
            ["complete", "fail", "fail for good", "release", "give back", "cancel", "unassign", "expire", "park"]
        ),
        dies=killed,
    )
    def end(self, how, dies):
        if how == "park" and self.is_stopped:
            with pytest.raises(StopRequested):
                ask_run(**self.on_run(), prompt="May I?", park=True)
            self.delivered()
            return
        ada, bystander = self.cast.ada.user, getattr(self.cast, self.holder)
        calls = {
            "complete": lambda: runs.complete_run(**self.on_run(), summary="done") and True,
            "fail": lambda: runs.fail_run(**self.on_run(), code="x", detail="y"),
            "fail for good": lambda: runs.fail_run(**self.on_run(), code="x", detail="y", retryable=False),
            "give back": lambda: runs.release_run(**self.on_run()),
            "release": lambda: lifecycle.release_task(actor=ada, task=self.task),
            "cancel": lambda: lifecycle.cancel_task(actor=ada, task=self.task),
            "unassign": lambda: assignments.unassign_task(actor=ada, task=self.task, agents=[bystander]),
            "expire": self.let_time_pass,
            "park": lambda: ask_run(**self.on_run(), prompt="May I?", park=True),
        }
        if self.do(dies, calls[how]) is not None:
            status = Task.objects.get(pk=self.task.pk).status
            self.ended(status, by_holder=how in ("complete", "fail", "fail for good", "give back"))

    def let_time_pass(self):
        """The lease of the run is over, or the grace of its stop."""
        Run.objects.filter(pk=self.run_id).update(lease_expires_at=clock.now() - timedelta(seconds=1))
        run = Run.objects.get(pk=self.run_id)
        expired, revoked = passing_time.expire_run(run=run), passing_time.revoke_run(run=run)
        assert (expired, revoked) == (not self.is_stopped, self.is_stopped)
        if self.is_stopped:
            task = Task.objects.get(pk=self.task.pk)
            assert (task.status, task.deferred_until) == ("not_started", None)
        return True

    # -- what is always true

    @invariant()
    def each_is_as_the_model_says(self):
        stored = {
            message.pk: (message.state, message.run.number if message.run else None)
            for message in Message.objects.select_related("run")
        }
        assert stored == {each.pk: (each.state, each.run) for each in self.sent}
        current = self.is_stopped if self.holder else None
        if self.holder:
            assert (Run.objects.get(pk=self.run_id).stop_delivered_at is not None) == current
        waits = any(each.run is None and each.state == "queued" for each in self.sent)
        assert Task.objects.get(pk=self.task.pk).has_kept_directives or not waits

    @invariant()
    def each_ends_once_and_each_delivery_is_told(self):
        became = {each.pk: [] for each in self.sent}
        rows = Event.objects.filter(kind__startswith="message.").exclude(kind="message.posted").order_by("pk")
        for event in rows:
            became[event.data["message"]].append((event.kind.removeprefix("message."), event.data.get("run")))
        for each in self.sent:
            kinds = [kind for kind, _ in became[each.pk]]
            assert [kind for kind in kinds if kind in FINAL] == ([each.state] if each.state in FINAL else [])
            assert not kinds or each.state not in FINAL or kinds[-1] == each.state
            assert [number for kind, number in became[each.pk] if kind == "delivered"] == each.reached


@pytest.mark.slow
def test_each_directive_ends_once_in_order_and_at_its_own_run(cast, new_task):
    Directives.cast = cast
    Directives.task = new_task(max_attempts=20)
    run_state_machine_as_test(Directives, settings=SETTINGS)
