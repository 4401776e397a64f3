"""``manage.py`` under a Python that has no Django, and what ``up`` prints to be typed."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

from taskproject.management.commands import up

manage = importlib.import_module("manage")


def run_without_django(folder):
    (folder / "manage.py").write_text(Path(manage.__file__).read_text())
    command = [sys.executable, "-I", "-S", "manage.py", "check"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=60)
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr


def test_python_without_django_names_the_one_that_has_it(tmp_path):
    assert "make run" in run_without_django(tmp_path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").touch()
    assert run_without_django(tmp_path).endswith("run `.venv/bin/python manage.py …`.\n")


def test_commands_of_django_say_in_a_sentence_that_the_database_is_away():
    command = [sys.executable, str(manage.__file__), "migrate"]
    away = os.environ | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    ended = subprocess.run(command, capture_output=True, text=True, env=away, timeout=60)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("The database refused: connection failed")
    assert len(ended.stderr.splitlines()) == 1


def test_python_is_named_as_it_is_typed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv/bin/python"))
    assert up.shown_python() == ".venv/bin/python"
    monkeypatch.setattr(sys, "executable", "/opt/python/bin/python3")
    assert up.shown_python() == "/opt/python/bin/python3"
