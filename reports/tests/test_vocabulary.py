"""The registry: every word of it can be used in a definition, and means one thing."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from reports import running
from reports.definitions import read
from reports.report import Answer
from reports.tests.conftest import utc
from reports.vocabulary import AGGREGATES, CONDITIONS, FACTS
from reports.vocabulary.written import as_markdown
from tasks.conditions import Kind

pytestmark = pytest.mark.django_db

NOW = utc("2026-02-01 12:00")


@pytest.fixture
def run(cast, do_task):
    """``run("runs", by=[…])`` → the answer for OPS, where one task was done in January."""
    do_task("2026-01-05 08:00", "2026-01-05 09:00", "2026-01-05 10:00", labels=["bug"])

    def ask(facts: str, **document: Any) -> Answer:
        document = {"version": 1, "facts": facts, "measures": [{"aggregate": "count"}], "tz": "UTC"} | document
        return running.run(read(document), user=cast.ada.user, now=NOW)

    return ask


@pytest.mark.parametrize("name", FACTS)
def test_every_name_is_plain_and_used_once(name):
    fact = FACTS[name]
    for words in (fact.moments, fact.measures, fact.dimensions):
        names = [each.name for each in words]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch("[a-z_]+", each) for each in names)
        assert all(each.label for each in words)
    assert not {each.name for each in fact.dimensions} & {"bucket", "starts_at", "ends_at", "is_partial", "count"}
    assert all(set(each.aggregates) <= set(AGGREGATES) for each in fact.measures)


@pytest.mark.parametrize("name", FACTS)
def test_every_measure_can_be_put_together_in_each_of_its_ways(run, name):
    for measure in FACTS[name].measures:
        for aggregate in measure.aggregates:
            total = run(name, measures=[{"name": measure.name, "aggregate": aggregate}]).total
            assert f"{measure.name}_{aggregate}" in total


@pytest.mark.parametrize("name", FACTS)
def test_every_dimension_and_moment_groups_the_facts_into_the_total(run, name):
    for moment in FACTS[name].moments:
        time = {"on": moment.name, "bucket": "month"}
        assert sum(row["count"] for row in run(name, time=time).rows) == run(name, time=time).total["count"]
        for dimension in FACTS[name].dimensions:
            answer = run(name, by=[dimension.name], time=time)
            assert sum(row["count"] for row in answer.rows) == answer.total["count"]
            assert all(isinstance(row[dimension.name], str | None) for row in answer.rows)


EXAMPLES = {
    Kind.NUMBER: {"at_least": 1, "at_most": 1, "is": 1, "is_not": 1, "in": [1], "not_in": [1], "is_set": True},
    Kind.TIME: {"before": "2026-01-01", "after": "2026-01-01", "on": "2026-01-01", "is_set": True},
}


@pytest.mark.parametrize("name", FACTS)
def test_every_condition_applies_to_a_fact_or_its_negation_does(run, name):
    everything = run(name).n
    assert everything or name in ("questions", "reviews", "steps")
    for field in CONDITIONS[name].values():
        word = next(iter(field.words), "OPS-1")
        for operator in field.operators:
            value = EXAMPLES.get(field.kind, {}).get(operator)
            if value is None:
                value = True if operator == "is_set" or field.kind is Kind.FLAG else word
                value = [value] if operator in ("in", "not_in") else value
            leaf = {"field": field.name, operator: value}
            assert run(name, where=leaf).n + run(name, where={"not": leaf}).n == everything, leaf


def test_documents_list_every_fact_as_it_is_declared():
    written = (Path(settings.BASE_DIR) / "docs" / "report-definitions.md").read_text(encoding="utf-8")
    assert written.endswith(f"## Facts\n\n{as_markdown()}")
