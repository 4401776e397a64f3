"""Making deliveries from events, one for each event and webhook, by a follower that any number of engines may run."""

import secrets
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from messaging.followers import Effect, Follower
from messaging.models import Webhook, WebhookDelivery
from messaging.webhooks.sending import sender
from tasks import clock
from tasks.events.kinds import CATALOGUE
from tasks.models import Event


def new_delivery(webhook: Webhook, *, kind: str, at: datetime, event: Event | None = None) -> WebhookDelivery:
    """A delivery, not yet stored, to be sent at once."""
    message_id = f"msg_{secrets.token_hex(16)}"
    return WebhookDelivery(webhook=webhook, event=event, kind=kind, message_id=message_id, created_at=at, due_at=at)


def wanted(events: Sequence[Event]) -> list[tuple[Webhook, Event]]:
    """Which of ``events`` go to which enabled webhooks: what every member of the project may see, and is news to it."""
    # What has a recipient is for them alone: notifications, direct messages.
    public = [event for event in events if event.recipient_id is None]
    by_project: dict[int, list[Webhook]] = defaultdict(list)
    rows = Webhook.objects.filter(disabled_at__isnull=True, project__in={event.project_id for event in public})
    for webhook in rows.order_by("pk"):
        by_project[webhook.project_id].append(webhook)
    return [
        (webhook, event)
        for event in public
        for webhook in by_project[event.project_id]
        if event.at > webhook.created_at and (not webhook.kinds or event.kind in webhook.kinds)
    ]


def prepare(events: Sequence[Event]) -> Effect | None:
    """What the follower does with a batch: a delivery for each event and webhook."""
    pairs = wanted(events)
    if not pairs:
        return None
    # The cursor keeps a batch from being handled twice; this check is for a cursor that was set back by hand.
    present = set(
        WebhookDelivery.objects.filter(event__in={event.pk for _, event in pairs}).values_list("webhook", "event")
    )
    new = [(webhook, event) for webhook, event in pairs if (webhook.pk, event.pk) not in present]

    def store() -> int:
        now = clock.now()
        # Locked, so that none is deleted or disabled between this look and the commit.
        chosen = Webhook.objects.filter(pk__in={webhook.pk for webhook, _ in new}, disabled_at__isnull=True)
        locked = chosen.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True)
        enabled = set(locked)
        made = [
            new_delivery(webhook, kind=event.kind, at=now, event=event)
            for webhook, event in new
            if webhook.pk in enabled
        ]
        WebhookDelivery.objects.bulk_create(made, batch_size=500)
        transaction.on_commit(sender.wake)
        return len(made)

    return store


follower = Follower("webhooks", kinds=frozenset(CATALOGUE.values()), prepare=prepare, gathers=True)
