"""Automatic assignment over the API: candidates, auto_assign, decline, decisions, the rules of a project."""

import pytest

from tasks import clock
from tasks.api import assignment
from tasks.models import Agent, Assignment, AssignmentDecision, Availability, Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def alive(cast):
    """atlas and bert are alive; the people are out of the way."""
    Agent.objects.filter(slug__in=("atlas", "bert")).update(last_seen_at=clock.now())
    Agent.objects.filter(kind="human").update(availability=Availability.PAUSED)
    return cast


def test_candidates_show_every_agent_and_write_nothing(alive, api, new_task):
    task = new_task(required_skills=[("python", 3)])
    events = Event.objects.count()
    shown = api.ada.get(f"/tasks/{task.ref}/candidates").json()
    assert set(shown) == set(assignment.CandidatesOutput().fields)
    assert shown["chosen"] == "atlas"
    by_agent = {row["agent"]: row for row in shown["candidates"]}
    assert set(by_agent) == {"ada", "rita", "hugo", "atlas", "bert"}
    assert set(by_agent["atlas"]) == set(assignment.CandidateOutput().fields)
    assert by_agent["bert"]["excluded_by"] == ["missing_skill"]
    assert by_agent["bert"]["words"] == "bert: not offered, lacks python"
    assert by_agent["atlas"]["terms"]["probability"] == pytest.approx(0.78)
    assert Event.objects.count() == events
    assert not AssignmentDecision.objects.exists()


def test_auto_assign_offers_and_a_repeat_is_the_same_decision(alive, api, new_task):
    task = new_task(required_skills=[("python", 3)])
    made = api.ada.post(f"/tasks/{task.ref}/auto_assign").json()
    assert set(made) == set(assignment.DecisionOutput().fields)
    assert (made["agent"], made["mode"], made["policy"]) == ("atlas", "on_demand", "value")
    assert made["words"][0].startswith("atlas: python 4 of 3 needed, 0 of 10 busy, 78 % accepted")
    assert api.ada.post(f"/tasks/{task.ref}/auto_assign").json() == made
    assert api.vera.get(f"/tasks/{task.ref}/decisions").json()["results"] == [made]
    assert api.ada.get(f"/tasks/{task.ref}").json()["assignees"] == ["atlas"]


def test_auto_assign_without_anybody_says_why(alive, api, new_task):
    task = new_task(required_skills=[("python", 5)])
    made = api.ada.post(f"/tasks/{task.ref}/auto_assign").json()
    assert made["agent"] is None
    assert "atlas: not offered, lacks python 5 (has 4)" in made["words"]


def test_auto_assign_refuses_what_somebody_was_assigned_to_by_hand(alive, api, new_task):
    task = new_task(assignees=[alive.hugo])
    answer = api.ada.post(f"/tasks/{task.ref}/auto_assign")
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")


def test_decline_takes_a_reason_and_shows_the_task(alive, api, new_task):
    task = new_task(assignees=[alive.atlas])
    assert api.atlas.post(f"/tasks/{task.ref}/decline", {}).status_code == 400
    shown = api.atlas.post(f"/tasks/{task.ref}/decline", {"reason": "No access."})
    assert (shown.status_code, shown.json()["assignees"]) == (200, [])
    assert api.bert.post(f"/tasks/{task.ref}/decline", {"reason": "x"}).json()["code"] == "not_assignee"
    assert Assignment.objects.get(task=task).end_note == "No access."


def test_project_rules_of_assignment_can_be_changed(cast, api):
    shown = api.ada.patch(
        "/projects/OPS",
        {"mode": "auto", "policy": "least_loaded", "share_weight": 2, "accept_within_llm_seconds": 30},
    ).json()
    assert (shown["mode"], shown["policy"], shown["share_weight"]) == ("auto", "least_loaded", 2.0)
    assert (shown["accept_within_llm_seconds"], shown["accept_within_human_seconds"]) == (30, 14400)
    assert api.ada.patch("/projects/OPS", {"policy": "guess"}).status_code == 400
    assert api.ada.patch("/projects/OPS", {"share_weight": 0}).status_code == 400
    assert api.ada.patch("/projects/OPS", {"share_weight": "2"}).status_code == 400


def test_working_hours_of_an_agent_are_checked(cast, api):
    shown = api.ada.patch("/agents/hugo", {"working_hours": "Mon-Fri 09:00-17:00", "time_zone": "Europe/Vienna"})
    assert shown.json()["working_hours"] == "Mon-Fri 09:00-17:00"
    for wrong in ({"working_hours": "nine to five"}, {"time_zone": "Mars/Olympus"}, {"time_zone": "../etc"}):
        answer = api.ada.patch("/agents/hugo", wrong)
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")


def test_new_version_of_an_agent_is_remembered(cast, api):
    api.atlas.patch("/me", {"version": "model-1"})
    assert Agent.objects.get(slug="atlas").version_since is None
    api.atlas.patch("/me", {"version": "model-2"})
    assert Agent.objects.get(slug="atlas").version_since is not None
