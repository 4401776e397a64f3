"""Automatic assignment on the pages and in the admin: words, warnings, previews, the page of an agent."""

import re

import pytest
from django.urls import reverse

from tasks import clock
from tasks.actions import claims, runs
from tasks.actions.offering import decline_task
from tasks.assignment.dispatcher import serve
from tasks.assignment.experience import Experience
from tasks.assignment.on_demand import auto_assign
from tasks.models import Agent, Assignment, AssignmentDecision, Availability, Project, Role
from tasks.tests.cast import join

pytestmark = pytest.mark.django_db


@pytest.fixture
def alive(cast):
    Agent.objects.filter(slug__in=("atlas", "bert")).update(last_seen_at=clock.now())
    Agent.objects.filter(kind="human").update(availability=Availability.PAUSED)
    return cast


@pytest.fixture
def page(client):
    def read(user, path, data=None):
        client.force_login(getattr(user, "user", user))
        response = client.get(path) if data is None else client.post(path, data, follow=True)
        return response.content.decode()

    return read


def test_task_page_says_why_this_agent(alive, page, new_task):
    task = new_task(required_skills=[("python", 3)])
    auto_assign(actor=alive.ada.user, task=task)
    text = page(alive.vera, f"/tasks/{task.ref}")
    assert "Why atlas?" in text
    assert "atlas: python 4 of 3 needed, 0 of 10 busy, 78 % accepted" in text
    assert "bert: not offered, lacks python" in text
    assert "offered, to be accepted" in text


def test_task_page_and_board_warn_where_nobody_can_do_it(alive, page, new_task):
    task = new_task(required_skills=[("python", 5)])
    Project.objects.filter(pk=alive.ops.pk).update(mode="auto")
    serve([Project.objects.get(pk=alive.ops.pk)], Experience())
    warning = "atlas lacks python 5 (has 4)"
    assert warning in page(alive.vera, f"/tasks/{task.ref}")
    board = page(alive.vera, "/")
    assert "card-warning" in board
    assert warning in board


def test_board_does_not_warn_if_every_able_agent_is_busy(alive, page, new_task):
    Agent.objects.filter(slug="atlas").update(max_concurrent=1)
    claims.claim_task(actor=alive.atlas.user, task=new_task())
    task = new_task(required_skills=[("python", 3)])
    serve([Project.objects.get(pk=alive.ops.pk)], Experience())
    assert AssignmentDecision.objects.get(task=task).warning == ""
    assert "card-warning" not in page(alive.vera, "/")
    assert "Why nobody?" in page(alive.vera, f"/tasks/{task.ref}")


def test_manager_offers_and_assignee_declines_on_the_task_page(alive, page, new_task):
    task = new_task()
    text = page(alive.ada, f"/tasks/{task.ref}", {"verb": "auto_assign"})
    (agent,) = Assignment.objects.active().filter(task=task).values_list("agent__slug", flat=True)
    assert f"Offered {task.ref} to {agent}." in text
    mine = new_task(assignees=[alive.hugo])
    assert "will not be offered to you again" in page(alive.hugo, f"/tasks/{mine.ref}")
    text = page(alive.hugo, f"/tasks/{mine.ref}", {"verb": "decline", "reason": "On leave."})
    assert f"Declined {mine.ref}." in text
    assert not Assignment.objects.active().filter(task=mine).exists()


def test_admin_previews_and_writes_nothing_until_it_is_confirmed(alive, page, new_task):
    fits, lacks = new_task(required_skills=[("python", 3)]), new_task(required_skills=[("python", 5)])
    blocked = new_task(depends_on=[fits])
    ids = f"{fits.pk},{lacks.pk},{blocked.pk}"
    url = reverse("admin:tasks_task_bulk", args=["auto_assign"])
    text = page(alive.ada, f"{url}?ids={ids}")
    assert "1 of 3 would be offered" in text
    assert "atlas: python 4 of 3 needed" in text
    assert "lacks python 5 (has 4)" in text
    assert f"waits for {fits.ref}" in text
    assert not Assignment.objects.exists()
    assert not AssignmentDecision.objects.exists()
    text = page(alive.ada, url, {"ids": ids})
    assert "Offered 1 task" in text
    assert "Nobody was found" in text
    assert Assignment.objects.get().agent.slug == "atlas"
    text = page(alive.ada, url, {"ids": f"{fits.pk}"})
    assert f"Nothing to change for 1 task: {fits.ref}." in text
    assert "Offered" not in text
    text = page(alive.ada, reverse("admin:tasks_task_change", args=[fits.pk]))
    assert "Why atlas?" in text
    assert "offered until" in text


def test_admin_matches_the_selection_together(alive, page, new_task):
    Agent.objects.filter(kind="llm").update(max_concurrent=1)
    tasks = [new_task() for _ in range(3)]
    page(alive.ada, reverse("admin:tasks_task_bulk", args=["auto_assign"]), {"ids": ",".join(str(t.pk) for t in tasks)})
    assert set(Assignment.objects.values_list("agent__slug", flat=True)) == {"atlas", "bert"}


def test_agent_page_shows_what_it_has_shown_and_what_it_turned_down(alive, page, new_task):
    task = new_task("Secret of OPS", required_skills=[("python", 2)])
    run = claims.claim_task(actor=alive.atlas.user, task=task)
    runs.complete_run(actor=alive.atlas.user, run_id=run.pk, summary="done")
    declined = new_task("Turned down", assignees=[alive.atlas])
    decline_task(actor=alive.atlas.user, task=declined, reason="<b>Too hard</b>")
    text = page(alive.ada, "/agents/atlas")
    assert "82 %" in text
    assert "&lt;b&gt;Too hard" in text
    assert "Secret of OPS" in text
    assert "82 %" in page(alive.ada, reverse("admin:tasks_agent_change", args=[alive.atlas.pk]))


def test_agent_page_of_no_agent_is_not_found(alive, client):
    client.force_login(alive.ada.user)
    assert client.get("/agents/nobody").status_code == 404


def test_agent_page_shows_how_good_it_was_to_managers_of_that_work_alone(alive, page, new_task):
    join(alive.other, alive.atlas.user, Role.WORKER)
    for project in (alive.ops, alive.other, alive.other):
        task = new_task(project=project, required_skills=[("python", 2)])
        run = claims.claim_task(actor=alive.atlas.user, task=task)
        runs.complete_run(actor=alive.atlas.user, run_id=run.pk, summary="done")

    def outcomes(who):
        row = r"python</(?:th|td)>.*?([\d.]+)</td>\s*<td[^>]*>[\d.]+ ×"
        shown = re.findall(row, page(who, "/agents/atlas"), re.DOTALL)
        return [float(number) for number in shown]

    assert outcomes(alive.root) == [3.0]
    assert outcomes(alive.mona) == [2.0]
    assert outcomes(alive.ada) == [1.0]
    assert "Only work in projects that you manage counts" in page(alive.ada, "/agents/atlas")
    in_admin = page(alive.ada, reverse("admin:tasks_agent_change", args=[alive.atlas.pk]))
    assert re.findall(r"python</td>.*?<td>([\d.]+)</td>\s*<td>[\d.]+ ×", in_admin, re.DOTALL) == ["1"]
    for reader in (alive.vera, alive.rita, alive.hugo, alive.atlas, alive.bert):
        text = page(reader, "/agents/atlas")
        assert outcomes(reader) == []
        assert "Track record" not in text
        assert "python" in text


def test_agent_page_hides_agents_and_tasks_of_other_projects(alive, client, page, new_task):
    new_task("Secret of OPS", assignees=[alive.atlas])
    client.force_login(alive.mona.user)
    assert client.get("/agents/atlas").status_code == 404
    join(alive.other, alive.atlas.user, Role.WORKER)
    assert "Secret of OPS" not in page(alive.mona, "/agents/atlas")
