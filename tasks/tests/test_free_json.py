"""Free JSON at every door: what came in goes out, or is refused with one sentence; what is stored is always shown."""

import json

import pytest

from tasks.actions.imports import PlanRefused, import_plan
from tasks.formats import beads, csv_table, json_list
from tasks.models import Run, Task

BIG = 123456789012345678901234
OUT_OF_RANGE = "Whole numbers must be from -9223372036854775808 to 18446744073709551615; send a larger one as text."
SURVIVES = {"edge": [2**64 - 1, -(2**63), 1e20, 1e23, 5e-324, 1.5e308, 0.1, -0.0, 10**18], "text": "\u202e💩"}


def _post(caller, path: str, text: str):
    """Post JSON as written, which no encoder would write."""
    return caller.client.post(f"/api/v1{path}", text.encode(), content_type="application/json")


@pytest.fixture
def run_id(api, new_task):
    return api.atlas.post(f"/tasks/{new_task().ref}/claim").json()["id"]


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("complete", '{"summary": "x", "result": {"n": 123456789012345678901234}}', f"result: n: {OUT_OF_RANGE}"),
        ("complete", '{"summary": "x", "result": [1e400]}', "result: [0]: Numbers must be finite; "),
        (
            "complete",
            '{"summary": "x", "usage": {"input_tokens": 123456789012345678901234}}',
            "usage: input_tokens: Must be from 0",
        ),
        ("complete", '{"summary": "x", "usage": {"cost": 1e400}}', "usage: cost: Must be from 0"),
        ("progress", '{"checkpoint": {"at": {"n": 123456789012345678901234}}}', f"checkpoint: at.n: {OUT_OF_RANGE}"),
        ("progress", '{"percent": 1, "percent": 2}', "percent is given twice in one object."),
        ("release", '{"checkpoint": {"n": -123456789012345678901234}}', f"checkpoint: n: {OUT_OF_RANGE}"),
        ("fail", '{"code": "x", "detail": "y", "usage": {"cost": NaN}}', "NaN is not JSON."),
        ("complete", '{"summary": "\\ud800"}', "Surrogate characters are not allowed."),
    ],
)
@pytest.mark.parametrize("late", [False, True], ids=["in time", "late"])
def test_verbs_refuse_what_would_not_come_out_and_write_nothing(api, run_id, late, path, body, detail):
    if late:
        api.ada.post(f"/tasks/{Task.objects.get().ref}/release", {})
    refused = _post(api.atlas, f"/runs/{run_id}/{path}", body)
    assert (refused.status_code, refused.json()["code"]) == (400, "validation_error")
    assert refused.json()["detail"].startswith(detail)
    run = Run.objects.get()
    assert (run.checkpoint, run.result, run.late_result) == ({}, None, None)


def test_result_and_checkpoint_come_out_as_they_came_in(api, run_id):
    assert api.atlas.post(f"/runs/{run_id}/progress", {"checkpoint": SURVIVES}).status_code == 200
    ref = Task.objects.get().ref
    assert api.atlas.post(f"/runs/{run_id}/release", {}).status_code == 200
    claimed = api.bert.post(f"/tasks/{ref}/claim").json()
    assert claimed["context"]["checkpoint"] == SURVIVES
    done = api.bert.post(f"/runs/{claimed['id']}/complete", {"summary": "x", "result": SURVIVES}, idempotency_key="k")
    assert done.status_code == 200
    assert done.json()["task"]["result"] == SURVIVES
    for path in ("/tasks", f"/tasks/{ref}/runs"):
        assert SURVIVES in [row["result"] for row in api.vera.get(path).json()["results"]]


def test_late_result_comes_out_as_it_came_in_and_is_adopted(api, run_id):
    ref = Task.objects.get().ref
    api.ada.post(f"/tasks/{ref}/release", {})
    assert api.atlas.post(f"/runs/{run_id}/complete", {"summary": "x", "result": SURVIVES}).status_code == 409
    adopted = api.ada.post(f"/tasks/{ref}/runs/1/adopt")
    assert (adopted.status_code, adopted.json()["task"]["result"]) == (200, SURVIVES)


def test_what_was_stored_before_is_shown_to_everybody(cast, api, client, new_task):
    deep: list = []
    for _ in range(300):
        deep = [deep]
    stored = {"n": BIG, "deep": deep}
    done, task = new_task(), new_task()
    run = api.atlas.post(f"/tasks/{done.ref}/claim").json()["id"]
    api.atlas.post(f"/runs/{run}/complete", {"summary": "x"})
    Task.objects.filter(pk=done.pk).update(result=stored)
    run = api.atlas.post(f"/tasks/{task.ref}/claim").json()["id"]
    api.atlas.post(f"/runs/{run}/release", {})
    Run.objects.update(checkpoint=stored, late_result=stored)
    assert float(BIG) in [(row["result"] or {}).get("n") for row in api.vera.get("/tasks").json()["results"]]
    assert api.vera.get(f"/tasks/{task.ref}/runs").json()["results"][0]["late_result"]["n"] == float(BIG)
    assert api.bert.post("/tasks/claim_next", {}).json()["runs"][0]["context"]["checkpoint"]["n"] == float(BIG)
    client.force_login(cast.root)
    assert str(float(BIG)) in client.get(f"/tasks/{done.ref}").content.decode()
    assert str(float(BIG)) in client.get(f"/admin/tasks/task/{done.pk}/change/").content.decode()


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        (
            json_list.read('[{"title": "a", "result": {"n": 123456789012345678901234}}]'),
            f"line 1, result: n: {OUT_OF_RANGE}",
        ),
        (csv_table.read('title,result\na,"{""n"": 123456789012345678901234}"'), f"line 2, result: n: {OUT_OF_RANGE}"),
        (json_list.read('[{"title": "a", "result": {"n": 1, "n": 1}}]'), "line 1: n is given twice in one object."),
        (csv_table.read('title,result\na,"{""n"": 1, ""n"": 1}"'), "line 2, result: n is given twice in one object."),
        (json_list.read('[{"title": "a", "title": "b"}]'), "line 1, title: Is given twice."),
        (beads.read('{"id": "q-1", "title": "One", "title": "Uno"}'), "line 1: title is given twice in one object."),
    ],
)
def test_files_are_refused_alike(cast, plan, problem):
    with pytest.raises(PlanRefused) as refused:
        import_plan(actor=None, project=cast.ops, plan=plan)
    assert [str(each) for each in refused.value.problems] == [problem]


def test_list_on_one_line_names_the_item(cast):
    entries = [
        {"title": "a", "key": "a"},
        {"title": ""},
        {"title": "c", "depends_on": ["x"]},
        {"title": "d", "key": "a"},
    ]
    with pytest.raises(PlanRefused) as refused:
        import_plan(actor=None, project=cast.ops, plan=json_list.read(json.dumps(entries)))
    assert [str(each) for each in refused.value.problems] == [
        "line 1, item 2, title: Is missing; every task needs a title.",
        "line 1, item 3, depends_on: There is no task x in this file or in OPS.",
        "line 1, item 4, key: a is already the task of line 1, item 1.",
    ]
    assert refused.value.data["problems"][0] == {
        "line": 1, "item": 2, "field": "title", "detail": "Is missing; every task needs a title."
    }  # fmt: skip


def test_list_with_a_line_for_each_task_names_the_line_alone():
    plan = json_list.read('[{"title": "a"},\n{"title": ""}]')
    assert [str(each) for each in plan.problems] == ["line 2, title: Is missing; every task needs a title."]
