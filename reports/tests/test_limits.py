"""What takes too long is stopped by the database, with one sentence; and while a report runs, others write."""

import sqlite3
import time
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from reports.engines import sqlite as engine
from reports.engines import summarise
from reports.limits import TooSlow, check_time, limited
from reports.measures import Percentile
from reports.periods import BucketSize, Period
from reports.predefined import REPORTS
from reports.running import answer
from reports.scopes import Scope
from reports.tests.conftest import utc
from reports.tests.histories import episode
from tasks.models import Episode

ENDLESS = {
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
}
#: Each ends in time: together they do not.
SHORT = {
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) SELECT COUNT(*) FROM n",
    "postgresql": "SELECT pg_sleep(0.01)",
}
SENTENCE = "The report takes longer than 0.05 seconds; choose a shorter period, or group by less."


def ask(statement: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


@pytest.mark.django_db
def test_what_takes_too_long_is_stopped_and_the_next_one_is_not():
    with pytest.raises(TooSlow) as refused, limited(0.05):
        ask(ENDLESS[connection.vendor])
    assert refused.value.sentence == SENTENCE
    assert (refused.value.status, refused.value.code) == (400, "too_slow")
    with limited(5):
        assert ask("SELECT 1") == 1


@pytest.mark.django_db
def test_many_short_statements_are_stopped_as_one_long_one():
    def ask_many() -> None:
        for _ in range(1_000):
            ask(SHORT[connection.vendor])

    started = time.monotonic()
    with pytest.raises(TooSlow) as refused, limited(0.05):
        ask_many()
    assert refused.value.sentence == SENTENCE
    assert time.monotonic() - started < 5
    check_time()
    with limited(5):
        check_time()
        assert ask("SELECT 1") == 1


@pytest.mark.django_db
def test_walks_along_what_holds_up_what_end_with_the_limit(cast, monkeypatch):
    chain = [(task, task - 1) for task in range(2, 5_001)]
    roots = [(1, root) for root in range(10_000, 15_000)]
    monkeypatch.setattr("reports.limits.SECONDS", 0.05)
    monkeypatch.setattr("reports.predefined.top_blockers._edges", lambda scope: [*roots, *chain])
    period = Period(utc("2026-01-01 00:00"), utc("2026-02-01 00:00"), BucketSize.DAY, ZoneInfo("UTC"))
    started = time.monotonic()
    with pytest.raises(TooSlow) as refused:
        answer(REPORTS["top_blockers"], Scope((cast.ops.pk,)), period, now=period.end)
    assert refused.value.sentence == SENTENCE
    assert time.monotonic() - started < 2


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only on PostgreSQL: a setting of it")
def test_limit_ends_with_the_report():
    before = ask("SHOW statement_timeout")
    with limited(5):
        assert ask("SHOW statement_timeout") == "5s"
    assert ask("SHOW statement_timeout") == before


@pytest.mark.django_db
def test_page_api_and_card_of_a_slow_report_say_so_in_one_sentence(client, cast, do_task, monkeypatch):
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    client.force_login(cast.ada.user)

    def never(*_, **__):
        ask(ENDLESS[connection.vendor])

    monkeypatch.setattr("reports.limits.SECONDS", 0.05)
    monkeypatch.setattr("reports.predefined.due_performance.notes_on_unknown", never)
    for path, status in (
        ("/reports/due_performance/", 400),
        ("/reports/cards/due_performance/", 200),
        ("/api/v1/reports/due_performance", 400),
    ):
        answer = client.get(f"{path}?project=OPS")
        assert (answer.status_code, SENTENCE in answer.content.decode()) == (status, True), path
    assert client.get("/reports/").status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="Only on SQLite: it has one writer")
def test_others_write_while_a_report_runs(cast, monkeypatch):
    for day in range(1, 5):
        episode(cast.ops, utc("2025-12-01 00:00"), utc(f"2026-01-{day:02} 00:00"))
    percentiles, written = engine._percentiles, []

    def write_in_between(*arguments):
        other = sqlite3.connect(connection.settings_dict["NAME"], timeout=0, isolation_level=None)
        try:
            # The temporary table is filled, the report not yet done.
            other.execute("BEGIN IMMEDIATE")
            other.execute("UPDATE tasks_project SET name = 'written meanwhile'")
            other.execute("COMMIT")
        finally:
            other.close()
        written.append(True)
        return percentiles(*arguments)

    monkeypatch.setattr(engine, "_percentiles", write_in_between)
    with limited():
        values = summarise(Episode.objects.all(), by=["end"], measures={"p50": Percentile("number", 0.5)})
    assert written
    assert values.total == {"p50": 1}
    cast.ops.refresh_from_db()
    assert cast.ops.name == "written meanwhile"
