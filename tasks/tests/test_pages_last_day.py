"""The last day beside an agent: equal to a recount, and of the reader's projects alone."""

import random
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from tasks.actions import claims, runs
from tasks.models import Project, Role, Run, RunStatus
from tasks.pages.last_day import COLUMN, HEIGHT, HOURS, LEAST, LastDay, last_days
from tasks.tests.cast import join

ENDED = [status for status in RunStatus.values if status != RunStatus.ACTIVE]


def end(agent, task, *, status: str, ago: timedelta, cost: int | str = 0) -> None:
    at = timezone.now() - ago
    Run.objects.create(
        task=task, agent=agent, number=task.runs.count() + 1, status=status, started_at=at - timedelta(minutes=5),
        ended_at=at, last_heartbeat_at=at, last_progress_at=at, cost=Decimal(cost),
    )  # fmt: skip


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_last_day_equals_a_recount(cast, new_task, zone):
    dice = random.Random(3)
    tasks = [new_task(f"Task {number}") for number in range(4)]
    for _ in range(60):
        ago = timedelta(minutes=dice.randrange(0, 30 * 60))
        agent = dice.choice((cast.atlas, cast.bert))
        end(agent, dice.choice(tasks), status=dice.choice(ENDED), ago=ago, cost=dice.randrange(3))
    now = timezone.now()
    with timezone.override(zone):
        days = last_days([cast.atlas.pk, cast.bert.pk], [cast.ops.pk], now)
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    for agent in (cast.atlas, cast.bert):
        kept = [run for run in Run.objects.filter(agent=agent) if run.ended_at and run.ended_at >= first]
        expected = LastDay(cost=sum((run.cost for run in kept), Decimal(0)))
        for run in kept:
            hour = int((run.ended_at - first) / timedelta(hours=1))
            counts = expected.completed if run.status == RunStatus.COMPLETED else expected.others
            counts[hour] += 1
        assert days[agent.pk] == expected
        assert sum(expected.completed) > 0
        assert sum(expected.others) > 0


def test_last_day_shows_nothing_of_other_projects(client, cast, new_task):
    join(cast.other, cast.atlas.user, Role.WORKER)
    end(cast.atlas, new_task("Hidden", project=cast.other), status="completed", ago=timedelta(hours=2), cost="77.31")
    client.force_login(cast.ada.user)
    for path in ("/agents/?q=atlas", "/agents/atlas"):
        page = client.get(path).content.decode()
        assert "Nothing ended in the last 24 hours." in page
        # With its point, so that no random token on the page has it.
        assert "77.31" not in page
    client.force_login(cast.root)
    assert "77.31" in client.get("/agents/atlas").content.decode()
    assert last_days([cast.atlas.pk], Project.objects.values_list("pk", flat=True), timezone.now())[cast.atlas.pk].done


def test_one_run_in_a_full_day_is_still_seen_and_the_fullest_hour_fills_the_chart():
    day = LastDay()
    day.completed[3], day.others[20] = 1000, 1
    [full, small] = day.columns
    assert (full.x, full.done, full.done_y) == (3 * COLUMN, HEIGHT, 0)
    assert (small.x, small.other, small.other_y) == (20 * COLUMN, LEAST, HEIGHT - LEAST)
    assert day.words == "1000 completed, 1 ended otherwise"


def test_pages_say_what_an_agent_does_now_and_escape_it(client, cast, new_task):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task("Dig", assignees=[cast.atlas]))
    steps = [{"content": "Look", "status": "completed"}, {"content": "Dig", "status": "in_progress"}]
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=40, note="reads <b>logs</b>", plan=steps)
    end(cast.atlas, new_task("Done"), status="completed", ago=timedelta(hours=1), cost=2)
    client.force_login(cast.hugo.user)
    for path in ("/agents/?q=atlas", "/agents/atlas"):
        page = client.get(path).content.decode()
        assert "reads &lt;b&gt;logs&lt;/b&gt;" in page
        assert "1 of 2 steps" in page
        assert "The last 24 hours of atlas: 1 completed" in page
        assert "cost 2.00" in page
