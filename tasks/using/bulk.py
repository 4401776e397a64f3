"""One verb for many tasks: each task separately, so that a refusal stops no other, in portions of a few seconds.

A selection is a list of task ids that travels with the form from portion to portion, together with the outcome so far.
Nothing is kept on the server: two windows never mix, and a lost connection loses only the report of its portion. A
results page answers a form without ids, which does nothing, so that it says the same when it is loaded again.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from taskproject.strict_json import loads
from taskproject.texts import counted
from tasks.actions.transactions import FUNCTIONS
from tasks.errors import DomainError
from tasks.matching.words import why_nobody
from tasks.models import Agent, AssignmentDecision, Task
from tasks.transitions import Status
from tasks.verbs import Door, On, Verb
from tasks.verbs.catalogue import at

GONE = "It no longer exists."
#: The most tasks that one action accepts.
MOST_SELECTED = 10_000
#: Up to this many tasks an action without input runs at once; for more it first says what it will do.
MOST_UNASKED = 100
PORTION_SECONDS = 4.0
#: Tasks loaded at a time.
LOADED = 100
#: How many refs a message names; the results page names all.
NAMED = 20
#: More reasons than this get the results page.
REASONS = 5


#: Taken one by one, or together where what becomes of one task depends on the others.
BULK_VERBS: dict[str, Verb] = {verb.name: verb for verb in at(Door.BULK)}


@dataclass
class Outcome:
    """What an action has done so far: refs done, refs unchanged, and refs by the reason of their refusal."""

    done: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: dict[str, list[str]] = field(default_factory=dict)

    def refuse(self, ref: str, reason: str) -> None:
        """Record why a task was refused, in words that call it "it"."""
        self.refused.setdefault(reason, []).append(ref)

    @property
    def refusals(self) -> list[tuple[str, list[str]]]:
        """Each reason as a sentence, with the refs that it applies to: several are called "each"."""
        return [
            (f"each {reason[3:]}" if len(refs) > 1 and reason.startswith("it ") else reason, refs)
            for reason, refs in self.refused.items()
        ]

    @property
    def count(self) -> int:
        return len(self.done) + len(self.unchanged) + self.refused_count

    @property
    def refused_count(self) -> int:
        return sum(map(len, self.refused.values()))

    @property
    def needs_page(self) -> bool:
        """Whether messages could not hold everything."""
        longest = max(map(len, [self.done, self.unchanged, *self.refused.values()]))
        return longest > NAMED or len(self.refused) > REASONS

    def dumps(self) -> str:
        return json.dumps([self.done, self.unchanged, self.refused], separators=(",", ":"))

    @classmethod
    def loads(cls, text: str) -> "Outcome":
        """Reads what ``dumps`` wrote; anything else counts as nothing done, since the text went through a browser."""
        try:
            done, unchanged, refused = loads(text.encode())
            return cls([*map(str, done)], [*map(str, unchanged)], {str(k): [*map(str, v)] for k, v in refused.items()})
        except (ValueError, TypeError, AttributeError):
            return cls()


def parse_ids(text: str) -> list[int]:
    """Ids from ``1,2,3``, without repeats; anything that is not a number is ignored."""
    ids = (int(part) for part in text.split(",") if part.isdecimal() and len(part) < 19)
    return list(dict.fromkeys(ids))[:MOST_SELECTED]


def run_portion(
    verb: Verb,
    *,
    actor: Any,
    ids: list[int],
    reach: Callable[[Sequence[int]], dict[int, Task]],
    values: dict[str, Any],
    outcome: Outcome,
    function: Callable[..., Any] | None = None,
) -> list[int]:
    """Use ``verb`` on the tasks in ``ids`` until the portion's time is over; returns the remaining ids.

    ``values``: the verb's input; ``reach`` loads the tasks of given ids that the actor may access; ``function``: what
    is called for each, if not the verb's own. At least one task is processed, so it always ends.
    """
    if verb.on is On.MANY:
        return _run_all(verb, actor, ids, reach, outcome)
    end = time.monotonic() + PORTION_SECONDS
    for start in range(0, len(ids), LOADED):
        portion = ids[start : start + LOADED]
        tasks = reach(portion)
        for offset, pk in enumerate(portion):
            _run_one(function or FUNCTIONS[verb.key], actor, tasks.get(pk), values, outcome)
            if time.monotonic() >= end:
                return ids[start + offset + 1 :]
    return []


def _run_all(
    verb: Verb, actor: Any, ids: list[int], reach: Callable[[Sequence[int]], dict[int, Task]], outcome: Outcome
) -> list[int]:
    tasks: dict[int, Task] = {}
    for start in range(0, len(ids), LOADED):
        tasks |= reach(ids[start : start + LOADED])
    decided = AssignmentDecision.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    results = FUNCTIONS[verb.key](actor=actor, tasks=list(tasks.values()), seconds=PORTION_SECONDS)
    left = []
    for pk in ids:
        result = results.get(pk)
        if pk not in tasks:
            outcome.refuse("a task", GONE)
        elif result is None:
            left.append(pk)
        elif isinstance(result, DomainError):
            outcome.refuse(tasks[pk].ref, result.said_of("it"))
        elif isinstance(result, AssignmentDecision) and result.agent_id is None:
            outcome.refuse(tasks[pk].ref, f"Nobody was found. {why_nobody(result.candidates, result.others)}")
        else:
            # An offer from before stands.
            same = isinstance(result, AssignmentDecision) and result.pk <= decided
            (outcome.unchanged if same else outcome.done).append(tasks[pk].ref)
    return left


def _run_one(
    function: Callable[..., Any], actor: Any, task: Task | None, values: dict[str, Any], outcome: Outcome
) -> None:
    if task is None:
        outcome.refuse("a task", GONE)
        return
    ref, version = task.ref, task.version
    try:
        after = function(actor=actor, task=task, **values)
    except DomainError as error:
        outcome.refuse(ref, error.said_of("it"))
    else:
        same = isinstance(after, Task) and after.version == version
        (outcome.unchanged if same else outcome.done).append(ref)


def nothing_to_do(verb: Verb, tasks: QuerySet[Task]) -> str:
    """Why ``verb`` could change none of these tasks, by their statuses alone; empty if it may change one."""
    if tasks.filter(status__in=[*verb.statuses]).exists():
        return ""
    statuses = sorted({Status(status).label.lower() for status in tasks.order_by().values_list("status", flat=True)})
    count = tasks.count()
    subject = "The selected task is" if count == 1 else f"All {count:,} selected tasks are"
    return f"{subject} {' or '.join(statuses)} and cannot be {verb.passive}; nothing was changed."


def named(refs: Sequence[str], most: int = NAMED) -> str:
    """Refs for people: ``OPS-1, OPS-2 and 40 more``."""
    listed = ", ".join(refs[:most])
    return f"{listed} and {len(refs) - most:,} more" if len(refs) > most else listed


def sentences(
    verb: Verb, outcome: Outcome, agents: Sequence[Agent], *, left: int = 0, why: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """The outcome as messages: (level, text), with level ``success``, ``info`` or ``warning``.

    ``left``: how many tasks of the selection were not processed; ``why``: the reasons, if it was nobody's wish.
    """
    lines = []
    if outcome.done:
        to = f" to {', '.join(agent.slug for agent in agents)}" if agents else ""
        lines.append(("success", f"{verb.did(counted(len(outcome.done), 'task'))}{to}: {named(outcome.done)}."))
    if outcome.unchanged:
        lines.append(
            ("info", f"Nothing to change for {counted(len(outcome.unchanged), 'task')}: {named(outcome.unchanged)}.")
        )
    for reason, refs in outcome.refusals:
        lines.append(("warning", f"Could not {verb.to(counted(len(refs), 'task'))} ({named(refs)}): {reason}"))
    if left:
        were = "was" if left == 1 else "were"
        stopped = f"Stopped: {counted(left, 'task')} of the selection {were} not processed."
        lines.append(("warning", " ".join([stopped, *why])))
    return lines
