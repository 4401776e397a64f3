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

    Every reply about a run calls ``count_unread`` and ``directives``, so each renewal of a lease pays for them: at most
    one cheap query each, however many runs there are. They only read, and must not raise.
    """

    def count_unread(self, user: "User") -> int:
        """How many items of its kind ``user`` has not read."""
        return 0

    def directives(self, runs: "Sequence[Run]") -> Mapping[UUID, Notes]:
        """What the agent must obey before it continues, by run id, in order, as JSON values. Runs may be left out."""
        return {}

    def answers(self, runs: "Sequence[Run]") -> Mapping[UUID, Notes]:
        """Answers to agents' questions about the task, for the context of the run; in the form of ``directives``.

        Called when a run's context is shown: after a claim, and to a restarted agent.
        """
        return {}


additions: list[Addition] = []


def count_unread(user: "User") -> int:
    """How much ``user`` has not read."""
    return sum(addition.count_unread(user) for addition in additions)


def directives_for(runs: "Sequence[Run]") -> Mapping[UUID, Notes]:
    """The directives for each of ``runs``, empty if there are none."""
    return _together([addition.directives(runs) for addition in additions])


def answers_for(runs: "Sequence[Run]") -> Mapping[UUID, Notes]:
    """The answers for each of ``runs``, empty if there are none."""
    return _together([addition.answers(runs) for addition in additions])


def _together(parts: list[Mapping[UUID, Notes]]) -> Mapping[UUID, Notes]:
    notes: defaultdict[UUID, Notes] = defaultdict(list)
    for part in parts:
        for run_id, added in part.items():
            notes[run_id] += added
    return notes
