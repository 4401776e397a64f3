"""Several servers and engines repair the same outage, and the same clock that was set back, at the same moment."""

from datetime import timedelta

import pytest

from tasks import clock
from tasks.actions import claims, passing_time, timekeeping
from tasks.models import EngineState, Run, ServerState
from tasks.tests.racing import at_once

pytestmark = pytest.mark.django_db(transaction=True)

RACERS = 4


@pytest.fixture
def run(cast, new_task):
    return claims.claim_task(actor=cast.atlas.user, task=new_task(), lease_seconds=900)


def lease_of(run):
    return Run.objects.get(pk=run.pk).lease_expires_at


def test_outage_is_repaired_by_one_of_several_servers(run):
    now = clock.now()
    ServerState.objects.create(pk=1, answering_until=now - timedelta(hours=2))
    Run.objects.update(
        last_heartbeat_at=now - timedelta(hours=2, minutes=10), lease_expires_at=now - timedelta(hours=2, minutes=-5)
    )
    gaps = at_once(*[timekeeping.mark_answering] * RACERS)
    assert sum(gap > timedelta(0) for gap in gaps) == 1
    left = lease_of(run) - clock.now()
    assert timedelta(minutes=4) < left <= timedelta(minutes=5), "what was left of it, once"


def test_clock_that_was_set_back_is_set_right_by_one_of_several_engines(run):
    ahead = timedelta(hours=1)
    EngineState.objects.create(pk=1, last_tick_at=clock.now() + ahead)
    Run.objects.update(
        last_heartbeat_at=clock.now() + ahead, lease_expires_at=clock.now() + ahead + timedelta(minutes=15)
    )
    assert all(isinstance(gap, timedelta) for gap in at_once(*[passing_time.begin_tick] * RACERS))
    left = lease_of(run) - clock.now()
    assert timedelta(minutes=13) < left <= timedelta(minutes=15)
