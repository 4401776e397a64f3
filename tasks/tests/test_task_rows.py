"""Tasks are read to be shown by one statement each, with all that is attached to them."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.actions import claims
from tasks.actions.assignments import assign_task, unassign_task
from tasks.actions.tasks import delete_task
from tasks.api.tasks import rows
from tasks.api.tasks.output import task_outputs
from tasks.api.tasks.rows import read_task_named, read_tasks

#: psycopg takes longer texts apart at each call.
DRIVER_KEEPS = 4096


def test_everything_attached_is_shown_in_its_order(cast: Any, new_task: Any) -> None:
    first, second = new_task(), new_task()
    parent = new_task(
        labels=["zebra", "ape"],
        depends_on=[second, first],
        required_skills=[("python", 3), ("docs", 1)],
        assignees=[cast.bert, cast.atlas],
    )
    child = new_task(parent=parent)
    unassign_task(actor=cast.ada.user, task=parent, agents=[cast.bert])
    assign_task(actor=cast.ada.user, task=parent, agents=[cast.bert])
    [shown, of_child] = task_outputs([parent, child])
    assert shown["labels"] == ["ape", "zebra"]
    assert shown["depends_on"] == [second.ref, first.ref]
    assert shown["blocked_by"] == [second.ref, first.ref, child.ref]
    assert shown["required_skills"] == [{"skill": "docs", "min_level": 1}, {"skill": "python", "min_level": 3}]
    assert shown["assignees"] == ["atlas", "bert"]
    assert (of_child["parent"], of_child["created_by"]) == (parent.ref, "ada")
    assert (of_child["labels"], of_child["assignees"], of_child["active_run"]) == ([], [], None)


def test_tasks_are_read_by_one_statement_in_the_given_order(cast: Any, new_task: Any) -> None:
    tasks = [new_task(title='50 % "done", isn\'t it?', labels=["x"]) for _ in range(3)]
    claims.claim_task(actor=cast.atlas.user, task=tasks[1])
    ids = [tasks[2].pk, tasks[1].pk, tasks[0].pk]
    with CaptureQueriesContext(connection) as queries:
        read = read_tasks(ids)
    assert len(queries) == 1
    assert [row.id for row, _ in read] == ids
    assert [row.run_agent for row, _ in read] == [None, "atlas", None]
    assert {row.title for row, _ in read} == {tasks[0].title}
    delete_task(actor=cast.ada.user, task=tasks[0])
    assert [row.id for row, _ in read_tasks(ids)] == ids[:2]
    assert read_tasks([]) == []


@pytest.mark.parametrize("ref", ["OPS-0", "OPS-999999999", "NONE-1", "OPS", "", "OPS-1x"])
def test_no_task_is_read_for_a_ref_of_none(cast: Any, new_task: Any, ref: str) -> None:
    task = new_task()
    for user, name in ((cast.ada.user, task.ref.lower()), (cast.root, task.ref)):
        read = read_task_named(user, name)
        assert read is not None
        assert (read[0].id, read[0].key, read[0].number) == (task.pk, "OPS", task.number)
    assert read_task_named(cast.mona.user, task.ref) is None
    assert read_task_named(cast.ada.user, ref) is None


def test_the_driver_keeps_the_texts_of_the_statements(cast: Any, new_task: Any) -> None:
    task = new_task()
    read_tasks([task.pk])
    read_tasks([task.pk], for_runs=True)
    for user in (cast.ada.user, cast.root):
        read_task_named(user, task.ref)
    texts = [text.sql for statement in (rows._with_ids, rows._named) for text, _ in statement._texts.values()]
    assert len(texts) >= 4
    assert max(map(len, texts)) <= DRIVER_KEEPS


def test_the_first_run_of_a_task_alone_costs_no_queries_about_others(cast: Any, api: Any, new_task: Any) -> None:
    def asked_of(table: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert api.atlas.post("/tasks/claim_next").json()["runs"]
        return sum(f'FROM "{table}"' in query["sql"].partition("WHERE")[0] for query in queries.captured_queries[1:])

    new_task()
    assert asked_of("tasks_dependency") == 0
    new_task()
    assert asked_of("tasks_message") == 0
    talked_of = new_task()
    api.ada.post(f"/tasks/{talked_of.ref}/messages", {"body": "Mind the exporter."})
    assert asked_of("tasks_message") > 0
