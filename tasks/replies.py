"""What other apps add to the replies that an agent gets about its runs.

``tasks`` knows none of them: an app derives from ``Addition``, overrides what it has to say, and appends one to
``additions`` when it loads.
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
    """What one app adds; as it stands, nothing.

    Every reply about a run calls ``count_unread`` and ``directives``, so the renewal of a lease pays for them: one
    cheap query each at the most, however many runs there are. They only read, and must not raise.
    """

    def count_unread(self, user: "User") -> int:
        """How many things of its kind wait to be read by ``user``."""
        return 0

    def directives(self, runs: "Sequence[Run]") -> Mapping[UUID, Notes]:
        """What the agent is to obey before it goes on, by the run's id, in order; JSON values. Runs may be left out."""
        return {}

    def answers(self, runs: "Sequence[Run]") -> Mapping[UUID, Notes]:
        """Answers to what agents asked about the task, for the context of the run; as ``directives``.

        Called where a run's context is shown: after a claim, and to a restarted agent.
        """
        return {}


additions: list[Addition] = []


def count_unread(user: "User") -> int:
    """How much ``user`` has not read."""
    return sum(addition.count_unread(user) for addition in additions)


def directives_for(runs: "Sequence[Run]") -> Mapping[UUID, Notes]:
    """The directives for each of ``runs``, empty where there are none."""
    return _together([addition.directives(runs) for addition in additions])


def answers_for(runs: "Sequence[Run]") -> Mapping[UUID, Notes]:
    """The answers for each of ``runs``, empty where there are none."""
    return _together([addition.answers(runs) for addition in additions])


def _together(parts: list[Mapping[UUID, Notes]]) -> Mapping[UUID, Notes]:
    notes: defaultdict[UUID, Notes] = defaultdict(list)
    for part in parts:
        for run_id, added in part.items():
            notes[run_id] += added
    return notes
