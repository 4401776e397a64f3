"""Six writers with a ledger of what was acknowledged, and followers of all three kinds, each in a thread."""

import json
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import connect

#: A request that takes longer counts as one without an answer, and is repeated.
REQUEST_SECONDS = 20.0
#: For how long a request is repeated until the run is broken off.
GIVE_UP_SECONDS = 180.0
LONG_POLL_SECONDS = 5
#: A stream says something at least that often.
QUIET_SECONDS = 30.0
#: Ends that a server may give a socket: it stops or restarts, or was killed (no code), or is busy for the moment.
REGULAR_CLOSES = {1001, 1005, 1006, 1012, 1013}


class Answers:
    """What servers answered, from all threads; ``breaks`` are answers that no client should get."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.breaks: list[str] = []
        self._lock = threading.Lock()

    def count(self, status: str) -> None:
        with self._lock:
            self.statuses[status] += 1

    def break_(self, text: str) -> None:
        with self._lock:
            self.breaks.append(text)

    def hear(self, what: str, status: int, text: str) -> None:
        self.count(str(status))
        if not (200 <= status < 300 or 400 <= status < 500 or status == 503):
            self.break_(f"{what} answered {status}: {text[:300]}")


@dataclass
class Ledger:
    """What servers acknowledged, and so must be there in the end, once."""

    created: dict[str, str] = field(default_factory=dict)
    claimed: dict[str, str] = field(default_factory=dict)
    progressed: dict[str, int] = field(default_factory=dict)
    ended: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, other: "Ledger") -> None:
        for name in ("created", "claimed", "progressed", "ended"):
            getattr(self, name).update(getattr(other, name))


class Writer(threading.Thread):
    """Creates, claims and finishes tasks; each request is repeated under its key until it is answered."""

    def __init__(self, number: int, urls: list[str], token: str, answers: Answers, stop: threading.Event) -> None:
        super().__init__(name=f"writer-{number}", daemon=True)
        self.urls, self.answers, self.stop = urls, answers, stop
        self.dice = random.Random(f"writer-{number}")
        self.http = httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=REQUEST_SECONDS)
        self.ledger = Ledger()
        self.retries = 0

    def run(self) -> None:
        held: list[str] = []
        try:
            while not self.stop.is_set() or held:
                if not self.stop.is_set():
                    self._create()
                    held += self._claim()
                if held:
                    self._work_on(held.pop(0))
                time.sleep(self.dice.uniform(0.05, 0.25))
        except Exception as error:
            self.answers.break_(f"{self.name} gave up: {error!r}")
        finally:
            self.http.close()

    def _create(self) -> None:
        title = str(uuid.UUID(int=self.dice.getrandbits(128)))
        made = self._post("/tasks", {"project": "CHAOS", "title": title})
        if made:
            self.ledger.created[made["ref"]] = title

    def _claim(self) -> list[str]:
        wait = self.dice.choice((0, 0, 2))
        answer = self._post("/tasks/claim_next", {"limit": self.dice.choice((1, 2)), "wait_seconds": wait})
        runs = answer["runs"] if answer else []
        self.ledger.claimed |= {run["id"]: run["task"]["ref"] for run in runs}
        return [run["id"] for run in runs]

    def _work_on(self, run: str) -> None:
        percent = self.dice.randrange(1, 99)
        if self._post(f"/runs/{run}/progress", {"percent": percent, "note": run}):
            self.ledger.progressed[run] = percent
        summary = str(uuid.UUID(int=self.dice.getrandbits(128)))
        if self.dice.random() < 0.2:
            verb, body, outcome = "fail", {"code": "dice", "detail": summary, "retryable": False}, "failed"
        else:
            verb, body, outcome = "complete", {"summary": summary}, "completed"
        if self._post(f"/runs/{run}/{verb}", body):
            self.ledger.ended[run] = (outcome, summary)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The acknowledged answer; empty if the request was refused, which none of these should be."""
        key = str(uuid.uuid4())
        until = time.monotonic() + GIVE_UP_SECONDS
        while True:
            if time.monotonic() > until:
                raise TimeoutError(f"nobody answered {path} for {GIVE_UP_SECONDS:.0f} s")
            try:
                url = self.dice.choice(self.urls)
                answer = self.http.post(f"{url}/api/v1{path}", json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError as error:
                self.answers.count(_silence(error))
            else:
                self.answers.hear(f"POST {path}", answer.status_code, answer.text)
                if 200 <= answer.status_code < 300:
                    done: dict[str, Any] = answer.json()
                    return done
                code = _code_of(answer)
                if code == "contended":
                    key = str(uuid.uuid4())  # Refused with nothing done, which is the answer to this key.
                elif 400 <= answer.status_code < 500 and code not in ("request_in_progress", "throttled"):
                    self.answers.break_(f"POST {path} was refused with {answer.status_code}: {answer.text[:300]}")
                    return {}
            self.retries += 1
            time.sleep(self.dice.uniform(0.1, 0.5))


def _silence(error: Exception) -> str:
    """What kind of no answer it was: disconnected or refused, or nothing within the time."""
    return "timeout" if isinstance(error, httpx.TimeoutException | TimeoutError) else "none"


def _code_of(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("code", ""))
    except (ValueError, AttributeError):
        return ""


class Follower(threading.Thread):
    """Keeps the ids of all events it receives, in order, and always comes back with its cursor."""

    kind = ""

    def __init__(
        self, number: int, urls: list[str], token: str, cursor: str, answers: Answers, stop: threading.Event
    ) -> None:
        super().__init__(name=f"{self.kind}-{number}", daemon=True)
        self.urls, self.cursor, self.answers, self.stop = urls, cursor, answers, stop
        self.headers = {"Authorization": f"Bearer {token}"}
        self.dice = random.Random(self.name)
        self.ids: list[int] = []
        self.connections = 0

    @property
    def last(self) -> int:
        return self.ids[-1] if self.ids else 0

    def run(self) -> None:
        while not self.stop.is_set():
            self.connections += 1
            try:
                self._follow(self.dice.choice(self.urls))
            except (httpx.TransportError, WebSocketException, OSError, EOFError) as error:
                self.answers.count(_silence(error))
            except Exception as error:
                self.answers.break_(f"{self.name}: {error!r}")
                time.sleep(1)
            time.sleep(self.dice.uniform(0.1, 0.5))

    def _follow(self, url: str) -> None:
        raise NotImplementedError

    def _keep(self, events: list[dict[str, Any]], cursor: str) -> None:
        self.ids += [int(event["id"]) for event in events]
        self.cursor = cursor

    def _refused(self, status: int, text: str) -> None:
        self.answers.hear(self.name, status, text)
        if 400 <= status < 500:
            self.answers.break_(f"{self.name} was refused with {status}: {text[:300]}")


class LongPoll(Follower):
    kind = "poll"

    def _follow(self, url: str) -> None:
        with httpx.Client(headers=self.headers, timeout=REQUEST_SECONDS) as http:
            while not self.stop.is_set():
                query = {"after": self.cursor, "wait": LONG_POLL_SECONDS, "limit": 1000}
                answer = http.get(f"{url}/api/v1/events", params=query)
                if answer.status_code != 200:
                    return self._refused(answer.status_code, answer.text)
                self.answers.count("200")
                page = answer.json()
                self._keep(page["events"], page["cursor"])


class EventStream(Follower):
    kind = "sse"

    def _follow(self, url: str) -> None:
        headers = self.headers | {"Accept": "text/event-stream", "Last-Event-ID": self.cursor}
        with (
            httpx.Client(timeout=httpx.Timeout(REQUEST_SECONDS, read=QUIET_SECONDS)) as http,
            http.stream("GET", f"{url}/api/v1/events", headers=headers) as answer,
        ):
            if answer.status_code != 200:
                return self._refused(answer.status_code, answer.read().decode())
            self.answers.count("200")
            for fields in _messages(answer.iter_lines()):
                if "id" in fields:
                    self._keep([json.loads(fields["data"])] if "event" not in fields else [], fields["id"])
                if self.stop.is_set():
                    return


def _messages(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """Server-sent events as fields; an event that is cut off is none."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        else:
            yield fields
            fields = {}


class Socket(Follower):
    kind = "socket"

    def _follow(self, url: str) -> None:
        address = f"{url.replace('http', 'ws', 1)}/ws/events?after={self.cursor}"
        try:
            with connect(
                address, additional_headers=self.headers, open_timeout=REQUEST_SECONDS, max_size=None, proxy=None
            ) as wire:
                self.answers.count("101")
                while not self.stop.is_set():
                    try:
                        frame = json.loads(wire.recv(timeout=1))
                    except TimeoutError:
                        continue
                    if frame["type"] not in ("hello", "events"):
                        self.answers.break_(f"{self.name} got {frame}")
                    self._keep(frame.get("events", []), frame.get("cursor", self.cursor))
        except InvalidStatus as refused:
            self._refused(refused.response.status_code, (refused.response.body or b"").decode(errors="replace"))
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            self.answers.count(f"close {code}")
            if code not in REGULAR_CLOSES:
                self.answers.break_(f"{self.name} was closed with {code} {closed.rcvd and closed.rcvd.reason}")


KINDS: tuple[type[Follower], ...] = (Socket, EventStream, LongPoll)
