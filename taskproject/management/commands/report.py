"""``manage.py report``: a report for scripts, predefined or by a definition in a file."""

import json
import sys
from pathlib import Path
from typing import Any, ClassVar

from django.contrib.auth.models import User
from django.core.management.base import CommandParser
from django.db.models import Q
from django.http import QueryDict

from reports.definitions import read
from reports.exports import OUTPUTS, as_csv, as_json, as_json_definition
from reports.instants import READER
from reports.parameters import BUCKETS, read_question
from reports.predefined import REPORTS
from reports.report import Answer
from reports.running import answer, run
from reports.workbooks import as_xlsx
from taskproject.errors import NotFound, shortened, unknown_name
from taskproject.strict_json import DECODER, why
from tasks import clock
from tasks.management.command import Command as BaseCommand
from tasks.management.command import WrongUse
from tasks.zones import reader_zone

OVER_TIME = ("from", "to", "bucket", "tz")


class Command(BaseCommand):
    help = (
        "Print a report: a predefined one by its name, or what a definition in a JSON file counts. Without --user it "
        "is over all projects. "
        f"Predefined: {', '.join(REPORTS)}."
    )
    examples = (
        "python manage.py report completed --project OPS --bucket month --output csv\n"
        "python manage.py report cycle_by_agent.json --user ada --output xlsx --file cycle.xlsx"
    )
    prints_json = False
    option_of: ClassVar[dict[str, str]] = {name: f"--{name}" for name in OVER_TIME}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "report", metavar="SLUG|FILE", help="A predefined report, or a file; - reads it from input."
        )
        parser.add_argument("--project", metavar="KEY", help="Default: all projects together.")
        parser.add_argument("--from", metavar="DATE", help="Start of the period, in place of the definition's.")
        parser.add_argument("--to", metavar="DATE", help="End of the period, not included.")
        parser.add_argument("--bucket", choices=BUCKETS, help="The time span of a row.")
        parser.add_argument("--tz", metavar="ZONE", help="The zone by whose clocks it counts.")
        parser.add_argument(
            "--user", metavar="NAME", help="Count what this user may see: a username, or an agent's slug."
        )
        parser.add_argument("--output", choices=OUTPUTS, default="json", help="Default: json.")
        parser.add_argument("--file", metavar="PATH", help="Write to this file instead of printing.")

    def run(self, **options: Any) -> None:
        if options["output"] == "xlsx" and options["file"] is None and sys.stdout.isatty():
            raise WrongUse("XLSX is no text: give --file, or send the output somewhere.")
        # Nobody in particular, who sees everything.
        user = _user(options["user"]) if options["user"] else User(is_active=True, is_superuser=True)
        name = options["report"]
        given = _predefined(name, options, user) if name in REPORTS else _defined(name, options, user)
        self._write(_bytes(given, options["output"]), options["file"])

    def _write(self, content: bytes, path: str | None) -> None:
        if path is None:
            stream = getattr(self.stdout, "buffer", None)
            if stream is None:
                self.say(content.decode())
            else:
                stream.write(content)
                stream.flush()
            return
        try:
            Path(path).write_bytes(content)
        except OSError as error:
            raise WrongUse(f"{path} cannot be written: {error.strerror}.") from None


def _user(name: str) -> User:
    user = User.objects.filter(Q(username=name) | Q(agent__slug=name)).first()
    if user is None:
        raise NotFound(unknown_name(name, User.objects.values_list("username", flat=True), what="user"))
    return user


def _predefined(slug: str, options: dict[str, Any], user: User) -> Answer:
    query = QueryDict(mutable=True)
    for name in ("project", *OVER_TIME):
        if options[name] is not None:
            query[name] = options[name]
    now = clock.now()
    question = read_question(query, user=user, now=now)
    return answer(REPORTS[slug], question.scope, question.period, now=now)


def _defined(path: str, options: dict[str, Any], user: User) -> Answer:
    document = _amended(_document(path), options)
    definition = read(document)
    title = "Report" if path == "-" else Path(path).stem
    zone = reader_zone(user) if definition.tz == READER else None
    return run(definition, user=user, now=clock.now(), project=options["project"], zone=zone, title=title)


def _document(path: str) -> Any:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        sentence = unknown_name(path, REPORTS, what="report").removesuffix(".").removesuffix("?")
        raise WrongUse(f"{sentence}{'?' if 'did you mean' in sentence else ','} and there is no such file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{shortened(path)} cannot be read: {getattr(error, 'strerror', 'it is not UTF-8')}.") from None
    try:
        return DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise WrongUse(f"{shortened(path)} is not JSON: {why(error).removesuffix('.')}.") from None


def _amended(document: Any, options: dict[str, Any]) -> Any:
    """The document with what the options say in place of its own."""
    if not isinstance(document, dict):
        return document
    document = dict(document)
    if options["from"] is not None or options["to"] is not None:
        period = document.get("period")
        kept = {key: period[key] for key in ("from", "to") if key in period} if isinstance(period, dict) else {}
        document["period"] = kept | {key: options[key] for key in ("from", "to") if options[key] is not None}
    if options["bucket"] is not None:
        time = document.get("time", {})
        document["time"] = time | {"bucket": options["bucket"]} if isinstance(time, dict) else time
    if options["tz"] is not None:
        document["tz"] = options["tz"]
    return document


def _bytes(given: Answer, output: str) -> bytes:
    if output == "xlsx":
        return as_xlsx(given)
    if output == "csv":
        return as_csv(given).encode()
    shown = as_json(given) if given.report else as_json_definition(given)
    return (json.dumps(shown, indent=2) + "\n").encode()
