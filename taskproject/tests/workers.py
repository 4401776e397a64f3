"""Keeps workers of pytest-xdist from sharing Redis, as a pytest plugin. Databases: ``taskproject.tests.database``."""

import os
from collections.abc import Generator, Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs: Sequence[Any]) -> None:
    """Give each worker its own Redis database: rate limits are counted by user id, and all workers use the same ids."""
    if url := os.environ.get("REDIS_URL"):
        parts = urlsplit(url)
        first = int(parts.path.strip("/") or 0)
        for number, spec in enumerate(specs):
            spec.env["REDIS_URL"] = parts._replace(path=f"/{first + number}").geturl()


@pytest.fixture(scope="session", autouse=True)
def _no_server_of_the_environment() -> Generator[None, None, None]:
    """A process that a test starts works on what the test names, never on the servers that the tests were given."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATABASE_URL", raising=False)
        patch.delenv("REDIS_URL", raising=False)
        yield
