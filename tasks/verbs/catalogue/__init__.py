"""The verbs, one declaration each, in the order in which doors show them.

If several lead to the same column of the board, the first one is used.
"""

from typing import Final

from tasks.transitions import TRANSITIONS
from tasks.verbs.catalogue import asking, assigning, deciding, talking, working
from tasks.verbs.catalogue.asking import *  # noqa: F403
from tasks.verbs.catalogue.assigning import *  # noqa: F403 - catalogue.APPROVE is how a verb is named
from tasks.verbs.catalogue.deciding import *  # noqa: F403
from tasks.verbs.catalogue.talking import *  # noqa: F403
from tasks.verbs.catalogue.texts import *  # noqa: F403
from tasks.verbs.catalogue.working import *  # noqa: F403
from tasks.verbs.declaration import Door, On, Verb, listed

#: Every verb by its key, in the order of the rooms and of their lines.
VERBS: Final[dict[str, Verb]] = listed(
    verb
    for room in (working, asking, assigning, deciding, talking)
    for verb in vars(room).values()
    if isinstance(verb, Verb)
)


assert {verb.row for verb in VERBS.values() if verb.row} == set(TRANSITIONS), (
    "The table and the catalogue name different verbs."
)


def at(door: Door, *on: On) -> list[Verb]:
    """The verbs that ``door`` offers, in the order of ``VERBS``; with ``on``, only those used on that."""
    return [verb for verb in VERBS.values() if door in verb.doors and (not on or verb.on in on)]


def _by_name(name: str) -> Verb | None:
    """A verb by its name, its row in the table or the right that it needs; the first if several share one."""
    for of in (lambda verb: verb.name, lambda verb: verb.row, lambda verb: verb.right):
        if match := next((verb for verb in VERBS.values() if of(verb) == name), None):
            return match
    return None


def passive_of(name: str) -> str:
    """The words for "cannot be …" of a verb, by its name or its row in the table."""
    verb = _by_name(name)
    return verb.passive if verb else name.replace("_", " ")


def doing_of(name: str, what: str) -> str:
    """The words for "may …" of a verb used on ``what``, by its name, its row in the table or its right."""
    verb = _by_name(name)
    return verb.to(what) if verb else f"{name.replace('_', ' ')} {what}"


def done_by(name: str, what: str) -> tuple[str, str] | None:
    """The words for "ada …" of a verb that was used on ``what``, as in "cancelled the task", and its icon."""
    verb = _by_name(name)
    if verb is None:
        return None
    done = verb.done.replace("{}", what)
    return done[0].lower() + done[1:], verb.icon
