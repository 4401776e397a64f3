"""Leases while nobody could answer, while no engine ran, and when the database's clock is set. No test sleeps."""

import random
from datetime import timedelta

import pytest

from tasks import engine
from tasks.actions import claims, passing_time, runs, timekeeping
from tasks.actions.offering import lapse_offers
from tasks.models import Agent, Assignment, AssignmentSource, EngineState, Run, RunStatus, ServerState, Task
from tasks.tests.fake_clock import fake_clock

pytestmark = pytest.mark.django_db

__all__ = ["fake_clock"]  # a fixture, used by name

HOUR = 3600
LARGEST_STEP = 8


def tick():
    """What an engine does about leases; returns how many ended."""
    passing_time.begin_tick()
    return sum(passing_time.expire_run(run=run) for run in passing_time.expired_runs())


@pytest.fixture
def live(fake_clock):
    """``live(seconds, servers=…, engines=…)``: time passes while servers mark and engines tick, or do not.

    ``each`` is called every ``by`` seconds, if a server can answer. Returns how many leases ended.
    """

    def pass_(seconds, *, servers=True, engines=True, each=None, by=2):
        ended = 0
        for _ in range(0, seconds, by):
            fake_clock.let_pass(by)
            if servers:
                if by > LARGEST_STEP:  # as if they had noted it all along
                    ServerState.objects.update(answering_until=fake_clock.now())
                timekeeping.mark_answering()
                if each is not None:
                    each()
            if engines:
                ended += tick()
        return ended

    timekeeping.mark_answering()
    pass_(2)
    return pass_


@pytest.fixture
def claim(cast, new_task):
    def claimed(lease_seconds=30):
        return claims.claim_task(actor=cast.atlas.user, task=new_task(), lease_seconds=lease_seconds)

    return claimed


def is_active(run):
    return Run.objects.get(pk=run.pk).status == RunStatus.ACTIVE


def test_lease_claimed_while_no_engine_ran_ends_as_soon_as_one_does(live, claim):
    live(4, engines=False)
    dead = claim(30)
    live(56, engines=False)
    assert tick() == 1
    assert not is_active(dead)


def test_lease_claimed_late_in_an_engines_gap_ends_when_it_is_over(live, claim):
    live(50, engines=False)
    dead = claim(30)
    live(10, engines=False)
    assert live(18) == 0
    assert live(8) == 1
    assert not is_active(dead)


def test_hour_without_engine_costs_a_living_agent_nothing_and_a_dead_one_no_hour(live, claim, cast):
    living, dead = claim(900), claim(900)
    live(HOUR, engines=False, by=100, each=lambda: runs.heartbeat_run(actor=cast.atlas.user, run_id=living.pk))
    assert tick() == 1
    assert (is_active(living), is_active(dead)) == (True, False)


@pytest.mark.parametrize("lease_seconds", [30, 900])
@pytest.mark.parametrize("engines", [True, False], ids=["only servers away", "all away"])
def test_hour_in_which_nobody_could_answer_ends_no_lease(live, claim, cast, lease_seconds, engines):
    living, dead = claim(lease_seconds), claim(lease_seconds)
    assert live(HOUR, servers=False, engines=engines, by=60) == 0
    # Engine and server come back in any order.
    assert tick() == 0
    assert timekeeping.mark_answering() >= timedelta(seconds=HOUR - 60)
    assert tick() == 0
    assert live(lease_seconds // 3, by=5) == 0
    runs.heartbeat_run(actor=cast.atlas.user, run_id=living.pk)
    assert live(lease_seconds // 2, by=5) == 1
    assert (is_active(living), is_active(dead)) == (True, False)


def test_outage_extends_once_whatever_the_number_of_servers(live, claim, fake_clock):
    run = claim(30)
    fake_clock.let_pass(60)
    assert timekeeping.mark_answering() > timedelta(0)
    once = Run.objects.get(pk=run.pk).lease_expires_at
    assert once == fake_clock.now() + timedelta(seconds=15)
    assert timekeeping.mark_answering() == timedelta(0)
    fake_clock.let_pass(1.5)
    assert timekeeping.mark_answering() == timedelta(0)
    assert Run.objects.get(pk=run.pk).lease_expires_at == once


def test_outage_extends_neither_what_was_over_nor_what_was_renewed_nor_what_is_long(live, claim, cast, fake_clock):
    start = fake_clock.now()
    over, renewed, long_, late = claim(30), claim(30), claim(4 * HOUR), claim(900)
    Run.objects.filter(pk=over.pk).update(lease_expires_at=start - timedelta(seconds=1))
    Run.objects.filter(pk=late.pk).update(lease_expires_at=start + timedelta(seconds=100))
    fake_clock.let_pass(600)
    runs.heartbeat_run(actor=cast.atlas.user, run_id=renewed.pk)  # answered before the server's first mark
    fake_clock.let_pass(1)
    timekeeping.mark_answering()
    ends = {run.pk: run.lease_expires_at - start for run in Run.objects.all()}
    assert ends[over.pk] == timedelta(seconds=-1)
    assert ends[renewed.pk] == timedelta(seconds=630)
    assert ends[long_.pk] == timedelta(hours=4)
    assert ends[late.pk] == timedelta(seconds=701), "it has the 100 s that were left"
    assert engine.tick().expired == 1


def test_offers_stand_while_nobody_could_accept(live, cast, new_task, fake_clock):
    def offer(seconds):
        return Assignment.objects.create(
            task=new_task(),
            agent=cast.atlas,
            source=AssignmentSource.AUTO,
            created_at=fake_clock.now(),
            accept_by=fake_clock.now() + timedelta(seconds=seconds),
        )

    before = offer(120)
    fake_clock.let_pass(300)
    during = offer(120)  # engines may still make them
    fake_clock.let_pass(300)
    assert lapse_offers() == []
    timekeeping.mark_answering()
    assert lapse_offers() == []
    live(118)
    assert lapse_offers() == []
    live(4)
    assert sorted(lapse_offers()) == [before.task_id, during.task_id]


def test_first_mark_of_a_site_extends_nothing_and_without_servers_now_decides(claim, fake_clock):
    run = claim(30)
    fake_clock.let_pass(31)
    assert timekeeping.mark_answering() == timedelta(0)
    assert Run.objects.get(pk=run.pk).lease_expires_at < fake_clock.now()
    ServerState.objects.all().delete()
    assert engine.tick().expired == 1
    assert EngineState.objects.get().leases_lost == 1


@pytest.mark.parametrize("back", [60, HOUR])
@pytest.mark.parametrize("lease_seconds", [30, 900, 4 * HOUR])
def test_clock_set_back_keeps_no_dead_agents_lease_and_costs_no_living_one(
    live, claim, cast, fake_clock, back, lease_seconds
):
    living, dead = claim(lease_seconds), claim(lease_seconds)
    step = max(2, lease_seconds // 15)
    beats = lambda: runs.heartbeat_run(actor=cast.atlas.user, run_id=living.pk)  # noqa: E731
    assert live(step * 5, each=beats, by=step) == 0
    fake_clock.let_pass(1)
    fake_clock.set(by=-back)
    assert tick() == 0
    assert live(step * 9, each=beats, by=step) == 0
    assert live(step * 2 + 10, each=beats, by=step) == 1
    assert (is_active(living), is_active(dead)) == (True, False)


def test_clock_set_back_is_set_right_once_by_several_engines(live, claim, fake_clock, monkeypatch):
    run = claim(900)
    watches = [timekeeping.ClockWatch(), timekeeping.ClockWatch()]
    for watch in watches:
        monkeypatch.setattr(timekeeping, "watch", watch)
        passing_time.begin_tick()
        fake_clock.let_pass(0.5)
    fake_clock.set(by=-HOUR)
    for watch in watches * 2:
        fake_clock.let_pass(0.5)
        monkeypatch.setattr(timekeeping, "watch", watch)
        passing_time.begin_tick()
    left = Run.objects.get(pk=run.pk).lease_expires_at - fake_clock.now()
    assert left == timedelta(seconds=900 - 3)


def test_clock_set_back_moves_rests_offers_and_signs_of_life(live, cast, new_task, claim, fake_clock):
    failed = runs.fail_run(actor=cast.atlas.user, run_id=claim().pk, code="x", detail="y")
    rest = failed.deferred_until - fake_clock.now()
    chosen = new_task(start_after=fake_clock.now() + timedelta(hours=2))
    offer = Assignment.objects.create(
        task=new_task(),
        agent=cast.atlas,
        source=AssignmentSource.AUTO,
        created_at=fake_clock.now(),
        accept_by=fake_clock.now() + timedelta(seconds=120),
    )
    Agent.objects.filter(pk=cast.atlas.pk).update(last_seen_at=fake_clock.now())
    stuck = claim(900)
    fake_clock.set(by=-HOUR)
    passing_time.begin_tick()
    now = fake_clock.now()
    assert Task.objects.get(pk=failed.pk).deferred_until - now == rest
    assert Task.objects.get(pk=chosen.pk).deferred_until - now == timedelta(hours=3), "a date stays a date"
    assert Assignment.objects.get(pk=offer.pk).accept_by - now == timedelta(seconds=120)
    assert Agent.objects.get(pk=cast.atlas.pk).last_seen_at == now
    assert Run.objects.get(pk=stuck.pk).last_progress_at == now


def test_server_marks_again_at_once_after_the_clock_was_set_back(live, fake_clock):
    fake_clock.set(by=-HOUR)
    assert timekeeping.mark_answering() == timedelta(0)
    assert ServerState.objects.get().answering_until == fake_clock.now()


@pytest.mark.parametrize("for_seconds", [0, 1, 4, 60])
@pytest.mark.parametrize("lease_seconds", [30, 900, 4 * HOUR])
def test_clock_set_forward_and_back_again_costs_no_living_agent_its_work(
    live, claim, cast, fake_clock, lease_seconds, for_seconds
):
    run = claim(lease_seconds)
    beats = lambda: runs.heartbeat_run(actor=cast.atlas.user, run_id=run.pk)  # noqa: E731
    live(lease_seconds // 2 - 3, by=max(2, lease_seconds // 50))
    fake_clock.set(by=HOUR)
    # Engines notice at once, servers within seconds.
    for _ in range(for_seconds):
        fake_clock.let_pass(1)
        tick()
        if fake_clock.seconds % 2 == 0:
            timekeeping.mark_answering()
        if fake_clock.seconds % (lease_seconds // 3) == 0:
            beats()
    fake_clock.set(by=-HOUR)
    assert live(4) == 0
    beats()
    assert live(lease_seconds - 2, by=max(2, lease_seconds // 50)) == 0
    assert is_active(run)


@pytest.mark.parametrize("seed", range(4))
def test_any_outages_of_servers_and_engines_cost_no_living_agent_and_keep_no_dead_one(live, claim, cast, seed):
    """A holder who renews twice a lease whenever it can keeps it; a dead one's ends after its lease, as answered."""
    chance = random.Random(seed)
    lease = chance.choice([30, 60, 300])
    living, dead, answered, renew_in = claim(lease), claim(lease), 0, 0
    for _ in range(25):
        servers, engines = chance.random() < 0.7, chance.random() < 0.7
        for _ in range(chance.randrange(1, 12)):
            live(4, servers=servers, engines=engines, by=4)
            answered, renew_in = answered + 4 * servers, renew_in - 4
            if servers and renew_in <= 0:
                runs.heartbeat_run(actor=cast.atlas.user, run_id=living.pk)  # raises if the lease is lost
                renew_in = lease // 2
        if servers and answered > lease + 10:
            tick()
            assert not is_active(dead)
