"""Makes the standing cast available in the tests of every app; in CI no test is skipped because a tool is missing."""

import os
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from taskproject.limiter import limiter

pytest_plugins = [
    "taskproject.tests.database",
    "taskproject.tests.workers",
    "taskproject.tests.once",
    "taskproject.tests.browser",
    "tasks.tests.cast",
    "tasks.tests.api_client",
]

# How long an example takes says something about the machine, not about the code. In CI Hypothesis sees to that itself.
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
if not os.environ.get("CI"):
    settings.load_profile("busy machine")

#: What a skip's reason begins with where a test makes sense on one database alone.
ONE_DATABASE = "Only on "


@pytest.fixture(autouse=True)
def _no_counts() -> None:
    """What one test did to the limits must not refuse the next one."""
    limiter.reset()


@pytest.fixture(autouse=True)
def _people_wait_for_their_flush() -> None:
    """Who has a page open is written when a test says so: another thread would not see the test's rows."""
    from messaging.conversation.here import people
    from taskproject.last_seen import browsers

    for noted in (people, browsers):
        noted.writes_behind = False
        noted.forget()


@pytest.fixture(autouse=True)
def _no_place() -> None:
    """A follower keeps its place in memory too, and each test has a table of its own."""
    from taskproject.watch.facts import FOLLOWERS

    for follower in FOLLOWERS:
        follower._place = None
        follower._store_at = 0.0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("CI") and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(ONE_DATABASE):
            report.outcome = "failed"
            report.longrepr = f"Skipped in CI, where nothing may be missing: {reason}"
    return report
