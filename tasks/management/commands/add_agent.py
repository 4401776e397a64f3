"""``manage.py add_agent``: a new agent with its skills, projects and first token."""

from typing import Any, ClassVar

from django.contrib.auth.models import User
from django.core.management.base import CommandParser
from django.db import transaction
from django.db.models import Q

from tasks.actions.agents import create_agent, create_skill, create_token
from tasks.actions.projects import set_member
from tasks.management.command import Command as BaseCommand
from tasks.management.command import WrongUse, project_named, skill_levels
from tasks.models import Agent, AgentKind, Project, Role, Skill

FIRST_TOKEN = "first"  # noqa: S105 - the name that distinguishes the token from later ones


class Command(BaseCommand):
    help = (
        "Add an agent, LLM or human. Unknown skills are created. An LLM agent gets a token, shown only once; a person "
        "gets one only with --token, and logs in after `manage.py changepassword SLUG`. An existing slug is an "
        "error, since its token could not be shown again. An LLM agent is owned by the first project, whose managers "
        "then act for it; without a project and --owner, only administrators do."
    )
    examples = "python manage.py add_agent atlas --project OPS --skill python:3 docs:2 --capacity 2 --json"
    option_of: ClassVar[dict[str, str]] = {
        "slug": "SLUG",
        "max_concurrent": "--capacity",
        "skills": "--skill",
        "role": "--role",
        "name": "--token",
        "projects": "--token-project",
        "owner": "--owner",
    }

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="SLUG", help="Lowercase letters, digits, dots, dashes and underscores.")
        parser.add_argument("--kind", choices=AgentKind.values, default=AgentKind.LLM.value, help="Default: llm.")
        parser.add_argument(
            "--project", nargs="+", action="extend", default=[], metavar="KEY", help="Projects it belongs to."
        )
        parser.add_argument(
            "--role", choices=Role.values, default=Role.WORKER.value, help="Role in them (default: worker)."
        )
        parser.add_argument(
            "--skill", nargs="+", action="extend", default=[], metavar="SKILL:LEVEL", help="Level 1 to 5 (default: 3)."
        )
        parser.add_argument(
            "--owner", metavar="KEY|NAME", help="Who owns an LLM agent: a project's key or a person's name."
        )
        parser.add_argument("--capacity", type=int, default=1, metavar="N", help="Tasks at a time (default: 1).")
        parser.add_argument("--token", metavar="NAME", help=f"Name of the token (LLM default: {FIRST_TOKEN}).")
        parser.add_argument(
            "--token-project",
            nargs="+",
            action="extend",
            metavar="KEY",
            help="The only projects that the token is to reach (default: all of the agent's, now and later).",
        )
        parser.add_argument(
            "--token-read-only", action="store_true", help="The token can read, but not change anything."
        )

    def run(self, **options: Any) -> None:
        slug, kind = options["slug"], AgentKind(options["kind"])
        if Agent.objects.filter(slug=slug).exists():
            raise WrongUse(f"There is already an agent {slug!r}; change it or give it a token in the admin.")
        skills = skill_levels(options["skill"])
        token = None
        # All or nothing: with half an agent, repeating the command would fail.
        with transaction.atomic():
            projects = [project_named(key) for key in dict.fromkeys(options["project"])]
            known = set(Skill.objects.values_list("name", flat=True))
            for name, _ in skills:
                if name not in known:
                    create_skill(actor=None, name=name)
                    known.add(name)
            agent = create_agent(
                actor=None,
                slug=slug,
                kind=kind,
                max_concurrent=options["capacity"],
                skills=skills,
                owner=self._owner(options["owner"], kind, projects),
            )
            for project in projects:
                set_member(actor=None, project=project, user=agent.user, role=Role(options["role"]))
            token_name = options["token"] or (FIRST_TOKEN if kind is AgentKind.LLM else None)
            if token_name is not None:
                _, token = create_token(
                    actor=None,
                    agent=agent,
                    name=token_name,
                    projects=options["token_project"],
                    read_only=options["token_read_only"],
                )
            elif options["token_project"] or options["token_read_only"]:
                raise WrongUse("A person gets a token only with --token NAME; add it, or leave the other options out.")
        if options["json"]:
            self.print_json({"slug": slug, "token": token})
            return
        owner = agent.owner_project.key if agent.owner_project else agent.owner_user
        where = ", ".join(project.key for project in projects) or "no project yet"
        self.say(f"{slug} ({kind.label}) belongs to {where}.")
        if kind is AgentKind.LLM:
            self.say(f"Its owner is {owner}." if owner else "It has no owner: only administrators act for it.")
        if token:
            self.say(f"Its token, shown only once: {token}")
        if kind is AgentKind.HUMAN:
            self.say(f"To log in, set a password: manage.py changepassword {slug}")

    @staticmethod
    def _owner(name: str | None, kind: AgentKind, projects: list[Project]) -> User | Project | None:
        """Who is to own the agent. Raises ``WrongUse``."""
        if name is None:
            return projects[0] if projects and kind is AgentKind.LLM else None
        project = Project.objects.filter(key=name).first()
        user = User.objects.filter(Q(agent__slug=name) | Q(username=name)).order_by("pk").first()
        if project is None and user is None:
            raise WrongUse(f"--owner: there is no project and no person {name!r}.")
        return project or user
