"""Automatic assignment on the database: who is offered what, lapsed and declined offers, stored decisions."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks import clock, engine
from tasks.actions import assignments, claims, lifecycle, reviews, runs
from tasks.actions.offering import decline_task, lapse_offers
from tasks.assignment.dispatcher import preview, serve
from tasks.assignment.experience import Experience
from tasks.assignment.matchmaker import Matchmaker
from tasks.assignment.on_demand import auto_assign, auto_assign_all
from tasks.errors import IllegalTransition, Invalid, NotAssignee, NotPermitted, NotReady
from tasks.matching.matching import choice
from tasks.models import (
    Agent,
    Assignment,
    AssignmentDecision,
    AssignmentEnd,
    AssignmentMode,
    Availability,
    Event,
    Project,
    Skill,
    Task,
)
from tasks.tests.cast import join, make_agent
from tasks.tests.fake_clock import patch_clock

pytestmark = pytest.mark.django_db


@pytest.fixture
def auto(cast):
    """OPS assigns automatically; atlas and bert are alive, the people are out of the way."""
    Project.objects.filter(pk=cast.ops.pk).update(mode=AssignmentMode.AUTO, allow_pull=False)
    Agent.objects.filter(slug__in=("atlas", "bert")).update(last_seen_at=clock.now())
    Agent.objects.filter(kind="human").update(availability=Availability.PAUSED)
    cast.ops.refresh_from_db()
    return cast


def match_now(cast):
    return serve([Project.objects.get(pk=cast.ops.pk)], Experience())


def assignee(task):
    return list(Assignment.objects.active().filter(task=task).values_list("agent__slug", flat=True))


def let_offer_end(task):
    Assignment.objects.active().filter(task=task).update(accept_by=clock.now() - timedelta(seconds=1))


def latest(task):
    return AssignmentDecision.objects.filter(task=task).order_by("-pk").first()


def codes(decision):
    return {row["agent"]: row["excluded_by"] for row in decision.candidates}


def test_serve_offers_the_task_to_the_agent_with_the_skill(auto, new_task):
    task = new_task(required_skills=[("python", 3)])
    served = match_now(auto)
    assert [decision.agent.slug for decision in served.decisions] == ["atlas"]
    offer = Assignment.objects.get(task=task)
    assert (offer.source, offer.agent.slug) == ("auto", "atlas")
    assert timedelta(seconds=100) < offer.accept_by - offer.created_at <= timedelta(seconds=121)
    event = Event.objects.get(task=task, kind="task.assigned")
    assert (event.agent_slug, event.data["source"], event.actor) == ("atlas", "auto", None)
    assert Task.objects.get(pk=task.pk).version == task.version + 1


def test_decision_keeps_policy_scores_and_what_excluded_the_others(auto, new_task):
    task = new_task(required_skills=[("python", 3)])
    match_now(auto)
    decision = latest(task)
    assert (decision.policy, decision.policy_version, decision.mode) == ("value", "1", "auto")
    assert codes(decision)["bert"] == ["missing_skill"]
    assert codes(decision)["hugo"] == ["paused", "missing_skill"]
    row = next(row for row in decision.candidates if row["agent"] == "atlas")
    assert row["score"] == pytest.approx(decision.score)
    assert row["terms"]["probability"] == pytest.approx(0.3 + 0.12 * 4)
    assert choice(decision.candidates) == "atlas"
    assert "vera" not in codes(decision)
    assert "zed" not in codes(decision)


def test_serve_again_offers_nothing_twice(auto, new_task):
    task = new_task()
    match_now(auto)
    assert match_now(auto).decisions == []
    assert len(assignee(task)) == 1


def test_serve_leaves_what_somebody_is_assigned_to_and_what_is_not_ready(auto, new_task):
    taken, first = new_task(assignees=[auto.bert]), new_task(assignees=[auto.bert])
    blocked = new_task(depends_on=[first])
    deferred = new_task(start_after=clock.now() + timedelta(hours=1))
    assert match_now(auto).decisions == []
    assert (assignee(taken), assignee(blocked), assignee(deferred)) == (["bert"], [], [])


def test_serve_never_fills_an_agent_beyond_its_capacity(auto, new_task):
    Agent.objects.filter(slug="atlas").update(max_concurrent=3)
    Agent.objects.filter(slug="bert").update(max_concurrent=1)
    claims.claim_task(actor=auto.atlas.user, task=new_task(assignees=[auto.atlas]))
    new_task(assignees=[auto.atlas])
    for _ in range(5):
        new_task()
    match_now(auto)
    load = Agent.objects.with_load().in_bulk(field_name="slug")
    assert load["atlas"].active_runs + load["atlas"].open_assignments == 3
    assert load["bert"].open_assignments == 1
    assert match_now(auto).waiting == 3


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"enabled": False}, "disabled"),
        ({"availability": Availability.PAUSED}, "paused"),
        ({"last_seen_at": datetime(2026, 1, 1, tzinfo=UTC)}, "silent"),
        ({"last_seen_at": None}, "silent"),
    ],
)
def test_serve_does_not_offer_to_absent_agents_and_says_so(auto, new_task, change, code):
    Agent.objects.filter(slug="bert").update(availability=Availability.PAUSED)
    Agent.objects.filter(slug="atlas").update(**change)
    task = new_task()
    match_now(auto)
    assert assignee(task) == []
    decision = latest(task)
    assert decision.agent is None
    assert codes(decision)["atlas"] == [code]


def test_agent_that_lost_its_lease_gets_nothing_until_it_calls_again(auto, new_task, let_lease_end):
    Agent.objects.filter(slug="bert").update(availability=Availability.PAUSED)
    let_lease_end(claims.claim_task(actor=auto.atlas.user, task=new_task(assignees=[auto.atlas])))
    engine.tick()
    task = new_task()
    match_now(auto)
    assert (assignee(task), codes(latest(task))["atlas"]) == ([], ["silent"])
    Agent.objects.filter(slug="atlas").update(last_seen_at=clock.now())
    match_now(auto)
    assert assignee(task) == ["atlas"]


def test_serve_offers_to_a_person_within_working_hours_alone(auto, new_task, monkeypatch):
    monday = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
    Agent.objects.filter(kind="llm").update(availability=Availability.PAUSED)
    Agent.objects.filter(slug="hugo").update(
        availability=Availability.AVAILABLE, working_hours="Mon-Fri 09:00-12:00", time_zone="Etc/UTC"
    )
    task = new_task()
    patch_clock(monkeypatch, lambda: monday)
    Task.objects.update(created_at=monday)
    match_now(auto)
    assert codes(latest(task))["hugo"] == ["off_hours"]
    patch_clock(monkeypatch, lambda: monday + timedelta(hours=1))
    match_now(auto)
    offer = Assignment.objects.get(task=task)
    assert offer.agent.slug == "hugo"
    # Four hours of working time: two and a half today, one and a half tomorrow.
    assert offer.accept_by == datetime(2026, 11, 24, 10, 30, tzinfo=UTC)


def test_record_of_nobody_is_one_row_brought_up_to_date_and_ended_by_the_offer(auto, new_task):
    Skill.objects.create(name="rust")
    task = new_task(required_skills=[("rust", 2)])
    match_now(auto)
    match_now(auto)
    assert AssignmentDecision.objects.filter(task=task).count() == 1
    assert Event.objects.filter(task=task, kind="task.nobody_found").count() == 1
    Agent.objects.filter(slug="bert").update(availability=Availability.PAUSED)
    match_now(auto)
    assert codes(latest(task))["bert"] == ["paused", "missing_skill"]
    assert AssignmentDecision.objects.filter(task=task).count() == 1
    auto.atlas.skills.create(skill=Skill.objects.get(name="rust"), level=3)
    match_now(auto)
    assert assignee(task) == ["atlas"]
    assert [bool(d.ended_at) for d in AssignmentDecision.objects.filter(task=task).order_by("pk")] == [True, False]


def test_claim_accepts_the_offer_and_it_never_lapses(auto, new_task):
    task = new_task()
    match_now(auto)
    (holder,) = assignee(task)
    claims.claim_task(actor=getattr(auto, holder).user, task=task)
    let_offer_end(task)
    assert lapse_offers() == []
    assert assignee(task) == [holder]


def test_offer_that_lapses_goes_to_the_next_and_rests_for_the_first(auto, new_task):
    task = new_task()
    match_now(auto)
    (first,) = assignee(task)
    let_offer_end(task)
    assert lapse_offers() == [task.pk]
    assert lapse_offers() == []
    match_now(auto)
    (second,) = assignee(task)
    assert {first, second} == {"atlas", "bert"}
    assert codes(latest(task))[first] == ["let_it_lapse"]
    let_offer_end(task)
    lapse_offers()
    match_now(auto)
    assert assignee(task) == []
    Assignment.objects.filter(task=task).update(ended_at=clock.now() - timedelta(minutes=11))
    match_now(auto)
    assert len(assignee(task)) == 1


def test_decline_keeps_the_whole_reason(auto, new_task):
    task, reason = new_task(), "x" * 10_000
    match_now(auto)
    (first,) = assignee(task)
    decline_task(actor=getattr(auto, first).user, task=task, reason=reason)
    assert Assignment.objects.get(task=task).end_note == reason


def test_decline_gives_the_task_to_the_next_and_never_again_to_the_decliner(auto, new_task):
    task = new_task()
    match_now(auto)
    (first,) = assignee(task)
    decline_task(actor=getattr(auto, first).user, task=task, reason="Not my field.")
    decline_task(actor=getattr(auto, first).user, task=task, reason="Not my field.")
    assert Event.objects.filter(task=task, kind="task.declined").count() == 1
    ended = Assignment.objects.get(task=task)
    assert (ended.end_reason, ended.end_note) == (AssignmentEnd.DECLINED, "Not my field.")
    match_now(auto)
    assert assignee(task) == [({"atlas", "bert"} - {first}).pop()]
    Assignment.objects.filter(pk=ended.pk).update(ended_at=clock.now() - timedelta(days=100))
    assert codes(latest(task))[first] == ["declined_before"]


def test_decline_is_for_assignees_of_what_has_not_begun(auto, new_task):
    task = new_task(assignees=[auto.atlas])
    for actor in (auto.bert.user, auto.ada.user):
        with pytest.raises(NotAssignee):
            decline_task(actor=actor, task=task, reason="No.")
    with pytest.raises(NotPermitted):
        decline_task(actor=auto.vera, task=task, reason="No.")
    with pytest.raises(Invalid):
        decline_task(actor=auto.atlas.user, task=task, reason=" ")
    claims.claim_task(actor=auto.atlas.user, task=task)
    with pytest.raises(IllegalTransition):
        decline_task(actor=auto.atlas.user, task=task, reason="No.")


def test_task_that_failed_is_never_offered_to_the_failer(auto, new_task):
    task = new_task()
    match_now(auto)
    (first,) = assignee(task)
    run = claims.claim_task(actor=getattr(auto, first).user, task=task)
    runs.fail_run(actor=getattr(auto, first).user, run_id=run.pk, code="x", detail="y")
    assert assignee(task) == []
    Task.objects.filter(pk=task.pk).update(deferred_until=None)
    match_now(auto)
    assert assignee(task) == [({"atlas", "bert"} - {first}).pop()]
    assert codes(latest(task))[first] == ["failed_before"]


def test_task_is_not_offered_again_to_whom_staff_took_off_it(auto, new_task):
    task = new_task()
    match_now(auto)
    (first,) = assignee(task)
    assignments.unassign_task(actor=auto.ada.user, task=task, agents=[getattr(auto, first)])
    match_now(auto)
    assert assignee(task) == [({"atlas", "bert"} - {first}).pop()]
    assert codes(latest(task))[first] == ["taken_off"]
    assignments.reassign_task(actor=auto.ada.user, task=task, agents=[getattr(auto, first)])
    assert assignee(task) == [first]


def test_task_with_changes_requested_stays_with_its_author(auto, new_task):
    task = new_task(review_required=True)
    match_now(auto)
    (author,) = assignee(task)
    user = getattr(auto, author).user
    runs.complete_run(actor=user, run_id=claims.claim_task(actor=user, task=task).pk, summary="done")
    reviews.request_changes(actor=auto.rita.user, task=task, note="Again.")
    let_offer_end(task)
    assert lapse_offers() == []
    assert match_now(auto).decisions == []
    assert assignee(task) == [author]


def test_task_with_review_is_not_offered_to_the_only_reviewer(auto, new_task):
    sole = make_agent("sole", skills={"python": 5})
    Agent.objects.filter(pk=sole.pk).update(last_seen_at=clock.now())
    crew = Project.objects.create(key="CREW", name="Crew", mode=AssignmentMode.AUTO)
    join(crew, sole.user, "reviewer")
    task = new_task(project=crew, review_required=True)
    serve([crew], Experience())
    assert codes(latest(task)) == {"sole": ["sole_reviewer"]}


def test_who_did_what_it_depends_on_is_preferred(auto, new_task):
    first = new_task(assignees=[auto.bert])
    runs.complete_run(
        actor=auto.bert.user, run_id=claims.claim_task(actor=auto.bert.user, task=first).pk, summary="done"
    )
    before = preview([new_task()])[0]
    follower = new_task(depends_on=[first])
    after = preview([Task.objects.select_related("project").get(pk=follower.pk)])[0]
    plain = {row["agent"]: row["score"] for row in before.rows(0)}
    known = {row["agent"]: row["score"] for row in after.rows(0)}
    assert known["bert"] / plain["bert"] == pytest.approx(1.1, rel=1e-3)
    assert known["atlas"] / plain["atlas"] == pytest.approx(1.0, rel=1e-3)


def test_auto_assign_on_demand_works_in_a_manual_project_and_repeats_its_answer(cast, new_task):
    Agent.objects.filter(slug="bert").update(last_seen_at=clock.now())
    Agent.objects.filter(kind="human").update(availability=Availability.PAUSED)
    task = new_task()
    decision = auto_assign(actor=cast.ada.user, task=task)
    assert (decision.agent.slug, decision.mode) == ("bert", "on_demand")
    again = auto_assign(actor=cast.ada.user, task=Task.objects.select_related("project").get(pk=task.pk))
    assert again.pk == decision.pk
    assert Event.objects.get(task=task, kind="task.assigned").actor == cast.ada.user


def test_auto_assign_of_a_task_whose_offer_was_taken_up_is_refused(cast, new_task):
    Agent.objects.filter(slug="bert").update(last_seen_at=clock.now())
    Agent.objects.filter(kind="human").update(availability=Availability.PAUSED)
    task = new_task(review_required=True)
    auto_assign(actor=cast.ada.user, task=task)
    run = claims.claim_task(actor=cast.bert.user, task=task)
    with pytest.raises(IllegalTransition):
        auto_assign(actor=cast.ada.user, task=Task.objects.select_related("project").get(pk=task.pk))
    runs.complete_run(actor=cast.bert.user, run_id=run.pk, summary="done")
    with pytest.raises(IllegalTransition):
        auto_assign(actor=cast.ada.user, task=Task.objects.select_related("project").get(pk=task.pk))


def test_auto_assign_that_finds_nobody_says_why(cast, new_task):
    task = new_task(required_skills=[("python", 5)])
    decision = auto_assign(actor=cast.ada.user, task=task)
    assert decision.agent is None
    assert "missing_skill" in codes(decision)["atlas"]
    assert assignee(task) == []


def test_auto_assign_is_for_managers_and_for_what_waits(cast, new_task):
    task = new_task()
    with pytest.raises(NotPermitted):
        auto_assign(actor=cast.hugo.user, task=task)
    mine = new_task(assignees=[cast.hugo])
    with pytest.raises(Invalid):
        auto_assign(actor=cast.ada.user, task=mine)
    with pytest.raises(NotReady):
        auto_assign(actor=cast.ada.user, task=new_task(depends_on=[mine]))
    gone = lifecycle.cancel_task(actor=cast.ada.user, task=task)
    with pytest.raises(IllegalTransition):
        auto_assign(actor=cast.ada.user, task=gone)


def test_offer_on_demand_that_lapses_goes_to_the_next_in_a_manual_project(cast, new_task):
    Agent.objects.filter(kind="llm").update(last_seen_at=clock.now())
    Agent.objects.filter(kind="human").update(availability=Availability.PAUSED)
    task = new_task()
    auto_assign(actor=cast.ada.user, task=task)
    (first,) = assignee(task)
    let_offer_end(task)
    assert Matchmaker().catch_up() == 1
    assert assignee(task) == [({"atlas", "bert"} - {first}).pop()]


def test_offer_is_dropped_where_the_task_changed_since_it_was_matched(auto, new_task, monkeypatch):
    from tasks.assignment import dispatcher

    task = new_task()
    really = dispatcher.match

    def slow_match(snapshot, policy):
        Task.objects.filter(pk=task.pk).update(version=task.version + 1)
        return really(snapshot, policy)

    monkeypatch.setattr(dispatcher, "match", slow_match)
    served = match_now(auto)
    assert (served.decisions, served.missed, assignee(task)) == ([], 1, [])


def test_offer_is_dropped_where_staff_were_faster(auto, new_task, monkeypatch):
    from tasks.assignment import dispatcher

    task = new_task()
    really = dispatcher.match

    def slow_match(snapshot, policy):
        assignments.assign_task(actor=auto.ada.user, task=task, agents=[auto.hugo])
        return really(snapshot, policy)

    monkeypatch.setattr(dispatcher, "match", slow_match)
    assert match_now(auto).decisions == []
    assert assignee(task) == ["hugo"]


def test_offers_that_take_too_long_are_left_to_the_next_matching(auto, new_task, monkeypatch):
    from tasks.assignment import dispatcher

    Agent.objects.filter(kind="llm").update(max_concurrent=1)
    tasks = [new_task(), new_task()]
    monkeypatch.setattr(dispatcher, "OFFERING_SECONDS", -1.0)
    served = match_now(auto)
    assert (len(served.decisions), served.missed) == (1, 1)
    monkeypatch.undo()
    assert len(match_now(auto).decisions) == 1
    assert all(assignee(task) for task in tasks)


def test_agents_shared_by_projects_are_never_overfilled(auto, new_task):
    crew = Project.objects.create(
        key="CREW", name="Crew", mode=AssignmentMode.AUTO, policy="least_loaded", share_weight=2
    )
    for member in (auto.atlas, auto.bert):
        join(crew, member.user, "worker")
    Agent.objects.update(max_concurrent=2)
    for _ in range(3):
        new_task()
        new_task(project=crew)
    serve([crew, Project.objects.get(pk=auto.ops.pk)], Experience())
    by_agent = Assignment.objects.active().values_list("agent__slug", flat=True)
    assert sorted(by_agent) == ["atlas", "atlas", "bert", "bert"]
    assert Assignment.objects.filter(task__project=crew).count() == 3


def test_serve_costs_queries_for_what_it_offers_not_for_tasks_and_agents(auto, new_task):
    def cost(able, others, tasks):
        for number in range(able + others):
            skill = "docs" if number < able else "python"
            join(auto.ops, make_agent(f"extra{able}-{others}-{number}", skills={skill: 3}).user, "worker")
        Agent.objects.filter(kind="llm").update(last_seen_at=clock.now(), max_concurrent=1)
        for _ in range(tasks):
            new_task(required_skills=[("docs", 2)])
        before = Assignment.objects.count()
        with CaptureQueriesContext(connection) as queries:
            match_now(auto)
        return len(queries), Assignment.objects.count() - before

    Agent.objects.filter(slug__in=("atlas", "bert")).update(availability=Availability.PAUSED)
    (few, two), (more, also_two), (offering, twelve) = cost(2, 1, 10), cost(2, 10, 40), cost(12, 0, 0)
    assert (two, also_two, twelve) == (2, 2, 12)
    # Nearly five times the tasks: not a query each, at most a few more batches of rows.
    assert more <= few + 10
    # What is written for each offer, and nothing more.
    assert offering - more <= 20 * (twelve - two)


def test_matchmaker_hears_news_and_matches_when_it_is_due(auto, new_task):
    maker = Matchmaker()
    assert maker.tick(always=True) == 0
    task = new_task()
    assert maker.tick() == 0
    maker.hear(list(Event.objects.filter(task=task)))
    maker._rest_until = 0
    assert maker.tick() == 1
    assert len(assignee(task)) == 1


def test_matchmaker_notices_agents_that_woke(auto, new_task):
    Agent.objects.filter(slug__in=("atlas", "bert")).update(last_seen_at=None)
    maker = Matchmaker()
    task = new_task()
    assert maker.tick(always=True) == 0
    maker._rest_until = 0
    assert maker.tick() == 0
    Agent.objects.filter(slug="bert").update(last_seen_at=clock.now())
    assert maker.tick() == 1
    assert assignee(task) == ["bert"]


def test_many_chosen_tasks_are_offered_in_pieces_and_each_has_its_turn(cast, new_task, monkeypatch):
    from tasks.assignment import dispatcher

    monkeypatch.setattr(dispatcher, "AT_ONCE", 1)
    Agent.objects.filter(kind="llm").update(max_concurrent=2, last_seen_at=clock.now())
    Agent.objects.filter(kind="human").update(availability=Availability.PAUSED)
    blocked = new_task(depends_on=[new_task()])
    tasks = [new_task() for _ in range(6)] + [blocked]
    outcomes: dict = {}
    pieces = 0
    while left := [task for task in tasks if task.pk not in outcomes]:
        piece = auto_assign_all(actor=cast.ada.user, tasks=left, seconds=-1.0)
        assert piece
        outcomes |= piece
        pieces += 1
    assert pieces > 3
    assert sum(getattr(outcome, "agent", None) is not None for outcome in outcomes.values()) == 4
    assert outcomes[blocked.pk].code == "not_ready"


def test_choosing_many_tasks_costs_few_queries(cast, new_task, django_assert_max_num_queries):
    Agent.objects.all().update(availability=Availability.PAUSED)
    tasks = [new_task() for _ in range(30)]
    with django_assert_max_num_queries(80):
        outcomes = auto_assign_all(actor=cast.ada.user, tasks=tasks)
    assert {outcome.agent for outcome in outcomes.values()} == {None}
    few = [new_task() for _ in range(2)]
    with django_assert_max_num_queries(60):
        auto_assign_all(actor=cast.ada.user, tasks=few)
