"""A task that is deleted between what a verb did and its answer: no error 500, and the rest is answered."""

from typing import Any

import pytest

from tasks.actions import claims
from tasks.api import runs as runs_api
from tasks.api.tasks import output
from tasks.models import Task


@pytest.fixture
def lose(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``lose(module, name, task)``: ``task`` is deleted just before this function of the module reads."""

    def arrange(module: Any, name: str, task: Task) -> None:
        read = getattr(module, name)

        def deleted_first(*args: Any, **options: Any) -> Any:
            Task.objects.filter(pk=task.pk).delete()
            return read(*args, **options)

        monkeypatch.setattr(module, name, deleted_first)

    return arrange


@pytest.mark.django_db
def test_claim_next_shows_the_others(api: Any, cast: Any, new_task: Any, lose: Any) -> None:
    lost, kept = new_task("Lost"), new_task("Kept")
    lose(runs_api, "read_tasks", lost)
    answer = api.bert.post("/tasks/claim_next", {"limit": 2})
    assert (answer.status_code, [run["task"]["ref"] for run in answer.json()["runs"]]) == (200, [kept.ref])


@pytest.mark.django_db
def test_complete_many_says_so_in_its_place(api: Any, cast: Any, new_task: Any, lose: Any) -> None:
    lost, kept = new_task("Lost"), new_task("Kept")
    runs = [claims.claim_task(actor=cast.bert.user, task=task) for task in (lost, kept)]
    lose(runs_api, "task_outputs", lost)
    answer = api.bert.post("/runs/complete_many", {"runs": [{"id": str(run.pk), "summary": "done"} for run in runs]})
    first, second = answer.json()["results"]
    assert (first["problem"]["code"], second["task"]["ref"]) == ("not_found", kept.ref)


@pytest.mark.django_db
def test_one_alone_is_not_there(api: Any, cast: Any, new_task: Any, lose: Any) -> None:
    lost = new_task("Lost")
    lose(output, "task_outputs", lost)
    answer = api.ada.post(f"/tasks/{lost.ref}/hold", {})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
