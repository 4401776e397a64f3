"""SQLite looks for what needs a reader in the tables that hold few rows, not at all tasks of their projects."""

import pytest
from django.db import connection
from django.utils import timezone

from messaging.inbox.items import Scope, State
from messaging.inbox.reader import Reader
from messaging.inbox.sources import SOURCES

FEW = [source for source in SOURCES.values() if source.few]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="Only on SQLite: PostgreSQL has statistics")
@pytest.mark.django_db
@pytest.mark.parametrize("source", FEW, ids=lambda source: source.name)
def test_looking_begins_at_the_rows_of_the_source(cast, source):
    reader = Reader(cast.ada.user, timezone.now(), joined=True)
    for rows in (source.chosen(reader, Scope.MINE, State.ACTIVE), source.heads(reader, None, State.ACTIVE)):
        tables = [line.split()[4] for line in rows.explain().splitlines() if line.split()[3] in ("SEARCH", "SCAN")]
        assert tables[0] == rows.model._meta.db_table
