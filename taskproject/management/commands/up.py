"""``manage.py up``: everything in one process, from an empty folder to a running server."""

import json
import os
import socket
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.db import DatabaseError, connections

from taskproject.server import first_start
from taskproject.server.address import AddressError, add_arguments, listen
from taskproject.server.embedded import EmbeddedServer
from tasks.demo.fleet import Fleet
from tasks.demo.lines import FOLLOW_UPS
from tasks.demo.plan import GUEST, MOST_AGENTS, create_demo_agents, fresh_tokens, revoke
from tasks.management.command import Command as BaseCommand
from tasks.management.command import WrongUse, database_sentence
from tasks.models import AgentToken

#: A token's row and its secret.
IssuedToken = tuple[AgentToken, str]


def _token_name(listener: socket.socket) -> str:
    """What the demo agents' tokens are called. Only one ``up`` can listen there, so no other one works with them."""
    host, port = listener.getsockname()[:2]
    return f"up at {socket.gethostname()[:30]} {host}:{port}"


def shown_python() -> str:
    """This Python as one would type it here: `python` alone may be another one, without what is installed."""
    near = os.path.relpath(sys.executable)
    return sys.executable if near.startswith("..") else near


class Command(BaseCommand):
    help = (
        "Run everything in one process: checks, migrations, web server and engine. The first start creates the secret "
        "key, the database, an admin login (printed once) and a demo project with agents; later starts change nothing. "
        "Ctrl-C stops everything."
    )
    examples = "python manage.py up\npython manage.py up --host 0.0.0.0 --port 80 --no-demo"
    # ``first_start`` runs the checks and reports problems in one sentence.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)
        parser.add_argument("--demo", action="store_true", default=True, help="Demo project in an empty database.")
        parser.add_argument("--no-demo", dest="demo", action="store_false", help="No demo project, no demo agents.")
        parser.add_argument("--again", action="store_true", help="Tell the demo's story once more, if it rests.")
        parser.add_argument("--agents", type=int, default=3, metavar="N", help="Demo agents to run (default: 3).")

    def run(self, **options: Any) -> None:
        if not 0 <= options["agents"] <= MOST_AGENTS:
            raise WrongUse(f"--agents: Must be from 0 to {MOST_AGENTS}.")
        try:
            # Before anything is written, so that a start that cannot serve leaves nothing behind.
            listener = listen(options["host"], options["port"])
        except AddressError as error:
            raise WrongUse(str(error)) from None
        tokens: list[IssuedToken] = []
        try:
            first_start.require_sound_configuration()
            first_start.require_writable_folder()
            first_start.require_database()
            with first_start.one_at_a_time():
                first_start.migrate(report=(lambda text: None) if options["json"] else self.say)
                prepared = first_start.prepare(demo=options["demo"], agents=options["agents"], again=options["again"])
            if prepared.demo is not None and options["agents"]:
                agents = create_demo_agents(prepared.demo, options["agents"])
                tokens = fresh_tokens(agents, name=_token_name(listener), replace=True)
        except first_start.NotReady as error:
            listener.close()
            raise WrongUse(str(error)) from None
        except DatabaseError as error:
            listener.close()
            raise WrongUse(database_sentence(error)) from None
        connections.close_all()
        self._serve(listener, prepared, tokens, options)

    def _serve(
        self,
        listener: socket.socket,
        prepared: first_start.Prepared,
        tokens: list[tuple[AgentToken, str]],
        options: dict[str, Any],
    ) -> None:
        # Imported late because it loads the whole application.
        from taskproject import asgi

        port = listener.getsockname()[1]
        shown_host = options["host"] if options["host"] not in ("0.0.0.0", "::", "") else "localhost"  # noqa: S104
        if ":" in shown_host:
            shown_host = f"[{shown_host}]"
        url = f"http://{shown_host}:{port}"
        # What the engine of this process mails leads back here, unless the server was told another address.
        settings.PUBLIC_URL = settings.PUBLIC_URL or url
        fleet = None
        if tokens:
            quiet = [] if options["verbosity"] > 1 else ["--quiet"]
            plain = [secret for _, secret in tokens]
            # After its plan the demo adds each idea once, at the first start; then it rests.
            follow_ups = len(FOLLOW_UPS) if prepared.guest_token else 0
            # With each story all but the first ask people once and run on; a task of the plan parks for its answer.
            has_story = prepared.guest_token or prepared.again
            asks = [[], *[["--asks=running"]] * (len(plain) - 1)] if has_story else []
            fleet = Fleet(url, plain, quiet, first_options=[f"--follow-ups={follow_ups}"], own_options=asks)
        server = EmbeddedServer(
            fleet=fleet,
            on_ready=lambda: self._greet(url, prepared, len(tokens), options),
            release=asgi.release,
        )
        asgi.release_at_signals = False
        try:
            server.serve_until_stopped(listener)
        finally:
            self._forget([token for token, _ in tokens])
        if not options["json"]:
            self.say("Stopped.")

    @staticmethod
    def _forget(tokens: list[AgentToken]) -> None:
        try:
            revoke(tokens)
        except DatabaseError as error:
            sys.stderr.write(f"The tokens of the demo agents stay valid for a day: {database_sentence(error)}\n")

    def _greet(self, url: str, prepared: first_start.Prepared, agents: int, options: dict[str, Any]) -> None:
        claim = None
        if prepared.guest_token:
            claim = (
                f"curl -X POST {url}/api/v1/tasks/claim_next -H 'Authorization: Bearer {prepared.guest_token}' "
                "-H 'Content-Type: application/json' -d '{}'"
            )
        if options["json"]:
            started = {"url": url, "login": prepared.admin, "password": prepared.password, "agents": agents}
            started |= {"agent": GUEST if claim else None, "token": prepared.guest_token, "claim": claim}
            self.say(json.dumps(started))
        else:
            self.say("\n".join(self._lines(url, prepared, agents, claim, options["host"])))
        self.stdout.flush()

    @staticmethod
    def _lines(url: str, prepared: first_start.Prepared, agents: int, claim: str | None, host: str) -> list[str]:
        lines = ["", f"taskproject runs at {url}/", ""]
        if prepared.password:
            lines += [f"  Login     {prepared.admin}", f"  Password  {prepared.password}    (shown only now)"]
        else:
            lines += [
                f"  Login     {prepared.admin}, with the password of the first start;",
                f"            forgotten? Run {shown_python()} manage.py changepassword {prepared.admin}",
            ]
        if claim:
            lines += [
                "",
                f"  Agent     {GUEST}",
                f"  Token     {prepared.guest_token}    (shown only now)",
                "",
                "To be an agent yourself, claim a task:",
                "",
                f"  {claim}",
            ]
        elif prepared.demo is not None:
            lines += ["", f"  Agents    new tokens: {url}/admin/tasks/agent/"]
        if agents:
            ready = "at work; see" if prepared.guest_token or prepared.again else "waiting for tasks; see"
            lines += ["", f"{agents} demo agent{'s' if agents > 1 else ''} {ready} {url}/"]
            if prepared.guest_token:
                lines += [f"They ask you things meanwhile; answer at {url}/inbox/"]
            elif not prepared.again:
                lines += ["The demo rests when its plan is done; `up --again` tells its story once more."]
        public = host not in ("127.0.0.1", "localhost", "::1")
        if public and set(settings.ALLOWED_HOSTS) <= {"localhost", "127.0.0.1", "[::1]"}:
            lines += ["", "Other machines reach it only by a name in ALLOWED_HOSTS; set that to this machine's name."]
        return [*lines, "", "Ctrl-C stops everything."]
