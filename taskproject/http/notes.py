"""What is known about a request, for its log line, its metrics, and every other line that is logged while it runs."""

import functools
import re
import time
import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field

#: In the ASGI scope and the WSGI environment: the ``Notes`` of this request.
NOTES = "taskproject.notes"
#: Any other method is only called so: it is a text of the caller's choice.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: A caller's own id is kept if it can do no harm in a log. What looks like one of our tokens is none.
SANE_ID = re.compile(r"(?!tp_)[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass
class Notes:
    """One request. Holds names and ids, never a secret, a query or a body."""

    request_id: str
    method: str
    #: The template of its route, such as ``/api/v1/tasks/<ref>``; a path may hold secrets, such as a signed link.
    route: str = ""
    route_name: str = ""
    user: str = ""
    agent: str = ""
    runs: list[str] = field(default_factory=list)
    status: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


def begin_notes(method: str, request_id: str | None) -> Notes:
    """The notes of a new request; ``request_id`` is what its caller sent, if anything."""
    sane = request_id is not None and SANE_ID.fullmatch(request_id)
    return Notes(
        request_id=request_id if sane and request_id else uuid.uuid4().hex,
        method=method if method in METHODS else "other",
    )


#: The request that this thread is working on.
current_notes: ContextVar[Notes | None] = ContextVar("taskproject_notes", default=None)


@functools.cache
def template_of(route: str) -> str:
    """A route as people write it: ``^tasks/(?P<ref>[A-Z]+)/claim/?$`` is ``/tasks/<ref>/claim``."""
    parts: list[str] = []
    depth = 0
    for part in re.findall(r"\\.|\(\?P<\w+>|\(\?:|\(|\)|\[(?:\\.|[^\]])*\]|.", route):
        if part.startswith("("):
            if depth == 0 and part.startswith("(?P<"):
                parts.append(f"<{part[4:-1]}>")
            depth += 1
        elif part == ")":
            depth -= 1
        elif depth == 0 and part not in ("^", "$", "?", r"\Z", "*", "+"):
            parts.append(part.removeprefix("\\") if len(part) == 2 else part)
    text = re.sub(r"<\w+:(\w+)>", r"<\1>", "".join(parts))
    return "/" + text.strip("/")
