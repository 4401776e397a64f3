"""ClickHouse gives the answers of the database's own engine, to whatever is asked of two histories by chance."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import product
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.http import QueryDict
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bench.clickhouse.beside import Beside
from bench.clickhouse.engine import ClickHouse, behind
from bench.processes import ROOT
from reports import exports, forecasting, parameters, running
from reports.definitions import read
from reports.engines import ENGINES
from reports.predefined import REPORTS, service_level
from reports.report import Answer
from reports.tests import flow_walk, people_walk
from reports.tests.conftest import utc
from reports.tests.recounting.definitions import definitions
from reports.tests.recounting.worlds import World
from taskproject.errors import DomainError
from tasks.models import Episode, Event, StatusInterval
from tasks.tests.fake_clock import patch_clock

pytestmark = pytest.mark.django_db(transaction=True)

#: By chance, for each history; and where the figures of the run go.
DEFINITIONS = int(os.environ.get("CLICKHOUSE_DEFINITIONS", "100"))
FIGURES = os.environ.get("CLICKHOUSE_FIGURES")
#: Of each walk.
STEPS = 80
NOW = utc("2026-06-01 12:00")
#: A version that must be quoted everywhere.
HOSTILE = "it's \\ \"100 %\" %s {x} \u2028 \n Ж'--"
QUOTED: dict[str, Any] = {
    "version": 1,
    "facts": "episodes",
    "measures": [{"name": "lead", "aggregate": "p85"}, {"aggregate": "count"}],
    "by": ["version", "agent"],
    "time": {"on": "entered"},
    "period": {"from": "2026-01-01", "to": "2026-06-01"},
    "where": {"any": [{"field": "version", "is": HOSTILE}, {"field": "agent", "is": "atlas"}]},
}
READS_IN = ZoneInfo("Europe/Berlin")
BY_CHANCE = settings(
    max_examples=DEFINITIONS,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def walked(cast: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What verbs leave, at times to the microsecond: first runs, money, reviews; then dependencies, holds, waiting."""
    chance = Random(1)
    people = people_walk.PeopleWalk(cast, monkeypatch)
    people.take([(*step, minutes + chance.random()) for *step, minutes in people_walk.steps_of(chance, STEPS)])
    flow = flow_walk.Walk(cast, monkeypatch)
    flow.now = people.now
    flow.take((*step, chance.choice((0, 7, 55, 400)) + chance.random()) for step in flow_walk.steps_of(chance, STEPS))
    patch_clock(monkeypatch, lambda: NOW)


def filled(cast: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of all kinds, more than verbs would ever leave together."""
    World(cast, 1).fill()


@pytest.fixture(params=[walked, filled], ids=lambda made: made.__name__)
def history(request, cast, monkeypatch):
    """The cast, and the name of what they have done."""
    request.param(cast, monkeypatch)
    assert Episode.objects.filter(pk__in=Episode.objects.order_by("pk")[:3]).update(version=HOSTILE) == 3
    cast.done = request.param.__name__
    return cast


@pytest.fixture
def few_are_enough(monkeypatch):
    """So short a history has a service level and a forecast as well."""
    monkeypatch.setattr(service_level, "LEAST", 3)
    monkeypatch.setattr(forecasting, "MIN_COMPLETIONS", 3)
    monkeypatch.setattr(forecasting, "MIN_DAYS", 2)


def documented() -> Iterator[dict[str, Any]]:
    """Each definition that is written in the documents."""
    for place in sorted((ROOT / "docs").glob("*.md")):
        for block in re.findall(r"```json\n(.*?)```", place.read_text(encoding="utf-8"), re.DOTALL):
            if '"facts"' in block:
                yield json.loads(block)


def predefined(readers: dict[str, Any]) -> Iterator[Callable[[], Answer]]:
    """Each predefined report in buckets of several sizes, by readers of both projects and of each."""
    ways = [("root", "day"), ("root", "auto"), ("ada", "hour"), ("mona", "week")]
    for report, (name, bucket) in product(REPORTS.values(), ways):
        start = people_walk.START
        end = start + timedelta(days=30 if bucket == "hour" else 90)
        query = QueryDict(f"from={start.date()}&to={end.date()}&bucket={bucket}&tz=America/New_York")
        question = parameters.read_question(query, user=readers[name], now=NOW)
        yield partial(running.answer, report, question.scope, question.period, now=NOW)


def answered(ask: Callable[[], Answer]) -> dict[str, Any]:
    """The answer as the API gives it, or why there is none."""
    try:
        return exports.as_json(ask())
    except DomainError as refused:
        return {"refused": refused.detail}


class Proof:
    """What was asked of both engines, and whether all answers were the same."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self.beside = Beside(ENGINES[connection.vendor], clickhouse.count)
        self.digest, self.asked, self.refused = hashlib.sha256(), 0, 0

    def ask(self, ask: Callable[[], Answer]) -> None:
        ours = answered(ask)
        with behind(self.beside):
            theirs = answered(ask)
        assert theirs == ours
        self.digest.update(json.dumps(ours, default=str, sort_keys=True).encode())
        self.asked += 1
        self.refused += "refused" in ours


def test_answers_by_clickhouse_are_those_of_the_own_engine(history, few_are_enough):
    readers = {"root": history.root, "ada": history.ada.user, "mona": history.mona.user}
    with ClickHouse() as clickhouse:
        proof = Proof(clickhouse)

        @BY_CHANCE
        @given(document=definitions(), name=st.sampled_from(sorted(readers)))
        def by_chance(document, name):
            proof.ask(partial(running.run, read(document), user=readers[name], now=NOW, zone=READS_IN))

        by_chance()
        for document in [*documented(), QUOTED]:
            proof.ask(partial(running.run, read(document), user=history.root, now=NOW, zone=READS_IN))
        with behind(clickhouse.count):
            quoted = running.run(read(QUOTED), user=history.root, now=NOW)
        assert HOSTILE in {row["version"] for row in quoted.rows}
        for ask in predefined(readers):
            proof.ask(ask)
        ((version,),) = clickhouse.rows("SELECT version()")
    assert proof.beside.figures > 10 * proof.asked
    figures = {
        "version": version,
        "answers": proof.asked,
        "refused": proof.refused,
        "statements": proof.beside.asked,
        "figures": proof.beside.figures,
        "gap": proof.beside.gap,
        "episodes": Episode.objects.count(),
        "intervals": StatusInterval.objects.count(),
        "events": Event.objects.count(),
        "digest": proof.digest.hexdigest(),
    }
    print(json.dumps(figures))
    if FIGURES:
        (Path(FIGURES) / f"{history.done}.json").write_text(json.dumps(figures), encoding="utf-8")
