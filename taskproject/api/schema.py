"""What every operation of the OpenAPI description shares: paths without a slash, errors, headers."""

from typing import Any

from drf_spectacular.plumbing import get_lib_doc_excludes

from taskproject.api.idempotency import HEADER, KEY_LENGTH
from taskproject.api.operations import PROBLEMS
from taskproject.api.problems import all_codes
from taskproject.api.views import ListView, View

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_KEY = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Same key, same answer, one effect.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH, "pattern": "^[!-~]([ -~]*[!-~])?$"},
}
_ANYTHING_OR_NULL: list[dict[str, Any]] = [{}, {"type": "null"}]


def excluded_docstrings() -> list[type]:
    """The classes whose docstrings are for readers of the code, not for the description."""
    return [*get_lib_doc_excludes(), View, ListView]


def without_trailing_slash(endpoints: list[Any], **_: Any) -> list[Any]:
    """Both forms of a path are served; the description names the one without the slash."""
    return [(path.rstrip("/") or "/", regex, method, view) for path, regex, method, view in endpoints]


def add_conventions(result: dict[str, Any], generator: Any = None, **_: Any) -> dict[str, Any]:
    """Problems as the default answer, and the headers that requests may carry."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = {
        "type": "object",
        "description": "RFC 9457. `code` is stable; further members depend on it.",
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "One sentence that says what to do."},
            "code": {"type": "string", "enum": sorted(all_codes())},
            "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        },
        "additionalProperties": True,
        "example": {
            "type": "/api/v1/docs#problem-not_ready",
            "title": all_codes()["not_ready"][1],
            "status": 409,
            "detail": "OPS-42 waits for OPS-1; take another task.",
            "code": "not_ready",
            "blocked_by": ["OPS-1"],
        },
    }
    answer = {"description": "A problem.", "content": {"application/problem+json": {"schema": _PROBLEM}}}
    for operations in result.get("paths", {}).values():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "query":
                    # Browsers' forms send empty fields like this.
                    parameter["allowEmptyValue"] = True
            responses = operation.setdefault("responses", {})
            for status in _problem_statuses(method) + operation.pop(PROBLEMS, []):
                responses.setdefault(status, answer)
            if method == "post":
                operation.setdefault("parameters", []).append(_KEY)
    return result


def _problem_statuses(method: str) -> list[str]:
    statuses = ["400", "401", "403", "404", "405", "406", "429", "503"]
    if method != "get":
        statuses += ["409", "413", "415"]
    if method == "post":
        statuses += ["422"]
    return statuses


def say_what_is_strict(result: dict[str, Any], generator: Any = None, **_: Any) -> dict[str, Any]:
    """Declare that inputs refuse unknown members, and simplify "any JSON value", which already includes null."""
    schemas = result.get("components", {}).get("schemas", {})
    for schema in schemas.values():
        for field, part in schema.get("properties", {}).items():
            if part.get("oneOf") == _ANYTHING_OR_NULL:
                schema["properties"][field] = {key: value for key, value in part.items() if key != "oneOf"}
    bodies = [o.get("requestBody", {}) for path in result.get("paths", {}).values() for o in path.values()]
    for name in _reached(bodies, schemas, set()):
        schemas[name].setdefault("additionalProperties", False)
    return result


def _reached(part: Any, schemas: dict[str, Any], seen: set[str]) -> set[str]:
    """The names of all components that ``part`` refers to, at any depth."""
    if isinstance(part, dict):
        if (name := str(part.get("$ref", "")).rpartition("/")[2]) in schemas and name not in seen:
            seen.add(name)
            _reached(schemas[name], schemas, seen)
        part = list(part.values())
    if isinstance(part, list):
        for item in part:
            _reached(item, schemas, seen)
    return seen
