"""What workers of pytest-xdist must not share, as a pytest plugin: Redis. Databases: ``taskproject.tests.database``."""

import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs: Sequence[Any]) -> None:
    """Give each worker the next Redis database: rate limits are counted by user id, and users of all have the same."""
    if url := os.environ.get("REDIS_URL"):
        parts = urlsplit(url)
        first = int(parts.path.strip("/") or 0)
        for number, spec in enumerate(specs):
            spec.env["REDIS_URL"] = parts._replace(path=f"/{first + number}").geturl()
