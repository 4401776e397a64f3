"""How many connections a process may hold, and which of them make room for others."""

from collections.abc import Callable
from contextlib import suppress

try:
    import resource
except ImportError:  # Windows has no such limit.
    resource = None  # type: ignore[assignment]

#: However many files the system allows: each connection costs memory too.
MOST_CONNECTIONS = 20_000
#: Connections that the listening socket hands over at a time, before any of them can be counted.
ACCEPTED_AT_ONCE = 64
#: Files kept back from clients: databases (a thread's connection to SQLite has three), logs, static files.
FILES_KEPT = 160
#: What a system allows at least whose hard limit means nothing (macOS says "unlimited" and refuses it).
FILES_IF_UNLIMITED = 10_240


def raise_file_limit() -> None:
    """Let the process have as many open files as the system allows: agents that wait hold a connection each."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (hard, FILES_IF_UNLIMITED):
        if limit == soft:
            return
        # Some systems refuse what they gave as the limit; then the next is tried, or it stays as it was.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            return


def most_connections() -> int:
    """How many connections this process may hold, so that accepting one never fails for want of files."""
    if resource is None:
        return MOST_CONNECTIONS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(files // 4, min(MOST_CONNECTIONS, files - FILES_KEPT - ACCEPTED_AT_ONCE))


class Connections:
    """The connections of one server. Those without a complete request make room when there are too many.

    The oldest of the address that has most of them goes first, so that whoever opens many closes their own. Behind a
    proxy all have one address, and the oldest goes.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        #: How many there are, with those on which a request is being answered.
        self.count = 0
        #: By address, those that have not sent a complete request, the oldest first, with what closes them.
        self._incomplete: dict[str, dict[object, Callable[[], None]]] = {}

    def add(self, connection: object, address: str, close: Callable[[], None]) -> bool:
        """Admit one, closing another if there are too many; False if none can make room."""
        self.count += 1
        admitted = self.count <= self.most or self._make_room()
        if admitted:
            self.is_incomplete(connection, address, close)
        return admitted

    def is_incomplete(self, connection: object, address: str, close: Callable[[], None]) -> None:
        """It waits for a request, or for the rest of one."""
        self._incomplete.setdefault(address, {})[connection] = close

    def is_complete(self, connection: object, address: str) -> None:
        """Its request has arrived: it is not closed to make room."""
        waiting = self._incomplete.get(address)
        if waiting is not None:
            waiting.pop(connection, None)
            if not waiting:
                del self._incomplete[address]

    def remove(self, connection: object, address: str) -> None:
        self.count -= 1
        self.is_complete(connection, address)

    def _make_room(self) -> bool:
        if not self._incomplete:
            return False
        address = max(self._incomplete, key=lambda name: len(self._incomplete[name]))
        oldest, close = next(iter(self._incomplete[address].items()))
        self.is_complete(oldest, address)
        close()
        return True
