"""``manage.py demo_agents``: real clients of the API, one process each, that work on tasks."""

import argparse
import os
import signal
from types import FrameType
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.core.management.base import CommandParser

from taskproject.texts import counted
from tasks.demo.client import Client, Refused, Unreachable
from tasks.demo.fleet import Fleet
from tasks.demo.plan import MOST_AGENTS, PROJECT_KEY, create_demo_agents, fresh_tokens, revoke
from tasks.management.command import Command as BaseCommand
from tasks.management.command import Problem, WrongUse, project_named
from tasks.models import AgentToken

TOKENS_VARIABLE = "TASKPROJECT_TOKENS"
DEFAULT_COUNT = 3


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be from 0 to 1")
    return value


def _not_negative(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


class Command(BaseCommand):
    help = (
        "Start demo agents: separate processes that claim tasks over HTTP, keep the lease, report progress, "
        f"sometimes fail, sometimes go silent, and finish. Tokens come from {TOKENS_VARIABLE} (separated by "
        "commas); without it, on the machine of the database, agents demo-1 to demo-N are created for --project."
    )
    examples: ClassVar[str] = (
        "python manage.py demo_agents --url http://127.0.0.1:8000 --count 3\n"
        "TASKPROJECT_TOKENS=tp_…,tp_… python manage.py demo_agents --url https://tasks.example.org --json"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", required=True, help="Base URL of the server, such as http://127.0.0.1:8000.")
        parser.add_argument("--count", type=int, metavar="N", help=f"Agents (default: {DEFAULT_COUNT}, or the tokens).")
        parser.add_argument("--project", metavar="KEY", default=PROJECT_KEY, help=f"Default: {PROJECT_KEY}.")
        parser.add_argument(
            "--seed", type=int, default=0, help="The same seed gives tasks the same outcomes (default: 0)."
        )
        parser.add_argument("--pace", type=_not_negative, default=1.0, help="Scale their pauses; 0: no pauses.")
        parser.add_argument("--failures", type=_fraction, default=0.08, help="Share of first runs that fail.")
        parser.add_argument("--silences", type=_fraction, default=0.04, help="Share of first runs that go silent.")
        parser.add_argument("--follow-ups", type=int, default=0, help="Tasks that the first agent creates when idle.")
        parser.add_argument(
            "--until-idle", type=_not_negative, metavar="SECONDS", help="Stop after this long without a task."
        )

    def run(self, **options: Any) -> int:
        url = self._checked_url(options["url"])
        count = options["count"]
        if count is not None and not 1 <= count <= MOST_AGENTS:
            raise WrongUse(f"--count: Must be from 1 to {MOST_AGENTS}.")
        self._require_server(url)
        tokens = [token.strip() for token in os.environ.get(TOKENS_VARIABLE, "").split(",") if token.strip()]
        own: list[AgentToken] = []
        if tokens:
            if count is not None and count > len(tokens):
                raise WrongUse(f"--count: {TOKENS_VARIABLE} has tokens for {counted(len(tokens), 'agent')} only.")
            tokens = tokens[:count]
        else:
            agents = create_demo_agents(project_named(options["project"]), count or DEFAULT_COUNT)
            pairs = fresh_tokens(agents, name="demo_agents")
            own, tokens = [token for token, _ in pairs], [plain for _, plain in pairs]
        try:
            return self._work(Fleet(url, tokens, self._worker_options(options), first_options=self._first(options)))
        finally:
            revoke(own)

    def _work(self, fleet: Fleet) -> int:
        def stop(number: int, frame: FrameType | None) -> None:
            raise KeyboardInterrupt

        previous = signal.signal(signal.SIGTERM, stop)
        try:
            fleet.start()
            return fleet.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            fleet.stop()
            signal.signal(signal.SIGTERM, previous)

    @staticmethod
    def _worker_options(options: dict[str, Any]) -> list[str]:
        arguments = [f"--{name}={options[name]}" for name in ("seed", "pace", "failures", "silences")]
        if options["until_idle"] is not None:
            arguments.append(f"--until-idle={options['until_idle']}")
        if options["json"]:
            arguments.append("--json")
        if options["verbosity"] == 0:
            arguments.append("--quiet")
        return arguments

    @staticmethod
    def _first(options: dict[str, Any]) -> list[str]:
        return [f"--follow-ups={options['follow_ups']}"]

    @staticmethod
    def _checked_url(url: str) -> str:
        try:
            parts = urlsplit(url)
            sound = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:  # an invalid address or port
            sound = False
        if not sound:
            raise WrongUse(f"--url {url!r}: write a base URL such as http://127.0.0.1:8000.")
        return url.rstrip("/").removesuffix("/api/v1")

    @staticmethod
    def _require_server(url: str) -> None:
        client = Client(url, token=None)
        try:
            client.get("me", give_up_after=3)
        except Refused:
            pass  # a refusal without a token proves that it is up
        except Unreachable as error:
            raise Problem(f"No server answers at {url} ({error}); start one with `python manage.py up`.") from None
        finally:
            client.close()
