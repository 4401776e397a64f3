"""What commands share, and the two small commands: sentences, JSON, exit codes, help, and safe repetition."""

import json
from io import StringIO
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, InterfaceError, OperationalError

from tasks.actions.agents import OWN_OWNER
from tasks.management.command import Command, Problem, WrongUse, database_sentence, project_named, skill_levels
from tasks.management.commands import add_agent, add_project
from tasks.models import Agent, AgentSkill, AgentToken, Membership, Project, Skill
from tasks.tokens import digest_of

pytestmark = pytest.mark.django_db


def call(name: str, *args: str) -> str:
    out = StringIO()
    call_command(name, *args, stdout=out)
    return out.getvalue()


class Refusing(Command):
    def run(self, **options):
        if options["verbosity"] == 0:
            raise OperationalError("no such table: tasks_project")
        if options["verbosity"] == 3:
            raise InterfaceError("connection already closed")
        raise Problem("Two things are wrong.", data={"things": 2})


def run_as_program(command: Command, *args: str) -> int:
    """The exit code that ``manage.py`` would end with."""
    # Closing the connections would end the transaction of the test.
    with patch("tasks.management.command.connections.close_all"), pytest.raises(SystemExit) as ended:
        command.run_from_argv(["manage.py", "refusing", *args])
    return ended.value.code


def test_problem_prints_one_sentence_and_exits_1(capsys):
    assert run_as_program(Refusing()) == 1
    assert capsys.readouterr() == ("", "Two things are wrong.\n")


def test_problem_with_json_prints_an_object_for_programs_too(capsys):
    assert run_as_program(Refusing(), "--json") == 1
    assert json.loads(capsys.readouterr().out) == {
        "code": "found_problems",
        "detail": "Two things are wrong.",
        "things": 2,
    }


def test_missing_tables_are_one_sentence_that_names_migrate(capsys):
    assert run_as_program(Refusing(), "-v0") == 1
    assert capsys.readouterr().err == (
        "The database is not up to date (no such table: tasks_project); run `python manage.py migrate` first.\n"
    )


def test_connection_that_was_lost_is_one_sentence(capsys):
    assert run_as_program(Refusing(), "-v3") == 1
    assert capsys.readouterr().err == "The database refused: connection already closed.\n"


def test_other_database_errors_are_one_line():
    assert database_sentence(DatabaseError("disk I/O error\nDETAIL: x")) == "The database refused: disk I/O error."


def test_unknown_option_exits_2(capsys):
    assert run_as_program(add_project.Command(), "OPS", "--name", "x", "--nonsense") == 2
    assert "unrecognized arguments: --nonsense" in capsys.readouterr().err


@pytest.mark.parametrize("command", [add_project.Command(), add_agent.Command()])
def test_help_has_an_example_and_the_exit_codes(command):
    text = command.create_parser("manage.py", "x").format_help()
    assert f"\n  {command.examples}\n" in text
    assert "exit codes: 0 done, 1 found problems, 2 wrong use" in text


def test_project_named_unknown_names_the_nearest(cast):
    assert project_named("ops") == cast.ops
    with pytest.raises(WrongUse, match=r"There is no project 'OTER'; did you mean 'OTHER'\?"):
        project_named("oter")


def test_skill_levels_default_to_3_and_refuse_invalid_levels():
    assert skill_levels(["Python", "docs:5"]) == [("python", 3), ("docs", 5)]
    for wrong in ("python:6", "python:", "python:٣", "py thon:3", ":3"):
        with pytest.raises(WrongUse):
            skill_levels([wrong])


def test_add_project_sets_its_rules_and_repeating_changes_nothing():
    args = ("add_project", "NEW", "--name", "New", "--mode", "auto", "--no-pull", "--workers-create", "--lease", "60")
    answer = json.loads(call(*args, "--json"))
    project = Project.objects.get(key="NEW")
    assert (project.mode, project.allow_pull, project.workers_create, project.lease_seconds) == (
        "auto",
        False,
        True,
        60,
    )
    assert answer["created"] is True
    assert json.loads(call(*args, "--json")) == answer | {"created": False}
    assert "nothing changed" in call("add_project", "NEW", "--name", "New")


def test_add_project_with_other_settings_is_wrong_use(cast):
    with pytest.raises(CommandError, match="OPS already exists with another name and lease seconds") as refused:
        call("add_project", "OPS", "--name", "Other", "--lease", "60")
    assert refused.value.returncode == 2


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["new", "--name", "x"], "KEY: Use capital letters and digits, a letter first."),
        (["NEW", "--name", "x", "--lease", "5"], "--lease: Ensure this value is greater than or equal to 30."),
        (["NEW", "--name", ""], "--name: This field cannot be blank."),
    ],
)
def test_add_project_with_a_wrong_value_names_the_option(args, sentence):
    with pytest.raises(CommandError) as refused:
        call("add_project", *args)
    assert (str(refused.value), refused.value.returncode) == (sentence, 2)
    assert not Project.objects.exists()


def test_add_agent_creates_skills_membership_and_a_token_that_works(cast):
    answer = json.loads(
        call("add_agent", "nova", "--project", "OPS", "other", "--skill", "rust:4", "docs", "--capacity", "3", "--json")
    )
    agent = Agent.objects.get(slug="nova")
    assert answer == {"slug": "nova", "token": answer["token"]}
    assert AgentToken.objects.get(digest=digest_of(answer["token"])).agent == agent
    assert (agent.kind, agent.max_concurrent) == ("llm", 3)
    assert set(AgentSkill.objects.filter(agent=agent).values_list("skill__name", "level")) == {("rust", 4), ("docs", 3)}
    assert set(Membership.objects.filter(user=agent.user).values_list("project__key", "role")) == {
        ("OPS", "worker"),
        ("OTHER", "worker"),
    }


def test_add_agent_is_owned_by_its_first_project_or_whom_the_command_names(cast):
    call("add_agent", "nova", "--project", "OTHER", "OPS")
    assert "Its owner is OPS." in call("add_agent", "nina", "--project", "OTHER", "--owner", "OPS")
    call("add_agent", "nora", "--owner", "ada")
    assert "only administrators act for it" in call("add_agent", "nobodys")
    owners = {row.slug: (row.owner_project or row.owner_user) for row in Agent.objects.filter(slug__startswith="n")}
    assert owners == {"nova": cast.other, "nina": cast.ops, "nora": cast.ada.user, "nobodys": None}


def test_add_agent_limits_the_token(cast):
    call("add_agent", "nova", "--project", "OPS", "OTHER", "--token-project", "OTHER", "--token-read-only")
    token = AgentToken.objects.get(agent__slug="nova")
    assert (token.is_limited, token.read_only, token.projects.get()) == (True, True, cast.other)
    with pytest.raises(CommandError, match="--token-project: nina is in no project 'NIX'"):
        call("add_agent", "nina", "--token-project", "NIX")
    with pytest.raises(CommandError, match="only with --token NAME"):
        call("add_agent", "noah", "--kind", "human", "--token-read-only")
    assert not Agent.objects.filter(slug__in=["nina", "noah"]).exists()


def test_add_agent_human_gets_no_token_unless_asked():
    assert json.loads(call("add_agent", "nina", "--kind", "human", "--json")) == {"slug": "nina", "token": None}
    assert "changepassword nora" in call("add_agent", "nora", "--kind", "human", "--token", "laptop")
    assert AgentToken.objects.get().name == "laptop"


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["nova", "--owner", "NIX"], "--owner: there is no project and no person 'NIX'."),
        (["nova", "--owner", "bert"], "--owner: An agent is owned by a project or by a person with an active account."),
        (["nova", "--kind", "human", "--owner", "OPS"], f"--owner: {OWN_OWNER}"),
        (["atlas"], "There is already an agent 'atlas'; change it or give it a token in the admin."),
        (["root"], "SLUG: The name 'root' is taken."),
        (["nova", "--project", "OPX"], "There is no project 'OPX'; did you mean 'OPS'?"),
        (
            ["nova", "--skill", "new:3", "--capacity", "0"],
            "--capacity: Ensure this value is greater than or equal to 1.",
        ),
        (
            ["nova", "--project", "OPS", "--role", "manager"],
            "--role: nova is an LLM agent; it can be worker or reviewer.",
        ),
        (["A b"], "SLUG: Use lowercase letters, digits, dots, dashes and underscores."),
    ],
)
def test_add_agent_with_a_wrong_value_is_one_sentence_and_leaves_nothing(cast, args, sentence):
    before = (Agent.objects.count(), Skill.objects.count())
    with pytest.raises(CommandError) as refused:
        call("add_agent", *args)
    assert (str(refused.value), refused.value.returncode) == (sentence, 2)
    assert (Agent.objects.count(), Skill.objects.count()) == before
