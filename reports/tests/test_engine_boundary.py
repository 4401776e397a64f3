"""The boundary that another engine can stand behind: facts as SQL go in, counts come out."""

from django.db import connection
from django.db.models import Sum as Together

from reports import running
from reports.definitions import read
from reports.engines import ENGINES, summarise
from reports.engines.source import Counts
from reports.measures import Counted, Greatest, Least, Sum, Tally
from reports.tests.conftest import utc
from reports.tests.histories import episode
from tasks.models import Episode

DEFINITION = {
    "version": 1,
    "facts": "episodes",
    "measures": [{"aggregate": "count"}, {"name": "cycle", "aggregate": "p50"}, {"name": "cycle", "aggregate": "mean"}],
    "by": ["agent"],
    "period": {"from": "2026-01-01", "to": "2026-02-01"},
    "tz": "UTC",
}


def test_engine_in_the_place_of_the_databases_own_is_asked_and_believed(cast, do_task, monkeypatch):
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    facts = []

    def engine(cursor, source):
        cursor.execute(f"WITH {source.sql} SELECT * FROM facts", source.params)
        facts.extend(cursor.fetchall())
        assert (list(source.groups), dict(source.alias), dict(source.fractions)) == (
            ["g0"], {"m_cycle": "c0"}, {"m_cycle": [0.5]}
        )  # fmt: skip
        cycle = Tally(3, 10_000, 1, 9_000, {0.5: 2_000.004})
        return Counts({("bert",): Counted(5, {"m_cycle": cycle})}, Counted(6, {"m_cycle": cycle}))

    monkeypatch.setitem(ENGINES, connection.vendor, engine)
    answer = running.run(read(DEFINITION), user=cast.ada.user, now=utc("2026-06-01 12:00"))
    assert facts == [("atlas", 3_600_000)]
    assert answer.rows == [{"agent": "bert", "count": 5, "cycle_p50": 2.0, "cycle_mean": 3.333, "cycle_n": 3}]
    assert (answer.n, answer.total["count"]) == (6, 6)


def test_what_is_a_sum_already_is_measured_in_whole_numbers(cast):
    episode(cast.ops, utc("2026-01-01 00:00"), runs=3)
    sums = Episode.objects.order_by().values("task_id").annotate(all=Together("runs"))
    values = summarise(sums, measures={"least": Least("all"), "most": Greatest("all"), "sum": Sum("all")}).total
    assert values == {"least": 3, "most": 3, "sum": 3}
    assert {type(value) for value in values.values()} == {int}
