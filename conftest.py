"""The standing cast is at hand in the tests of every app, and in CI no test is skipped for want of a tool."""

import os
from collections.abc import Generator

import pytest

pytest_plugins = ["tasks.tests.cast", "tasks.tests.api_client", "taskproject.tests.browser"]

#: What a skip's reason begins with where a test makes sense on one database alone.
ONE_DATABASE = "Only on "


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Keep the SQLite test database in a file, as in life: threads and other processes can open it."""
    from django.db import connection

    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


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
