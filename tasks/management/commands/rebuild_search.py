"""``manage.py rebuild_search``: the words of tasks for the search, or where they are not what the tasks say."""

import sys
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from tqdm import tqdm

from taskproject.texts import counted
from tasks.management.command import Command as BaseCommand
from tasks.management.command import Problem, project_named
from tasks.search.keeping import rebuild_all, tasks_to_search

#: More than these are only counted.
MOST_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Put right the words by which the search finds tasks. What is right already is left alone. With --check "
        "nothing is written, and the exit code is 1 if anything differs. Servers may run meanwhile: tasks are locked "
        "in batches."
    )
    examples = "python manage.py rebuild_search --check\npython manage.py rebuild_search --project OPS --json"
    option_of: ClassVar[dict[str, str]] = {}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", metavar="KEY", help="Only the tasks of this project.")
        parser.add_argument("--check", action="store_true", help="Say what differs; write nothing.")

    def run(self, **options: Any) -> None:
        ids = tasks_to_search(project_named(options["project"]) if options["project"] else None)
        with tqdm(total=len(ids), unit=" tasks", file=sys.stderr, disable=None, leave=False) as bar:
            differing = list(rebuild_all(ids, write=not options["check"], progress=bar.update))
        examined, wrong = counted(len(ids), "task"), counted(len(differing), "task")
        report = {"tasks": len(ids), "differing": differing, "written": not options["check"]}
        if differing and not options["json"]:
            more = f" and {len(differing) - MOST_SHOWN:,} more" if len(differing) > MOST_SHOWN else ""
            self.say(f"Wrong words: {', '.join(differing[:MOST_SHOWN])}{more}.")
        if options["check"] and differing:
            raise Problem(f"Of {examined}, the search does not know the words of {wrong}.", data=report)
        if options["json"]:
            self.print_json(report)
        elif differing:
            self.say(f"The words of {wrong} of {len(ids):,} were put right.")
        else:
            self.say(f"The search knows the words of {examined}.")
