"""From an event to the receiver: which events are sent, what failures lead to, and who is told."""

import json
import threading
import time
from datetime import timedelta

import pytest
from django.db import IntegrityError, connections, transaction
from standardwebhooks import Webhook as Verifier

from messaging.models import FollowerCursor, Notification, Webhook, WebhookDelivery, WebhookKey
from messaging.notifications.making import follower as notifications
from messaging.retention import RETENTIONS
from messaging.tests.receiver import answer, receiving
from messaging.tests.webhook_scene import make_due
from messaging.webhooks import endpoints, sending
from messaging.webhooks.schedule import DELAYS
from messaging.webhooks.sending import Sender
from tasks import clock
from tasks.actions import assignments
from tasks.actions.projects import edit_project
from tasks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)


def test_event_is_sent_once_signed_and_as_the_follower_found_it(scene, receiver, new_task):
    task = new_task("Rotate the keys")
    assert scene.follow() == 1
    assert scene.follow() == 0
    assert scene.send() == 1
    assert scene.send() == 0
    (received,) = receiver.received
    body = Verifier(scene.secret).verify(received.body, received.headers)
    assert (body["type"], body["data"]["task"]) == ("task.created", task.ref)
    (delivery,) = scene.deliveries()
    assert (delivery.state, delivery.message_id) == ("delivered", received.id)
    assert (delivery.attempts[0]["status"], delivery.attempts[0]["error"]) == (204, "")
    assert scene.fresh().accepted_at is not None


def test_private_events_and_those_of_others_are_never_sent(scene, receiver, cast, new_task):
    new_task("Elsewhere", project=cast.other)
    assignments.assign_task(actor=cast.ada.user, task=new_task(), agents=[cast.hugo])
    notifications.catch_up()
    assert Event.objects.filter(recipient__isnull=False).exists()
    scene.follow()
    scene.send()
    kinds = sorted(json.loads(each.body)["type"] for each in receiver.received)
    assert kinds == ["task.assigned", "task.created"]
    assert {json.loads(each.body)["data"]["project"] for each in receiver.received} == {"OPS"}


def test_only_the_chosen_kinds_of_now_on_are_sent(scene, cast, receiver, new_task):
    new_task()
    scene.follow()
    endpoints.edit_webhook(actor=cast.ada.user, webhook=scene.webhook, changes={"kinds": ["project.edited"]})
    second, _ = endpoints.create_webhook(
        actor=cast.ada.user, project=cast.ops, url=receiver.url, kinds=["task.created", "task.assigned"]
    )
    new_task()
    edit_project(actor=cast.ada.user, project=cast.ops, changes={"name": "Works"})
    scene.follow()
    rows = WebhookDelivery.objects.order_by("pk").values_list("webhook", "kind")
    assert sorted(rows) == [
        (scene.webhook.pk, "project.edited"),
        (scene.webhook.pk, "task.created"),
        (second.pk, "task.created"),
    ]


def test_one_delivery_for_each_event_and_webhook_even_if_the_cursor_is_set_back(scene, new_task):
    before = FollowerCursor.objects.get(name="webhooks")
    new_task()
    scene.follow()
    before.save()
    new_task()
    assert scene.follow() == 1
    first = scene.deliveries()[0]
    again = {"webhook": first.webhook, "kind": first.kind, "created_at": first.created_at, "due_at": first.due_at}
    with pytest.raises(IntegrityError), transaction.atomic():
        WebhookDelivery.objects.create(event=first.event, message_id="another", **again)


def test_failure_is_tried_again_with_the_same_id_until_it_is_accepted(scene, receiver, new_task):
    receiver.replies = [answer(500, b"<b>down</b>"), answer(302, Location="http://127.0.0.1:1/")]
    new_task()
    scene.follow()
    for failures in (1, 2):
        assert scene.send() == 1
        (delivery,) = scene.deliveries()
        delay = delivery.due_at - clock.now()
        assert (delivery.state, delivery.tries) == ("pending", failures)
        assert DELAYS[failures] - timedelta(seconds=30) < delay <= 1.1 * DELAYS[failures]
        assert scene.fresh().failing_since is not None
        assert scene.send() == 0, "not before its time"
        make_due()
    assert scene.send() == 1
    (delivery,) = scene.deliveries()
    assert delivery.state == "delivered"
    assert [attempt["status"] for attempt in delivery.attempts] == [500, 302, 204]
    assert delivery.attempts[0]["answer"] == "<b>down</b>"
    assert len(set(receiver.ids)) == 1
    assert scene.fresh().failing_since is None
    timestamps = [each.headers["webhook-timestamp"] for each in receiver.received]
    for each in receiver.received:
        Verifier(scene.secret).verify(each.body, each.headers)
    assert all(timestamps)


def test_retry_after_holds_back_all_that_goes_to_the_webhook(scene, receiver, new_task):
    receiver.replies = [answer(429, Retry_After="3600")]
    new_task()
    scene.follow()
    scene.send()
    (delivery,) = scene.deliveries()
    assert timedelta(minutes=59) < delivery.due_at - clock.now() <= timedelta(hours=1)
    new_task()
    scene.follow()
    assert scene.send() == 0
    Webhook.objects.update(rests_until=clock.now())
    assert scene.send() == 1
    assert [delivery.state for delivery in scene.deliveries()] == ["pending", "delivered"]


def test_gone_disables_the_webhook_and_tells_the_managers(scene, cast, receiver, new_task, manager_mia):
    receiver.reply = answer(410)
    for _ in range(3):
        new_task()
    scene.follow()
    assert scene.send() >= 1
    webhook = scene.fresh()
    assert (webhook.is_enabled, webhook.disabled_because) == (False, "gone")
    assert {delivery.state for delivery in scene.deliveries()} == {"failed"}
    count = len(receiver.received)
    new_task()
    assert scene.follow() == 0, "nothing is made for it any more"
    assert scene.send() == 0
    assert len(receiver.received) == count
    (event,) = Event.objects.filter(kind="webhook.disabled")
    assert (event.recipient_id, event.actor_id, event.data["reason"]) == (None, None, "gone")
    assert receiver.url not in json.dumps(event.data)
    notifications.catch_up()
    recipients = Notification.objects.filter(kind="webhook_disabled").values_list("recipient__username", flat=True)
    assert sorted(recipients) == ["ada", "mia"]
    announced = Event.objects.filter(kind="notification.created", data__notification_kind="webhook_disabled")
    assert sorted(announced.values_list("recipient__username", flat=True)) == ["ada", "mia"]


def test_exhaustion_disables_the_webhook_after_ten_attempts(scene, receiver, new_task):
    receiver.reply = answer(503)
    new_task()
    scene.follow()
    for attempt in range(1, 11):
        assert scene.fresh().is_enabled
        assert scene.send() == 1
        assert len(receiver.received) == attempt
        make_due()
    assert scene.fresh().disabled_because == "exhausted"
    (delivery,) = scene.deliveries()
    assert (delivery.state, len(delivery.attempts)) == ("failed", 10)
    assert len(set(receiver.ids)) == 1
    assert Event.objects.get(kind="webhook.disabled").data["reason"] == "exhausted"


def test_delivery_that_alone_fails_is_given_up_alone(scene, receiver, new_task):
    new_task()
    scene.follow()
    receiver.replies = [answer(400) for _ in range(9)]
    for _ in range(9):
        scene.send()
        make_due()
    (bad,) = scene.deliveries()
    WebhookDelivery.objects.update(due_at=clock.now() + timedelta(hours=1))
    new_task()
    scene.follow()
    scene.send()
    assert scene.deliveries()[1].state == "delivered"
    receiver.replies = [answer(400)]
    make_due(bad)
    scene.send()
    assert [delivery.state for delivery in scene.deliveries()] == ["failed", "delivered"]
    assert scene.fresh().is_enabled


def test_rotation_signs_with_both_keys_and_then_with_the_new_one(scene, cast, receiver, new_task):
    _, second = endpoints.rotate_key(actor=cast.ada.user, webhook=scene.webhook)
    new_task()
    scene.follow()
    scene.send()
    both = receiver.received[-1]
    for secret in (scene.secret, second):
        Verifier(secret).verify(both.body, both.headers)
    old = WebhookKey.objects.order_by("pk").first()
    day = old.ends_at - clock.now()
    assert timedelta(hours=23, minutes=59) < day <= timedelta(hours=24)
    WebhookKey.objects.filter(pk=old.pk).update(ends_at=clock.now())
    new_task()
    scene.follow()
    scene.send()
    alone = receiver.received[-1]
    assert len(alone.headers["webhook-signature"].split()) == 1
    Verifier(second).verify(alone.body, alone.headers)
    prune("webhook keys")
    assert list(WebhookKey.objects.values_list("pk", flat=True)) != [old.pk]
    assert WebhookKey.objects.count() == 1
    _, third = endpoints.rotate_key(actor=cast.ada.user, webhook=scene.webhook, old_key_seconds=0)
    assert WebhookKey.objects.count() == 1
    for _ in range(8):
        endpoints.rotate_key(actor=cast.ada.user, webhook=scene.webhook)
    assert WebhookKey.objects.count() == 4
    assert third != second


def test_key_that_cannot_be_read_is_said_in_the_log(scene, receiver, new_task, settings):
    new_task()
    scene.follow()
    settings.SECRET_KEY = "another" * 8
    assert scene.send() == 1
    (delivery,) = scene.deliveries()
    assert delivery.attempts[0]["error"] == sending.NO_KEY
    assert receiver.received == []


def test_address_that_is_no_longer_allowed_is_not_sent_to(scene, receiver, new_task, settings):
    new_task()
    scene.follow()
    settings.WEBHOOK_PRIVATE_NETWORKS = []
    scene.send()
    assert receiver.received == []
    assert "public internet" in scene.deliveries()[0].attempts[0]["error"]


def prune(name):
    """Delete what is past of one kind; how many rows that were."""
    return next(kind for kind in RETENTIONS if kind.name == name).prune()


def test_prune_deletes_what_was_over_long_ago_alone(scene, new_task, settings):
    for _ in range(3):
        new_task()
    scene.follow()
    scene.send()
    first, second, third = scene.deliveries()
    past = clock.now() - timedelta(days=settings.WEBHOOK_RETENTION_DAYS, minutes=1)
    WebhookDelivery.objects.filter(pk=first.pk).update(ended_at=past)
    WebhookDelivery.objects.filter(pk=second.pk).update(state="pending", ended_at=None, created_at=past, due_at=past)
    assert prune("deliveries") == 1
    assert {delivery.pk for delivery in scene.deliveries()} == {second.pk, third.pk}


def test_webhook_that_hangs_holds_nobody_else_up(scene, cast, receiver, new_task):
    """Ten webhooks that never answer, with more waiting for them than fits, and one that does."""
    release = threading.Event()
    with receiving() as stuck:
        stuck.reply = lambda handler, received: release.wait(30)
        for _ in range(10):
            endpoints.create_webhook(actor=cast.ada.user, project=cast.ops, url=stuck.url)
        Webhook.objects.exclude(pk=scene.webhook.pk).update(failing_since=clock.now())
        for _ in range(5):
            new_task()
        scene.follow()
        stop = threading.Event()

        def run():
            try:
                Sender().run(stop)
            finally:
                connections.close_all()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            for _ in range(600):
                if len(receiver.received) == 15:
                    break
                release.wait(0.05)
            assert len(receiver.received) == 15, "five tasks, and ten webhooks that were registered"
            assert 1 <= stuck.most_inside <= sending.MOST_FAILING
        finally:
            release.set()
            stop.set()
            thread.join(30)
    assert not thread.is_alive()


def test_slow_webhook_gets_no_more_requests_at_a_time_than_its_share(scene, receiver, new_task):
    receiver.reply = lambda handler, received: (time.sleep(0.05), answer()(handler, received))
    for _ in range(12):
        new_task()
    scene.follow()
    assert scene.send() == 12
    assert 1 < receiver.most_inside <= sending.MOST_OF_ONE
    assert len(set(receiver.ids)) == 12


def test_counters_hear_of_each_outcome(scene, receiver, new_task, monkeypatch):
    heard = []
    monkeypatch.setattr(sending, "counters", [heard.append])
    receiver.replies = [answer(500)]
    new_task()
    scene.follow()
    scene.send()
    make_due()
    scene.send()
    assert heard == ["retried", "delivered"]


def test_follower_and_sender_are_companions_of_the_engine():
    from messaging.webhooks.making import follower
    from tasks import engine

    assert follower in engine.companions
    assert sending.sender in engine.companions
