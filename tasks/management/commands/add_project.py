"""``manage.py add_project``: a new project, or a sentence that it already exists."""

import argparse
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from tasks.actions.projects import create_project
from tasks.management.command import Command as BaseCommand
from tasks.management.command import WrongUse
from tasks.models import AssignmentMode, Project


class Command(BaseCommand):
    help = (
        "Add a project. A project that exists with the same settings is left as it is, so the command may be repeated; "
        "one with other settings is an error."
    )
    examples = "python manage.py add_project OPS --name Operations --mode manual --pull"
    option_of: ClassVar[dict[str, str]] = {"key": "KEY", "name": "--name", "lease_seconds": "--lease"}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", metavar="KEY", help="Short and permanent, as in OPS-42: capital letters and digits.")
        parser.add_argument("--name", required=True, help="What people call it.")
        parser.add_argument("--mode", choices=AssignmentMode.values, help="Who assigns its tasks (default: manual).")
        parser.add_argument(
            "--pull",
            action=argparse.BooleanOptionalAction,
            default=None,
            help="Agents may claim tasks that nobody is assigned to (default: yes).",
        )
        parser.add_argument(
            "--workers-create",
            action=argparse.BooleanOptionalAction,
            default=None,
            help="Workers, agents included, may create tasks (default: no).",
        )
        parser.add_argument("--lease", type=int, metavar="SECONDS", help="Lease of a run, 30 to 14400 (default: 900).")

    def run(self, **options: Any) -> None:
        rules = {
            "mode": options["mode"],
            "allow_pull": options["pull"],
            "workers_create": options["workers_create"],
            "lease_seconds": options["lease"],
        }
        given = {name: value for name, value in rules.items() if value is not None}
        project = Project.objects.filter(key=options["key"]).first()
        created = project is None
        if project is None:
            project = create_project(actor=None, key=options["key"], name=options["name"], **given)
        else:
            differing = [
                name for name, value in {"name": options["name"], **given}.items() if _of(project, name) != value
            ]
            if differing:
                raise WrongUse(
                    f"{project.key} already exists with another {' and '.join(differing).replace('_', ' ')}; "
                    "change it in the admin."
                )
        if options["json"]:
            self.print_json({name: _of(project, name) for name in ("key", "name", *rules)} | {"created": created})
        elif created:
            self.say(
                f"{project.key} is ready; add its agents: manage.py add_agent SLUG --project {project.key}\n"
                f"Its managers are notified of what happens; add them in the admin: Projects, {project.key}, Members."
            )
        else:
            self.say(f"{project.key} already exists with these settings; nothing changed.")


def _of(project: Project, name: str) -> Any:
    value = getattr(project, name)
    return str(value) if name == "mode" else value
