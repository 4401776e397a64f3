"""``manage.py engine``: what happens by time, as a separate process."""

import json
import signal
import threading
from types import FrameType
from typing import Any

from django.core.management.base import CommandParser

from tasks import engine
from tasks.management.command import Command as BaseCommand


class Command(BaseCommand):
    help = (
        "Do what is due by time: end expired leases, wake deferred tasks, report stalled and overdue work. "
        "Any number of engines may run side by side; they wait out an outage of the database."
    )
    examples = "python manage.py engine\npython manage.py engine --once --json"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="Do what is due now, then end.")

    def run(self, **options: Any) -> None:
        def report(counts: dict[str, int]) -> None:
            if options["once"] or any(counts.values()):
                shown = ", ".join(f"{count} {name}" for name, count in counts.items())
                self.say(json.dumps(counts) if options["json"] else shown)
                self.stdout.flush()

        if options["once"]:
            report(engine.tick().as_dict() | engine.catch_up())
            return
        stop = threading.Event()

        def end(number: int, frame: FrameType | None) -> None:
            stop.set()

        previous = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            engine.run(stop, report=lambda done: report(done.as_dict()))
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
