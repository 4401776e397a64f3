"""What the tests of webhooks share: a receiver on this machine, and a webhook of OPS that leads to it."""

import ipaddress
from types import SimpleNamespace

import pytest
from django.db.models import F

from messaging.models import Webhook, WebhookDelivery
from messaging.tests.receiver import receiving
from messaging.webhooks import endpoints, making
from messaging.webhooks.sending import Sender


@pytest.fixture
def this_machine(settings):
    """Webhooks may lead to this machine."""
    settings.WEBHOOK_PRIVATE_NETWORKS = [ipaddress.ip_network("127.0.0.0/8")]


@pytest.fixture
def receiver(this_machine):
    with receiving() as made:
        yield made


@pytest.fixture
def scene(cast, receiver):
    """``webhook`` of OPS with its ``secret``; ``follow()`` makes deliveries, ``send()`` sends what is due."""
    making.follower.catch_up()
    webhook, secret = endpoints.create_webhook(actor=cast.ada.user, project=cast.ops, url=receiver.url)
    return SimpleNamespace(
        webhook=webhook,
        secret=secret,
        follow=making.follower.catch_up,
        send=lambda: Sender().catch_up(),
        fresh=lambda: Webhook.objects.get(pk=webhook.pk),
        deliveries=lambda: list(WebhookDelivery.objects.order_by("pk")),
    )


def make_due(*deliveries: WebhookDelivery) -> None:
    """Let the next attempt of these (default: of all pending ones) be now."""
    rows = WebhookDelivery.objects.pending()
    if deliveries:
        rows = rows.filter(pk__in=[delivery.pk for delivery in deliveries])
    rows.update(due_at=F("created_at"))
    Webhook.objects.update(rests_until=None)
