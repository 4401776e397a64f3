"""The vocabulary as plain values, for programs and for whoever builds a definition."""

from typing import Any

from reports.definitions.document import CHARTS, MOST_BY, MOST_CELLS, MOST_MEASURES
from reports.periods import AUTO, MAX_BUCKETS, BucketSize
from reports.vocabulary import AGGREGATES, CONDITIONS, FACTS, NEEDED, Fact


def described() -> dict[str, Any]:
    """All words that a definition may use; the same for every reader."""
    return {
        "facts": [_fact(fact) for fact in FACTS.values()],
        "aggregates": [
            {"name": name, "label": label, "needs": NEEDED.get(name, 1)} for name, label in AGGREGATES.items()
        ],
        "buckets": [*(size.value for size in BucketSize), AUTO],
        "charts": list(CHARTS),
        "limits": {"measures": MOST_MEASURES, "by": MOST_BY, "cells": MOST_CELLS, "buckets": MAX_BUCKETS},
    }


def _fact(fact: Fact) -> dict[str, Any]:
    return {
        "name": fact.name,
        "label": fact.label,
        "meaning": fact.meaning,
        "moments": [{"name": each.name, "label": each.label} for each in fact.moments],
        "measures": [
            {
                "name": each.name,
                "label": each.label,
                "unit": each.unit,
                "meaning": each.meaning,
                "aggregates": list(each.aggregates),
            }
            for each in fact.measures
        ],
        "dimensions": [
            {
                "name": each.name,
                "label": each.label,
                "meaning": each.meaning,
                "values": [{"value": word, "label": label} for word, label in each.choices.values()],
                "nothing": each.nothing,
                "is_many": each.is_many,
            }
            for each in fact.dimensions
        ],
        "conditions": [
            {
                "name": each.name,
                "label": each.label,
                "kind": each.kind.value,
                "operators": list(each.operators),
                "values": [{"value": word, "label": each.labels.get(word, word)} for word in each.words],
                "help": each.help,
            }
            for each in CONDITIONS[fact.name].values()
        ],
    }
