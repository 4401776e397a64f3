"""Asking: the holder of a run stores questions, and goes on or parks."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import F, Q

from taskproject.errors import shortened
from taskproject.reach import caller_of
from taskproject.texts import is_blank
from tasks.actions.funnel import Moved, end_run, move
from tasks.actions.holding import (
    Fenced,
    Stopped,
    lease_lost,
    load_run,
    renewal,
    stop_requested,
    take_acks,
    write_run,
)
from tasks.actions.locking import Held, hold
from tasks.actions.questions.ending import PROMPT_IN_EVENT, is_latest
from tasks.actions.transactions import in_transaction, verb
from tasks.asked import ANSWERED, URGENCIES, addressee
from tasks.errors import Invalid, VersionMismatch, unknown_name
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import (
    Event,
    Membership,
    OnExpiry,
    Priority,
    Project,
    Question,
    QuestionState,
    Role,
    Run,
    RunStatus,
    Task,
)
from tasks.questions import problem_of, problems_of_shape
from tasks.transitions import Status
from tasks.verbs import catalogue
from tasks.verbs.catalogue import QUESTION_PARTS

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: More open questions about one task are a fault of the agent.
OPEN_MOST = 20
#: Whom a question may be for, besides members: those who may answer by their role.
ROLES = {role.value: role for role in (Role.WORKER, Role.REVIEWER, Role.MANAGER)}


@dataclass
class Asked:
    """What ``ask_run`` did: the questions, new or those of the same key, and the run, which may have parked."""

    questions: list[Question]
    run: Run


@dataclass
class _Ask:
    """One call: its questions as given, and what they share."""

    parts: list[Mapping[str, Any]]
    #: Whether they came as a list; then a problem names the place.
    is_list: bool
    expires_in_seconds: int | None
    on_expiry: str
    dedupe_key: str
    version: int | None
    artifact: str
    park: bool
    checkpoint: dict[str, Any] | None
    ack: Sequence[str] | None
    ask_id: UUID = field(default_factory=uuid.uuid4)

    def refuse(self, place: int, member: str, problem: str) -> Invalid:
        """The refusal of a member of one question, under the name that the request has for it."""
        if self.is_list:
            return Invalid({"questions": f"No. {place + 1}: {member}: {problem}"})
        return Invalid({member: problem})


def _shape(part: Mapping[str, Any]) -> Question:
    """A question as given, not yet stored."""
    urgency = Priority[str(part.get("urgency") or "normal").upper()]
    return Question(
        prompt=part["prompt"],
        kind=part.get("kind") or "text",
        options=part.get("options") or [],
        multi=bool(part.get("multi")),
        strict=bool(part.get("strict")),
        schema=part.get("schema"),
        default=part.get("default"),
        urgency=urgency,
    )


def _read(ask: _Ask) -> list[Question]:
    """The questions of an ask, checked as far as that needs no rows. Raises ``Invalid``."""
    if ask.on_expiry != OnExpiry.KEEP and ask.expires_in_seconds is None:
        raise Invalid({"on_expiry": "Only questions that expire have one; give expires_in_seconds."})
    questions = []
    for place, part in enumerate(ask.parts):
        if is_blank(part["prompt"]):
            raise ask.refuse(place, "prompt", QUESTION_PARTS[0].missing)
        question = _shape(part)
        for member, problem in problems_of_shape(question).items():
            raise ask.refuse(place, member, problem)
        if question.default is not None and (problem := problem_of(question, question.default) or ""):
            raise ask.refuse(place, "default", problem)
        if question.default is None and ask.on_expiry == OnExpiry.DEFAULT:
            raise ask.refuse(place, "default", "Give one, as it is to be the answer at expiry.")
        questions.append(question)
    return questions


def _address(question: Question, to: str, project: Project, actor: "User") -> str | None:
    """Set whom ``question`` is for; returns what is wrong with ``to``: a role, or a member who may answer."""
    if not to:
        return None
    if to in ROLES:
        question.to_role = ROLES[to]
        return None
    if to == Role.VIEWER:
        return f"Viewers only read; known roles are {', '.join(ROLES)}."
    name = to.removeprefix("@")
    members = Membership.objects.filter(project=project, user__is_active=True).exclude(user__agent__enabled=False)
    named = members.filter(Q(user__agent__slug=name) | Q(user__username=name)).select_related("user__agent")
    # A slug comes before a username: it is how members are called.
    members_found = sorted(named, key=lambda member: getattr(getattr(member.user, "agent", None), "slug", "") != name)
    if not members_found:
        slugs = members.working().order_by("user__username").values_list("user__agent__slug", "user__username")
        return unknown_name(name, [slug or username for slug, username in slugs], what=f"member of {project.key}")
    if members_found[0].user_id in caller_of(actor):
        return "Nobody answers their own question; ask somebody else."
    if members_found[0].role == Role.VIEWER:
        return f"{name} only reads in {project.key} and may not answer."
    question.to_user = members_found[0].user
    return None


def _same_as_before(task: Task, key: str) -> list[Question]:
    """What was asked about ``task`` with this key and is open or has its answer, in order."""
    if not key:
        return []
    rows = Question.objects.to_show().filter(task=task, dedupe_key=key)
    return list(rows.filter(state__in=(QuestionState.OPEN, *ANSWERED)).order_by("position"))


def _require_current(task: Task, run: Run, version: int | None) -> None:
    """Raise unless ``version`` is one that the holder can have read, with nothing edited since."""
    if version is None or version == task.version:
        return
    if version > task.version:
        raise Invalid({"version": f"{task.ref} has version {task.version}."})
    edits = (kinds.TASK_EDITED, kinds.TASK_IMPORTED, kinds.TASK_REIMPORTED)
    if Event.objects.filter(task=task, kind__in=edits, at__gt=run.started_at).exists():
        raise VersionMismatch(task.ref, task.pk)


@in_transaction
def _ask(actor: "User", run_id: UUID, ask: _Ask) -> Asked:
    new = _read(ask)
    run = load_run(actor, run_id, "ask", lock=("self",))
    task = run.task
    held = hold([task], Status.WAITING if ask.park else Status.IN_PROGRESS)
    take_acks(run, ask.ack, at=held.at, actor=actor)
    questions = _same_as_before(task, ask.dedupe_key)
    if not questions:
        for place, (question, part) in enumerate(zip(new, ask.parts, strict=True)):
            if problem := _address(question, part.get("to") or "", task.project, actor):
                raise ask.refuse(place, "to", problem)
        _require_current(task, run, ask.version)
        if ask.artifact and not is_latest(task, ask.artifact):
            raise Invalid({"artifact": f"No artifact of {task.ref} has this hash, or there is a later one."})
        questions = _store(new, run, ask, held.at)
    else:
        new = []
    waits = ask.park and any(question.ended_at is None for question in questions)
    moved = _park(run, ask, held, actor) if waits else _go_on(run, ask, held)
    if waits:
        for question in questions:
            question.is_parked = question.is_parked or question.ended_at is None
    open_ones = Question.objects.open().filter(task=task).count()
    if not waits and new:
        Task.objects.filter(pk=task.pk).update(open_questions=open_ones, updated_at=held.at, version=F("version") + 1)
        task.open_questions, task.updated_at, task.version = open_ones, held.at, task.version + 1
    if new or waits:
        record(_asked(questions, run, held, actor, moved), *moved.around)
    return Asked(questions, run)


def _store(new: Sequence[Question], run: Run, ask: _Ask, now: datetime) -> list[Question]:
    """Store the questions of an ask. Raises ``Invalid`` if too many are open."""
    task = run.task
    if Question.objects.open().filter(task=task).count() + len(new) > OPEN_MOST:
        raise Invalid({"questions": f"At most {OPEN_MOST} questions about a task are open; withdraw some."})
    for place, question in enumerate(new):
        question.project, question.task, question.run = task.project, task, run
        question.ask, question.position = ask.ask_id, place
        question.dedupe_key, question.on_expiry = ask.dedupe_key, OnExpiry(ask.on_expiry)
        question.bound_version, question.bound_hash = ask.version, ask.artifact
        question.asked_at = now
        if ask.expires_in_seconds is not None:
            question.expires_at = now + timedelta(seconds=ask.expires_in_seconds)
    return Question.objects.bulk_create(new)


def _go_on(run: Run, ask: _Ask, held: Held) -> Moved:
    """The run goes on: asking is a sign of life and of progress."""
    changes = renewal(run, held.at) | {"last_progress_at": held.at, "stalled_at": None}
    if ask.checkpoint is not None:
        changes["checkpoint"] = ask.checkpoint
    write_run(run, changes)
    return Moved()


def _park(run: Run, ask: _Ask, held: Held, actor: "User") -> Moved:
    """End the run, which costs no attempt, until all that is open about its task is answered."""
    task = run.task
    changes: dict[str, Any] = {"last_heartbeat_at": held.at}
    if ask.checkpoint is not None:
        changes["checkpoint"] = ask.checkpoint
    if not end_run(run, RunStatus.PARKED, now=held.at, **changes):
        raise Fenced(run)
    open_ones = Question.objects.open().filter(task=task)
    open_ones.update(is_parked=True)
    return move(task, "ask", Status.WAITING, held=held, actor=actor, open_questions=open_ones.count())


def _asked(questions: Sequence[Question], run: Run, held: Held, actor: "User", moved: Moved) -> Event:
    """The event of an ask; it names those that are open."""
    open_ones = [question for question in questions if question.ended_at is None]
    facts: dict[str, Any] = dict(moved.facts)
    if facts:
        facts["outcome"] = RunStatus.PARKED.value
    if asks := sorted({name for question in open_ones if (name := addressee(question))}):
        facts["asks"] = asks
    return event(
        kinds.QUESTION_ASKED,
        at=held.at,
        actor=actor,
        task=run.task,
        run=run,
        agent=run.agent,
        questions=[question.pk for question in open_ones],
        prompt=shortened(open_ones[0].prompt, PROMPT_IN_EVENT),
        urgency=URGENCIES[max(question.urgency for question in open_ones)],
        **facts,
    )


#: The fields of one question, which an ask has at the top if it has only one.
_PARTS = frozenset(part.name for part in QUESTION_PARTS)


@verb(catalogue.ASK, opens_transaction=False)
def ask_run(
    *,
    actor: "User",
    run_id: UUID,
    questions: Sequence[Mapping[str, Any]] | None = None,
    expires_in_seconds: int | None = None,
    on_expiry: str = OnExpiry.KEEP.value,
    dedupe_key: str = "",
    version: int | None = None,
    artifact: str = "",
    park: bool = False,
    checkpoint: dict[str, Any] | None = None,
    ack: Sequence[str] | None = None,
    **question: Any,
) -> Asked:
    """Ask people one to four ``questions``, or the one ``question`` by its fields: ``prompt``, ``kind``, ``options``,
    ``multi``, ``strict``, ``schema``, ``default``, ``to``, ``urgency``.

    With ``park`` the run ends and its task waits, unless everything has its answer already, as may be with a
    ``dedupe_key`` that was used before. ``version`` binds them to what the task says now, ``artifact`` to one by its
    hash. ``ack`` as in ``heartbeat_run``. Raises ``LeaseLost``, ``StopRequested``, ``NotFound``, ``Invalid``,
    ``VersionMismatch``.
    """
    assert set(question) <= _PARTS, question
    given = {name: value for name, value in question.items() if value not in (None, "", False)}
    if questions is not None:
        if given:
            raise Invalid({next(iter(given)): "Give either questions or the fields of one at the top."})
        if not questions:
            raise Invalid({"questions": "Ask at least one."})
    elif not given.get("prompt"):
        raise Invalid({"prompt": QUESTION_PARTS[0].missing})
    # A default of false is one.
    only = {**given, "default": question.get("default")}
    parts: list[Mapping[str, Any]] = [only] if questions is None else list(questions)
    artifact = artifact.lower()
    ask = _Ask(
        parts,
        questions is not None,
        expires_in_seconds,
        on_expiry,
        dedupe_key,
        version,
        artifact.lower(),
        park,
        checkpoint,
        ack,
    )
    try:
        return _ask(actor, run_id, ask)
    except Fenced as fenced:
        raise lease_lost(fenced.run) from None
    except Stopped as stopped:
        raise stop_requested(stopped.run) from None
