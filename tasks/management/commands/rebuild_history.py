"""``manage.py rebuild_history``: the history of tasks from their events, or where it differs from them."""

import sys
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from tqdm import tqdm

from taskproject.texts import counted
from tasks.history.rebuilding import rebuild_all, tasks_with_events
from tasks.management.command import Command as BaseCommand
from tasks.management.command import Problem, project_named

#: More than these are only counted.
MOST_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Rebuild the history of tasks, which reports measure, from their events: the times they spent in each status, "
        "and their ways from entry to end. What is right already is left alone. With --check nothing is written, and "
        "the exit code is 1 if anything differs. Servers may run meanwhile: tasks are locked in batches, like by those "
        "who work on them."
    )
    examples = "python manage.py rebuild_history --check\npython manage.py rebuild_history --project OPS --json"
    option_of: ClassVar[dict[str, str]] = {}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", metavar="KEY", help="Only the tasks of this project.")
        parser.add_argument("--check", action="store_true", help="Say what differs; write nothing.")

    def run(self, **options: Any) -> None:
        project = project_named(options["project"]) if options["project"] else None
        ids = tasks_with_events(project)
        bar = tqdm(total=len(ids), unit=" tasks", file=sys.stderr, disable=None, leave=False)
        with bar:
            differing = list(rebuild_all(ids, write=not options["check"], progress=bar.update))
        examined, wrong = counted(len(ids), "task"), counted(len(differing), "task")
        report = {
            "tasks": len(ids),
            "differing": [{"task": each.task, "what": each.what} for each in differing],
            "written": not options["check"],
        }
        if not options["json"]:
            for each in differing[:MOST_SHOWN]:
                self.say(f"{each.task}: {each.what}.")
            if (more := len(differing) - MOST_SHOWN) > 0:
                self.say(f"… and {counted(more, 'more task')}.")
        if options["check"] and differing:
            raise Problem(f"Of {examined}, the history of {wrong} is not what the events say.", data=report)
        if options["json"]:
            self.print_json(report)
        elif differing:
            self.say(f"The history of {wrong} of {len(ids):,} was rewritten.")
        else:
            self.say(f"The history of {examined} is what the events say.")
