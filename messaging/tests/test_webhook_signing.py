"""What is sent: signatures as published, bodies in both formats, and what is too large."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from messaging.models import Format, Webhook, WebhookDelivery, WebhookKey
from messaging.webhooks import keys
from messaging.webhooks.bodies import MOST_BYTES, Message, headers_of, message_of
from messaging.webhooks.keys import new_secret, seal, secrets_of, unseal
from messaging.webhooks.schedule import DELAYS, LONGEST_WAIT, delay_after, wait_asked_for
from tasks import clock
from tasks.models import Event

#: Published with the libraries of Standard Webhooks.
VECTOR = Message("msg_p5jXN8AQM9LWM0D4loKWxJek", "application/json", b'{"test": 2432232314}')
VECTOR_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR_AT = datetime.fromtimestamp(1614265330, tz=UTC)
VECTOR_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_headers_are_those_of_the_published_vector():
    headers = headers_of(VECTOR, [VECTOR_SECRET], VECTOR_AT)
    assert headers["webhook-id"] == VECTOR.id
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == VECTOR_SIGNATURE


@pytest.mark.parametrize("hours", [-11, 5.5, 14])
def test_time_of_another_zone_is_signed_as_the_same_moment(hours):
    elsewhere = VECTOR_AT.astimezone(timezone(timedelta(hours=hours)))
    headers = headers_of(VECTOR, [VECTOR_SECRET], elsewhere)
    assert (headers["webhook-timestamp"], headers["webhook-signature"]) == ("1614265330", VECTOR_SIGNATURE)


def test_several_keys_make_several_signatures_each_of_which_verifies():
    old, new = new_secret(), new_secret()
    message = Message("msg_1", "application/json", '{"title": "größer"}'.encode())
    headers = headers_of(message, [new, old], datetime.now(UTC))
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (old, new):
        assert Verifier(secret).verify(message.body, headers) == {"title": "größer"}
    with pytest.raises(WebhookVerificationError):
        Verifier(new_secret()).verify(message.body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(new).verify(message.body + b" ", headers)


def test_secrets_are_random_and_of_the_size_that_the_specification_names():
    first, second = new_secret(), new_secret()
    assert first != second
    assert first.startswith("whsec_")
    assert 24 <= len(Verifier(first)._whsecret) <= 64


def test_secret_is_sealed_with_the_secret_key_and_read_with_an_earlier_one(settings):
    secret = new_secret()
    sealed = seal(secret)
    assert secret not in sealed
    assert unseal(sealed) == secret
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another" * 8
    assert unseal(sealed) == secret
    settings.SECRET_KEY_FALLBACKS = []
    assert unseal(sealed) is None


@pytest.fixture
def webhook(cast):
    made = Webhook.objects.create(project=cast.ops, url="https://hooks.example.org/", created_at=clock.now())
    WebhookKey.objects.create(webhook=made, sealed=seal(new_secret()), created_at=clock.now())
    return made


def delivery_of(webhook, event):
    now = clock.now()
    kind = event.kind if event else "webhook.test"
    return WebhookDelivery.objects.create(
        webhook=webhook, event=event, kind=kind, message_id="msg_x", created_at=now, due_at=now
    )


def body_of(webhook, event):
    return json.loads(message_of(delivery_of(webhook, event)).body)


@pytest.mark.django_db
def test_keys_that_ended_sign_no_more_and_none_that_can_be_read_is_an_error(webhook, settings):
    now = clock.now()
    WebhookKey.objects.create(webhook=webhook, sealed=seal("ended"), created_at=now, ends_at=now)
    WebhookKey.objects.create(webhook=webhook, sealed=seal("ends"), created_at=now, ends_at=now + timedelta(hours=1))
    assert len(secrets_of(webhook, now)) == 2
    assert secrets_of(webhook, now)[0] == "ends"
    settings.SECRET_KEY = "another" * 8
    with pytest.raises(keys.Unreadable):
        secrets_of(webhook, now)


@pytest.mark.django_db
def test_plain_body_is_type_timestamp_and_the_event_as_the_api_shows_it(cast, new_task, webhook, api):
    task = new_task("Rotate <b>keys</b>")
    event = Event.objects.get(task=task, kind="task.created")
    body = body_of(webhook, event)
    shown = api.ada.get(f"/tasks/{task.ref}/events").json()["events"][0]
    assert body == {"type": "task.created", "timestamp": shown["at"], "data": shown}
    assert body["timestamp"].endswith("Z")


@pytest.mark.django_db
def test_cloudevent_has_the_attributes_of_version_1(cast, new_task, webhook, api, settings):
    settings.PUBLIC_URL = "https://tasks.example.org"
    webhook.format = Format.CLOUDEVENTS
    webhook.save()
    task = new_task()
    event = Event.objects.get(task=task, kind="task.created")
    message = message_of(delivery_of(webhook, event))
    shown = api.ada.get(f"/tasks/{task.ref}/events").json()["events"][0]
    assert message.content_type == "application/cloudevents+json; charset=utf-8"
    assert json.loads(message.body) == {
        "specversion": "1.0",
        "id": str(event.pk),
        "source": "https://tasks.example.org/projects/OPS",
        "type": "task.created",
        "time": shown["at"],
        "subject": task.ref,
        "datacontenttype": "application/json",
        "data": shown,
    }
    WebhookDelivery.objects.all().delete()
    created = Event.objects.create(
        at=clock.now(), project=cast.ops, project_key="OPS", kind="project.edited", data={"fields": ["name"]}
    )
    assert "subject" not in body_of(webhook, created)


@pytest.mark.django_db
@pytest.mark.parametrize("form", Format.values)
def test_of_a_larger_event_the_body_says_where_to_fetch_it(cast, new_task, webhook, api, form, settings):
    settings.PUBLIC_URL = "https://tasks.example.org"
    webhook.format = form
    webhook.save()
    task = new_task()
    for of in ({"task": task, "task_ref": task.ref}, {}):
        large = Event.objects.create(
            at=clock.now(), project=cast.ops, project_key="OPS", kind="task.edited", data={"note": "ä" * 15_000}, **of
        )
        message = message_of(delivery_of(webhook, large))
        WebhookDelivery.objects.all().delete()
        assert len(message.body) <= MOST_BYTES
        body = json.loads(message.body)
        if form == Format.PLAIN:
            url = body["data"].pop("url")
            assert "data" not in body["data"]
            assert body["data"]["id"] == str(large.pk)
        else:
            url = body["dataref"]
            assert "data" not in body
        (fetched,) = api.ada.get(url.removeprefix("https://tasks.example.org/api/v1")).json()["events"]
        assert (fetched["id"], fetched["data"]) == (str(large.pk), {"note": "ä" * 15_000})


@pytest.mark.django_db
def test_body_just_within_the_limit_is_whole(cast, webhook):
    event = Event.objects.create(
        at=clock.now(), project=cast.ops, project_key="OPS", kind="task.edited", data={"note": ""}
    )
    short = len(message_of(delivery_of(webhook, event)).body)
    WebhookDelivery.objects.all().delete()
    event.data = {"note": "x" * (MOST_BYTES - short)}
    event.save()
    message = message_of(delivery_of(webhook, event))
    assert len(message.body) == MOST_BYTES
    assert "url" not in json.loads(message.body)["data"]


def test_delays_are_those_of_the_specification_with_jitter():
    assert [delay.total_seconds() for delay in DELAYS] == [
        0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400,
    ]  # fmt: skip
    for failures in range(1, 10):
        delays = {delay_after(failures) for _ in range(20)}
        assert len(delays) > 1
        assert all(DELAYS[failures] <= delay <= 1.1 * DELAYS[failures] for delay in delays)
    assert delay_after(10) is None


def test_retry_after_is_read_as_seconds_or_date_and_bounded():
    now = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    hour = timedelta(hours=1)
    for text, wait in {
        "120": timedelta(minutes=2),
        "Sun, 22 Nov 2026 11:00:00 GMT": hour,
        "Sunday, 22-Nov-26 11:00:00 GMT": hour,
        "Sun, 22 Nov 2026 09:00:00 GMT": timedelta(),
        "99999999999999999999": LONGEST_WAIT,
        "86401": LONGEST_WAIT,
        "Fri, 31 Dec 9999 23:59:59 GMT": LONGEST_WAIT,
        "-5": timedelta(),
        "1.5": timedelta(),
        "soon": timedelta(),
        "": timedelta(),
        "Sun, 99 Nov 2026 11:00:00 GMT": timedelta(),
        "٣": timedelta(),
    }.items():
        assert wait_asked_for({"retry-after": text}, now) == wait, text
    assert wait_asked_for(None, now) == timedelta()
