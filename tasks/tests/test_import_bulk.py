"""Statements for large files grow with the number of lots, not tasks; concurrent imports create nothing twice."""

import json
import threading

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.actions import claims, runs
from tasks.actions.imports import import_plan
from tasks.actions.tasks import recount_blockers
from tasks.formats import json_list
from tasks.models import Dependency, Event, Project, Task
from tasks.tests.invariants import assert_invariants
from tasks.tests.racing import at_once
from tasks.tests.sizes import IMPORTED_TASKS


def entries(count: int) -> list[dict]:
    """Tasks that each wait for two earlier ones; every third has a parent that comes later."""
    return [
        {
            "key": f"t{number}",
            "title": f"Task {number}",
            "labels": ["a", f"group-{number % 7}"],
            "required_skills": ["python:2"],
            "assignees": ["atlas"] if number % 5 == 0 else [],
            "depends_on": [f"t{number // 2}", f"t{number - 1}"] if number else [],
            "parent": f"t{number + 5}" if number % 3 == 0 and number + 5 < count else None,
        }
        for number in range(count)
    ]


def plan_of(tasks: list[dict]):
    return json_list.read(json.dumps(tasks))


@pytest.mark.slow
@pytest.mark.django_db
def test_import_thousands_of_tasks_with_bounded_queries(cast):
    tasks = entries(IMPORTED_TASKS)
    lots: list[int] = []
    with CaptureQueriesContext(connection) as first:
        imported = import_plan(actor=None, project=cast.ops, plan=plan_of(tasks), progress=lots.append)
    assert (imported.created, sum(lots)) == (IMPORTED_TASKS, IMPORTED_TASKS)
    # SQLite takes some 30 rows of tasks in one statement; PostgreSQL the whole lot.
    assert len(first) < IMPORTED_TASKS * (0.12 if connection.vendor == "sqlite" else 0.03)
    assert Task.objects.count() == Event.objects.filter(kind="task.imported").count() == IMPORTED_TASKS
    assert recount_blockers() == {}
    with CaptureQueriesContext(connection) as second:
        assert import_plan(actor=None, project=cast.ops, plan=plan_of(tasks)).unchanged == IMPORTED_TASKS
    assert len(second) < 30


@pytest.mark.django_db
def test_import_unchanged_rows_cost_the_same_queries_for_few_and_many(cast):
    spent = []
    for count in (10, 200):
        plan = plan_of(entries(count))
        import_plan(actor=None, project=cast.ops, plan=plan)
        with CaptureQueriesContext(connection) as again:
            import_plan(actor=None, project=cast.ops, plan=plan)
        spent.append(len(again))
    assert spent[0] == spent[1]


@pytest.mark.django_db(transaction=True)
def test_import_three_at_once_create_each_task_once(cast):
    tasks = entries(150)

    def load():
        return import_plan(actor=None, project=Project.objects.get(key="OPS"), plan=plan_of(tasks))

    imports = at_once(load, load, load, seed=1)
    assert sorted((result.created, result.unchanged) for result in imports) == [(0, 150), (0, 150), (150, 0)]
    assert Task.objects.count() == 150
    assert sorted(Task.objects.values_list("number", flat=True)) == list(range(1, 151))
    assert Dependency.objects.count() == sum(len(set(task["depends_on"])) for task in tasks)
    assert_invariants()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(3))
def test_import_beside_working_agents_keeps_every_promise(cast, seed):
    """Agents complete what the file's tasks wait for while the file is imported repeatedly, changed each time."""
    names = [f"first-{number}" for number in range(12)]
    before = [{"key": name, "title": name} for name in (*names, "top-0", "top-1")]
    import_plan(actor=None, project=cast.ops, plan=plan_of(before))

    imported = threading.Event()

    def work(agent):
        done = 0
        while True:
            # Tasks that an import has locked are passed over; after the last one, none is.
            nothing_comes = imported.is_set()
            claimed = claims.claim_next(actor=agent.user, projects=[cast.ops]).runs
            for run in claimed:
                runs.complete_run(actor=agent.user, run_id=run.pk, summary="done")
                done += 1
            if nothing_comes and not claimed:
                return done

    def load():
        try:
            return load_all()
        finally:
            imported.set()

    def load_all():
        imports = []
        for number in range(1, 7):
            waiting = [
                {
                    "key": f"then-{n}",
                    "title": f"Version {number}",
                    "depends_on": names[n % 3 : n + number],
                    "parent": f"top-{number % 2}" if n < 2 else None,
                }
                for n in range(5)
            ]
            imports.append(import_plan(actor=None, project=cast.ops, plan=plan_of(waiting)))
        return imports

    by_atlas, by_bert, imports = at_once(lambda: work(cast.atlas), lambda: work(cast.bert), load, seed=seed)
    assert by_atlas + by_bert == Task.objects.filter(status="completed").count() >= len(names)
    assert all(result.created + result.updated + result.unchanged + len(result.left_alone) == 5 for result in imports)
    assert_invariants()
