"""What ``up`` ensures before it serves: each refusal is one sentence; the preparation is complete or absent."""

import os
import socket
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.core.checks import Error
from django.db import connection

from taskproject import asgi, sqlite
from taskproject.management.commands import up
from taskproject.server import first_start
from taskproject.server.first_start import NotReady
from tasks.actions.projects import create_project
from tasks.demo import plan
from tasks.demo.fleet import Fleet
from tasks.demo.lines import FOLLOW_UPS
from tasks.errors import Invalid
from tasks.models import Agent, AgentToken, Project, Task

pytestmark = pytest.mark.django_db


def test_failed_system_check_is_one_sentence(monkeypatch):
    broken = Error("The database is in WAL mode.", hint="Install pysqlite3.", id="x.E001")
    monkeypatch.setattr(first_start.checks, "run_checks", lambda: [broken])
    with pytest.raises(NotReady, match=r"^The database is in WAL mode\. Install pysqlite3\.$"):
        first_start.require_sound_configuration()


@pytest.mark.parametrize("what", ["folder", "file"])
def test_place_that_cannot_be_written_is_named(monkeypatch, tmp_path, what):
    path = tmp_path / "taskproject.sqlite3"
    path.touch()
    locked = str(tmp_path if what == "folder" else path)
    monkeypatch.setattr(first_start.connection, "vendor", "sqlite")
    monkeypatch.setitem(connection.settings_dict, "NAME", str(path))
    monkeypatch.setattr(os, "access", lambda name, mode: str(name) != locked)
    with pytest.raises(NotReady, match=f"^{locked} cannot be written; "):
        first_start.require_writable_folder()


def test_wal_with_an_old_library_is_refused(monkeypatch):
    monkeypatch.setattr(first_start.connection, "vendor", "sqlite")
    monkeypatch.setattr(sqlite, "library_version", lambda: (3, 40, 1))
    monkeypatch.setattr(first_start, "_journal_mode", lambda: "wal")
    with pytest.raises(NotReady, match=r"^The database is in WAL mode, which SQLite 3\.40\.1 can corrupt; "):
        first_start.require_database()
    monkeypatch.setattr(first_start, "_journal_mode", lambda: "truncate")
    first_start.require_database()


def test_first_start_makes_login_demo_and_guest():
    prepared = first_start.prepare(demo=True, agents=2)
    admin = User.objects.get(username=prepared.admin)
    assert (admin.is_superuser, admin.is_staff) == (True, True)
    assert admin.check_password(prepared.password)
    assert prepared.demo == Project.objects.get()
    assert AgentToken.objects.get().agent.slug == "guest"


def test_second_start_makes_nothing():
    first_start.prepare(demo=True, agents=2)
    counts = (User.objects.count(), Project.objects.count(), AgentToken.objects.count())
    prepared = first_start.prepare(demo=True, agents=2)
    assert (prepared.admin, prepared.password, prepared.guest_token) == ("admin", None, None)
    assert prepared.demo == Project.objects.get()
    assert (User.objects.count(), Project.objects.count(), AgentToken.objects.count()) == counts


def test_start_again_adds_the_plan_to_a_demo_that_rests_and_nothing_to_one_at_work():
    demo = first_start.prepare(demo=True, agents=2).demo
    tasks = Task.objects.filter(project=demo)
    assert not first_start.prepare(demo=True, agents=2, again=True).again, "its agents have work"
    assert tasks.count() == len(plan.PLAN)
    tasks.exclude(assignments__agent__slug="guest").update(status="cancelled")
    assert first_start.prepare(demo=True, agents=2, again=True).again
    assert tasks.count() == 2 * len(plan.PLAN)
    assert not first_start.prepare(demo=True, agents=2, again=True).again
    assert Agent.objects.count() == 3


def test_database_with_projects_gets_no_demo():
    create_project(actor=None, key="OPS", name="Operations")
    assert first_start.prepare(demo=True, agents=2).demo is None
    assert not Agent.objects.exists()


def test_project_that_people_called_demo_is_not_the_demo():
    create_project(actor=None, key=plan.PROJECT_KEY, name="Ours")
    assert first_start.prepare(demo=True, agents=2).demo is None


def test_name_admin_that_is_taken_is_left_alone():
    User.objects.create_user("admin")
    prepared = first_start.prepare(demo=False, agents=0)
    assert prepared.admin == "admin2"
    assert not User.objects.get(username="admin").is_superuser


def test_demo_that_breaks_leaves_no_login_either(monkeypatch):
    monkeypatch.setattr(plan, "PLAN", [plan.Planned("x", "")])
    with pytest.raises(Invalid):
        first_start.prepare(demo=True, agents=1)
    assert not User.objects.exists()
    assert not Project.objects.exists()


@pytest.mark.parametrize(
    ("token", "again", "ideas"), [("tp_new", False, len(FOLLOW_UPS)), (None, True, 0), (None, False, 0)]
)
def test_demo_adds_to_its_story_at_the_first_start_only(monkeypatch, token, again, ideas):
    given = []
    monkeypatch.setattr(up, "Fleet", lambda *_, first_options, own_options: given.extend([first_options, own_options]))
    monkeypatch.setattr(up, "EmbeddedServer", Mock())
    monkeypatch.setattr(up, "revoke", lambda tokens: None)
    monkeypatch.setattr(asgi, "release_at_signals", True)
    prepared = first_start.Prepared(admin="admin", guest_token=token, again=again)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        up.Command()._serve(
            listener,
            prepared,
            [(Mock(), "tp_1"), (Mock(), "tp_2")],
            {"host": "127.0.0.1", "verbosity": 1, "json": True},
        )
    assert given == [[f"--follow-ups={ideas}"], [[], ["--asks=running"]] if token or again else []]


def test_killed_demo_agent_that_is_started_again_adds_nothing_twice(monkeypatch):
    started = []
    killed = Mock(poll=lambda: -9)
    monkeypatch.setattr("tasks.demo.fleet.RESTART_SECONDS", 0)
    monkeypatch.setattr("subprocess.Popen", lambda command, **_: started.append(command) or killed)
    fleet = Fleet("http://127.0.0.1:1", ["tp_1", "tp_2"], first_options=["--follow-ups=16"])
    fleet.start()
    fleet.tend()
    assert ["--follow-ups=16" in command for command in started] == [True, False, False, False]
