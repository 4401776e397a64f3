"""``manage.py doctor``: is everything in order?"""

from typing import Any

from django.core.management.base import CommandParser

from taskproject.diagnosis import Level, examine
from tasks.management.command import DONE, FOUND_PROBLEMS
from tasks.management.command import Command as BaseCommand


class Command(BaseCommand):
    help = (
        "Examine configuration, database, SQLite version and journal mode, migrations, channel layer, the engine and "
        "its lag, the counters that can be recounted, and what is past its retention."
    )
    examples = "python manage.py doctor\npython manage.py doctor --json"
    # Their results are among the findings.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="Correct counters that are wrong.")

    def run(self, **options: Any) -> int:
        findings = []
        for finding in examine(fix=options["fix"]):
            findings.append(finding)
            if not options["json"]:
                self.say(f"{finding.level:<8} {finding.name:<14} {finding.detail}")
        problems = sum(finding.level is Level.PROBLEM for finding in findings)
        if options["json"]:
            shown = [{"name": f.name, "level": str(f.level), "detail": f.detail} for f in findings]
            self.print_json({"ok": not problems, "findings": shown})
        return FOUND_PROBLEMS if problems else DONE
