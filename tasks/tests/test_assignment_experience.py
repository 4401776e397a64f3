"""What is learned from runs and reviews: outcomes and pace per skill, decay, a new model version; working hours."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tasks import clock
from tasks.actions import claims, reviews, runs
from tasks.assignment.experience import Experience
from tasks.matching.facts import Evidence, prior
from tasks.matching.working_hours import after_working, is_working, parse
from tasks.models import Agent, Run, Skill


def learned(agent, skill="python"):
    now = clock.now()
    by_skill = Experience().of([agent.pk], now)[agent.pk]
    return by_skill.get(Skill.objects.get(name=skill).pk if skill else None, Evidence())


def work(cast, new_task, *, how="complete", review=None, skills=(("python", 2),), took=None, estimate=60):
    task = new_task(required_skills=list(skills), review_required=review is not None, estimate_minutes=estimate)
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    if how == "complete":
        runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    elif how == "fail":
        runs.fail_run(actor=cast.atlas.user, run_id=run.pk, code="x", detail="y")
    else:
        runs.release_run(actor=cast.atlas.user, run_id=run.pk)
    if review == "approve":
        reviews.approve_task(actor=cast.rita.user, task=task)
    elif review == "changes":
        reviews.request_changes(actor=cast.rita.user, task=task, note="Again.")
    if took is not None:
        run = Run.objects.get(pk=run.pk)
        Run.objects.filter(pk=run.pk).update(started_at=run.ended_at - took)
    return run


def test_prior_follows_the_declared_level():
    assert [prior(level) for level in (1, 3, 5)] == pytest.approx([0.42, 0.66, 0.9])
    assert Evidence().probability(4) == pytest.approx(0.78)
    assert Evidence(accepted=4).probability(3) == pytest.approx((4 * 0.66 + 4) / 8)


@pytest.mark.django_db
def test_outcomes_count_by_skill_and_in_general(cast, new_task):
    work(cast, new_task)
    work(cast, new_task, how="fail")
    work(cast, new_task, how="release")
    work(cast, new_task, skills=[("docs", 1)])
    assert learned(cast.atlas).accepted == pytest.approx(1, abs=0.01)
    assert learned(cast.atlas).rejected == pytest.approx(1, abs=0.01)
    assert learned(cast.atlas, None).accepted == pytest.approx(2, abs=0.01)
    assert learned(cast.bert) == Evidence()


@pytest.mark.django_db
def test_reviews_decide_and_what_waits_for_one_does_not_count(cast, new_task):
    work(cast, new_task, review="approve")
    work(cast, new_task, review="changes")
    work(cast, new_task, review="none yet")
    evidence = learned(cast.atlas)
    assert (evidence.accepted, evidence.rejected) == (pytest.approx(1, abs=0.01), pytest.approx(1, abs=0.01))


@pytest.mark.django_db
def test_evidence_halves_in_thirty_days_and_a_new_version_keeps_a_third(cast, new_task):
    run = work(cast, new_task)
    ago = clock.now() - timedelta(days=30)
    Run.objects.filter(pk=run.pk).update(started_at=ago, ended_at=ago)
    assert learned(cast.atlas).accepted == pytest.approx(0.5, abs=0.01)
    Agent.objects.filter(pk=cast.atlas.pk).update(version_since=clock.now())
    assert learned(cast.atlas).accepted == pytest.approx(0.15, abs=0.01)


@pytest.mark.django_db
def test_pace_is_hours_taken_beside_hours_expected_and_shrinks_to_one(cast, new_task):
    for _ in range(4):
        work(cast, new_task, took=timedelta(hours=3))
    assert learned(cast.atlas).slowness == pytest.approx((4 + 4 * 3) / 8, rel=0.01)


@pytest.mark.django_db
def test_hours_of_a_project_are_the_mean_of_what_it_completed(cast, new_task):
    assert Experience().hours_of([cast.ops.pk])[cast.ops.pk] == 1.0
    work(cast, new_task, took=timedelta(hours=2))
    work(cast, new_task, took=timedelta(hours=4))
    assert Experience().hours_of([cast.ops.pk])[cast.ops.pk] == pytest.approx(3, rel=0.01)


def test_hours_of_many_projects_take_one_query(cast, new_task, django_assert_num_queries):
    work(cast, new_task, took=timedelta(hours=3))
    projects = [cast.ops.pk, cast.other.pk]
    with django_assert_num_queries(1):
        hours = Experience().hours_of(projects)
    assert hours == {cast.ops.pk: pytest.approx(3, rel=0.01), cast.other.pk: 1.0}


@pytest.mark.django_db
def test_experience_is_read_once_until_it_is_forgotten(cast, new_task, django_assert_num_queries):
    experience = Experience()
    assert experience.of([cast.atlas.pk], clock.now())[cast.atlas.pk] == {}
    work(cast, new_task)
    later = clock.now()
    with django_assert_num_queries(0):
        assert experience.of([cast.atlas.pk], later)[cast.atlas.pk] == {}
    experience.forget([cast.bert.pk])
    with django_assert_num_queries(0):
        experience.of([cast.atlas.pk], later)
    experience.forget([cast.atlas.pk])
    read_anew = experience.of([cast.atlas.pk], later)[cast.atlas.pk]
    assert read_anew == Experience().of([cast.atlas.pk], later)[cast.atlas.pk]
    assert read_anew[None].accepted > 0


def test_experience_of_some_projects_counts_no_run_of_others(cast, new_task):
    work(cast, new_task)
    now = clock.now()
    assert Experience([cast.ops.pk]).of([cast.atlas.pk], now) == Experience().of([cast.atlas.pk], now)
    assert Experience([cast.other.pk]).of([cast.atlas.pk], now)[cast.atlas.pk] == {}
    assert Experience([]).of([cast.atlas.pk], now)[cast.atlas.pk] == {}


VIENNA = ZoneInfo("Europe/Vienna")


def test_working_hours_are_read_and_asked_in_their_zone():
    spans = parse("Mon-Thu 09:00-17:00; Fri 09:00-13:00")
    friday = datetime(2026, 11, 27, 11, 30, tzinfo=UTC)
    assert is_working(spans, VIENNA, friday)
    assert not is_working(spans, VIENNA, friday + timedelta(hours=1))
    assert is_working((), VIENNA, friday + timedelta(hours=1))
    assert [span.day for span in parse("Sat-Mon 10:00-11:00")] == [0, 5, 6]


def test_working_time_runs_on_over_the_weekend_and_the_change_of_the_clock():
    spans = parse("Mon-Fri 09:00-17:00")
    friday = datetime(2026, 11, 27, 15, 0, tzinfo=UTC)
    assert after_working(spans, VIENNA, friday, 4 * 3600) == datetime(2026, 11, 30, 11, 0, tzinfo=UTC)
    night = parse("Sun 01:00-05:00")
    # On 29 March 2026 the hour from two to three is skipped: that night has only three hours.
    begin = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)
    assert after_working(night, VIENNA, begin, 3 * 3600) == datetime(2026, 3, 29, 3, 0, tzinfo=UTC)
    assert after_working((), VIENNA, friday, 60) == friday + timedelta(seconds=60)
    assert after_working(parse("Mon 09:00-09:01"), VIENNA, friday, 10**7) == friday + timedelta(days=60)


@pytest.mark.parametrize("text", ["nine to five", "Mon 9-17", "Mon 17:00-09:00", "Mon 09:00-25:00", "Foo 09:00-10:00"])
def test_working_hours_that_cannot_be_read_are_refused_in_words(text):
    with pytest.raises(ValueError, match=r"working time|must end"):
        parse(text)
    with pytest.raises(ValueError, match="overlap"):
        parse("Mon 09:00-12:00; Mon 11:00-13:00")
