"""The sample files of the deployment: what they name exists, and loads in the order in which uvicorn loads it."""

import os
import re
import subprocess
import sys
from pathlib import Path

from django.urls import reverse

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "docs" / "deploy"


def test_web_unit_names_what_uvicorn_can_load():
    unit = (DEPLOY / "taskproject-web.service").read_text()
    named = re.findall(r"taskproject[a-z.]*:[A-Za-z]+", unit)
    assert len(named) == 3
    protocols_first = sorted(named, key=lambda name: name.endswith(":application"))
    code = "import sys; from uvicorn.importer import import_from_string as load; [load(name) for name in sys.argv[1:]]"
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    ended = subprocess.run(
        [sys.executable, "-c", code, *protocols_first], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_guide_names_files_that_exist():
    guide = (DEPLOY / "README.md").read_text()
    named = set(re.findall(r"docs/deploy/[a-z.-]+[a-z]", guide))
    assert len(named) == 4
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_proxy_logs_no_link_that_lets_somebody_in():
    conf = (DEPLOY / "nginx.conf").read_text()
    [secret] = re.findall(r"^    ~(\S+) +0;$", conf, re.M)
    for name, parts in (("first_sign_in", ["MQ", "token"]), ("join", ["secret"])):
        assert re.match(secret, reverse(name, args=parts))
    for_people = [server for server in conf.split("\nserver {")[1:] if "server_name" in server]
    assert len(for_people) == 2
    assert all("if=$taskproject_logged;" in server for server in for_people)
