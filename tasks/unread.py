"""How much waits for a user to be read. Other apps know: they add a counter here when they load."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Each tells how many unread things of its kind a user has; called with every renewal of a lease, so it must be cheap.
counters: list[Callable[["User"], int]] = []


def count_unread(user: "User") -> int:
    """How many notifications and messages ``user`` has not read."""
    return sum(counter(user) for counter in counters)
