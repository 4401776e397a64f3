"""What is asked for all day reads no growing table from end to end, whether the planner has statistics or not.

Of a thousand rows a planner may read all, index or not, so it is given the statistics of a million. PostgreSQL is not
asked without any: it sees how small the tables are, and its autovacuum takes statistics of large ones by itself.
"""

from typing import Any

import pytest
from django.db import connection

from bench.dataset import make_mixed
from bench.growth_paths import OTHERS, TASK_LISTS, VERBS
from bench.growth_probe import Probe
from bench.pages_probe import add_what_people_leave
from taskproject.tests.plans import Statement, forget_statistics, scanned, statements, take_statistics

_DATABASE: Any = connection
pytestmark = pytest.mark.skipif(
    connection.vendor == "sqlite" and _DATABASE.Database.sqlite_version_info < (3, 50),
    reason="Only on SQLite 3.50 or newer, which an installation brings along: older ones plan in other ways",
)

#: Pages ask for the same conditions as the API; these are of each kind, with what only pages have.
PAGES = ("list", "list, by title", "admin list", "board", "task page", "views in the side bar")
NAMES = [
    *(name for name in TASK_LISTS | OTHERS if name.startswith(("API", "GET")) or name.endswith("of a task")),
    *PAGES,
    *VERBS,
]
#: Tables that are read from end to end all the same, each with a reason; what else is, is a mistake.
KNOWN: dict[str, set[str]] = {}


def _asked() -> dict[str, list[Statement]]:
    """The statements of each name."""
    probe = Probe()
    asked: dict[str, list[Statement]] = {}
    for name in NAMES:
        work = probe.work(name)
        if name == "engine tick":
            # What has become due since the data were made.
            work()
        with statements() as asked[name]:
            work()
    return asked


def _scans(asked: dict[str, list[Statement]]) -> dict[str, set[str]]:
    by_text: dict[str, frozenset[str]] = {}
    scans: dict[str, set[str]] = {}
    for name, run in asked.items():
        for sql, params in run:
            if sql not in by_text:
                by_text[sql] = scanned((sql, params))
            if by_text[sql]:
                scans.setdefault(name, set()).update(by_text[sql])
    return scans


@pytest.mark.django_db
def test_no_growing_table_is_read_from_end_to_end() -> None:
    make_mixed(1_000)
    add_what_people_leave(settled=False)
    asked = _asked()
    assert all(asked.values())
    if connection.vendor == "sqlite":
        forget_statistics()
        assert _scans(asked) == KNOWN
    take_statistics(1_000)
    assert _scans(asked) == KNOWN


@pytest.mark.django_db
def test_one_that_is_read_is_seen() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        first = ("SELECT id FROM tasks_task ORDER BY title, id LIMIT 3", ())
        labelled = ("SELECT task_id FROM tasks_task_labels WHERE label_id = 1 ORDER BY task_id", ())
        assert scanned(first) == scanned(labelled) == set()
        for index in ("task_by_title", "task_of_label"):
            cursor.execute(f"DROP INDEX {index}")
    assert scanned(first) == {"tasks_task"}
    assert scanned(("SELECT count(*) FROM tasks_task WHERE title <> %s", ("",))) == {"tasks_task"}
