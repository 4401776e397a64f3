"""The load of agents, as it is counted for many at once and for each."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.actions.assignments import assign_task
from tasks.load import Load, loads_of
from tasks.models import Agent
from tasks.tests.cast import join, make_agent

pytestmark = pytest.mark.django_db


def scene(cast, api, new_task) -> None:
    """Atlas works on a task of both and has two more, of which one is also Bert's; what has ended counts no more."""
    begun = new_task(assignees=[cast.atlas, cast.bert])
    api.atlas.post(f"/tasks/{begun.ref}/claim")
    new_task(assignees=[cast.atlas, cast.bert])
    new_task(assignees=[cast.atlas])
    run = api.bert.post(f"/tasks/{new_task().ref}/claim").json()["id"]
    api.bert.post(f"/runs/{run}/complete", {"summary": "done"})
    new_task()


def test_load_of_many_agents_is_that_of_each(cast, api, new_task):
    scene(cast, api, new_task)
    agents = {agent.slug: agent for agent in Agent.objects.with_load()}
    loads = loads_of([agent.pk for agent in agents.values()])
    assert loads[cast.atlas.pk] == Load(active_runs=1, open_assignments=2)
    assert loads[cast.bert.pk] == Load(active_runs=0, open_assignments=1)
    assert loads[cast.zed.pk] == Load()
    assert loads == {agent.pk: Load(agent.active_runs, agent.open_assignments) for agent in agents.values()}
    listed = {agent["slug"]: agent for agent in api.ada.get("/agents").json()["results"]}
    assert listed["atlas"]["load"] == {"active_runs": 1, "open_assignments": 2, "capacity": 10}
    assert listed["atlas"] == api.ada.get("/agents/atlas").json() == api.atlas.get("/me").json()["agent"]


def test_list_of_agents_costs_the_same_queries_for_any_number(cast, api, new_task):
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert api.ada.get("/agents?limit=200").status_code == 200
        return len(queries)

    scene(cast, api, new_task)
    cost()
    few = cost()
    for number in range(5):
        agent = make_agent(f"agent-{number}", skills={"python": 1, "docs": 2}, owner=cast.ops)
        join(cast.ops, agent.user, "worker")
        assign_task(actor=cast.ada.user, task=new_task(), agents=[agent])
    assert cost() == few


@pytest.mark.skipif(
    connection.vendor != "sqlite" or connection.Database.sqlite_version_info < (3, 50),
    reason="Only on SQLite 3.50 or newer: older ones plan in other ways, and PostgreSQL scans few rows",
)
def test_load_is_counted_from_what_is_assigned(cast, api, new_task):
    scene(cast, api, new_task)
    with CaptureQueriesContext(connection) as queries:
        loads_of([cast.atlas.pk, cast.bert.pk])
    plans = []
    with connection.cursor() as cursor:
        for query in queries.captured_queries:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            plans.append([step for *_, step in cursor.fetchall() if "json_each" not in step])
    runs, assignments = plans
    assert runs[0] == "SEARCH tasks_run USING INDEX run_active_of_agent (agent_id=?)"
    # Also where the database has no statistics, and whatever has ended.
    active = "SEARCH tasks_assignment USING COVERING INDEX assignment_active (agent_id=? AND ended_at=?)"
    assert assignments[0] == active
