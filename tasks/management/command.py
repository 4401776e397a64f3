"""What all commands share: a help text with examples, ``--json``, one-sentence errors, and exit codes.

0: done. 1: the command ran and found problems. 2: it was used wrongly (an argument, a file, a name).
"""

import argparse
import json
import sys
from typing import Any, ClassVar, NoReturn

from django.core.exceptions import ValidationError
from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    DjangoHelpFormatter,
    SystemCheckError,
    handle_default_options,
)
from django.db import DatabaseError, InterfaceError, OperationalError, ProgrammingError, connections

from tasks.errors import DomainError, Invalid, NotFound, unknown_name
from tasks.models import Project
from tasks.models.agent import SLUG

DONE, FOUND_PROBLEMS, WRONG_USE = 0, 1, 2

EXIT_CODES = "exit codes: 0 done, 1 found problems, 2 wrong use"


class Problem(CommandError):
    """The command ran and found something that needs attention; exit code 1."""

    def __init__(self, sentence: str, *, code: str = "found_problems", data: dict[str, Any] | None = None) -> None:
        super().__init__(sentence, returncode=FOUND_PROBLEMS)
        self.code, self.data = code, data or {}


class WrongUse(CommandError):
    """An invalid argument; exit code 2."""

    def __init__(self, sentence: str, *, code: str = "wrong_use", data: dict[str, Any] | None = None) -> None:
        super().__init__(sentence, returncode=WRONG_USE)
        self.code, self.data = code, data or {}


class _HelpFormatter(DjangoHelpFormatter):
    """Django's order of options; the description is wrapped, the examples stay as written."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.endswith(EXIT_CODES):
            return text
        return super()._fill_text(text, width, indent)


class Command(BaseCommand):
    """A command that reports errors in one sentence and ends with the exit codes above.

    Subclasses set ``help`` and ``examples``, and write ``run``, which may return an exit code. ``option_of`` names the
    option behind a field that a verb refuses.
    """

    examples: ClassVar[str] = ""
    prints_json: ClassVar[bool] = True
    option_of: ClassVar[dict[str, str]] = {}

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        epilog = f"example:\n{self._indented(self.examples)}\n\n{EXIT_CODES}" if self.examples else EXIT_CODES
        parser = super().create_parser(prog_name, subcommand, formatter_class=_HelpFormatter, epilog=epilog, **kwargs)
        if self.prints_json:
            parser.add_argument("--json", action="store_true", help="Print one JSON object instead of sentences.")
        return parser

    @staticmethod
    def _indented(text: str) -> str:
        return "\n".join(f"  {line}" for line in text.strip().splitlines())

    def run(self, **options: Any) -> int | None:
        """Do the work; the return value becomes the exit code."""
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            code = self.run(**options)
        except CommandError as error:
            self._fail(error, options)
        except DomainError as error:
            wrong = isinstance(error, Invalid | NotFound)
            kind = WrongUse if wrong else Problem
            self._fail(kind(self.sentence(error), code=error.code, data=error.data), options)
        except (DatabaseError, InterfaceError) as error:
            self._fail(Problem(database_sentence(error), code="database_error"), options)
        if code:
            raise SystemExit(code)

    def sentence(self, error: DomainError) -> str:
        """The sentence of ``error``, with this command's options in place of the verb's fields."""
        if isinstance(error, Invalid):
            field, texts = next(iter(error.data["errors"].items()))
            return f"{self.option_of.get(field, field)}: {texts[0]}"
        return error.detail

    def _fail(self, error: CommandError, options: dict[str, Any]) -> NoReturn:
        if options.get("json"):
            code, data = getattr(error, "code", "found_problems"), getattr(error, "data", {})
            self.print_json({"code": code, "detail": str(error), **data})
        raise error

    def say(self, text: str) -> None:
        self.stdout.write(text)

    def print_json(self, value: Any) -> None:
        """Print ``value`` for a program; only ASCII, so that no terminal interprets what a text contains."""
        self.stdout.write(json.dumps(value, indent=2, default=str))

    def run_from_argv(self, argv: list[str]) -> None:
        """As Django's, but an error is printed without the name of its Python class."""
        self._called_from_command_line = True
        parser = self.create_parser(argv[0], argv[1])
        options = vars(parser.parse_args(argv[2:]))
        args = options.pop("args", ())
        handle_default_options(argparse.Namespace(**options))
        try:
            self.execute(*args, **options)
        except SystemCheckError as error:
            self.stderr.write(str(error), lambda text: text)
            sys.exit(WRONG_USE)
        except CommandError as error:
            if options.get("traceback"):
                raise
            self.stderr.write(str(error))
            sys.exit(error.returncode)
        except KeyboardInterrupt:
            self.stderr.write("Stopped.")
            sys.exit(130)
        finally:
            connections.close_all()


def database_sentence(error: DatabaseError | InterfaceError) -> str:
    """One sentence for a database that does not answer properly."""
    text = str(error).strip().partition("\n")[0]
    if isinstance(error, OperationalError | ProgrammingError) and (
        "no such table" in text or "no such column" in text or "does not exist" in text
    ):
        return f"The database is not up to date ({text}); run `python manage.py migrate` first."
    return f"The database refused: {text}."


def project_named(key: str) -> Project:
    """The project with this key, in any case. Raises ``WrongUse`` with the nearest known key."""
    project = Project.objects.filter(key=key).first() or Project.objects.filter(key=key.upper()).first()
    if project is not None:
        return project
    keys = list(Project.objects.values_list("key", flat=True))
    if not keys:
        raise WrongUse(f"There is no project {key!r} yet; create it with `manage.py add_project {key!a} --name …`.")
    raise WrongUse(unknown_name(key.upper(), keys, what="project"))


def skill_levels(texts: list[str]) -> list[tuple[str, int]]:
    """``python:3`` → ``("python", 3)``; the level defaults to 3. Raises ``WrongUse``."""
    levels = []
    for text in texts:
        name, colon, level = text.strip().rpartition(":")
        if not colon:
            name, level = level, "3"
        if not (level.isascii() and level.isdigit() and 1 <= int(level) <= 5):
            raise WrongUse(f"--skill {text!r}: write a skill and its level from 1 to 5, such as python:3.")
        levels.append((_skill_name(name), int(level)))
    return levels


def _skill_name(text: str) -> str:
    name = text.strip().lower()
    try:
        SLUG(name)
    except ValidationError as error:
        raise WrongUse(f"--skill {text!r}: {error.messages[0]}") from None
    return name
