"""The vocabulary as the tables of ``docs/report-definitions.md``; a test compares the two."""

from collections.abc import Iterator

from reports.vocabulary import FACTS, Fact


def as_markdown() -> str:
    """Every fact with its moments, measures and dimensions."""
    return "\n".join(line for fact in FACTS.values() for line in _fact(fact))


def _fact(fact: Fact) -> Iterator[str]:
    yield f"### `{fact.name}`"
    yield ""
    yield f"{fact.meaning} Counted by {', '.join(f'`{each.name}`' for each in fact.moments)}."
    yield ""
    if fact.measures:
        yield "| measure | unit | what it measures | aggregates |"
        yield "|---|---|---|---|"
        for measure in fact.measures:
            aggregates = ", ".join(measure.aggregates)
            yield f"| `{measure.name}` | {measure.unit} | {measure.meaning} | {aggregates} |"
        yield ""
    yield "| dimension | values | meaning |"
    yield "|---|---|---|"
    for dimension in fact.dimensions:
        words = [word for word, _ in dimension.choices.values()]
        # The kinds of events are listed where they are declared.
        values = "" if len(words) > 12 else ", ".join(words)
        yield f"| `{dimension.name}` | {values} | {dimension.meaning} |"
    yield ""
    if fact.times:
        yield f"Conditions also know {', '.join(f'`{each.name}` ({each.label.lower()})' for each in fact.times)}."
        yield ""
