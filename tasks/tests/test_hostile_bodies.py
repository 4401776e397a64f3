"""Whatever a request brings, its refusal is short: an answer must not grow with hostile input."""

import json
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

from tasks.tests.sizes import HOSTILE_ITEMS

pytestmark = pytest.mark.django_db

#: Bytes of an answer: far more than any honest refusal has.
LONGEST_ANSWER = 20_000
MANY = HOSTILE_ITEMS
PATHS = {
    "{ref}": "OPS-1",
    "{key}": "OPS",
    "{slug}": "atlas",
    "{id}": "00000000-0000-0000-0000-000000000000",
}


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Every operation of the API with a JSON body: its method, path and the properties of the body."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    described_bodies = []
    for path, methods in schema["paths"].items():
        for method, described in methods.items():
            if content := described.get("requestBody", {}).get("content", {}).get("application/json"):
                body = _resolved(schema, content["schema"])
                described_bodies.append((method, path.removeprefix("/api/v1"), _properties(schema, body)))
    return described_bodies


def _resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        part = schema["components"]["schemas"][part["$ref"].rpartition("/")[2]]
    return part


def _properties(schema: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    return {name: _resolved(schema, described) for name, described in body.get("properties", {}).items()}


def hostile(properties: dict[str, Any]) -> list[tuple[str, Any]]:
    bodies: list[tuple[str, Any]] = [
        ("many unknown fields", {f"field{n}": 1 for n in range(MANY)}),
        ("a long unknown field", {"x" * 900_000: 1}),
        ("a list", [{"x": 1}] * MANY),
    ]
    for name, described in properties.items():
        if described.get("type") == "array" or "array" in described.get("type", ()):
            bodies += [
                (f"{name}: numbers", {name: [1] * MANY}),
                (f"{name}: texts", {name: [f"none-{n}" for n in range(MANY)]}),
                (f"{name}: objects", {name: [{f"x{n}": 1} for n in range(MANY)]}),
                (f"{name}: unknown fields", {name: [{f"field{n}": 1 for n in range(MANY)}]}),
                (f"{name}: a long text", {name: ["x" * 900_000]}),
            ]
        bodies.append((f"{name}: a long text", {name: "x" * 900_000}))
    return bodies


def test_refusals_are_short(api, new_task):
    new_task()
    long = []
    for method, path, properties in operations():
        for name, value in PATHS.items():
            path = path.replace(name, value)
        for what, body in hostile(properties):
            answer = getattr(api.root, method)(path, body)
            if answer.status_code >= 500 or len(answer.content) > LONGEST_ANSWER:
                long.append(f"{method} {path} with {what}: {answer.status_code}, {len(answer.content):,} bytes")
    assert not long, "\n".join(long)


@pytest.mark.parametrize("member", ["ada", "atlas", "vera"])
def test_unknown_fields_are_named_up_to_a_few(api, member):
    answer = getattr(api, member).post("/tasks", {"titel": "x", **{f"x{n}": 1 for n in range(MANY)}})
    errors = answer.json()["errors"]
    assert errors["titel"] == ["There is no field 'titel'; did you mean 'title'?"]
    assert [*errors.values()][-1] == [f"There are {MANY - 4:,} more unknown fields."]
    assert len(errors) == 6


@pytest.mark.parametrize("query", ["kinds=", "project=", "task=", "after=", "limit=", "nonsense"])
@pytest.mark.parametrize("length", [7_000, 50_000])
def test_refusal_of_a_long_query_is_short(api, query, length):
    answer = api.ada.get(f"/events?{query}{'x' * length}")
    assert answer.status_code in ((400, 404, 410) if length < 8_000 else (414,))
    assert len(answer.content) < 3_000


@pytest.mark.parametrize(
    "path", ["/api/v1/tasks", "/", "/admin/tasks/task/", "/admin/tasks/agent/", "/admin/auth/user/"]
)
def test_search_for_any_text_that_fits_an_address_is_answered(api, client, cast, path):
    """SQLite refuses patterns of more than 50,000 bytes; a ``%`` takes two there and three in an address."""
    client.force_login(cast.root)
    for text in ("x" * 7_900, "%25" * 2_600, "%C3%A4" * 1_300):
        assert client.get(f"{path}?q={text}").status_code == 200
    refused = client.get(f"{path}?q={'x' * 60_000}")
    assert (refused.status_code, b"at most 8,000" in refused.content) == (414, True)


def test_refusal_of_very_many_parameters_is_short(api):
    answer = api.ada.get(f"/tasks?{'&'.join(f'x{n}' for n in range(1_200))}")
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert len(answer.content) < 3_000


def test_nesting_beyond_measure_is_refused(api):
    deep = "[" * 400_000
    answer = api.ada.client.post("/api/v1/tasks", f'{{"title": {deep}', content_type="application/json")
    assert (answer.status_code, json.loads(answer.content)["code"]) == (400, "validation_error")
