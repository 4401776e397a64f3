"""The catalogue of verbs: complete, each bound to one function that keeps to its limits whoever calls it."""

import importlib
import pkgutil

import pytest

from tasks import actions
from tasks.actions import transactions
from tasks.actions.tasks import NewTask, create_task, edit_task
from tasks.errors import Invalid
from tasks.tests.api_client import client_of
from tasks.transitions import TRANSITIONS
from tasks.verbs import catalogue
from tasks.verbs.fields import (
    Choice,
    Content,
    Criteria,
    Field,
    Flag,
    Json,
    JsonObject,
    Names,
    Number,
    Record,
    Records,
    Text,
    Texts,
    Whole,
)

FIELDS = [
    pytest.param(verb, field, id=f"{verb.key}-{field.name}")
    for verb in catalogue.VERBS.values()
    for field in verb.fields
]


@pytest.fixture(autouse=True, scope="module")
def _all_bound():
    for module in pkgutil.iter_modules(actions.__path__):
        importlib.import_module(f"tasks.actions.{module.name}")
    importlib.import_module("tasks.assignment.on_demand")


def too_much(field: Field) -> list[object]:
    """Values that ``field`` refuses."""
    match field:
        case Text():
            return ["x" * (field.most + 1), "nul \0", "\ud800", 7]
        case Whole():
            return [field.least - 1, field.most + 1, True, "1"]
        case Number():
            return [-1, field.most + 1, "1", float("nan"), 0.0000001]
        case Texts():
            return ["x", [7], [" "], ["x" * (field.longest + 1)], ["x"] * (field.most + 1)]
        case Flag():
            return ["yes", 1]
        case Json():
            return [["\0"], {"\ud800": 1}, float("inf"), _nested(60)]
        case JsonObject():
            return [[], {"a": "\0"}]
        case Criteria():
            return [{}, [{"criterion": "x"}], [{"criterion": "x", "met": True, "more": 1}]]
        case Content():
            return ["text", b"x" * (2**20 + 1)]
        case Records():
            return [{}, [{"unheard_of": 1}], [{field.parts[0].name: -1}], [{}] * (field.most + 1)]
        case Choice():
            return ["unheard_of", 1]
        case Record():
            return [[], {"unheard_of": 1}, {field.parts[0].name: -1}]
        case Names():
            return ["x" * (field.longest + 1), 7] if field.what == "person" else ["x", ["x" * (field.longest + 1)]]
    raise AssertionError(f"Say what {field} refuses.")


def _nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def filled(verb) -> dict[str, object]:
    """Values that ``verb`` may have, for its required fields."""
    return {
        field.name: ["x"] if isinstance(field, Names) else b"x" if isinstance(field, Content) else "x"
        for field in verb.fields
        if field.required
    }


def test_every_declared_verb_is_bound_and_every_row_is_declared():
    assert set(transactions.FUNCTIONS) == set(catalogue.VERBS)
    rows = {verb.row for verb in catalogue.VERBS.values() if verb.row}
    assert rows == set(TRANSITIONS)


@pytest.mark.parametrize(("verb", "field"), FIELDS)
def test_verb_given_too_much_refuses_it_before_anything_else(verb, field):
    """Without an actor, a task or a database: nothing but the field is looked at."""
    for value in too_much(field):
        with pytest.raises(Invalid) as refused:
            transactions.FUNCTIONS[verb.key](**filled(verb) | {field.name: value})
        assert refused.value.data["errors"] == {field.name: [field.problem(value)]}


@pytest.mark.parametrize(("verb", "field"), [p for p in FIELDS if p.values[1].required])
def test_verb_without_what_it_requires_says_so(verb, field):
    empty = {name: value for name, value in filled(verb).items() if name != field.name}
    with pytest.raises(Invalid) as refused:
        transactions.FUNCTIONS[verb.key](**empty)
    assert refused.value.data["errors"] == {field.name: [field.missing]}


@pytest.mark.parametrize("verb", catalogue.VERBS.values(), ids=lambda verb: verb.key)
def test_words_of_a_verb_are_whole_and_fit_their_places(verb):
    for words in (verb.doing, verb.done):
        assert words.count("{}") == 1
        assert words[0].isupper()
    assert not verb.passive[0].isupper()
    assert not verb.help or verb.help.endswith(".")
    assert len({field.name for field in verb.fields}) == len(verb.fields)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"title": " "}, "Give the task a title."),
        ({"title": "x" * 301}, "At most 300 characters; this has 301."),
        ({"description": "x" * 100_001}, "At most 100,000 characters; this has 100,001."),
        ({"criteria": ["x"] * 201}, "At most 200; these are 201."),
        ({"criteria": ["x" * 1_001]}, "Each has at most 1,000 characters; one has 1,001."),
        ({"criteria": "dry"}, "Must be a list."),
        ({"labels": ["x" * 61]}, "Each has at most 60 characters; one has 61."),
    ],
)
def test_task_beyond_its_limits_is_neither_created_nor_edited(cast, new_task, changes, sentence):
    task = new_task()
    [name] = changes
    with pytest.raises(Invalid) as refused:
        edit_task(actor=cast.ada.user, task=task, changes=changes)
    assert refused.value.data["errors"] == {name: [sentence]}
    with pytest.raises(Invalid) as refused:
        create_task(actor=cast.ada.user, project=cast.ops, new=NewTask(**({"title": "x"} | changes)))
    assert refused.value.data["errors"] == {name: [sentence]}
    answer = client_of(cast.ada.user).patch(f"/api/v1/tasks/{task.ref}", changes)
    assert (answer.status_code, answer.json()["errors"]) == (400, {name: [sentence]})
