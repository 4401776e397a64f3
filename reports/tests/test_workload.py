"""How the work is distributed over the agents, against numbers counted by hand."""

import json

import pytest

from tasks import engine
from tasks.actions import agents, assignments, claims, runs, tasks
from tasks.actions.imports import import_plan
from tasks.formats import json_list
from tasks.models import Run, Task

pytestmark = pytest.mark.django_db

JANUARY = "from=2026-01-01&to=2026-02-01&tz=UTC"
FIGURES = ("completed", "share", "worked_seconds", "failed_runs", "expired_runs", "active_runs", "open_assignments")


def by_agent(answer: dict) -> dict:
    return {row["agent"]: tuple(row[name] for name in FIGURES) for row in answer["rows"]}


def test_workload_counts_completions_time_and_what_went_wrong_per_agent(
    cast, ask, do_task, new_task, set_clock, let_lease_end
):
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    do_task("2026-01-02 08:00", "2026-01-03 09:00", "2026-01-03 09:30")
    do_task("2026-01-02 08:00", "2026-01-03 09:00", "2026-01-03 11:00", agent=cast.atlas)
    do_task("2026-01-02 08:00", "2026-01-03 09:00", "2026-01-03 09:15", agent=cast.bert)
    set_clock("2026-01-04 10:00")
    run = claims.claim_task(actor=cast.bert.user, task=new_task())
    set_clock("2026-01-04 11:00")
    runs.fail_run(actor=cast.bert.user, run_id=run.pk, code="x", detail="y", retryable=False)
    run = claims.claim_task(actor=cast.bert.user, task=new_task())
    let_lease_end(run)
    set_clock("2026-01-04 11:30")
    assert engine.tick().expired == 1
    rows = by_agent(ask("workload", JANUARY))
    assert rows["atlas"] == (3, 75.0, 3.5 * 3600, 0, 0, 0, 0)
    assert rows["bert"] == (1, 25.0, 1.75 * 3600, 1, 1, 0, 0)
    assert rows["hugo"] == (0, 0.0, 0.0, 0, 0, 0, 0)


def test_workload_counts_only_the_part_of_a_run_inside_the_period(ask, do_task):
    do_task("2025-12-31 20:00", "2025-12-31 23:00", "2026-01-01 02:00")
    do_task("2026-01-31 20:00", "2026-01-31 23:15", "2026-02-01 02:00")
    assert by_agent(ask("workload", JANUARY))["atlas"][:3] == (1, 100.0, 2.75 * 3600)


def test_workload_counts_an_active_run_up_to_now(cast, ask, new_task, set_clock):
    set_clock("2026-01-10 08:00")
    claims.claim_task(actor=cast.atlas.user, task=new_task())
    row = by_agent(ask("workload", JANUARY, now="2026-01-10 10:00"))["atlas"]
    assert row == (0, None, 7200.0, 0, 0, 1, 0)
    assert by_agent(ask("workload", "from=2026-01-11&to=2026-01-12", now="2026-01-10 10:00"))["atlas"][2] == 0


def test_workload_counts_open_assignments_once_in_total_and_a_row_for_nobody(cast, ask, new_task, set_clock):
    set_clock("2026-01-10 08:00")
    assigned = new_task()
    assignments.assign_task(actor=cast.ada.user, task=assigned, agents=[cast.atlas, cast.bert])
    new_task()
    new_task()
    answer = ask("workload", JANUARY)
    rows = by_agent(answer)
    assert rows["atlas"][-1] == rows["bert"][-1] == 1
    assert answer["rows"][-1]["name"] == "Nobody"
    assert rows[None] == (0, None, 0.0, 0, 0, 0, 2)
    assert answer["total"]["open_assignments"] == 3


def test_workload_shows_managers_only_with_figures_and_never_strangers(cast, ask, new_task, set_clock):
    assert set(by_agent(ask("workload", JANUARY))) == {"atlas", "bert", "hugo", "rita"}
    set_clock("2026-01-10 08:00")
    assignments.assign_task(actor=cast.ada.user, task=new_task(), agents=[cast.ada])
    assert set(by_agent(ask("workload", JANUARY))) == {"ada", "atlas", "bert", "hugo", "rita"}


def test_workload_total_adds_up_and_the_gini_coefficient_is_over_agents(cast, ask, do_task):
    for _ in range(3):
        do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00", agent=cast.bert)
    answer = ask("workload", JANUARY)
    assert (answer["total"]["completed"], answer["total"]["share"]) == (4, 100.0)
    assert answer["total"]["worked_seconds"] == 4 * 3600
    # 1, 3 over bert and atlas: 2 · (1 · 1 + 2 · 3) / (2 · 4) − 3 / 2; hugo and rita have done nothing.
    assert {figure["name"]: figure["value"] for figure in answer["figures"]} == {
        "gini_llm": 0.25,
        "gini_llm_n": 2,
        "gini_human": None,
        "gini_human_n": 2,
    }


def test_workload_spread_is_over_those_who_could_be_given_work(cast, ask, do_task, set_clock):
    def spread():
        return [figure["value"] for figure in ask("workload", JANUARY)["figures"]]

    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    set_clock("2025-12-31 00:00")
    agents.edit_agent(actor=cast.root, agent=cast.bert, changes={"enabled": False})
    assert spread() == [None, 1, None, 2]
    set_clock("2026-01-31 23:00")
    agents.edit_agent(actor=cast.root, agent=cast.bert, changes={"enabled": True})
    assert spread() == [0.5, 2, None, 2]
    set_clock("2026-02-02 00:00")
    agents.edit_agent(actor=cast.root, agent=cast.bert, changes={"enabled": False})
    assert spread() == [0.5, 2, None, 2]


def test_workload_credits_what_was_done_elsewhere_to_the_sole_assignee(cast, ask, set_clock):
    set_clock("2026-02-01 00:00")
    times = {"created_at": "2026-01-03T00:00:00Z", "completed_at": "2026-01-06T12:00:00Z", "status": "completed"}
    rows = [
        {"key": "a", "title": "One", "assignees": ["atlas"], **times},
        {"key": "b", "title": "Two", "assignees": ["atlas", "bert"], **times},
        {"key": "c", "title": "None", **times},
        {"key": "d", "title": "No time", "status": "completed"},
    ]
    import_plan(actor=cast.ada.user, project=cast.ops, plan=json_list.read(json.dumps(rows)))
    answer = ask("workload", JANUARY)
    done = [
        (row["name"], row["completed"], row["imported"], row["share"]) for row in answer["rows"] if row["completed"]
    ]
    assert done == [("Atlas", 1, 1, 33.33), ("Several", 1, 1, 33.33), ("Nobody", 1, 1, 33.33)]
    assert ask("workload", "from=2026-01-01&to=2026-03-01")["notes"] == [
        "1 completed at an unknown time is in no figure."
    ]


def test_workload_keeps_what_a_deleted_agent_did(cast, ask, do_task, set_clock):
    do_task("2026-01-02 08:00", "2026-01-02 09:00", "2026-01-02 10:00")
    set_clock("2026-02-02 00:00")
    tasks.delete_task(actor=cast.ada.user, task=Task.objects.get())
    cast.atlas.user.delete()
    rows = {row["name"]: row["completed"] for row in ask("workload", JANUARY)["rows"]}
    assert rows == {"Bert": 0, "Hugo": 0, "Rita": 0, "Deleted agents": 1}


def test_workload_run_of_another_project_is_not_counted(cast, ask, new_task, set_clock):
    set_clock("2026-01-10 08:00")
    task = new_task(project=cast.other)
    claims.claim_task(actor=cast.zed.user, task=task)
    assert Run.objects.count() == 1
    answer = ask("workload", JANUARY)
    assert answer["total"]["active_runs"] == 0
    assert "zed" not in by_agent(answer)
    assert by_agent(ask("workload", JANUARY, user=cast.mona.user))["zed"][5] == 1
