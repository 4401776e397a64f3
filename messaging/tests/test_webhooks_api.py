"""Webhooks over HTTP: registering, changing, keys, tests, the log; for managers alone."""

import json
import logging

import pytest

from messaging.models import Webhook, WebhookDelivery, WebhookKey
from messaging.webhooks import addresses, endpoints, making
from messaging.webhooks.keys import unseal
from tasks.models import Event

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("this_machine")]

URL = "http://127.0.0.1:9/hook?token=s3cret"


@pytest.fixture
def webhook(api, cast):
    return api.ada.post("/projects/OPS/webhooks", {"url": URL}).json()


def test_create_shows_the_secret_once_and_stores_it_sealed(api, cast, caplog):
    caplog.set_level(logging.DEBUG)
    answer = api.ada.post(
        "/projects/OPS/webhooks",
        {"url": URL, "kinds": ["task.created"], "format": "cloudevents", "description": "<b>CI</b>"},
    )
    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    made = answer.json()
    assert made["secret"].startswith("whsec_")
    assert (made["url"], made["kinds"], made["format"], made["description"], made["enabled"]) == (
        URL, ["task.created"], "cloudevents", "<b>CI</b>", True,
    )  # fmt: skip
    (key,) = WebhookKey.objects.all()
    assert made["secret"] not in key.sealed
    assert unseal(key.sealed) == made["secret"]
    shown = [
        api.ada.get("/projects/OPS/webhooks"),
        api.ada.get(f"/projects/OPS/webhooks/{made['id']}"),
        api.ada.patch(f"/projects/OPS/webhooks/{made['id']}", {"description": "x"}),
        api.ada.post(f"/webhooks/{made['id']}/test"),
        api.ada.get(f"/webhooks/{made['id']}/deliveries"),
        api.ada.get("/events"),
    ]
    assert {each.status_code for each in shown} == {200, 202}
    everything = b"".join(each.content for each in shown).decode() + caplog.text
    assert "secret" not in shown[1].json()
    for hidden in (made["secret"], made["secret"].removeprefix("whsec_"), key.sealed):
        assert hidden not in everything
    assert "s3cret" not in json.dumps(list(Event.objects.values_list("data", flat=True)))


def test_create_repeated_with_its_key_does_not_repeat_the_secret(api, cast):
    first = api.ada.post("/projects/OPS/webhooks", {"url": URL}, idempotency_key="k1")
    again = api.ada.post("/projects/OPS/webhooks", {"url": URL}, idempotency_key="k1")
    assert first.json()["secret"]
    assert again.json() == first.json() | {"secret": None}
    assert Webhook.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "url", "required"),
        ({"url": "http://8.8.8.8/"}, "url", "Must start with https://"),
        ({"url": "https://10.0.0.1/"}, "url", "That address does not lead to the public internet"),
        ({"url": "https://2130706433/"}, "url", "four decimal numbers"),
        ({"url": "https://nowhere.example.org/"}, "url", "cannot be resolved"),
        ({"url": URL, "kinds": ["task.crated"]}, "kinds", "did you mean 'task.created'"),
        ({"url": URL, "kinds": ["task.created"] * 101}, "kinds", "At most 100"),
        ({"url": URL, "kinds": "task.created"}, "kinds", "list"),
        ({"url": URL, "format": "xml"}, "format", "Known: plain, cloudevents"),
        ({"url": URL, "secret": "mine"}, "secret", "There is no field"),
        ({"url": URL, "description": "x" * 501}, "description", "500"),
    ],
)
def test_create_with_invalid_input_says_what_is_wrong_and_makes_nothing(api, cast, monkeypatch, body, field, words):
    def nowhere(host, port):
        raise OSError

    monkeypatch.setattr(addresses, "resolver", nowhere)
    answer = api.ada.post("/projects/OPS/webhooks", body)
    assert answer.status_code == 400
    assert words in json.dumps(answer.json()["errors"][field])
    assert Webhook.objects.count() == WebhookKey.objects.count() == 0
    assert not Event.objects.filter(kind__startswith="webhook.").exists()


def test_project_has_a_limited_number_of_webhooks(api, cast, monkeypatch):
    monkeypatch.setattr(endpoints, "MOST_WEBHOOKS", 2)
    for _ in range(2):
        assert api.ada.post("/projects/OPS/webhooks", {"url": URL}).status_code == 201
    refused = api.ada.post("/projects/OPS/webhooks", {"url": URL})
    assert refused.status_code == 400
    assert "delete one first" in refused.json()["detail"]


def test_edit_changes_fields_and_records_which(api, cast, webhook):
    path = f"/projects/OPS/webhooks/{webhook['id']}"
    assert api.ada.patch(path, {"url": "https://10.0.0.1/"}).status_code == 400
    assert api.ada.patch(path, {}).status_code == 200
    changed = api.ada.patch(path, {"url": URL + "2", "kinds": ["task.created"], "format": "cloudevents"})
    assert changed.json()["url"] == URL + "2"
    event = Event.objects.get(kind="webhook.edited")
    assert (event.data["webhook"], set(event.data["fields"])) == (webhook["id"], {"url", "kinds", "format"})
    assert event.actor_name == "ada"


def test_disabling_gives_up_what_is_pending_and_enabling_starts_anew(api, cast, webhook):
    path = f"/projects/OPS/webhooks/{webhook['id']}"
    delivery = api.ada.post(f"/webhooks/{webhook['id']}/test").json()
    assert (delivery["state"], delivery["kind"], delivery["event"]) == ("pending", "webhook.test", None)
    disabled = api.ada.patch(path, {"enabled": False}).json()
    assert (disabled["enabled"], disabled["disabled_because"]) == (False, "manager")
    assert WebhookDelivery.objects.get().state == "failed"
    for refused in (api.ada.post(f"/webhooks/{webhook['id']}/test"), redeliver(api, delivery)):
        assert (refused.status_code, refused.json()["code"]) == (409, "webhook_disabled")
    assert api.ada.patch(path, {"enabled": True}).json()["disabled_because"] == ""
    again = redeliver(api, delivery)
    assert (again.status_code, again.json()["state"], again.json()["message_id"]) == (
        202, "pending", delivery["message_id"],
    )  # fmt: skip
    assert [event.data["fields"] for event in Event.objects.filter(kind="webhook.edited").order_by("pk")] == [
        ["enabled"],
        ["enabled"],
    ]


def redeliver(api, delivery):
    return api.ada.post(f"/deliveries/{delivery['id']}/redeliver")


def test_rotate_answers_with_a_new_secret(api, cast, webhook):
    answer = api.ada.post(f"/webhooks/{webhook['id']}/rotate", {})
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert answer.json()["secret"] not in ("", None, webhook["secret"])
    assert WebhookKey.objects.filter(ends_at__isnull=True).count() == 1
    refused = api.ada.post(f"/webhooks/{webhook['id']}/rotate", {"old_key_seconds": 8 * 24 * 3600})
    assert refused.status_code == 400
    assert api.ada.post(f"/webhooks/{webhook['id']}/rotate", {"old_key_seconds": 0}).status_code == 200
    assert WebhookKey.objects.count() == 1
    assert Event.objects.filter(kind="webhook.key_rotated").count() == 2


def test_delete_takes_keys_and_log_with_it(api, cast, webhook):
    api.ada.post(f"/webhooks/{webhook['id']}/test")
    assert api.ada.delete(f"/projects/OPS/webhooks/{webhook['id']}").status_code == 204
    assert (Webhook.objects.count(), WebhookKey.objects.count(), WebhookDelivery.objects.count()) == (0, 0, 0)
    assert api.ada.get(f"/projects/OPS/webhooks/{webhook['id']}").status_code == 404
    assert api.ada.delete(f"/projects/OPS/webhooks/{webhook['id']}").status_code == 404
    assert Event.objects.get(kind="webhook.deleted").data == {"webhook": webhook["id"]}


def test_deliveries_are_listed_newest_first_by_state_with_their_attempts(api, cast, new_task, webhook):
    task = new_task()
    effect = making.prepare(list(Event.objects.filter(task=task)))
    assert effect is not None
    effect()
    attempt = {"at": "2026-11-22T10:00:00+00:00", "status": 500, "error": "", "milliseconds": 3, "answer": "<script>"}
    WebhookDelivery.objects.update(attempts=[attempt])
    api.ada.post(f"/webhooks/{webhook['id']}/test")
    rows = api.ada.get(f"/webhooks/{webhook['id']}/deliveries").json()["results"]
    assert [row["kind"] for row in rows] == ["webhook.test", "task.created"]
    assert (rows[1]["task"], rows[1]["attempts"]) == (task.ref, [attempt])
    assert rows[1]["next_attempt_at"].endswith("Z")
    assert api.ada.get(f"/webhooks/{webhook['id']}/deliveries?state=failed").json()["results"] == []
    assert api.ada.get(f"/webhooks/{webhook['id']}/deliveries?state=gone").status_code == 400
    page = api.ada.get(f"/webhooks/{webhook['id']}/deliveries?limit=1").json()
    assert len(page["results"]) == 1
    assert page["next"]


def test_webhook_of_another_project_is_not_found_under_this_one(api, cast, webhook):
    mine = api.mona.post("/projects/OTHER/webhooks", {"url": URL}).json()
    assert api.root.get(f"/projects/OTHER/webhooks/{webhook['id']}").status_code == 404
    assert api.root.get(f"/projects/OTHER/webhooks/{mine['id']}").status_code == 200
    assert api.ada.get(f"/webhooks/{mine['id']}/deliveries").status_code == 404
    missing = api.ada.get(f"/webhooks/{mine['id'] + 1000}/deliveries")
    assert missing.json()["detail"] == api.ada.get(f"/webhooks/{mine['id']}/deliveries").json()["detail"]
    assert [row["id"] for row in api.ada.get("/projects/OPS/webhooks").json()["results"]] == [webhook["id"]]
