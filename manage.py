#!/usr/bin/env python
"""Django's command-line entry point; a wrong setting is one sentence and exit code 2."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
    try:
        from django.conf import settings
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed here; run `make run`, or `pip install -r requirements.txt`.")
    try:
        settings.INSTALLED_APPS  # noqa: B018 - reading a setting is what loads them
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
