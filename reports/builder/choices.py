"""What the builder offers: the words of the vocabulary as options, and the fields of each condition."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from reports.builder.form import COUNT, SET, SEVERAL, UNSET, Form, Row
from reports.definitions.document import CHARTS, MOST_BY, MOST_MEASURES, Measured
from reports.periods import AUTO, BucketSize
from reports.vocabulary import AGGREGATES, FACTS, Fact
from tasks.conditions import Context, Field, Kind

#: Operators as the builder shows them; those that mean the same as another are left out.
OPERATORS = {
    "in": "is any of",
    "not_in": "is none of",
    "is": "is",
    "at_least": "is at least",
    "at_most": "is at most",
    "contains": "contains",
    "starts_with": "starts with",
    "before": "is before",
    "after": "is from",
    "on": "is on",
    SET: "is set",
    UNSET: "is not set",
}
CHART_LABELS = {
    "": "Automatic",
    "columns": "Columns",
    "lines": "Lines",
    "area": "Stacked area",
    "bars": "Bars",
    "strips": "Percentiles as strips",
    "heat_map": "Heat map",
    "table": "Only the table",
}
BUCKET_LABELS = {
    "": "no, one figure for the whole period",
    AUTO: "yes, in steps that fit the period",
    **{size.value: f"per {size}" for size in BucketSize},
}
UNITS = {size.value: f"{size}s" for size in BucketSize}
#: Suggested for a field; more are found by typing them.
MOST_SUGGESTED = 200


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    label: str
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Options under a heading; without one, they stand alone."""

    label: str
    options: list[Option]


@dataclass(frozen=True, slots=True)
class Choice:
    """A select: its id in the page, its groups, and whether it is the empty one that adds another."""

    ident: str
    groups: list[Group]
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as fields: ``inputs`` to type values into, or ``options`` to choose from; else its ``document``."""

    number: int
    label: str
    field: str = ""
    help: str = ""
    kind: str = ""
    operators: tuple[Option, ...] = ()
    options: tuple[Option, ...] = ()
    inputs: tuple[str, ...] = ()
    is_single: bool = False
    is_complete: bool = True
    document: str = ""

    @property
    def ident(self) -> str:
        return f"f{self.number}"


def options(words: Mapping[str, str], chosen: str = "") -> list[Option]:
    """``words`` with their labels; one that is ``chosen`` and unknown is among them, so that it is seen."""
    listed = [Option(word, label, word == chosen) for word, label in words.items()]
    if chosen and chosen not in words:
        listed.append(Option(chosen, f"{chosen} (unknown)", is_chosen=True))
    return listed


def _select(ident: str, groups: Sequence[tuple[str, dict[str, str]]], chosen: str, *, empty: str) -> Choice:
    made = [Group("", [Option("", empty, not chosen)])]
    made += [
        Group(label, [Option(word, text, word == chosen) for word, text in words.items()]) for label, words in groups
    ]
    if chosen and not any(chosen in words for _, words in groups):
        made.append(Group("", [Option(chosen, f"{chosen} (unknown)", is_chosen=True)]))
    return Choice(ident, made, is_new=not chosen)


def measure_words(fact: Fact) -> list[tuple[str, dict[str, str]]]:
    """The figures of ``fact``: for each measure, one for each of its aggregates."""
    groups = [("", {COUNT: f"How many {fact.label[:1].lower()}{fact.label[1:]}"})]
    for measure in fact.measures:
        words = {f"{measure.name}:{each}": f"{measure.label}: {AGGREGATES[each]}" for each in measure.aggregates}
        groups.append((measure.label, words))
    return groups


def measures(form: Form, fact: Fact) -> list[Choice]:
    """A select for each chosen figure, and an empty one for another."""
    chosen = [*form.measures, *([""] if len(form.measures) < MOST_MEASURES else [])]
    groups = measure_words(fact)
    empty = "Add another figure…" if form.measures else "Choose a figure…"
    return [_select(f"m-{place}", groups, word, empty=empty) for place, word in enumerate(chosen)]


def dimensions(form: Form, fact: Fact) -> list[Choice]:
    """A select for each thing to group by, and an empty one for another."""
    words = {each.name: each.label for each in fact.dimensions}
    chosen = [*form.by, *([""] if len(form.by) < MOST_BY else [])]
    empty = "and for each…" if form.by else "Nothing: all together"
    return [_select(f"by-{place}", [("", words)], word, empty=empty) for place, word in enumerate(chosen)]


def moments(form: Form, fact: Fact) -> list[Option]:
    return options({each.name: each.label for each in fact.moments}, form.on or fact.moments[0].name)


def facts(form: Form) -> list[Option]:
    return options({fact.name: fact.label for fact in FACTS.values()}, form.facts)


def orders(form: Form, fact: Fact) -> list[Option]:
    """By what the rows may be sorted: by each figure from the largest, by each dimension in its order."""
    words = {"": "As they come"}
    for text in form.measures:
        name, _, aggregate = text.rpartition(":")
        if aggregate in AGGREGATES:
            measured = Measured(aggregate, name or None)
            label = dict(pair for _, words in measure_words(fact) for pair in words.items()).get(text, text)
            words |= {f"-{measured.column}": f"{label}, most first", measured.column: f"{label}, least first"}
    words |= {each.name: each.label for each in fact.dimensions if each.name in form.by}
    return options(words, form.order[0] if form.order else "")


def charts(form: Form) -> list[Option]:
    return options({name: label for name, label in CHART_LABELS.items() if not name or name in CHARTS}, form.chart)


def fields(table: Mapping[str, Field]) -> list[Option]:
    """What can be filtered by."""
    return [Option("", "Choose…"), *(Option(each.name, each.label) for each in table.values())]


def first_operator(of: Field) -> str:
    return next(iter(_operators(of)))


def _operators(of: Field) -> dict[str, str]:
    known = {name: label for name, label in OPERATORS.items() if name in of.operators}
    if "in" in known:
        known.pop("is", None)
    if SET in known:
        known[UNSET] = OPERATORS[UNSET]
    return known


def condition(number: int, row: Row, table: Mapping[str, Field]) -> Condition:
    """The fields of one condition; of what they could not hold, its text."""
    known = table.get(row.field)
    if row.document or known is None:
        text = row.document or " ".join((row.field, row.operator, ", ".join(row.values)))
        return Condition(number, "Condition", field=row.field, document=text)
    made = Condition(
        number,
        known.label,
        known.name,
        known.help,
        known.kind.value,
        tuple(options(_operators(known), row.operator)),
        is_complete=row.is_complete,
    )
    if row.operator in (SET, UNSET):
        return made
    several = row.operator in SEVERAL
    values = row.values if several else row.values[:1]
    if known.kind is Kind.FLAG:
        words = {"true": "yes", "false": "no"}
        return replace(made, is_single=True, options=tuple(options(words, *values)))
    if known.kind is Kind.CHOICE:
        listed = [Option(word, known.labels.get(word, word), word in values) for word in known.words]
        listed += [Option(word, f"{word} (unknown)", is_chosen=True) for word in values if word not in known.words]
        return replace(made, is_single=not several, options=tuple(listed))
    return replace(made, is_single=not several, inputs=(*values, "") if several else values or ("",))


def suggestions(rows: Iterable[Row], table: Mapping[str, Field], context: Context) -> dict[str, list[str]]:
    """The names to choose from, for each field that the rows use."""
    names = dict.fromkeys(row.field for row in rows)
    used = [table[name] for name in names if name in table and table[name].known is not None]
    return {each.name: list(each.known(context))[:MOST_SUGGESTED] for each in used if each.known is not None}
