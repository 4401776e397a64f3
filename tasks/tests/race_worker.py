"""A client of the verbs in its own process: claims and completes until nothing is left, then prints its ledger.

``python -m tasks.tests.race_worker AGENT`` prints ``ready``, waits for a line, works, and prints
``{"completed": [refs], "errors": [texts]}``.
"""

import json
import os
import sys
from typing import Any


def work(slug: str) -> dict[str, Any]:
    """Claim and complete as ``slug`` until ``claim_next`` finds nothing."""
    from tasks.actions.claims import claim_next, projects_to_work_in
    from tasks.actions.runs import complete_run
    from tasks.models import Agent

    actor = Agent.objects.select_related("user").get(slug=slug).user
    projects = projects_to_work_in(actor)
    ledger: dict[str, Any] = {"completed": [], "errors": []}
    while True:
        try:
            runs = claim_next(actor=actor, projects=projects).runs
            if not runs:
                return ledger
            for run in runs:
                complete_run(actor=actor, run_id=run.pk, summary=f"done by {slug}")
                ledger["completed"].append(run.task.ref)
        except Exception as error:
            ledger["errors"].append(repr(error))
            if len(ledger["errors"]) > 20:
                return ledger


def main() -> None:
    import django
    from django.db import connection

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
    django.setup()
    connection.ensure_connection()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(json.dumps(work(sys.argv[1])))


if __name__ == "__main__":
    main()
