"""One demo agent in its own process: claims, keeps the lease, reports progress, and finishes, fails or goes silent.

    echo TOKEN | python -m tasks.demo.worker --url http://127.0.0.1:8000

The token comes on the first line of standard input, never as an argument. With ``--lifeline`` the worker ends when
that input is closed: when the process that started it has died.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from types import FrameType
from typing import Any

from tasks.demo.client import Client, Refused, Unreachable
from tasks.demo.handover import artifacts_of, follow_up, plan_of
from tasks.demo.lines import ASKS, FAILURES, FLAKY, FLAKY_RUNS, FOLLOW_UPS, HOPELESS, NOTES, OUTCOMES, QUESTIONS

LEASE_SECONDS = 30
WAIT_SECONDS = 10
#: How long after its claim an agent begins to wait for directives.
FIRST_BEAT_SECONDS = 3.0
#: Pause between two tasks that an idle agent creates.
FOLLOW_UP_SECONDS = 8.0
#: How often a demo agent finds further work.
FINDS_WORK = 0.15
FORCED_END_SECONDS = 4.0
STANDARD_INPUT = 0


class Stopped(Exception):
    """The worker was asked to stop; raised wherever it is."""


class LeaseLost(Exception):
    """The run is over; nothing more may be written to it."""


class Lease:
    """Renews a run's lease from a thread, with a heartbeat every third of it, until the block ends or it is lost.

    Each heartbeat waits for directives in between. ``report`` is called with each when it comes first; the next call
    acknowledges it.
    """

    def __init__(
        self,
        client: Client,
        run: dict[str, Any],
        lease_seconds: float = LEASE_SECONDS,
        report: Callable[[dict[str, Any]], None] = lambda directive: None,
    ) -> None:
        self.client = client
        self.report = report
        self.path = f"runs/{run['id']}/heartbeat"
        self.every = lease_seconds / 3
        self.lost: str | None = None
        self.stop_requested = False
        #: Ids of the directives that came and are not acknowledged yet, and of all that came.
        self.acks: list[str] = []
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        #: The answers that came, by question.
        self.answers: dict[int, Any] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Lease":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()

    def heed(self, reply: Any) -> None:
        """Read what comes back with every call on a run."""
        brief = reply.get("run", reply) if isinstance(reply, dict) else {}
        directives = brief.get("directives")
        came = {str(each.get("id")): each for each in directives or () if isinstance(each, dict)}
        with self._lock:
            self.acks = [name for name, each in came.items() if "id" in each]
            new = [each for name, each in came.items() if name not in self._seen]
            self._seen.update(came)
        self.answers |= {each["question"]: each["value"] for each in new if each.get("kind") == "answer"}
        for directive in new:
            self.report(directive)
        if any(each.get("kind") == "stop" for each in came.values()):
            self.stop_requested = True

    def with_acks(self, body: dict[str, Any]) -> dict[str, Any]:
        """``body`` with the acknowledgement of what came."""
        with self._lock:
            return {**body, "ack": self.acks} if self.acks else body

    def _beat(self) -> None:
        pause = min(self.every, FIRST_BEAT_SECONDS)
        while not self._over.wait(pause):
            began = time.monotonic()
            body = self.with_acks({"wait_seconds": int(self.every)})
            try:
                reply = self.client.post(self.path, body, wait=self.every, once=False, give_up_after=self.every)
            except Refused as refused:
                if refused.code == "stop_requested":
                    self.heed(refused.problem)
                else:
                    self.lost = str(refused)
                return
            except Unreachable:
                pause = self.every
                continue  # the next beat may come through before the lease ends
            self.heed(reply)
            # What came is acknowledged at once; a server that does not let calls wait is not asked more often.
            pause = 0 if self.acks else max(0.0, self.every - (time.monotonic() - began))


class Worker:
    """An agent with a token. ``report(event, **data)`` is called at every step; ``pace`` scales its pauses."""

    def __init__(
        self,
        client: Client,
        report: Callable[..., None],
        *,
        seed: int = 0,
        pace: float = 1.0,
        failures: float = 0.08,
        silences: float = 0.04,
        follow_ups: int = 0,
        asks: str = "",
        until_idle: float | None = None,
        site: str = "",
    ) -> None:
        self.client = client
        self.report = report
        self.seed = seed
        self.pace = pace
        self.failures = failures
        self.silences = silences
        self.follow_ups = follow_ups
        self.asks = asks
        self.until_idle = until_idle
        #: Where people read: these agents keep no log but the timeline.
        self.site = site.rstrip("/")
        self.name = ""
        self.projects: list[str] = []
        self.run_id: str | None = None

    def live(self) -> None:
        """Work until stopped, or until there was nothing to do for ``until_idle`` seconds."""
        me = self.client.get("me")
        agent = me.get("agent") or {}
        self.name = agent.get("slug", "") if isinstance(agent, dict) else str(agent)
        self.projects = [
            project["key"] if isinstance(project, dict) else str(project) for project in me.get("projects") or []
        ]
        self.report("started")
        idle_since = time.monotonic()
        created_at = idle_since
        rests = False
        wait = WAIT_SECONDS if self.until_idle is None else min(WAIT_SECONDS, int(self.until_idle))
        while True:
            claim = {"limit": 1, "lease_seconds": LEASE_SECONDS, "wait_seconds": wait}
            # While it rests, nothing is kept of each look: a claim whose answer is lost ends with its lease.
            answer = self.client.post("tasks/claim_next", claim, wait=wait, once=not rests)
            rests = not answer["runs"] and not self.follow_ups
            for run in answer["runs"]:
                self.work(run)
                idle_since = time.monotonic()
            if answer["runs"]:
                continue
            now = time.monotonic()
            if self.until_idle is not None and now - idle_since >= self.until_idle:
                self.report("idle", reason=answer.get("reason"))
                return
            due = now - max(created_at, idle_since) > FOLLOW_UP_SECONDS
            if self.follow_ups and due and answer.get("reason") == "no_ready_task":
                created_at = now
                self.create_follow_up()
            time.sleep(min(answer.get("retry_after_seconds") or 1, 5))

    def work(self, run: dict[str, Any]) -> None:
        """One run, from its claim to its end."""
        task = run["task"]
        fate = self.fate_of(task, run["number"])
        self.run_id = run["id"]
        self.report("claimed", task=task["ref"], number=run["number"], title=task["title"])
        try:
            with Lease(self.client, run, report=partial(self.tell, task["ref"])) as lease:
                left_silently = self.go_through(run, fate, lease)
            if left_silently:
                self.be_silent(run)
        except LeaseLost as lost:
            self.report("lease_lost", task=task["ref"], detail=str(lost))
        except Refused as refused:
            if refused.status == 401:
                raise
            self.report(
                "lease_lost" if refused.code == "lease_lost" else "refused", task=task["ref"], detail=str(refused)
            )
        self.run_id = None

    def tell(self, ref: str, directive: dict[str, Any]) -> None:
        """Report what staff say about a task."""
        self.report(
            "told", task=ref, kind=directive.get("kind"), by=directive.get("from"), body=str(directive.get("body", ""))
        )

    def fate_of(self, task: dict[str, Any], number: int) -> random.Random:
        """The same seed, agent, task and run number always have the same fate."""
        return random.Random(f"{self.seed}/{self.name}/{task['ref']}/{number}")

    def go_through(self, run: dict[str, Any], fate: random.Random, lease: Lease) -> bool:
        """Report progress and end the run; True if the agent falls silent on the way."""
        task = run["task"]
        steps = fate.randint(3, 5)
        roll, breaks_at = fate.random(), fate.randint(1, steps - 1)
        # First runs only: the demo's plan should not end in failed tasks.
        fresh = run["number"] == 1
        fails, silent = fresh and roll < self.failures, fresh and 1 - roll <= self.silences
        labels = set(task.get("labels") or ())
        if labels & {ASKS, FLAKY, HOPELESS}:
            fails, silent = HOPELESS in labels or (FLAKY in labels and run["number"] <= FLAKY_RUNS), False
        notes = fate.sample(NOTES, steps)
        self.read_answers(run)
        asked: int | None = None
        for step in range(steps):
            if (fails or silent) and step == breaks_at:
                if silent:
                    self.report("silent", task=task["ref"])
                    return True
                code, detail = fate.choice(FAILURES)
                failure = {"code": code, "detail": detail, "retryable": HOPELESS not in labels, "usage": usage(fate)}
                self.post(lease, run, "fail", failure)
                self.report("failed", task=task["ref"], code=code)
                return False
            self.pause(fate.uniform(1.5, 4.0), lease)
            if lease.stop_requested:
                return self.obey_stop(lease, run)
            percent = round(100 * (step + 1) / (steps + 1))
            body = {"percent": percent, "note": notes[step], "usage": usage(fate), "plan": plan_of(notes, step + 1)}
            if self.site and step == 0:
                body["external_url"] = f"{self.site}/tasks/{task['ref']}#timeline"
            self.post(lease, run, "progress", body)
            if lease.stop_requested:
                return self.obey_stop(lease, run)
            self.report("progressed", task=task["ref"], percent=percent, note=notes[step])
            if ASKS in labels and fresh and step == 0:
                self.ask(lease, run, "parked")
                return False
            if self.asks and fresh and step == 0:
                how, self.asks = self.asks, ""
                asked = self.ask(lease, run, how)
                if how == "parked":
                    return False
        if asked is not None and not self.hear(lease, task["ref"], asked):
            return self.obey_stop(lease, run)
        self.pause(fate.uniform(0.5, 1.5), lease)
        done = {
            "summary": f"{fate.choice(OUTCOMES)} ({task['title']})",
            "result": {"checks": fate.randint(3, 30), "changed_files": fate.randint(1, 9)},
            "criteria": [{"criterion": text, "met": True} for text in task.get("criteria") or []],
            "usage": usage(fate),
            "artifacts": artifacts_of(run, notes, fate),
        }
        if self.follow_ups and fresh and fate.random() < FINDS_WORK:
            done["follow_ups"] = [follow_up(self.follow_ups)]
            self.follow_ups -= 1
        answer = self.post(lease, run, "complete", done)
        self.report("completed", task=task["ref"], unblocked=answer.get("unblocked", []))
        return False

    def obey_stop(self, lease: Lease, run: dict[str, Any]) -> bool:
        """End the run, with which the stop is acknowledged; False, as the agent is not silent."""
        self.post(lease, run, "release", {"reason": "Asked to stop."})
        self.report("released", task=run["task"]["ref"])
        return False

    def ask(self, lease: Lease, run: dict[str, Any], how: str) -> int:
        """Ask people, and go on (``running``) or end the run for the answer (``parked``); returns the question's id."""
        asked = self.post(lease, run, "ask", {**QUESTIONS[how], "dedupe_key": "demo"})
        question = asked["questions"][0]
        self.report("asked", task=run["task"]["ref"], question=question["prompt"], how=how)
        number: int = question["id"]
        return number

    def hear(self, lease: Lease, ref: str, question: int) -> bool:
        """Wait for the answer, which comes with a heartbeat; False if the agent is to stop."""
        while question not in lease.answers and not lease.stop_requested:
            if lease.lost:
                raise LeaseLost(lease.lost)
            time.sleep(0.25)
        if question in lease.answers:
            self.report("answered", task=ref, value=lease.answers[question])
        return question in lease.answers

    def read_answers(self, run: dict[str, Any]) -> None:
        """What was asked in an earlier run is in the context of this one."""
        for answer in run.get("context", {}).get("answers", ()):
            self.report("answered", task=run["task"]["ref"], value=answer.get("value"))

    def post(self, lease: Lease, run: dict[str, Any], verb: str, body: dict[str, Any]) -> Any:
        """A call on the run, with the acknowledgement of what came before; heeds what its reply brings."""
        if lease.lost:
            raise LeaseLost(lease.lost)
        try:
            reply = self.client.post(f"runs/{run['id']}/{verb}", lease.with_acks(body))
        except Refused as refused:
            if refused.code != "stop_requested":
                raise
            reply = refused.problem
        lease.heed(reply)
        return reply

    def pause(self, seconds: float, lease: Lease) -> None:
        """Work for a while; a lost lease ends it at once."""
        until = time.monotonic() + seconds * self.pace
        while (left := until - time.monotonic()) > 0:
            if lease.lost:
                raise LeaseLost(lease.lost)
            if lease.stop_requested:
                return
            time.sleep(min(left, 0.25))

    def be_silent(self, run: dict[str, Any]) -> None:
        """Make no calls until the lease is over; then wake up and learn that the result comes too late."""
        self.run_id = None
        time.sleep(LEASE_SECONDS + 8)
        self.client.post(f"runs/{run['id']}/complete", {"summary": "Finished, but much too late.", "result": None})
        self.report("completed", task=run["task"]["ref"], late=True)

    def create_follow_up(self) -> None:
        if not self.projects:
            return
        number = self.follow_ups
        title, skill = FOLLOW_UPS[number % len(FOLLOW_UPS)]
        body: dict[str, Any] = {"project": self.projects[0], "title": title, "labels": ["follow-up"]}
        if skill:
            body["required_skills"] = [{"skill": skill, "min_level": 2}]
        self.follow_ups -= 1
        try:
            created = self.client.post("tasks", body)
        except Refused as refused:
            self.follow_ups = 0
            self.report("refused", detail=str(refused))
            return
        self.report("created", task=created["ref"], title=title)

    def let_go(self) -> None:
        """Release the current run, in one short try; if that fails, the lease runs out by itself."""
        if self.run_id is None:
            return
        with contextlib.suppress(Refused, Unreachable):
            self.client.post(f"runs/{self.run_id}/release", {"reason": "The agent was stopped."}, give_up_after=1.0)


def usage(fate: random.Random) -> dict[str, Any]:
    tokens = fate.randint(400, 4000)
    return {"input_tokens": tokens, "output_tokens": tokens // 5, "cost": round(tokens * 4e-6, 6)}


def _read_token() -> str:
    """The first line of standard input, read without Python's buffer: a waiting thread would still hold it at exit."""
    line = b""
    while (character := os.read(STANDARD_INPUT, 1)) not in (b"", b"\n"):
        line += character
    return line.decode("ascii", "replace").strip()


def _follow_lifeline() -> None:
    """Stop when standard input ends: only the parent process holds its other end."""
    with contextlib.suppress(OSError):
        while os.read(STANDARD_INPUT, 1):
            pass
    threading.Timer(FORCED_END_SECONDS, os._exit, (1,)).start()
    os.kill(os.getpid(), signal.SIGTERM)


def _stop(number: int, frame: FrameType | None) -> None:
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, signal.SIG_IGN)
    raise Stopped


def make_reporter(worker_name: Callable[[], str], as_json: bool, quiet: bool) -> Callable[..., None]:
    """How a worker's steps are printed: one line each, as text or as a JSON object."""

    def report(event: str, **data: Any) -> None:
        if quiet:
            return
        if as_json:
            at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            line = json.dumps({"at": at, "agent": worker_name(), "event": event, **data})
        else:
            rest = " ".join(_shown(value) for value in data.values() if value not in (None, [], ""))
            line = f"{worker_name():<10} {event:<10} {rest}".rstrip()
        with contextlib.suppress(BrokenPipeError):
            print(line, flush=True)  # noqa: T201 - this is a program

    return report


def _shown(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return "".join(character if character.isprintable() else "?" for character in text)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m tasks.demo.worker", description=(__doc__ or "").split("\n")[0])
    options.add_argument("--url", required=True)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--pace", type=float, default=1.0)
    options.add_argument("--failures", type=float, default=0.08)
    options.add_argument("--silences", type=float, default=0.04)
    options.add_argument("--follow-ups", type=int, default=0)
    options.add_argument("--asks", choices=["", *QUESTIONS], default="")
    options.add_argument("--until-idle", type=float)
    options.add_argument("--lifeline", action="store_true")
    options.add_argument("--json", action="store_true")
    options.add_argument("--quiet", action="store_true")
    return options


def main() -> int:
    options = parser().parse_args()
    token = _read_token()
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stop)
        return _live(options, token)
    except Stopped:
        return 0  # stopped before there was anything to release


def _live(options: argparse.Namespace, token: str) -> int:
    client = Client(options.url, token)
    worker = Worker(
        client,
        make_reporter(lambda: worker.name, options.json, options.quiet),
        seed=options.seed,
        pace=options.pace,
        failures=options.failures,
        silences=options.silences,
        follow_ups=options.follow_ups,
        asks=options.asks,
        until_idle=options.until_idle,
        site=options.url,
    )
    try:
        if options.lifeline:
            threading.Thread(target=_follow_lifeline, daemon=True).start()
        worker.live()
    except Stopped:
        worker.let_go()
        worker.report("stopped")
    except (Refused, Unreachable) as error:
        sys.stderr.write(f"The agent {worker.name or 'of this token'} stops: {error}\n")
        return 1
    finally:
        client.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
