"""A heartbeat writes into no index: on PostgreSQL the new version of its run stays in the page of the old one (HOT)."""

import pytest
from django.db import connection

from tasks.actions import claims, runs
from tasks.models import Run

pytestmark = pytest.mark.django_db

#: What changes again and again while a run is active.
CHANGING = {
    "lease_expires_at", "last_heartbeat_at", "waits_until", "has_directives", "progress_percent", "progress_note",
    "plan_steps", "plan_settled", "checkpoint", "input_tokens", "output_tokens", "cost",
}  # fmt: skip


def test_no_index_of_runs_is_on_what_heartbeats_change():
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = %s", [Run._meta.db_table])
        else:
            cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = %s", [Run._meta.db_table])
        definitions = [row[0] for row in cursor.fetchall() if row[0]]
    assert any("run_active_of_agent" in text for text in definitions)
    assert {name for name in CHANGING for text in definitions if name in text} == set()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only on PostgreSQL are there such updates")
def test_heartbeats_are_updates_within_their_page(cast, new_task):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task())
    before = versions()
    for _ in range(10):
        runs.heartbeat_run(actor=cast.atlas.user, run_id=run.pk)
    updated, within = (now - then for now, then in zip(versions(), before, strict=True))
    assert updated >= 10
    assert within == updated


def versions() -> tuple[int, int]:
    """How many rows of runs this transaction has updated, and how many of them within their page."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = %s", [Run._meta.db_table]
        )
        return cursor.fetchone()
