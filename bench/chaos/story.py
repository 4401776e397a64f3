"""The rounds of a run: kill, restart, see whether everybody is right again by themselves, and settle the accounts."""

import json
import random
import subprocess
import sys
import threading
import time
from argparse import Namespace
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from bench.chaos.clients import KINDS, Answers, Follower, Ledger, Writer
from bench.chaos.estate import Estate, Part, estate, wait_until
from bench.processes import ROOT

#: Within this time after the last restart every follower must have what was committed until then.
RIGHT_SECONDS = 10.0
#: For how long it is observed beyond that, to say how late it was.
OBSERVED_SECONDS = 60.0
#: How long the writers may take to finish what they hold.
END_SECONDS = 240.0
QUIET_SECONDS = 1.0


@dataclass
class Report:
    """What a run showed. ``breaks``: one sentence for each promise that did not hold."""

    rounds: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    restart_seconds: list[float] = field(default_factory=list)
    lags: dict[str, list[float]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    tracebacks: dict[str, int] = field(default_factory=dict)
    breaks: list[str] = field(default_factory=list)

    def as_text(self) -> str:
        kills = ", ".join(f"{name} {count}" for name, count in sorted(self.killed.items()))
        lines = [
            f"{self.rounds} rounds; killed and restarted: {kills}",
            f"ledger: {', '.join(f'{count} {name}' for name, count in self.counts.items())}",
            f"answers: {', '.join(f'{status} × {count}' for status, count in sorted(self.statuses.items()))}",
            f"restarts: the slowest took {max(self.restart_seconds, default=0):.1f} s",
        ]
        for kind, lags in self.lags.items():
            middle = sorted(lags)[len(lags) // 2] if lags else 0.0
            lines.append(
                f"{kind}: right again after {middle:.1f} s in the median, {max(lags, default=0):.1f} s at most"
            )
        if self.tracebacks:
            lines.append(f"tracebacks in logs: {', '.join(f'{name} {n}' for name, n in self.tracebacks.items())}")
        lines += [f"BROKEN: {text}" for text in self.breaks[:30]]
        if len(self.breaks) > 30:
            lines.append(f"BROKEN: {len(self.breaks) - 30} more")
        lines.append("none lost, none twice, all right" if not self.breaks else f"{len(self.breaks)} promises broken")
        return "\n".join(lines)


class Story:
    def __init__(self, parts: Estate, seed: str) -> None:
        self.estate = parts
        self.dice = random.Random(seed)
        self.report = Report()
        self.shown = 0
        self.answers = Answers()
        self.stop_writing, self.stop_following = threading.Event(), threading.Event()
        prepared = self._books("prepare")
        self.after = prepared["cursor"]
        urls = parts.urls
        self.writers = [
            Writer(n, urls, token, self.answers, self.stop_writing) for n, token in enumerate(prepared["writers"])
        ]
        self.followers: list[Follower] = [
            KINDS[n % len(KINDS)](n, urls, token, self.after, self.answers, self.stop_following)
            for n, token in enumerate(prepared["followers"])
        ]
        self.report.lags = {kind.kind: [] for kind in KINDS}

    def tell(self, rounds: int) -> Report:
        for thread in (*self.followers, *self.writers):
            thread.start()
        for number in range(1, rounds + 1):
            time.sleep(QUIET_SECONDS)
            self._round(number)
        self._end()
        return self.report

    def _round(self, number: int) -> None:
        """Kill some parts at random moments, start each again, and wait until the followers are right."""
        victims = self.dice.sample(self.estate.parts, self.dice.choice((1, 1, 2, 2, 3)))
        for victim in victims:
            time.sleep(self.dice.uniform(0, 0.7))
            victim.kill()
            self.report.killed[victim.name] += 1
        down = self.dice.uniform(0.1, 3.0)
        time.sleep(down)
        began = time.monotonic()
        for victim in victims:
            victim.start()
            time.sleep(self.dice.uniform(0, 0.3))
        for victim in victims:
            wait_until(victim.is_ready, f"{victim.name} is back")
        back = time.monotonic() - began
        self.report.restart_seconds.append(back)
        lags = self._lags()
        self.report.rounds = number
        for kind, lag in lags.items():
            self.report.lags[kind].append(lag)
            if lag > RIGHT_SECONDS:
                self.report.breaks.append(f"round {number}: {kind} was right only after {lag:.1f} s")
        shown = ", ".join(f"{kind} {lag:.1f}" for kind, lag in lags.items())
        names = ", ".join(sorted(victim.name for victim in victims))
        print(f"round {number}: {names} down for {down:.1f} s, up in {back:.1f} s; right after: {shown} s", flush=True)
        self._show_breaks()

    def _show_breaks(self) -> None:
        new = self.answers.breaks[self.shown :]
        self.shown += len(new)
        for text in new:
            print(f"  BROKEN: {text}", flush=True)

    def _lags(self, *, writing: bool = True) -> dict[str, float]:
        """How long the slowest follower of each kind needs from now for what is committed after this.

        Without ``writing``, for what is committed already.
        """
        newest, began = self.estate.newest_event(), time.monotonic()
        is_fresh = not writing
        lags: dict[str, float] = {}
        while len(lags) < len(KINDS):
            passed = time.monotonic() - began
            if not is_fresh:
                before, newest = newest, self.estate.newest_event()
                is_fresh = newest > before
            for kind in KINDS:
                behind = not is_fresh or any(f.last < newest for f in self.followers if f.kind == kind.kind)
                if kind.kind not in lags and (not behind or passed > OBSERVED_SECONDS):
                    lags[kind.kind] = passed
            time.sleep(0.05)
        return lags

    def _end(self) -> None:
        self.stop_writing.set()
        until = time.monotonic() + END_SECONDS
        for writer in self.writers:
            writer.join(max(0.0, until - time.monotonic()))
            if writer.is_alive():
                self.report.breaks.append(f"{writer.name} could not finish within {END_SECONDS:.0f} s")
        # What the engines do about the last events comes after them.
        time.sleep(2)
        for kind, lag in self._lags(writing=False).items():
            if lag > RIGHT_SECONDS:
                self.report.breaks.append(f"in the end {kind} was right only after {lag:.1f} s")
        self.stop_following.set()
        self._settle()

    def _settle(self) -> None:
        report, ledger = self.report, Ledger()
        for writer in self.writers:
            ledger.add(writer.ledger)
        books = self._books("check", {"ledger": vars(ledger), "after": self.after})
        report.breaks += [*self.answers.breaks, *books["broken"]]
        newest = max(books["events"], default=0)
        for follower in self.followers:
            received = [pk for pk in follower.ids if pk <= newest]
            if received != books["events"]:
                missed = len(set(books["events"]) - set(received))
                repeated = len(received) - len(set(received))
                report.breaks.append(
                    f"{follower.name} missed {missed} events, repeated {repeated}, or mixed their order"
                )
        report.statuses = dict(self.answers.statuses)
        report.counts = {
            "created": len(ledger.created),
            "claimed": len(ledger.claimed),
            "ended": len(ledger.ended),
            "retries": sum(writer.retries for writer in self.writers),
            "events": len(books["events"]),
            "connections of followers": sum(follower.connections for follower in self.followers),
        }
        for part in self.estate.parts:
            if count := _tracebacks(part):
                report.tracebacks[part.name] = count

    def _books(self, what: str, given: Any = None) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "bench.chaos.books", what],
            cwd=ROOT,
            env=self.estate.variables,
            input=json.dumps(given),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return json.loads(done.stdout.strip().splitlines()[-1])


def _tracebacks(part: Part) -> int:
    return part.log.read_text(errors="replace").count("Traceback (most recent call last)")


def main(options: Namespace) -> int:
    """Run it and print the summary. Returns the exit code: 1 if a promise was broken."""
    rounds = options.rounds or (2 if options.quick else 30)
    seed = options.seed or str(random.randrange(10**6))
    print(f"{rounds} rounds with --seed {seed}", flush=True)
    with estate() as parts:
        report = Story(parts, seed).tell(rounds)
    print(f"\n{report.as_text()}")
    if report.breaks or report.tracebacks:
        print(f"logs: {parts.folder}")
    else:
        parts.forget()
    if options.json:
        options.json.write_text(json.dumps(vars(report) | {"seed": seed}, indent=2) + "\n")
    return 1 if report.breaks else 0
