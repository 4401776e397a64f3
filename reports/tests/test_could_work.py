"""When agents could be given work: told from events, whatever changed later, and second by second by a recount."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports.could_work import ALWAYS, Ability, Place, Span, spans_of, workers
from reports.scopes import Scope
from reports.tests.conftest import utc
from tasks.actions import agents, members, projects
from tasks.matching.working_hours import is_working, parse
from tasks.models import Availability, Role

NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)
HOURS = ("", "Mon-Fri 09:00-17:00", "Sat 22:00-24:00; Sun 00:00-06:00")

moments = st.integers(0, 5 * 24 * 12).map(lambda five: NOON + timedelta(minutes=5 * five))
abilities = st.builds(
    Ability, st.booleans(), st.sampled_from(Availability.values), st.integers(1, 3), st.sampled_from(HOURS),
    st.just("Europe/Berlin"),
)  # fmt: skip
places = st.builds(Place, st.sampled_from(["", *Role.values]), st.booleans())


def steps_of(values):
    later = st.lists(st.tuples(moments, values), max_size=4).map(lambda steps: sorted(steps, key=lambda step: step[0]))
    return st.tuples(values, later).map(lambda drawn: [(ALWAYS, drawn[0]), *drawn[1]])


def held_at(steps, at):
    return [value for since, value in steps if since <= at][-1]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps_of(abilities), st.lists(steps_of(places), max_size=2), moments, moments)
def test_spans_are_the_moments_at_which_an_agent_could_be_given_work(of_agent, of_projects, one_end, other_end):
    start, end = min(one_end, other_end), max(one_end, other_end)
    spans = spans_of(of_agent, of_projects, start, end)
    zone, at, seconds = ZoneInfo("Europe/Berlin"), start, 0
    while at < end:
        ability = held_at(of_agent, at)
        could = ability.enabled and ability.availability == "available"
        could = could and is_working(parse(ability.working_hours), zone, at)
        could = could and any(held_at(steps, at).works for steps in of_projects)
        around = [span.capacity for span in spans if span.start <= at < span.end]
        assert around == ([ability.max_concurrent] if could else [])
        seconds += 300 * could
        at += timedelta(minutes=5)
    assert sum(span.seconds for span in spans) == seconds


def test_working_hours_have_the_real_hours_of_a_day_on_which_the_clocks_change():
    ability = Ability(True, "available", 1, "Sun 00:00-06:00", "Europe/Berlin")
    (span,) = spans_of([(ALWAYS, ability)], [[(ALWAYS, Place("worker"))]], NOON, NOON + timedelta(days=3))
    assert span == Span(utc("2026-03-28 23:00"), utc("2026-03-29 04:00"), 1)


@pytest.mark.django_db
def test_workers_are_told_as_they_were_whatever_changes_later(cast, set_clock):
    set_clock("2026-01-01 00:00")
    project = projects.create_project(actor=cast.ada.user, key="NEW", name="New")
    scope = Scope((project.pk,))

    def asked():
        named = workers(scope, utc("2026-01-01 00:00"), utc("2026-01-11 00:00"))
        return {worker.agent.slug: (worker.spans, worker.plans) for worker in named.values()}

    def change(moment, **changes):
        set_clock(moment)
        agents.edit_agent(actor=cast.root, agent=cast.atlas, changes=changes)

    def pause(moment, paused):
        set_clock(moment)
        members.pause_member(actor=cast.ada.user, project=project, agent=cast.atlas, paused=paused)

    set_clock("2026-01-02 00:00")
    projects.set_member(actor=cast.root, project=project, user=cast.atlas.user, role=Role.WORKER)
    projects.set_member(actor=cast.root, project=project, user=cast.bert.user, role=Role.WORKER)
    projects.set_member(actor=cast.root, project=project, user=cast.vera, role=Role.VIEWER)
    change("2026-01-03 00:00", availability="paused")
    change("2026-01-04 00:00", availability="available", max_concurrent=2)
    change("2026-01-05 00:00", enabled=False)
    change("2026-01-06 00:00", enabled=True)
    pause("2026-01-07 00:00", True)
    pause("2026-01-08 00:00", False)
    set_clock("2026-01-09 00:00")
    projects.remove_member(actor=cast.ada.user, project=project, user=cast.atlas.user)
    days = {day: utc(f"2026-01-{day:02} 00:00") for day in range(1, 12)}
    before = asked()
    assert before == {
        "ada": ((Span(days[1], days[11], 10),), True),
        "atlas": (
            (
                Span(days[2], days[3], 10),
                Span(days[4], days[5], 2),
                Span(days[6], days[7], 2),
                Span(days[8], days[9], 2),
            ),
            False,
        ),
        "bert": ((Span(days[2], days[11], 10),), False),
    }
    set_clock("2026-02-01 00:00")
    projects.set_member(actor=cast.root, project=project, user=cast.atlas.user, role=Role.REVIEWER)
    projects.remove_member(actor=cast.root, project=project, user=cast.bert.user)
    projects.set_member(actor=cast.root, project=project, user=cast.hugo.user, role=Role.MANAGER)
    projects.set_member(actor=cast.root, project=project, user=cast.ada.user, role=Role.WORKER)
    change("2026-02-02 00:00", enabled=False, working_hours="Mon 09:00-10:00", time_zone="Asia/Tokyo", max_concurrent=7)
    assert asked() == before


@pytest.mark.django_db
def test_workers_of_a_project_are_nobody_elses(cast):
    names = {worker.agent.slug for worker in workers(Scope((cast.other.pk,)), NOON, NOON + timedelta(1)).values()}
    assert names == {"mona", "zed"}
    assert workers(Scope(()), NOON, NOON + timedelta(1)) == {}
