"""Conditions in addresses: the API's parameters and ``where`` are two spellings of one condition."""

import json
from urllib.parse import urlencode

import pytest
from django.http import QueryDict
from hypothesis import given, settings

from tasks.conditions import All, Leaf, document_of, leaves, parts_of, read
from tasks.conditions.of_tasks import TASK_FIELDS, TASK_PARAMETERS
from tasks.conditions.parameters import WHERE, query_of, read_query, read_zone
from tasks.errors import Invalid
from tasks.tests.test_conditions import BERLIN, CONDITIONS


def condition_of(query: str):
    return read_query(QueryDict(query), TASK_FIELDS, TASK_PARAMETERS)


@settings(max_examples=200, deadline=None)
@given(CONDITIONS)
def test_address_of_a_condition_states_it_again(document):
    condition = read(document, TASK_FIELDS)
    again = condition_of(urlencode(query_of(condition, TASK_PARAMETERS)))

    def normal(each):
        """``is`` and ``in`` with a single value are the same, and so is the order in which things apply together."""
        if isinstance(each, Leaf) and each.operator == "is" and each.field in TASK_PARAMETERS:
            return json.dumps({"field": each.field, "in": list(each.values)})
        return json.dumps(document_of(each))

    assert sorted(map(normal, parts_of(again))) == sorted(map(normal, parts_of(condition)))


def test_plain_parameters_are_conditions():
    query = (
        "status=waiting&status=in_review,failed&overdue=TRUE&due_before=-3d&parent=none&q=+a%2Cb+&label=&assignee=me"
    )
    assert [(leaf.field, leaf.operator, leaf.value) for leaf in leaves(condition_of(query))] == [
        ("status", "in", ("waiting", "in_review", "failed")),
        ("overdue", "is", True),
        ("due", "before", "-3d"),
        ("parent", "is_set", False),
        ("text", "contains", "a,b"),
        ("assignee", "in", ("me",)),
    ]
    assert condition_of("") == condition_of("status=&where=") == All()


def test_plus_sign_that_was_not_encoded_is_understood():
    (leaf,) = leaves(condition_of("created_after=2026-01-01T10:00:00+02:00"))
    assert leaf.value == "2026-01-01T10:00:00+02:00"


def test_what_plain_parameters_cannot_say_is_said_by_where():
    label = {"field": "label", "is": "a, b"}
    twice = [{"field": "label", "in": ["x"]}, {"field": "label", "in": ["y"]}]
    query = query_of(read({"all": [label, *twice]}, TASK_FIELDS), TASK_PARAMETERS)
    assert query == {"label": "x", WHERE: json.dumps({"all": [label, twice[1]]}, separators=(",", ":"))}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("statsu=waiting", {"statsu"}),
        ("status=waitin&label=x&ready=maybe", {"status", "ready"}),
        ("ready=true&ready=false", {"ready"}),
        ("due_before=today&due_before=today", {"due_before"}),
        ("where={}&where={}", {"where"}),
        ("where={", {"where"}),
        ('where={"all":[{"field":"labl","is":"x"}]}', {"where.all[0].field"}),
        ("parent=seven", {"parent"}),
        ("q=a%00b", {"q"}),
        ("created_before=9999999999", {"created_before"}),
    ],
)
def test_parameters_that_are_not_understood_are_all_named(query, names):
    with pytest.raises(Invalid) as refused:
        condition_of(query)
    assert set(refused.value.data["errors"]) == names


def test_zone_of_days_is_given_or_the_readers():
    assert read_zone(QueryDict(""), BERLIN) is BERLIN
    assert read_zone(QueryDict("tz=Asia/Tokyo"), BERLIN).key == "Asia/Tokyo"
    with pytest.raises(Invalid, match="did you mean 'Europe/Berlin'"):
        read_zone(QueryDict("tz=Europe/Berlim"), BERLIN)
    with pytest.raises(Invalid):
        read_zone(QueryDict("tz=../etc/passwd%00"), BERLIN)


def test_api_takes_any_condition(cast, api, new_task):
    urgent = new_task(priority=4, labels=["red"])
    held = new_task(on_hold=True, labels=["red"])
    new_task(priority=1, labels=["blue"])
    where = {"any": [{"field": "priority", "at_least": "high"}, {"field": "on_hold", "is": True}]}

    def refs(**query: str) -> set[str]:
        return {task["ref"] for task in api.ada.get(f"/tasks?{urlencode(query)}").json()["results"]}

    assert refs(where=json.dumps(where)) == {urgent.ref, held.ref}
    assert refs(where=json.dumps({"not": where}), label="red") == set()
    assert refs(on_hold="true") == {held.ref}
    assert refs(created_after="today", tz="UTC") == refs()
    refused = api.ada.get("/tasks?" + urlencode({"where": json.dumps({"field": "prio", "is": "low"})}))
    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == ["where.field"]
