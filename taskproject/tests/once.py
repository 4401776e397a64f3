"""Runs tests to which the kind of database makes no difference only once, as a pytest plugin.

The first run stores the names of the passed tests (``--passed-to=FILE``); a second run, on another database, leaves out
those of them that use no database, and those that look at the test server's pages in a browser: what they see beyond
the tests of the same pages and verbs without one, scripts and layout, knows no database (``--once=FILE``). A test that
did not pass in the first run is never left out.
"""

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("once")
    group.addoption("--passed-to", metavar="FILE", type=Path, help="Write the names of what passed to FILE")
    group.addoption("--once", metavar="FILE", type=Path, help="Leave out what FILE names and is alike on all databases")


def uses_the_database(item: pytest.Item) -> bool:
    """Whether the test may use the test database; pytest-django keeps all others away from it, in every thread."""
    fixtures = getattr(item, "fixturenames", ())
    return "django_db_setup" in fixtures or item.get_closest_marker("django_db") is not None


def is_alike_on_all(item: pytest.Item) -> bool:
    """Whether another database cannot change what the test sees."""
    looks = item.get_closest_marker("browser") is not None and item.get_closest_marker("server") is None
    return looks or not uses_the_database(item)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("once") is None:
        return
    passed = set(config.getoption("once").read_text().splitlines())
    left_out = [item for item in items if item.nodeid in passed and is_alike_on_all(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item.nodeid not in passed or not is_alike_on_all(item)]


class Passed:
    """Collects the names of the tests that passed, from all workers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self._names.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self._path.write_text("".join(f"{name}\n" for name in self._names))


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("passed_to")
    if path is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Passed(path))
