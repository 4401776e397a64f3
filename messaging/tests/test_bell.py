"""The bell between processes: it keeps no process from ending."""

import os
import subprocess
import sys

from django.conf import settings

RING_AND_END = """
import django
django.setup()
from messaging import bell
bell.ringer.ring()
while not bell.ringer._thread.is_alive():
    pass
print("rung")
"""


def test_a_process_that_rang_the_bell_can_end():
    ended = subprocess.run(
        [sys.executable, "-c", RING_AND_END],
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "taskproject.settings",
            "DATA_DIR": str(settings.DATA_DIR),
            "REDIS_URL": "redis://127.0.0.1:1/0",
        },
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (0, "rung\n"), ended.stderr
