"""Every door is made from the catalogue: it offers what the declarations name, and refuses alike."""

import ast
from pathlib import Path

import pytest
from django.urls import resolve, reverse

from tasks.actions import claims, runs
from tasks.actions.messages import post_message
from tasks.actions.questions import ask_run
from tasks.tests.admin_pages import messages_of, signed_in
from tasks.tests.api_client import client_of
from tasks.using.forms import InputForm
from tasks.using.openness import Scene
from tasks.verbs import Door, On, catalogue
from tasks.verbs.catalogue import at
from tasks.verbs.fields import Agents, Names, Text

pytestmark = pytest.mark.django_db

TEXTS = [
    pytest.param(verb, field, id=f"{verb.key}-{field.name}")
    for verb in catalogue.VERBS.values()
    for field in verb.fields
    if isinstance(field, Text)
]


@pytest.fixture
def ada(cast):
    return signed_in(cast.ada.user)


DESCRIBED = pytest.StashKey[dict]()


@pytest.fixture
def described(request, cast) -> dict:
    """The API's description, asked for once: it takes long to make, and says the same to all tests."""
    stash = request.session.stash
    if DESCRIBED not in stash:
        answer = client_of(cast.ada.user).get("/api/v1/schema", HTTP_ACCEPT="application/json")
        stash[DESCRIBED] = answer.json()
    return stash[DESCRIBED]


@pytest.fixture
def scene_of(cast, new_task):
    """``scene_of(verb)`` → a task of OPS on which ada may use it, and her run of it where it is used on one."""

    def make(verb):
        task = new_task(review_required=verb.statuses == {"in_review"})
        if verb is catalogue.UNHOLD:
            task = new_task(on_hold=True)
        if verb in (catalogue.DECLINE, catalogue.REASSIGN):
            task = new_task(assignees=[cast.ada])
        run = None
        if verb.on in (On.RUN, On.MESSAGE):
            run = claims.start_task(actor=cast.ada.user, task=task)
        if verb.on is On.MESSAGE:
            post_message(actor=cast.ada.user, task=task, body="x", kind="instruction")
        if run is None and "not_started" not in verb.statuses:
            run = claims.claim_task(actor=cast.atlas.user, task=task)
        if verb.on is On.QUESTION:
            ask_run(actor=cast.atlas.user, run_id=run.pk, prompt="Which key?", park=True)
        if verb.statuses == {"in_review"}:
            runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
        if verb is catalogue.REOPEN:
            runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
        task.refresh_from_db()
        assert task.status in verb.statuses
        return task, run

    return make


def filled(verb, slug: str = "hugo") -> dict:
    """Values for the required fields, as a request names them."""
    return {
        field.name: ([slug] if isinstance(field, Agents) else slug if isinstance(field, Names) else "x")
        for field in verb.fields
        if field.required or field.explicit
    }


#: The last part of the path of a verb whose name it is not.
IRREGULAR = {"post_message": "messages"}


def api_path(verb, task, run) -> str:
    if verb.name in IRREGULAR:
        return f"/api/v1/tasks/{task.ref}/{IRREGULAR[verb.name]}"
    if verb.on is On.MESSAGE:
        return f"/api/v1/messages/{task.messages.get().pk}/{verb.name}"
    return f"/api/v1/runs/{run.pk}/{verb.name}" if verb.on is On.RUN else f"/api/v1/tasks/{task.ref}/{verb.name}"


@pytest.mark.parametrize(("verb", "field"), TEXTS)
def test_text_beyond_its_limit_is_refused_in_one_sentence_at_every_door(cast, scene_of, ada, verb, field):
    task, run = scene_of(verb)
    values = filled(verb) | {field.name: "x" * (field.most + 1)}
    wanted = f"At most {field.most:,} characters; this has {field.most + 1:,}."
    assert field.problem(values[field.name]) == wanted
    asked = set()
    if not verb.regular:
        return
    if Door.API in verb.doors:
        asked.add(Door.API)
        answer = client_of(cast.ada.user).post(api_path(verb, task, run), values)
        assert (answer.status_code, answer.json()["errors"]) == (400, {field.name: [wanted]})
    posted = values | {"verb": verb.name} | ({"run": run.number} if verb.on is On.RUN else {})
    if field.by_hand and Door.PAGE in verb.doors:
        asked.add(Door.PAGE)
        answer = ada.post(f"/tasks/{task.ref}", posted)
        assert (answer.status_code, answer.context["problem"]) == (409, f"{field.label}: {wanted}")
    if field.by_hand and Door.ADMIN in verb.doors and not verb.agents:
        asked.add(Door.ADMIN)
        answer = ada.post(reverse("admin:tasks_task_verb", args=[task.pk, verb.name]), posted, follow=True)
        assert messages_of(answer) == [f"{field.label}: {wanted}"]
    if field.by_hand and Door.BULK in verb.doors:
        asked.add(Door.BULK)
        chosen = {"agents": [cast.hugo.pk]} if verb.agents else {}
        answer = ada.post(reverse("admin:tasks_task_bulk", args=[verb.name]), posted | chosen | {"ids": task.pk})
        assert answer.context["form"].errors == {field.name: [wanted]}
    assert asked | {Door.BOARD, Door.ADMIN} >= verb.doors or not field.by_hand
    version = task.version
    task.refresh_from_db()
    assert task.version == version


@pytest.mark.parametrize("verb", at(Door.PAGE, On.TASK, On.RUN), ids=lambda verb: verb.key)
def test_verb_of_the_page_has_a_button_and_a_form(cast, scene_of, client, verb):
    task, _ = scene_of(verb)
    client.force_login(cast.ada.user)
    page = client.get(f"/tasks/{task.ref}")
    offer = next(offer for offer in page.context["offers"] if offer.verb is verb)
    text = page.content.decode()
    assert f'name="verb" value="{verb.name}"' in " ".join(text.split())
    for name in offer.form.fields:
        assert f'name="{name}"' in text
    assert {field.name for field in verb.typed} - set(offer.form.fields) <= {"criteria"}


@pytest.mark.parametrize("verb", at(Door.BOARD), ids=lambda verb: verb.key)
def test_verb_of_the_board_is_a_move_of_the_card(cast, scene_of, verb):
    from tasks.pages.moves import Move, moves_of

    task, _ = scene_of(verb)
    actor = cast.ada.user if verb is not catalogue.START_FOR else cast.root
    moves = moves_of(Scene(actor, task, task.updated_at))
    assert verb in [move.verb for move in moves if isinstance(move, Move)]


@pytest.mark.parametrize("verb", at(Door.ADMIN, On.TASK, On.RUN, On.MANY), ids=lambda verb: verb.key)
def test_verb_of_the_admin_has_a_button(scene_of, ada, verb):
    task, _ = scene_of(verb)
    page = ada.get(reverse("admin:tasks_task_change", args=[task.pk]))
    shown = [each for each, _ in page.context["verbs"]] + page.context["chosen_elsewhere"]
    assert verb in shown
    kind = "bulk" if verb in page.context["chosen_elsewhere"] else "verb"
    assert f"/{kind}/{verb.name}/" in page.content.decode()


@pytest.mark.parametrize("verb", at(Door.BULK), ids=lambda verb: verb.key)
def test_verb_of_the_list_is_an_action_with_a_page_of_its_own(scene_of, ada, verb):
    task, _ = scene_of(verb)
    actions = dict(ada.get(reverse("admin:tasks_task_changelist")).context["action_form"].fields["action"].choices)
    assert actions[verb.name] == verb.label + ("…" if verb.asks else "")
    page = ada.get(reverse("admin:tasks_task_bulk", args=[verb.name]), {"ids": task.pk})
    assert page.context["title"] == verb.doing.replace("{}", "1 task")


@pytest.mark.parametrize("verb", at(Door.API), ids=lambda verb: verb.key)
def test_verb_of_the_api_has_a_path_and_stands_in_its_description(described, verb):
    operations = {
        operation["operationId"]: operation for path in described["paths"].values() for operation in path.values()
    }
    if not verb.regular:
        assert any(name.startswith(verb.name) for name in operations)
        return
    operation = operations[verb.operation or verb.key]
    assert operation["summary"] == verb.doing.replace("{}", "a task")
    schema = {}
    if verb.fields:
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        schema = described["components"]["schemas"][reference.rpartition("/")[2]]
        assert schema["properties"] == verb.schema()["properties"]
        assert schema.get("required", []) == verb.schema().get("required", [])
    path = "/api/v1/runs/1f0e6a3c-3f0a-4c0e-9a3d-6a8f1c2b7d10/" if verb.on is On.RUN else "/api/v1/tasks/OPS-1/"
    assert resolve(path + verb.name).func.cls.__name__ == f"{verb.key}_view"


#: Names of verbs that a door uses for something else as well: a right, a member of an output, a kind of late result, an
#: answer to an invitation.
HOMONYMS = {"assign", "progress", "complete", "decline"}


def test_no_door_names_a_verb_that_it_gets_from_the_catalogue():
    made = {verb.name for verb in catalogue.VERBS.values() if verb.regular and verb.doors} - HOMONYMS
    rooms = Path(catalogue.__file__).parents[2]
    for door in ("api", "pages", "admin", "using"):
        for file in (rooms / door).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                assert not (isinstance(node, ast.Constant) and node.value in made), f"{file.name}:{node.lineno}"


def test_no_door_names_the_fields_of_a_verb_again():
    """Limits and labels stand in the catalogue: what a form shows is what is declared."""
    for verb in catalogue.VERBS.values():
        for name, field in InputForm(verb, _task_with_criteria()).fields.items():
            declared = next(each for each in verb.fields if each.name == name)
            assert (field.label, field.help_text, field.required) == (
                declared.label,
                declared.help,
                declared.required,
            )


def _task_with_criteria():
    from tasks.models import Task

    return Task(criteria=["swept"])
