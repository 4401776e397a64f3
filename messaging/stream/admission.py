"""From a request for the stream to a follower: who, what, from where. One door for sockets and event streams."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from messaging.stream.hub import Follower
from messaging.stream.signals import SIGNALS
from messaging.stream.visitors import admit, user_of
from taskproject.errors import Invalid, unknown_choice, unknown_name
from tasks.events.narrowing import narrowing_of
from tasks.events.reading import Cursor, first_kept, require_kept

QUERY_NAMES = ("after", "project", "task", "kinds")
#: A socket alone passes signals on.
SOCKET_QUERY_NAMES = (*QUERY_NAMES, "signals")


def admit_follower(
    headers: Mapping[str, str], query: bytes, *, address: str, replay: bool = False
) -> tuple[Follower, Cursor | None]:
    """A follower for the request from ``address`` with these headers (lower-case names) and this query string, and
    where it starts.

    The start is ``Last-Event-ID``, else ``after``; None means from now on. With ``replay``, the default is the oldest
    event kept. Reads the database. Raises ``DomainError``: ``NotAuthenticated``,
    ``TooManyRequests``, ``NotFound``, ``Invalid``, ``CursorExpired``.
    """
    visitor = admit(headers, address=address)
    params = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    known = QUERY_NAMES if replay else SOCKET_QUERY_NAMES
    for name in params:
        if name not in known:
            raise Invalid({name: unknown_name(name, known, what="parameter")})
    signals = frozenset(filter(None, (name.strip() for name in params.get("signals", "").split(","))))
    for name in sorted(signals):
        if name not in SIGNALS:
            raise Invalid({"signals": unknown_choice(name, SIGNALS, what="signal")})
    narrowing = narrowing_of(
        user_of(visitor), project=params.get("project"), task=params.get("task"), kinds=params.get("kinds", "")
    )
    follower = Follower(visitor, narrowing, signals)
    text = headers.get("last-event-id") or params.get("after")
    if text == "now" or (not text and not replay):
        return follower, None
    after = Cursor.parse(text) if text else first_kept()
    require_kept(after)
    return follower, after
