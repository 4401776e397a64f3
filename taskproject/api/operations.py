"""How an operation of the API is described: its texts and examples are next to the view that implements it."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, extend_schema

#: Where an operation lists its specific problems; ``schema.add_conventions`` adds them to its responses.
PROBLEMS = "x-problems"

Method = TypeVar("Method", bound=Callable[..., Any])


def operation(
    tag: str,
    operation_id: str,
    summary: str,
    description: str = "",
    *,
    request_example: Any = None,
    response_example: Any = None,
    problems: Sequence[int] = (),
    **schema: Any,
) -> Callable[[Method], Method]:
    """Describe a view's method in OpenAPI.

    ``schema`` is passed to drf-spectacular's ``extend_schema``: ``request``, ``responses``, ``parameters``, further
    ``examples``. One response without a status is that of 200. A response example belongs to the first status.
    """
    responses = schema.get("responses")
    if responses is not None and not isinstance(responses, dict):
        # Left to guess, drf-spectacular has every DELETE answer 204.
        schema["responses"] = responses = {200: responses}
    examples = [*schema.pop("examples", ())]
    if request_example is not None:
        examples.append(OpenApiExample("Request", value=request_example, request_only=True))
    if response_example is not None:
        status = str(next(iter(responses))) if isinstance(responses, dict) else "200"
        examples.append(OpenApiExample("Answer", value=response_example, response_only=True, status_codes=[status]))
    return extend_schema(
        tags=[tag],
        operation_id=operation_id,
        summary=summary,
        description=description,
        examples=examples,
        extensions={PROBLEMS: [str(status) for status in problems]},
        **schema,
    )
