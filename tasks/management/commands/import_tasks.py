"""``manage.py import_tasks``: tasks from a file into a project, all or nothing."""

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from tqdm import tqdm

from taskproject.texts import counted
from tasks.actions.imports import Imported, LeftAlone, Plan, PlanRefused, import_plan, shown, summary_of
from tasks.formats import READERS, Unreadable, decoded, foreign, reader_for
from tasks.formats.fields import CONVERTERS
from tasks.management.command import Command as BaseCommand
from tasks.management.command import Problem, WrongUse, project_named

#: More than these are only counted.
MOST_SKIPPED = 20


class Command(BaseCommand):
    help = (
        "Import tasks from CSV, JSON or beads (issues.jsonl): the whole file, or nothing and every problem with its "
        "line and field. Importing a file again changes nothing; a changed file updates what has not started here. A "
        "task is identified by its external_id, else its key, else its title (with its place among equal titles). "
        "A field that a file leaves out is not touched; an empty field is cleared. "
        f"Fields: {', '.join(CONVERTERS)}; only title is required. depends_on and parent take keys or external ids of "
        "the file and refs (OPS-1) or external ids of the project. CSV: lists separated by ;, skills as python:3. "
        f"Times without a zone are in TIME_ZONE (now {settings.TIME_ZONE}); a date alone means its start, for due_at "
        "its end. How many completed tasks lack their times is said: they count in no figure that needs them. Tasks in "
        "progress elsewhere are imported as not_started and keep their first start. What can be mended is, with a "
        "note; what beads has set aside is on hold. A file older than the last import reverts nothing. Unknown skills "
        "and labels are created, unknown assignees are problems."
    )
    examples = (
        "python manage.py import_tasks plan.csv --project OPS --dry-run\n"
        "python manage.py import_tasks .beads/issues.jsonl --project OPS --json"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="The file in UTF-8 or UTF-16; - reads from standard input.")
        parser.add_argument("--project", required=True, metavar="KEY", help="The project that gets the tasks.")
        parser.add_argument("--format", choices=["auto", *sorted(READERS)], default="auto", help="Default: auto.")
        parser.add_argument("--dry-run", action="store_true", help="Check and report what would happen; write nothing.")
        parser.add_argument("--without-assignees", action="store_true", help="Ignore the assignees in the file.")
        parser.add_argument(
            "--map-assignee",
            action="append",
            default=[],
            type=_mapping,
            metavar="NAME=SLUG",
            help="Who an assignee of the file is here; may be repeated. NAME= leaves that one out.",
        )

    def run(self, **options: Any) -> None:
        project = project_named(options["project"])
        try:
            plan = _plan(_text_of(options["file"]), options)
            bar = tqdm(total=len(plan.tasks), unit=" tasks", file=sys.stderr, disable=None, leave=False)
            with bar:
                imported = import_plan(
                    actor=None, project=project, plan=plan, dry_run=options["dry_run"], progress=bar.update
                )
        except Unreadable as error:
            raise Problem(f"{_path(options['file'])}{error.separator}{error}") from None
        except PlanRefused as error:
            for problem in error.problems:
                self.stderr.write(str(problem), lambda text: text)
            raise Problem(_with_advice(error), code=error.code, data=error.data) from None
        if options["json"]:
            self.print_json(imported.as_dict())
        else:
            self._report(imported)

    def _report(self, imported: Imported) -> None:
        counts = f"{imported.created} created, {imported.updated} updated, {imported.unchanged} unchanged"
        if imported.comments:
            counts += f", {counted(imported.comments, 'comment')}"
        start = "Dry run, nothing was written. Without it:" if imported.dry_run else f"{imported.project}:"
        self.say(f"{start} {counts}.")
        self._report_skipped("it has started here", imported.left_alone)
        self._report_skipped("the file is older than its last import", imported.older)
        if imported.skills_created:
            self.say(f"New skills: {', '.join(imported.skills_created)}.")
        if sentence := imported.missing_times.sentence():
            self.say(sentence)
        for sentence in summary_of(imported.notes):
            self.say(sentence)

    def _report_skipped(self, reason: str, skipped: list[LeftAlone]) -> None:
        for task in skipped[:MOST_SKIPPED]:
            self.say(f"Not changed, as {reason}: {task.ref} {task.name} ({', '.join(task.fields)} differ).")
        if len(skipped) > MOST_SKIPPED:
            self.say(f"Not changed, as {reason}: {len(skipped) - MOST_SKIPPED} more; --json lists them.")


def _mapping(text: str) -> tuple[str, str]:
    name, sign, slug = text.rpartition("=")
    if not (sign and name.strip()):
        raise argparse.ArgumentTypeError(f"write the file's name and the slug here, such as amp=atlas, not {text!r}")
    return name.strip(), slug.strip()


def _path(path: str) -> str:
    return shown(path, limit=1_000)


def _text_of(path: str) -> str:
    """The text of the file. Raises ``WrongUse`` if it cannot be read, ``Unreadable`` if it is not text."""
    if path != "-" and Path(path).is_dir() and (tracker := foreign.tracker_of_folder(Path(path))):
        raise Unreadable(foreign.sentence(tracker))
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise WrongUse(f"{_path(path)} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    text = decoded(data)
    if not text.strip():
        raise WrongUse(f"{_path(path)} is empty.")
    return text


def _plan(text: str, options: dict[str, Any]) -> Plan:
    reader = reader_for(text, options["format"])
    if reader is None:
        raise WrongUse(f"The format of {_path(options['file'])} is not recognised; use --format {', '.join(READERS)}.")
    plan = reader.read(text)
    if options["without_assignees"]:
        plan.ignore_assignees()
    plan.map_assignees(dict(options["map_assignee"]))
    return plan


def _with_advice(error: PlanRefused) -> str:
    if not error.unknown_assignees:
        return error.detail
    mapping = shlex.quote(f"{shown(error.unknown_assignees[0])}=SLUG")
    return (
        f"{error.detail} Say who an assignee of the file is here (--map-assignee {mapping}), or import without "
        "assignees (--without-assignees)."
    )
