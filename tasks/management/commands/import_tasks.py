"""``manage.py import_tasks``: tasks from a file into a project, all or nothing."""

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from tqdm import tqdm

from tasks.actions.imports import Imported, Plan, PlanRefused, import_plan, shown
from tasks.formats import READERS, Unreadable, decoded, recognised
from tasks.formats.fields import CONVERTERS
from tasks.management.command import Command as BaseCommand
from tasks.management.command import Problem, WrongUse, project_named


class Command(BaseCommand):
    help = (
        "Import tasks from CSV, JSON or beads (issues.jsonl): all of the file, or nothing and every problem with its "
        "line and field. Importing a file again changes nothing; a changed file updates what has not started here. A "
        "task is known by its external_id, or else its key, or else its title (with its place among equal titles). "
        "A field that a file leaves out is not touched; an empty one is emptied. "
        f"Fields: {', '.join(CONVERTERS)}; title is enough. depends_on and parent take keys or external ids of the "
        "file and refs (OPS-1) or external ids of the project. CSV: lists separated by ;, skills as python:3. "
        f"Times without a zone are in TIME_ZONE (now {settings.TIME_ZONE}); a date alone means its start, for due_at "
        "its end. What is in progress elsewhere comes in as not_started and keeps its first start. Unknown skills and "
        "labels are created, unknown assignees are problems."
    )
    examples = (
        "python manage.py import_tasks plan.csv --project OPS --dry-run\n"
        "python manage.py import_tasks .beads/issues.jsonl --project OPS --json"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="The file in UTF-8; - reads from standard input.")
        parser.add_argument("--project", required=True, metavar="KEY", help="The project that gets the tasks.")
        parser.add_argument("--format", choices=["auto", *sorted(READERS)], default="auto", help="Default: auto.")
        parser.add_argument("--dry-run", action="store_true", help="Check and tell what would happen; write nothing.")
        parser.add_argument("--without-assignees", action="store_true", help="Ignore who the file assigns tasks to.")

    def run(self, **options: Any) -> None:
        project = project_named(options["project"])
        try:
            plan = _plan(_text_of(options["file"]), options)
            bar = tqdm(total=len(plan.tasks), unit=" tasks", file=sys.stderr, disable=None, leave=False)
            with bar:
                told = import_plan(
                    actor=None, project=project, plan=plan, dry_run=options["dry_run"], progress=bar.update
                )
        except Unreadable as error:
            raise Problem(f"{_path(options['file'])}, {error}") from None
        except PlanRefused as error:
            for problem in error.problems:
                self.stderr.write(str(problem), lambda text: text)
            raise Problem(error.detail, code=error.code, data=error.data) from None
        if options["json"]:
            self.print_json(told.as_dict())
        else:
            self._tell(told)

    def _tell(self, told: Imported) -> None:
        counts = f"{told.created} created, {told.updated} updated, {told.unchanged} unchanged"
        start = "Dry run, nothing was written; it would be" if told.dry_run else f"{told.project}:"
        self.say(f"{start} {counts}.")
        for one in told.left_alone:
            self.say(f"Left alone, as it has started here: {one.ref} {one.name} ({', '.join(one.fields)} differ).")
        if told.skills_created:
            self.say(f"New skills: {', '.join(told.skills_created)}.")
        for note in told.notes:
            self.say(note)


def _path(path: str) -> str:
    return shown(path, limit=1_000)


def _text_of(path: str) -> str:
    """The text of the file. Raises ``WrongUse`` where it cannot be had, ``Unreadable`` where it is no text."""
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise WrongUse(f"{_path(path)} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    text = decoded(data)
    if not text.strip():
        raise WrongUse(f"{_path(path)} is empty.")
    return text


def _plan(text: str, options: dict[str, Any]) -> Plan:
    reader = recognised(text) if options["format"] == "auto" else READERS[options["format"]]
    if reader is None:
        raise WrongUse(f"The format of {_path(options['file'])} cannot be told; say --format {', '.join(READERS)}.")
    plan = reader.read(text)
    if options["without_assignees"]:
        for task in plan.tasks:
            task.values.pop("assignees", None)
    return plan
