"""Reads a document into a ``Definition``, or refuses it with one sentence at the place of the first mistake."""

from collections.abc import Collection
from typing import Any, NoReturn

from reports.definitions import columns
from reports.definitions.document import (
    CHARTS,
    MOST_BY,
    MOST_CELLS,
    MOST_MEASURES,
    VERSION,
    Between,
    Definition,
    Last,
    Measured,
    Time,
)
from reports.instants import READER, instant_at, zone_at
from reports.periods import AUTO, MAX_BUCKETS, BucketSize
from reports.vocabulary import AGGREGATES, CONDITIONS, FACTS, Fact
from taskproject.errors import Invalid, unknown_choice, unknown_name
from taskproject.strict_json import shown_name, unstorable
from tasks import conditions

KEYS = (
    "version", "facts", "measures", "by", "time", "period", "tz", "where", "compare", "order", "limit", "show",
)  # fmt: skip
SIZES = tuple(size.value for size in BucketSize)
LONGEST_TEXT = 100
EXAMPLE = '{"version": 1, "facts": "episodes", "measures": [{"aggregate": "count"}]}'


def read(document: Any) -> Definition:
    """The definition that a decoded JSON ``document`` states.

    Raises ``Invalid`` with one sentence, keyed by the place of the first mistake, such as ``measures[1].aggregate``.
    """
    if not isinstance(document, dict):
        _refuse("definition", f"Must be an object such as {EXAMPLE}.")
    if "facts" in document:
        # First of all: with another word there, whatever else is wrong with it says little.
        _word("facts", document["facts"], FACTS, "kind of facts")
    _keys("", document, KEYS, needed=("version", "facts", "measures"))
    if document["version"] is True or document["version"] != VERSION:
        _refuse("version", f"Must be {VERSION}.")
    fact = FACTS[_word("facts", document["facts"], FACTS, "kind of facts")]
    definition = Definition(
        facts=fact.name,
        measures=_measures(fact, document["measures"]),
        by=_by(fact, document.get("by", [])),
        time=_time(fact, document["time"]) if "time" in document else None,
        period=_period(document["period"]) if "period" in document else None,
        tz=_tz(document.get("tz", READER)),
        where=_where(fact, document.get("where")),
        compare=_word("compare", document["compare"], ("previous",), "comparison") if "compare" in document else None,
        limit=_whole("limit", document["limit"], MOST_CELLS) if "limit" in document else None,
        chart=_chart(document["show"]) if "show" in document else None,
    )
    return _ordered(definition, document.get("order", []))


def _refuse(place: str, sentence: str) -> NoReturn:
    raise Invalid({place: sentence})


def _under(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _keys(place: str, given: Any, known: Collection[str], *, needed: Collection[str] = ()) -> None:
    """Refuse what is no object, has a key that is not ``known``, or lacks one that is ``needed``."""
    if not isinstance(given, dict):
        _refuse(place, f"Must be an object with {', '.join(known)}.")
    for key in given:
        if key not in known:
            _refuse(_under(place, shown_name(str(key))), unknown_choice(str(key), known, what="key"))
    for key in needed:
        if key not in given:
            _refuse(_under(place, key), "Must be given.")


def _list(place: str, given: Any, most: int, what: str) -> list[Any]:
    if not isinstance(given, list):
        _refuse(place, f"Must be a list of {what}.")
    if len(given) > most:
        _refuse(place, f"A report has at most {most} {what}.")
    return given


def _text(place: str, given: Any) -> str:
    if not isinstance(given, str):
        _refuse(place, "Must be a text.")
    if not given or len(given) > LONGEST_TEXT:
        _refuse(place, f"Must have 1 to {LONGEST_TEXT} characters.")
    if problem := unstorable(given):
        _refuse(place, problem)
    return given


def _word(place: str, given: Any, known: Collection[str], what: str) -> str:
    """One of the ``known`` words."""
    word = _text(place, given)
    if word not in known:
        _refuse(
            place, unknown_choice(word, known, what=what) if len(known) <= 9 else unknown_name(word, known, what=what)
        )
    return word


def _whole(place: str, given: Any, most: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= most:
        _refuse(place, f"Must be a whole number from 1 to {most:,}.")
    return given


def _measures(fact: Fact, given: Any) -> tuple[Measured, ...]:
    measures: list[Measured] = []
    for index, each in enumerate(_list("measures", given, MOST_MEASURES, "measures")):
        place = f"measures[{index}]"
        _keys(place, each, ("name", "aggregate"), needed=("aggregate",))
        aggregates: Collection[str] = AGGREGATES
        name = None
        if "name" in each:
            known = [measure.name for measure in fact.measures]
            name = _word(f"{place}.name", each["name"], known, f"measure of {fact.name}")
            aggregates = fact.measure(name).aggregates
        aggregate = _word(f"{place}.aggregate", each["aggregate"], AGGREGATES, "aggregate")
        if name is None and aggregate != "count":
            _refuse(f"{place}.name", f"Must be given: without a name {fact.name} are counted, and have no {aggregate}.")
        if aggregate not in aggregates:
            _refuse(f"{place}.aggregate", f"Does not fit {name}, which takes {', '.join(aggregates)}.")
        measured = Measured(aggregate, name)
        if measured in measures:
            _refuse(place, f"Is the same as measures[{measures.index(measured)}].")
        measures.append(measured)
    if not measures:
        _refuse("measures", 'Must have at least one; such as {"aggregate": "count"}.')
    return tuple(measures)


def _by(fact: Fact, given: Any) -> tuple[str, ...]:
    known = [dimension.name for dimension in fact.dimensions]
    by: list[str] = []
    for index, each in enumerate(_list("by", given, MOST_BY, "dimensions")):
        name = _word(f"by[{index}]", each, known, f"dimension of {fact.name}")
        if name in by:
            _refuse(f"by[{index}]", f"Is the same as by[{by.index(name)}].")
        by.append(name)
    return tuple(by)


def _time(fact: Fact, given: Any) -> Time:
    _keys("time", given, ("on", "bucket"))
    moments = [moment.name for moment in fact.moments]
    on = _word("time.on", given["on"], moments, f"moment of {fact.name}") if "on" in given else moments[0]
    return Time(on, _word("time.bucket", given["bucket"], (*SIZES, AUTO), "bucket") if "bucket" in given else None)


def _period(given: Any) -> Last | Between:
    _keys("period", given, ("last", "unit", "from", "to"))
    if "last" in given or "unit" in given:
        _keys("period", given, ("last", "unit"), needed=("last", "unit"))
        return Last(
            _whole("period.last", given["last"], MAX_BUCKETS),
            BucketSize(_word("period.unit", given["unit"], SIZES, "unit")),
        )
    _keys("period", given, ("from", "to"), needed=("from",))
    return Between(_moment("period.from", given["from"]), _moment("period.to", given["to"]) if "to" in given else None)


def _moment(place: str, given: Any) -> str:
    text = _text(place, given)
    # Whether it can be read depends on no zone; what it is does.
    instant_at(place, text, zone_at(place, "UTC"))
    return text


def _tz(given: Any) -> str:
    name = _text("tz", given)
    if name != READER:
        zone_at("tz", name)
    return name


def _where(fact: Fact, given: Any) -> conditions.Condition | None:
    return None if given is None else conditions.read(given, CONDITIONS[fact.name], place="where")


def _chart(given: Any) -> str | None:
    _keys("show", given, ("chart",))
    return _word("show.chart", given["chart"], CHARTS, "chart") if "chart" in given else None


def _ordered(definition: Definition, given: Any) -> Definition:
    known = [column.name for column in columns.of(definition)]
    order: list[str] = []
    for index, each in enumerate(_list("order", given, len(known), "columns to order by")):
        text = _text(f"order[{index}]", each)
        name = text.removeprefix("-")
        if name not in known:
            _refuse(f"order[{index}]", unknown_name(name, known, what="column"))
        if name in [other.removeprefix("-") for other in order]:
            _refuse(f"order[{index}]", f"Has {name} twice.")
        order.append(text)
    return definition.with_order(tuple(order))
