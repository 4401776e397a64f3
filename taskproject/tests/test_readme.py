"""The README is true: its five calls run as printed, and the files and commands it names exist."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from django.core.management import get_commands

from taskproject.tests.test_up import PATIENCE, Up

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text()


def test_every_linked_file_exists():
    links = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    assert links
    assert [target for target in links if not (ROOT / target).exists()] == []


def test_decisions_are_numbered_in_a_row():
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    titles = [path.read_text().partition("\n")[0] for path in decisions]
    for number, (path, title) in enumerate(zip(decisions, titles, strict=True), start=1):
        assert path.name.startswith(f"{number:04}-"), path.name
        assert title.startswith(f"# {number}. "), path.name


def test_every_named_test_exists():
    named = re.findall(r"`([a-z_]+/tests/test_[a-z_]+\.py)`", README)
    assert len(named) >= 8
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_command_exists():
    named = set(re.findall(r"manage\.py ([a-z_]+)", README)) | set(re.findall(r"^\| `([a-z_]+) ", README, re.M))
    assert named
    assert named - set(get_commands()) == set()


def test_every_setting_exists():
    settings = (ROOT / "taskproject" / "settings.py").read_text()
    table = README.split("## Settings")[1].split("##")[0]
    named = [name for cell in re.findall(r"^\| (`[^|]+`) \|", table, re.M) for name in re.findall(r"`([A-Z_]+)`", cell)]
    assert len(named) >= 10
    assert [name for name in named if f'"{name}"' not in settings] == []


@pytest.mark.server
def test_five_calls_run_as_they_stand_there(tmp_path):
    block = re.search(r"<!-- test: five calls -->\n```sh\n(.*?)```", README, re.S).group(1)
    up = Up(tmp_path, "--agents", "0")
    try:
        script = block.replace("http://127.0.0.1:8000", up.url).replace(
            "tp_the-token-that-was-printed", up.greeting["token"]
        )
        ended = subprocess.run(["sh", "-e", "-c", script], capture_output=True, text=True, timeout=PATIENCE)
    finally:
        up.end()
    assert (ended.returncode, ended.stderr) == (0, "")
    beat, progressed, done, following = [json.loads(line) for line in ended.stdout.splitlines() if line]
    assert beat["status"] == progressed["status"] == "active"
    assert done["task"]["status"] == "completed"
    assert following["runs"][0]["task"]["ref"] != done["task"]["ref"]
