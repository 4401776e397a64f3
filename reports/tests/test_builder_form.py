"""The builder's fields: a definition, its fields and its address are the same thing in three forms."""

import json

import pytest
from django.http import QueryDict
from hypothesis import example, given
from hypothesis import strategies as st

from reports.builder.form import Form, Row

KINDS = {"estimate": "number", "blocked": "flag", "label": "names", "due": "time"}

texts = st.text(min_size=1, max_size=9).filter(lambda text: text.strip())
numbers = st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6, allow_nan=False)


def leaf(field, operators, values):
    return st.builds(lambda operator, value: {"field": field, operator: value}, st.sampled_from(operators), values)


leaves = st.one_of(
    leaf("estimate", ["at_least", "at_most", "is"], numbers),
    leaf("estimate", ["in", "not_in"], st.lists(numbers, max_size=3)),
    leaf("blocked", ["is"], st.booleans()),
    leaf("label", ["in", "not_in"], st.lists(texts, max_size=3)),
    leaf("label", ["is", "is_not"], texts),
    leaf("label", ["is_set"], st.booleans()),
    leaf("due", ["before", "after", "on"], texts),
)
groups = st.sampled_from(["all", "any"])
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda word, parts: {word: parts}, groups, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=5,
)
names = st.sampled_from(["cycle", "lead", "agent", "project", "created"])
periods = st.one_of(
    st.fixed_dictionaries({"last": st.integers(1, 500), "unit": st.sampled_from(["day", "week"])}),
    st.fixed_dictionaries({"from": st.just("2026-01-01")}, optional={"to": st.just("2026-02-01T10:00:00+02:00")}),
)
definitions = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "facts": st.sampled_from(["episodes", "runs"]),
        "measures": st.lists(
            st.one_of(
                st.just({"aggregate": "count"}),
                st.builds(lambda name, aggregate: {"name": name, "aggregate": aggregate}, names, names),
            ),
            min_size=1,
            max_size=5,
        ),
    },
    optional={
        "period": periods,
        "by": st.lists(names, min_size=1, max_size=3),
        "time": st.sampled_from([{"bucket": "week"}, {"on": "created"}, {"on": "created", "bucket": "auto"}]),
        "tz": st.sampled_from(["reader", "Europe/Berlin"]),
        "where": conditions,
        "compare": st.just("previous"),
        "order": st.lists(st.sampled_from(["-count", "agent"]), min_size=1, max_size=2),
        "limit": st.integers(1, 100),
        "show": st.fixed_dictionaries({"chart": st.sampled_from(["lines", "bars"])}),
    },
)
BARE = {"version": 1, "facts": "runs", "measures": [], "period": {"last": 1, "unit": "day"}}


def plain(where):
    """``where`` as the builder writes it: one group of conditions, and ``in`` for ``is``."""
    if not isinstance(where, dict) or not (where.keys() & {"all", "any"}):
        where = {"all": [where]}
    (word, parts), *_ = where.items()
    return {word: [_plain_leaf(part) for part in parts]}


def _plain_leaf(part):
    for word, same in (("is", "in"), ("is_not", "not_in")):
        value = part.get(word)
        if isinstance(value, bool | None) or (isinstance(value, str) and not _of_one_line(value)):
            continue
        return {"field": part["field"], same: [value]}
    return part


def _of_one_line(text):
    return text == text.strip() and text.isprintable()


@given(definitions)
@example(BARE | {"where": {"any": [{"field": "due", "on": " x"}]}})
def test_definition_survives_the_fields_and_the_address(definition):
    form = Form.of_definition(definition)
    again = Form.of_query(QueryDict(form.query))
    assert again == form
    expected = definition | ({"where": plain(definition["where"])} if "where" in definition else {})
    assert again.definition(KINDS.get) == expected


anything = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
keys = st.sampled_from(["facts", "measures", "by", "time", "period", "where", "order", "limit", "show", "tz"])


@given(anything | st.dictionaries(keys, anything))
def test_what_is_no_definition_is_read_without_failing(document):
    form = Form.of_definition(document)
    json.dumps(form.definition(KINDS.get))
    assert Form.of_query(QueryDict(form.query)) == form


FIELDS = "facts m by on bucket span last unit from to tz match f0 o0 v0 c0 f1 o1 v1 c7 order limit chart compare zzz"
parameters = st.sampled_from(FIELDS.split())


@given(st.lists(st.tuples(parameters, st.text(max_size=12)), max_size=12))
def test_any_address_is_read_and_written_the_same_way_again(pairs):
    query = QueryDict(mutable=True)
    for name, text in pairs:
        query.appendlist(name, text)
    form = Form.of_query(query)
    json.dumps(form.definition(KINDS.get))
    assert Form.of_query(QueryDict(form.query)) == form


def test_address_can_be_read_by_people():
    form = Form(
        facts="episodes", measures=("cycle:p85", "count"), by=("agent",), on="completed", bucket="week", last="12",
        unit="week", rows=(Row("label", "in", ("bug", "crash")), Row("due", "is_not_set")), compare="previous",
    )  # fmt: skip
    assert form.query == (
        "facts=episodes&m=cycle%3Ap85&m=count&by=agent&on=completed&bucket=week&last=12&unit=week&compare=previous"
        "&f0=label&o0=in&v0=bug&v0=crash&f1=due&o1=is_not_set"
    )
    assert form.definition(KINDS.get) == {
        "version": 1,
        "facts": "episodes",
        "measures": [{"name": "cycle", "aggregate": "p85"}, {"aggregate": "count"}],
        "by": ["agent"],
        "time": {"on": "completed", "bucket": "week"},
        "period": {"last": 12, "unit": "week"},
        "where": {"all": [{"field": "label", "in": ["bug", "crash"]}, {"field": "due", "is_set": False}]},
        "compare": "previous",
    }


@pytest.mark.parametrize(("text", "value"), [("30", 30), ("1.5", 1.5), ("thirty", "thirty"), ("true", "true")])
def test_number_is_one_where_a_number_is_wanted(text, value):
    row = Row("estimate", "at_least", (text,))
    assert row.as_document(KINDS.get) == {"field": "estimate", "at_least": value}
    assert Row("label", "in", ("30",)).as_document(KINDS.get) == {"field": "label", "in": ["30"]}


def test_condition_without_a_value_is_kept_and_not_applied():
    form = Form.of_query(QueryDict("facts=runs&m=count&f0=label&o0=in&f1=label&o1=in&v1=bug"))
    assert (len(form.rows), form.complete_rows) == (2, [1])
    assert form.definition(KINDS.get)["where"] == {"all": [{"field": "label", "in": ["bug"]}]}
    assert Form.of_query(QueryDict(form.query)) == form
