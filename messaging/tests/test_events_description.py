"""What the OpenAPI description says of events: each kind of the catalogue with its data."""

import json

import jsonschema
import pytest
from django.test import Client

from messaging.api.event_schema import component_name
from tasks.actions import assignments, claims, runs
from tasks.events import kinds

pytestmark = pytest.mark.django_db


@pytest.fixture
def described(cast):
    client = Client()
    client.force_login(cast.ada.user)
    return client.get("/api/v1/schema", HTTP_ACCEPT="application/vnd.oai.openapi+json").json()


def test_description_shows_the_data_of_each_kind(described):
    schemas = described["components"]["schemas"]
    mapping = schemas["EventOutput"]["discriminator"]["mapping"]
    assert set(mapping) == set(kinds.CATALOGUE)
    for name, kind in kinds.CATALOGUE.items():
        shown = schemas[component_name(kind)]
        assert mapping[name] == f"#/components/schemas/{component_name(kind)}"
        assert shown["description"] == kind.declared.meaning
        data = shown["properties"]["data"]
        assert {key: part["description"] for key, part in data["properties"].items()} == {
            key: datum.meaning for key, datum in kind.declared.data.items()
        }
        assert set(data.get("required", ())) == {key for key, datum in kind.declared.data.items() if not datum.optional}


def test_events_are_as_the_description_says(described, cast, api, new_task):
    task = new_task(assignees=[cast.atlas])
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=50)
    assignments.reassign_task(actor=cast.ada.user, task=task, agents=[cast.bert])
    answer = api.ada.get("/events").json()
    assert len(answer["events"]) == 4
    schema = {"$ref": "#/components/schemas/EventsOutput", "components": described["components"]}
    validator = jsonschema.Draft202012Validator(schema)
    assert [error.message for error in validator.iter_errors(answer)] == []
    broken = json.loads(json.dumps(answer))
    broken["events"][1]["data"]["to"] = "begun"
    assert list(validator.iter_errors(broken))


def test_unknown_kind_is_refused_with_the_nearest(api):
    answer = api.ada.get("/events?kinds=task.asigned")
    assert answer.status_code == 400
    assert answer.json()["errors"] == {
        "kinds": ["There is no kind of events 'task.asigned'; did you mean 'task.assigned'?"]
    }
