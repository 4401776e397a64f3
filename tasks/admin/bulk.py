"""One verb for many tasks: each task on its own, so that one refusal stops no other, and in portions of some seconds.

A selection is a list of task ids that travels with the form from portion to portion, together with what was done so
far. Nothing is kept on the server: two windows never mix, and a lost connection loses only the report of its portion.
"""

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.actions import assignments, lifecycle, reviews
from tasks.actions import tasks as task_verbs
from tasks.assignment.dispatcher import auto_assign_all
from tasks.errors import DomainError
from tasks.matching.words import why_nobody
from tasks.models import Agent, Task

#: Tasks that one action takes at most.
MOST_SELECTED = 10_000
#: Up to here an action that asks nothing runs at once; beyond, it says what it is about to do.
MOST_UNASKED = 100
PORTION_SECONDS = 4.0
#: Tasks loaded at a time.
LOADED = 100
#: Refs that a message names; the page of results names all.
NAMED = 20


@dataclass(frozen=True)
class BulkVerb:
    """A verb as an action of the list. ``did``: as in "Assigned"; ``note``: "", "optional" or "required"."""

    name: str
    label: str
    did: str
    run: Callable[[Any, Task, Sequence[Agent], str], Any] | None
    agents: bool = False
    note: str = ""
    asks: bool = False
    warning: str = ""
    #: Takes all tasks together, because what becomes of one depends on the others; for each the reason it was refused.
    run_all: Callable[[Any, Sequence[Task]], dict[int, str]] | None = None

    @property
    def doing(self) -> str:
        """As in "Assign 3 tasks", "Request changes of 3 tasks"."""
        return "Request changes of" if self.name == "request_changes" else self.name.capitalize().replace("_", "-")


def _approve(actor: Any, task: Task, agents: Sequence[Agent], note: str) -> Any:
    return reviews.approve_task(actor=actor, task=task, note=note).task


def _auto_assign(actor: Any, tasks: Sequence[Task]) -> dict[int, str]:
    refused = {}
    for pk, outcome in auto_assign_all(actor=actor, tasks=tasks).items():
        if isinstance(outcome, DomainError):
            refused[pk] = outcome.detail
        elif outcome.agent_id is None:
            refused[pk] = f"Nobody was found. {why_nobody(outcome.candidates, outcome.others)}"
    return refused


BULK_VERBS: dict[str, BulkVerb] = {
    verb.name: verb
    for verb in (
        BulkVerb(
            "assign",
            "Assign to…",
            "Assigned",
            lambda actor, task, agents, note: assignments.assign_task(actor=actor, task=task, agents=agents, note=note),
            agents=True,
            note="optional",
            asks=True,
        ),
        BulkVerb(
            "reassign",
            "Reassign to…",
            "Reassigned",
            lambda actor, task, agents, note: assignments.reassign_task(
                actor=actor, task=task, agents=agents, note=note
            ),
            agents=True,
            note="optional",
            asks=True,
            warning="Agents that are not chosen here lose these tasks; a run of theirs is revoked.",
        ),
        BulkVerb("auto_assign", "Auto-assign…", "Offered", None, asks=True, run_all=_auto_assign),
        BulkVerb(
            "unassign",
            "Unassign",
            "Unassigned",
            lambda actor, task, agents, note: assignments.unassign_task(
                actor=actor, task=task, agents=agents or None, note=note
            ),
            note="optional",
            warning="Runs on these tasks are revoked.",
        ),
        BulkVerb("approve", "Approve", "Approved", _approve, note="optional"),
        BulkVerb(
            "request_changes",
            "Request changes…",
            "Requested changes of",
            lambda actor, task, agents, note: reviews.request_changes(actor=actor, task=task, note=note),
            note="required",
            asks=True,
        ),
        BulkVerb(
            "release",
            "Release",
            "Released",
            lambda actor, task, agents, note: lifecycle.release_task(actor=actor, task=task, note=note),
            note="optional",
            warning="The agents that work on these tasks lose their runs; it costs no attempt.",
        ),
        BulkVerb(
            "cancel",
            "Cancel…",
            "Cancelled",
            lambda actor, task, agents, note: lifecycle.cancel_task(actor=actor, task=task, note=note),
            note="optional",
            asks=True,
            warning="Active runs end. Tasks that wait for these stay blocked.",
        ),
        BulkVerb(
            "reopen",
            "Reopen",
            "Reopened",
            lambda actor, task, agents, note: lifecycle.reopen_task(actor=actor, task=task, note=note),
            note="optional",
        ),
        BulkVerb(
            "delete",
            "Delete…",
            "Deleted",
            lambda actor, task, agents, note: task_verbs.delete_task(actor=actor, task=task),
            asks=True,
            warning="Deleting cannot be undone: runs and results go too, the events stay. Cancelling keeps them.",
        ),
    )
}


@dataclass
class Outcome:
    """What an action did so far: refs done, refs that were so already, and refs by the reason of their refusal."""

    done: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: dict[str, list[str]] = field(default_factory=dict)

    def refuse(self, ref: str, detail: str) -> None:
        """Reasons that differ in nothing but the task's own ref are one; ``told`` puts the ref back."""
        alike = re.sub(rf"(?<![\w-]){re.escape(ref)}(?![\w-])", "\0", detail) if ref else detail
        self.refused.setdefault(alike, []).append(ref)

    @property
    def refusals(self) -> list[tuple[str, list[str]]]:
        """Each reason as a sentence, with the refs that it holds for."""
        return [
            (reason.replace("\0", refs[0] if len(refs) == 1 else "it"), refs) for reason, refs in self.refused.items()
        ]

    @property
    def count(self) -> int:
        return len(self.done) + len(self.unchanged) + self.refused_count

    @property
    def refused_count(self) -> int:
        return sum(map(len, self.refused.values()))

    def dumps(self) -> str:
        return json.dumps([self.done, self.unchanged, self.refused], separators=(",", ":"))

    @classmethod
    def loads(cls, text: str) -> "Outcome":
        """What ``dumps`` wrote; anything else counts as nothing done: the text went through a browser."""
        try:
            done, unchanged, refused = json.loads(text)
            return cls([*map(str, done)], [*map(str, unchanged)], {str(k): [*map(str, v)] for k, v in refused.items()})
        except (ValueError, TypeError, AttributeError):
            return cls()


def run_portion(
    verb: BulkVerb,
    *,
    actor: Any,
    ids: list[int],
    reach: Callable[[Sequence[int]], dict[int, Task]],
    agents: Sequence[Agent],
    note: str,
    outcome: Outcome,
) -> list[int]:
    """Use ``verb`` on the tasks of ``ids`` until the portion's time is over; returns the ids that are left.

    ``reach`` loads those of some ids that the actor may reach. At least one task is taken, so that it always ends.
    """
    if verb.run_all is not None:
        _run_all(verb, actor, ids, reach, outcome)
        return []
    end = time.monotonic() + PORTION_SECONDS
    for start in range(0, len(ids), LOADED):
        portion = ids[start : start + LOADED]
        tasks = reach(portion)
        for offset, pk in enumerate(portion):
            _run_one(verb, actor, tasks.get(pk), agents, note, outcome)
            if time.monotonic() >= end:
                return ids[start + offset + 1 :]
    return []


def _run_all(
    verb: BulkVerb, actor: Any, ids: list[int], reach: Callable[[Sequence[int]], dict[int, Task]], outcome: Outcome
) -> None:
    assert verb.run_all is not None
    tasks: dict[int, Task] = {}
    for start in range(0, len(ids), LOADED):
        tasks |= reach(ids[start : start + LOADED])
    refused = verb.run_all(actor, list(tasks.values()))
    for pk in ids:
        if pk not in tasks:
            outcome.refuse("a task", "It no longer exists.")
        elif pk in refused:
            outcome.refuse(tasks[pk].ref, refused[pk])
        else:
            outcome.done.append(tasks[pk].ref)


def _run_one(
    verb: BulkVerb, actor: Any, task: Task | None, agents: Sequence[Agent], note: str, outcome: Outcome
) -> None:
    if task is None:
        outcome.refuse("a task", "It no longer exists.")
        return
    ref, version = task.ref, task.version
    assert verb.run is not None
    try:
        after = verb.run(actor, task, agents, note)
    except DomainError as error:
        outcome.refuse(ref, error.detail)
    else:
        same = isinstance(after, Task) and after.version == version
        (outcome.unchanged if same else outcome.done).append(ref)


def named(refs: Sequence[str], most: int = NAMED) -> str:
    """Refs as a person reads them: ``OPS-1, OPS-2 and 40 more``."""
    listed = ", ".join(refs[:most])
    return f"{listed} and {len(refs) - most:,} more" if len(refs) > most else listed


def counted(count: int) -> str:
    return f"{count:,} task" if count == 1 else f"{count:,} tasks"


def sentences(verb: BulkVerb, outcome: Outcome, agents: Sequence[Agent]) -> list[tuple[str, str]]:
    """The outcome as messages: (level, text), with level ``success``, ``info`` or ``warning``."""
    told = []
    if outcome.done:
        to = f" to {', '.join(agent.slug for agent in agents)}" if verb.agents else ""
        told.append(("success", f"{verb.did} {counted(len(outcome.done))}{to}: {named(outcome.done)}."))
    if outcome.unchanged:
        told.append(("info", f"Nothing to change for {counted(len(outcome.unchanged))}: {named(outcome.unchanged)}."))
    for reason, refs in outcome.refusals:
        told.append(("warning", f"Could not {verb.doing.lower()} {counted(len(refs))} ({named(refs)}): {reason}"))
    return told
