"""``Authorization: Bearer``: the one place that says whether a request brings a token."""

from collections.abc import Mapping
from typing import Any


def secret_in(meta: Mapping[str, Any]) -> str | None:
    """The secret in the header; None if it is absent or of another scheme. Then, and only then, cookies may count."""
    scheme, _, secret = str(meta.get("HTTP_AUTHORIZATION", "")).partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None
