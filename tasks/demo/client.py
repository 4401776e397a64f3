"""A careful client of the API: it retries what may have been lost, and nothing takes effect twice."""

import random
import time
import uuid
from typing import Any

import httpx

BACKOFF_BASE_SECONDS, BACKOFF_CAP_SECONDS = 0.2, 10.0
#: A long poll is answered after its wait; allow this much more for the answer.
PATIENCE_SECONDS = 20.0
#: This machine is never reached through a proxy, whatever the environment says about proxies.
NO_PROXY = {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}
UNAVAILABLE = frozenset({429, 500, 502, 503, 504})


class Refused(Exception):
    """The API refused: ``status``, the stable ``code``, and the sentence that says what to do."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", ""))
        self.problem = problem
        super().__init__(str(problem.get("detail") or problem.get("title") or f"HTTP {status}"))


class Unreachable(Exception):
    """No server answered in time."""


class Client:
    """The API at ``url`` for the owner of ``token``; without one, requests are anonymous.

    Network errors, 5xx and 429 are retried with growing pauses, forever or for ``give_up_after`` seconds; a repeated
    POST carries the same Idempotency-Key, so it takes effect once.
    """

    def __init__(self, url: str, token: str | None, *, transport: httpx.BaseTransport | None = None) -> None:
        credentials = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1/",
            headers=credentials | {"User-Agent": "taskproject-demo"},
            timeout=httpx.Timeout(PATIENCE_SECONDS, connect=5.0),
            transport=transport,
            mounts=None if transport else NO_PROXY,
        )

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, *, give_up_after: float | None = None) -> Any:
        return self._call("GET", path, None, give_up_after=give_up_after)

    def post(
        self, path: str, body: dict[str, Any], *, wait: float = 0, once: bool = True, give_up_after: float | None = None
    ) -> Any:
        """POST ``body``. ``wait``: seconds the server may take by design; ``once``: it must not take effect twice.

        Raises ``Refused`` where a retry would not help, ``Unreachable``.
        """
        return self._call("POST", path, body, wait=wait, once=once, give_up_after=give_up_after)

    def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        *,
        wait: float = 0,
        once: bool = False,
        give_up_after: float | None = None,
    ) -> Any:
        headers = {"Idempotency-Key": str(uuid.uuid4())} if once else {}
        timeout = httpx.Timeout(PATIENCE_SECONDS + wait, connect=5.0)
        if give_up_after is not None:
            timeout = httpx.Timeout(min(PATIENCE_SECONDS, give_up_after) + wait, connect=min(5.0, give_up_after))
        began = time.monotonic()
        for attempt in range(1_000_000):
            try:
                response = self._http.request(method, path, json=body, headers=headers, timeout=timeout)
            except httpx.TransportError as error:
                pause, problem = backoff(attempt), str(error) or type(error).__name__
            else:
                if response.status_code < 400:
                    return response.json() if response.content else None
                refused = Refused(response.status_code, _problem(response))
                if response.status_code not in UNAVAILABLE and refused.code != "request_in_progress":
                    raise refused
                pause, problem = max(backoff(attempt), _retry_after(response)), str(refused)
            if give_up_after is not None and time.monotonic() + pause - began >= give_up_after:
                raise Unreachable(problem)
            time.sleep(pause)
        raise AssertionError("unreachable")


def backoff(attempt: int) -> float:
    """Seconds to pause after the n-th failure (counted from 0): U(0.5, 1) × min(cap, base × 2^n)."""
    return random.uniform(0.5, 1.0) * min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2 ** min(attempt, 32))


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else 0.0


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) else {"title": f"HTTP {response.status_code}"}
