"""The way to a running server: what is known before an install, what an install shows, what a start loads."""

import importlib.util
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SPEC = importlib.util.spec_from_file_location("install", ROOT / "tools" / "install.py")
install = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(install)


def python(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=60)


def test_port_in_use_is_known_without_any_package():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = python("-S", "-m", "taskproject.server.address", "--no-demo", f"--port={port}", "--agents", "2")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"Port {port} of 127.0.0.1 is in use; choose another with --port.\n"
    assert python("-S", "-m", "taskproject.server.address", "--port", "0").returncode == 0
    ended = python("-S", "-m", "taskproject.server.address", "--port", "many")
    assert ended.returncode == 2
    assert "manage.py up: error: argument --port" in ended.stderr


def test_make_run_looks_at_the_port_before_it_installs():
    assert re.search(r"^run: address \$\(VENV\)/run\.stamp$", (ROOT / "Makefile").read_text(), re.M)


def test_only_runserver_loads_daphne():
    setup = "import os, sys, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'taskproject.settings'; django.setup(); "
    heavy = "print(sorted({'autobahn', 'daphne', 'numpy', 'ortools', 'twisted'} & sys.modules.keys()))"
    assert python("-c", f"{setup}import taskproject.asgi; {heavy}").stdout == "[]\n"
    assert "--http_timeout" in python("manage.py", "runserver", "--help").stdout


def pip_that(monkeypatch, *lines, error="", code=0):
    script = f"import sys; print({chr(10).join(lines)!r}); sys.stderr.write({error!r}); sys.exit({code})"
    monkeypatch.setattr(install, "PIP", [sys.executable, "-c", script])


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "some.lock"
    path.write_text("# a comment\nalpha==1 \\\n    --hash=sha256:1\nbeta==2 ; sys_platform == 'win32' \\\ngamma==3\n")
    return path


def test_install_shows_each_package(monkeypatch, lock, capsys):
    pip_that(
        monkeypatch,
        "Ignoring beta: markers 'sys_platform == \"win32\"' don't match your environment",
        "Collecting alpha==1 (from -r some.lock (line 1))",
        "  Downloading alpha-1-py3-none-any.whl (8.3 MB)",
        "Processing /wheels/gamma-3-py3-none-any.whl (from -r some.lock (line 4))",
        "Installing collected packages: alpha, gamma",
    )
    assert install.install(lock, compiled=True, progress=install.Progress()) == 0
    assert capsys.readouterr().out == "  1 of 2: alpha\n  2 of 2: gamma\n  writing 2 packages\n"


def test_install_that_fails_says_why(monkeypatch, lock, capsys):
    pip_that(monkeypatch, "Collecting alpha==1", error="WARNING: slow\nERROR: no alpha==1\n", code=1)
    assert install.install(lock, compiled=True, progress=install.Progress()) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("ERROR: no alpha==1\n")
    assert "run the same command again" in shown
