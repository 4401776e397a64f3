"""How far a request's credentials reach. It travels with the user whom they identify, to wherever rights are decided.

A session reaches whatever its user may see and do; a token may be limited to projects, and to reading.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

User = TypeVar("User")


@dataclass(frozen=True)
class Reach:
    """``projects``: a closed list of ids, which later projects never join; None: all that the user is in.

    ``made_by``: the account of somebody else who made them for a person; None: the user answers for their use.
    ``until``: when they expire, if ever.
    """

    projects: frozenset[int] | None = None
    read_only: bool = False
    made_by: int | None = None
    until: datetime | None = None

    def includes(self, project_id: int) -> bool:
        return self.projects is None or project_id in self.projects

    @property
    def key(self) -> str:
        """A short name for the projects: credentials with the same one see the same."""
        if self.projects is None:
            return ""
        return hashlib.sha256(",".join(map(str, sorted(self.projects))).encode()).hexdigest()


FULL = Reach()


def reach_of(user: Any) -> Reach:
    """How far the credentials reach with which ``user`` calls; a user loaded otherwise is not limited."""
    reach: Reach = getattr(user, "_reach", FULL)
    return reach


def caller_of(user: Any) -> tuple[int, int | None]:
    """As whom ``user`` counts against limits: what others do in a person's name uses up nothing of the person's."""
    return user.pk, reach_of(user).made_by


def limited(user: User, reach: Reach) -> User:
    """``user`` as a caller whose credentials have this reach."""
    user._reach = reach  # type: ignore[attr-defined]
    return user
