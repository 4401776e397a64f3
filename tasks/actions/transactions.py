"""Verbs, each bound to its declaration and run in a transaction that is tried again after a lost race."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from django.db import DatabaseError, transaction

from taskproject.outages import sqlstate
from taskproject.prepared.running import send_waiting
from taskproject.prepared.together import LostRace, writes_together
from taskproject.statements import is_outdated
from tasks.errors import Contended, Invalid
from tasks.verbs import Verb

P = ParamSpec("P")
R = TypeVar("R")

RACES = 5
DEADLOCK_DETECTED = "40P01"
LOCK_NOT_AVAILABLE = "55P03"

#: The function of each verb of the catalogue, by the verb's key.
FUNCTIONS: dict[str, Callable[..., Any]] = {}


def verb(declared: Verb, *, opens_transaction: bool = True) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Bind a function to its declaration, which refuses invalid input, and run it ``in_transaction``.

    ``opens_transaction``: False if the function does so itself, because it stores something even when it is refused.
    Raises ``Invalid`` with a sentence for each invalid field.
    """

    def bind(function: Callable[P, R]) -> Callable[P, R]:
        run = in_transaction(function) if opens_transaction else function

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            if problems := declared.problems(kwargs):
                raise Invalid(dict(problems))
            return run(*args, **kwargs)

        assert declared.key not in FUNCTIONS, f"{declared.key} is bound twice."
        FUNCTIONS[declared.key] = checked
        return checked

    return bind


def in_transaction(function: Callable[P, R]) -> Callable[P, R]:
    """Run ``function`` in a transaction; after a lost race run it again, which finds the exact reason."""

    @functools.wraps(function)
    def transacted(*args: P.args, **kwargs: P.kwargs) -> R:
        # Else a savepoint within would send what a verb around this one has left, and take its lost race for ours.
        send_waiting()
        for race in range(RACES):
            try:
                with transaction.atomic(), writes_together():
                    return function(*args, **kwargs)
            except LostRace:
                if race == RACES - 1:
                    raise Contended("Others changed this at the same moment.", "Try again.") from None
            except DatabaseError as error:
                state = sqlstate(error)
                if state == LOCK_NOT_AVAILABLE:
                    raise Contended("Others held what this needs for too long.", "Try again later.") from None
                # PostgreSQL rolls back one of two deadlocked transactions. The lock order keeps verbs from deadlocks;
                # this is for others that hold locks, such as a person at the database prompt.
                if race == RACES - 1 or not (
                    state == DEADLOCK_DETECTED or is_outdated(error.__cause__) or _was_assigned_meanwhile(error)
                ):
                    raise
        raise AssertionError("unreachable")

    return transacted


def _was_assigned_meanwhile(error: DatabaseError) -> bool:
    """Whether a claim has just been overtaken by an assignment to the same agent: the part of its writes that looks for
    one may be asked after the part that would make another.
    """
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "constraint_name", None) == "assignment_one_active_per_agent"
