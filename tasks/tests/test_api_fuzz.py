"""The API against its OpenAPI description, tested by schemathesis with valid, almost valid and nonsense input."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tasks import clock
from tasks.actions import claims, projects
from tasks.actions.agents import create_token
from tasks.tests.server_process import ServerProcess
from tasks.tests.sizes import FUZZ_EXAMPLES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server, pytest.mark.slow]

PATIENCE = 3600
#: This check requires that everything a schema allows is accepted, but no schema says whether OPS-7 may wait for OPS-9.
EXCLUDED = "positive_data_acceptance"

#: Schemathesis tries wrong tokens at every operation, from one address, and wants a 401 for each: no brake on guessing.
PATIENT = (
    "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'taskproject.settings'; django.setup(); "
    "from taskproject import guessing; from limits import parse; guessing.WRONG_TOKENS = parse('1000000 per minute')"
)


# The boundaries of every field are tested once: a caller that is refused earlier does not get that far.
@pytest.mark.long
@pytest.mark.parametrize(("member", "phases"), [("ada", "examples,coverage,fuzzing"), ("atlas", "examples,fuzzing")])
def test_api_keeps_to_its_description_whatever_it_is_asked(cast, new_task, tmp_path, member, phases):
    for number in range(3):
        new_task(f"Task {number}", due_at=clock.now() + timedelta(days=1))
    claims.claim_task(actor=cast.atlas.user, task=new_task("Under way"))
    projects.edit_project(actor=None, project=cast.ops, changes={"workers_create": True})
    _, token = create_token(actor=None, agent=getattr(cast, member), name="fuzz")
    server = ServerProcess(tmp_path, first=PATIENT)
    try:
        ended = subprocess.run(
            [
                str(Path(sys.executable).with_name("st")),
                *("run", f"{server.url}/api/v1/schema"),
                *("--header", f"Authorization: Bearer {token}"),
                *("--phases", phases, "--max-examples", str(FUZZ_EXAMPLES)),
                *("--exclude-checks", EXCLUDED, "--warnings", "off", "--continue-on-failure", "--no-color"),
                *("--generation-deterministic", "--request-timeout", "60"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    finally:
        server.close()
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
    assert "Tested: " in ended.stdout
    assert "Traceback" not in server.errors.read_text()
