"""Random definitions over random rows equal a slow recount to the last digit; random mistakes are one sentence."""

import copy
from functools import cache
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports import running
from reports.definitions import read
from reports.tests.conftest import utc
from reports.tests.recounting import recount
from reports.tests.recounting.assignments import assignments, steps
from reports.tests.recounting.conditions import Reader
from reports.tests.recounting.definitions import definitions, fields_of
from reports.tests.recounting.episodes import episodes
from reports.tests.recounting.events import events
from reports.tests.recounting.facts import Fact
from reports.tests.recounting.intervals import intervals, runs
from reports.tests.recounting.people import questions, reviews
from reports.tests.recounting.tasks import tasks
from reports.tests.recounting.worlds import World
from reports.vocabulary import FACTS
from taskproject.errors import Invalid
from tasks.tests.sizes import RANDOM_DEFINITIONS, THOROUGH

pytestmark = pytest.mark.django_db

NOW = utc("2026-06-01 12:00")
#: The zone of whoever reads, where a definition leaves it to them.
READS_IN = ZoneInfo("Europe/Berlin")
#: Each reader with the projects that they may see, and as whom conditions mean them.
READERS = {"ada": ["OPS"], "mona": ["OTHER"], "root": ["OPS", "OTHER"]}
OFTEN = settings(
    max_examples=RANDOM_DEFINITIONS,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    **({} if THOROUGH else {"derandomize": True}),
)


@pytest.fixture
def world(cast) -> SimpleNamespace:
    """The cast with rows of all kinds; ``facts(kind, reader)``: what the recount reads of them."""
    World(cast, 1).fill()
    ids = {"OPS": cast.ops.pk, "OTHER": cast.other.pk}

    @cache
    def facts(kind: str, name: str) -> list[Fact]:
        theirs = [ids[key] for key in READERS[name]]
        match kind:
            case "assignments":
                return assignments(theirs)
            case "steps":
                return steps(theirs)
            case "episodes":
                return episodes(theirs)
            case "events":
                return events(theirs)
            case "reviews":
                return reviews(theirs)
        return {"runs": runs, "intervals": intervals, "tasks": tasks, "questions": questions}[kind](theirs, NOW)

    return SimpleNamespace(**vars(cast), facts=facts)


def user_of(world: SimpleNamespace, name: str) -> Any:
    return world.root if name == "root" else getattr(world, name).user


@pytest.mark.parametrize("kind", FACTS)
def test_the_recount_knows_all_words_of_the_vocabulary(world, kind):
    fact = FACTS[kind]
    for counted in world.facts(kind, "root"):
        assert set(counted.moments) == {each.name for each in fact.moments}
        assert set(counted.measures) == {each.name for each in fact.measures}
        assert {*counted.words, *counted.many} == {each.name for each in fact.dimensions}
        assert set(counted.many) == {each.name for each in fact.dimensions if each.is_many}
        known = {*counted.moments, *counted.measures, *counted.words, *counted.many}
        assert {field.name for field in fields_of(kind)} <= known | {*counted.numbers, *counted.flags, *counted.times}
    assert len(world.facts(kind, "ada")) > 15
    assert len(world.facts(kind, "mona")) > 5


@pytest.mark.parametrize("kind", FACTS)
def test_random_definition_equals_the_recount_of_what_its_reader_may_see(world, kind):
    @OFTEN
    @given(document=definitions(kind), name=st.sampled_from(sorted(READERS)))
    def equal(document, name):
        definition = read(document)
        assert read(definition.to_document()) == definition
        answer = running.run(definition, user=user_of(world, name), now=NOW, zone=READS_IN)
        zone = READS_IN if document["tz"] == "reader" else ZoneInfo(document["tz"])
        expected = recount(document, world.facts(kind, name), Reader(name, zone, NOW))
        assert (answer.period.start, answer.period.end) == (expected.span.start, expected.span.end)
        assert answer.n == expected.n
        assert {column: answer.total[column] for column in expected.total} == expected.total
        figures = {column.name for column in answer.columns if column.role in ("measure", "n")}
        assert figures == set(expected.total)
        assert [{column: row[column] for column in figures} for row in answer.rows] == expected.rows
        assert [key_of(row, document, expected.span.starts) for row in answer.rows] == expected.keys

    equal()


def key_of(row: dict[str, Any], document: dict[str, Any], starts: list[Any]) -> tuple:
    """The place of the row's bucket, if it has any, and its words."""
    when = (starts.index(row["starts_at"]),) if document["time"].get("bucket") else ()
    return (*when, *(row[name] for name in document["by"]))


JUNK = st.sampled_from(
    [None, True, -1, 0, 7, 1.5, "", "x", "cyclee", "agnet", "\x00", "é" * 200, [], ["x"], {}, {"x": 1}, [[]], "Mars"]
)


def _places(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from _places(child, (*path, key))


@OFTEN
@given(document=definitions(), data=st.data())
def test_random_mistake_is_refused_with_one_sentence_at_a_place_or_is_none(cast, document, data):
    document = copy.deepcopy(document)
    place = data.draw(st.sampled_from([path for path in _places(document) if path]))
    parent = document
    for key in place[:-1]:
        parent = parent[key]
    if isinstance(parent, dict) and data.draw(st.booleans()):
        parent[f"{place[-1]}x"] = parent.pop(place[-1])
    else:
        parent[place[-1]] = data.draw(JUNK)
    try:
        definition = read(document)
        running.run(definition, user=cast.ada.user, now=NOW)
    except Invalid as refused:
        ((where, sentences),) = refused.data["errors"].items()
        assert where
        assert len(sentences) == 1
        assert "\n" not in sentences[0]
        assert sentences[0].endswith((".", "?", "]", "}"))
    else:
        assert read(definition.to_document()) == definition
