"""What other apps add to an agent's replies about its runs.

``tasks`` knows none of them: an app subclasses ``Addition``, overrides what it contributes, and appends an instance
to ``additions`` when it loads.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from tasks.models import Run

Notes = list[dict[str, Any]]


class Addition:
    """What one app adds; by default, nothing.

    Every reply about a run calls ``count_unread``, so each renewal of a lease pays for it: at most one cheap query. It
    only reads, and must not raise.
    """

    def count_unread(self, user: "User") -> int:
        """How many items of its kind ``user`` has not read."""
        return 0

    def listens(self, user: "User") -> bool:
        """Whether ``user`` follows the stream now, in any process; for pages that say when somebody will know."""
        return False

    def answers(self, runs: "Sequence[Run]") -> Mapping[UUID, Notes]:
        """Answers to agents' questions about the task, for the context of the run: by run id, in order, as JSON values.

        Runs may be left out. Called when a run's context is shown: after a claim, and to a restarted agent.
        """
        return {}


additions: list[Addition] = []


def count_unread(user: "User") -> int:
    """How much ``user`` has not read."""
    return sum(addition.count_unread(user) for addition in additions)


def listens(user: "User") -> bool:
    """Whether ``user`` follows the stream now, as far as is known."""
    return any(addition.listens(user) for addition in additions)


def answers_for(runs: "Sequence[Run]") -> Mapping[UUID, Notes]:
    """The answers for each of ``runs``, empty if there are none."""
    return _together([addition.answers(runs) for addition in additions])


def _together(parts: list[Mapping[UUID, Notes]]) -> Mapping[UUID, Notes]:
    notes: defaultdict[UUID, Notes] = defaultdict(list)
    for part in parts:
        for run_id, added in part.items():
            notes[run_id] += added
    return notes
