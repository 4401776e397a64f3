"""What workers of pytest-xdist share and what they must not, as a pytest plugin; databases: ``tests.database``."""

import json
import os
import time
from collections.abc import Callable, Generator, Sequence
from itertools import islice
from pathlib import Path
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


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Let the workers begin with the ``long`` tests, after all others have chosen and ordered: who begins one last
    keeps the machine waiting.
    """
    result = yield
    items[:] = long_first(items, workers=getattr(config, "workerinput", {}).get("workercount", 1))
    return result


def long_first(items: Sequence[pytest.Item], *, workers: int) -> list[pytest.Item]:
    """The same tests, so that each of as many equal parts begins with its share of the ``long`` ones."""
    long = [item for item in items if item.get_closest_marker("long") is not None]
    others = iter([item for item in items if item.get_closest_marker("long") is None])
    ordered: list[pytest.Item] = []
    for number in range(workers):
        # As many as xdist's ``worksteal`` gives to each at first.
        size = (len(items) - len(ordered)) // (workers - number)
        first = long[number::workers]
        ordered += [*first, *islice(others, max(size - len(first), 0))]
    return [*ordered, *others]


@pytest.fixture(scope="session", autouse=True)
def _no_server_of_the_environment() -> Generator[None, None, None]:
    """A process that a test starts works on what the test names, never on the servers that the tests were given."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATABASE_URL", raising=False)
        patch.delenv("REDIS_URL", raising=False)
        yield


#: Seconds for another worker to make what is shared; far more than a quiet machine needs.
PATIENCE = 600


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Any]) -> tuple[Path, Any]:
    """A folder called ``name`` and what ``make(folder)`` returned as JSON keeps it; one worker makes them for all.

    Whoever uses the folder copies it. Where making it failed, each worker that asks for it fails.
    """
    base = factory.getbasetemp()
    # Each worker has a folder of its own in that of the run.
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / f"shared-{name}"
    result = folder.with_suffix(".json")
    try:
        folder.mkdir()
    except FileExistsError:
        until = time.monotonic() + PATIENCE
        while not result.exists():
            assert time.monotonic() < until, f"no worker has made {name}"
            time.sleep(0.1)
    else:
        made = {"failed": f"another worker could not make {name}"}
        try:
            made = {"made": make(folder)}
        finally:
            draft = result.with_suffix(".draft")
            draft.write_text(json.dumps(made))
            draft.rename(result)
    kept = json.loads(result.read_text())
    assert "made" in kept, kept["failed"]
    return folder, kept["made"]
