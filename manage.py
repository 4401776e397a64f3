#!/usr/bin/env python
"""Django's command-line entry point; a wrong setting is one sentence and exit code 2, a database away another and 1."""

import os
import sys
from pathlib import Path


def _advice() -> str:
    """What to do if this Python has no Django: most often the environment that `make` made has it."""
    own = Path(os.path.relpath(Path(__file__).parent)) / ".venv"
    for python in (own / "bin" / "python", own / "Scripts" / "python.exe"):
        if python.exists():
            return f"Django is not installed for {sys.executable}; run `{python} manage.py …`."
    return "Django is not installed here; run `make run`, or `pip install -r requirements.txt`."


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
    try:
        from django.conf import settings
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
        from django.db import DatabaseError, InterfaceError
    except ImportError:
        sys.exit(_advice())
    try:
        settings.INSTALLED_APPS  # noqa: B018 - reading a setting is what loads them
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    try:
        execute_from_command_line(sys.argv)
    except (DatabaseError, InterfaceError) as error:
        # Our commands say it themselves; Django's, such as `migrate`, do not.
        from taskproject.outages import is_outage
        from tasks.management.command import database_sentence

        if "--traceback" in sys.argv or not is_outage(error):
            raise
        sys.stderr.write(f"{database_sentence(error)}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
