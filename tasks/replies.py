"""What other apps add to an agent's replies about its runs.

``tasks`` knows none of them: an app subclasses ``Addition``, overrides what it contributes, and appends an instance
to ``additions`` when it loads.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Addition:
    """What one app adds; by default, nothing.

    Every reply about a run calls ``count_unread``, so each renewal of a lease pays for it: at most one cheap query. It
    only reads, and must not raise.
    """

    def count_unread(self, user: "User") -> int:
        """How many items of its kind ``user`` has not read."""
        return 0

    def listens(self, user: "User") -> bool:
        """Whether ``user`` follows the stream now, as far as is known; for pages that say when somebody will know."""
        return False


additions: list[Addition] = []


def count_unread(user: "User") -> int:
    """How much ``user`` has not read."""
    return sum(addition.count_unread(user) for addition in additions)


def listens(user: "User") -> bool:
    """Whether ``user`` follows the stream now, as far as is known."""
    return any(addition.listens(user) for addition in additions)
