"""An outage is reported once when it begins and once when it ends, however often the database fails in between."""

import logging

import pytest
from django.db import InterfaceError, OperationalError

from tasks import outage as outages
from tasks.outage import Outage

logger = logging.getLogger(__name__)


class Connection:
    """Counts how often it is closed; one that is ``broken`` refuses even that."""

    def __init__(self):
        self.closed, self.broken = 0, False

    def close(self):
        self.closed += 1
        if self.broken:
            raise InterfaceError("It was closed before.")


@pytest.fixture(autouse=True)
def connection(monkeypatch):
    """The thread's connection."""
    connection = Connection()
    monkeypatch.setattr(outages, "connection", connection)
    return connection


def test_outage_is_reported_once_at_each_end_and_each_failure_drops_the_connection(caplog, connection):
    outage = Outage(logger, "The engine")
    outage.end()
    for error in (OperationalError("went\naway"), InterfaceError("is closed"), OperationalError("not yet")):
        outage.begin(error)
    outage.end()
    outage.end()
    assert [record.getMessage() for record in caplog.records] == [
        "The engine waits for the database: went away",
        "The database is back; the engine continues.",
    ]
    assert connection.closed == 3


def test_second_outage_is_reported_too(caplog):
    outage = Outage(logger, "The engine")
    for _ in range(2):
        outage.begin(OperationalError("went away"))
        outage.end()
    assert len(caplog.records) == 4


def test_connection_that_cannot_be_closed_does_not_end_the_thread(caplog, connection):
    connection.broken = True
    Outage(logger, "The engine").begin(OperationalError("went away"))
    assert (connection.closed, len(caplog.records)) == (1, 1)
