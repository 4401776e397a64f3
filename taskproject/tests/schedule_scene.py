"""A report of ada's that hugo gets by mail, and the mails that have come, for tests of schedules."""

from email import message_from_bytes, policy

import pytest
from django.core import mail as outbox

from messaging.models import Letter
from reports.saving import save_report
from reports.schedules import keeping
from reports.tests.conftest import set_clock  # noqa: F401

BY_AGENT = {
    "version": 1, "facts": "episodes", "measures": [{"aggregate": "count"}], "by": ["agent"],
    "period": {"from": "2026-01-01", "to": "2026-02-01"},
}  # fmt: skip
MONDAY = "2026-03-02 08:00"


def posted():
    """The letters of the outbox, the oldest first."""
    return list(Letter.objects.order_by("pk"))


def parsed(number=-1):
    return message_from_bytes(outbox.outbox[number].message().as_bytes(), policy=policy.default)


@pytest.fixture(autouse=True)
def our_address(settings):
    settings.PUBLIC_URL = "https://tasks.example.org"
    settings.DEFAULT_FROM_EMAIL = "Tasks <tasks@example.org>"


@pytest.fixture
def hugo(cast):
    cast.hugo.user.email = "hugo@example.org"
    cast.hugo.user.save()
    return cast.hugo.user


@pytest.fixture
def scheduled(cast, hugo, set_clock):  # noqa: F811
    """``scheduled(cron="0 8 * * 1", by=…, …)``: hugo gets a report of ada's that is shared with OPS."""

    def make(text="0 8 * * 1", *, tz="UTC", output="xlsx", name="Pace", definition=BY_AGENT, project="OPS"):
        set_clock("2026-03-01 12:00")
        owner = cast.ada.user if project else hugo
        report = save_report(actor=owner, name=name, definition=definition, project=project)
        return keeping.add_schedule(actor=hugo, report=report, cron=text, tz=tz, output=output)

    return make
