"""The columns that a definition gives: time, dimensions, and each measure with the number of facts behind it."""

from collections.abc import Iterator

from reports.columns import BUCKET_COLUMNS, Column
from reports.definitions.document import Definition, Measured
from reports.units import FLAG, PERCENT
from reports.vocabulary import AGGREGATES, FACTS, NEEDED, Fact

PREVIOUS, CHANGE = "_previous", "_change"
COUNT = "count"


def of(definition: Definition) -> tuple[Column, ...]:
    """All columns of the answer, in their order."""
    fact = FACTS[definition.facts]
    columns: list[Column] = []
    if definition.time is not None and definition.time.bucket is not None:
        columns += BUCKET_COLUMNS
    for name in definition.by:
        dimension = fact.dimension(name)
        columns.append(Column(name, dimension.label, "text", "dimension"))
    for measured in definition.measures:
        for column in _of_measure(fact, measured, is_compared=definition.compare is not None):
            if column.name not in {each.name for each in columns}:
                columns.append(column)
    return tuple(columns)


def unit_of(fact: Fact, measured: Measured) -> str:
    """The unit of a measure's column: that of the measure, the word for what is counted, or a percentage of flags."""
    if measured.name is None:
        return fact.name
    unit = fact.measure(measured.name).unit
    if measured.aggregate == "count":
        return fact.name
    if unit == FLAG:
        return PERCENT if measured.aggregate == "mean" else fact.name
    return unit


def n_of(measured: Measured) -> str:
    """The column with the number of facts that a measure is based on."""
    return COUNT if measured.name is None else f"{measured.name}_n"


def _of_measure(fact: Fact, measured: Measured, *, is_compared: bool) -> Iterator[Column]:
    unit = unit_of(fact, measured)
    label, n = _label(fact, measured), n_of(measured)
    needs = NEEDED.get(measured.aggregate, 1)
    counts = measured.name is None or measured.aggregate in ("count", "distinct")
    behind = None if counts else n
    yield Column(measured.column, label, unit, "measure", behind, needs)
    if is_compared:
        earlier = None if behind is None else f"{behind}{PREVIOUS}"
        yield Column(f"{measured.column}{PREVIOUS}", f"{label}, before", unit, "measure", earlier, needs)
        yield Column(f"{measured.column}{CHANGE}", f"{label}, change", PERCENT, "measure", behind, needs)
    if not counts and measured.name is not None:
        words = f"{fact.measure(measured.name).label}: n"
        yield Column(n, words, fact.name, "n")
        if is_compared:
            yield Column(f"{n}{PREVIOUS}", f"{words}, before", fact.name, "n")


def _label(fact: Fact, measured: Measured) -> str:
    if measured.name is None:
        return fact.label
    return f"{fact.measure(measured.name).label}: {AGGREGATES[measured.aggregate]}"
