"""What becomes of a delivery after an attempt: accepted, to be tried again, or given up with its webhook."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from django.db import transaction

from messaging.models import DeliveryState, Disabled, Webhook, WebhookDelivery
from messaging.webhooks.connecting import Answer
from messaging.webhooks.schedule import delay_after, wait_asked_for
from tasks import clock
from tasks.events import kinds
from tasks.events.recording import event, record

GONE: Final = 410
#: Attempts that the log keeps, and of each answer how much.
MOST_ATTEMPTS: Final = 20
ANSWER_LENGTH: Final = 1_000
ERROR_LENGTH: Final = 300


class Outcome(StrEnum):
    DELIVERED = "delivered"
    RETRIED = "retried"
    FAILED = "failed"
    #: Meanwhile somebody else decided: its webhook was disabled or deleted, or another engine took it over.
    OVERTAKEN = "overtaken"


@dataclass(frozen=True)
class Claim:
    """The right to send one delivery, until ``leased_until``."""

    delivery: int
    webhook: int
    leased_until: datetime


def settle(claim: Claim, answer: Answer, *, began: datetime) -> Outcome:
    """Write down what an attempt came to, in one transaction with all that follows from it.

    Nothing is written unless the claim still stands.
    """
    with transaction.atomic():
        # The webhook first: the order in which its verbs and the follower lock.
        webhook = Webhook.objects.select_for_update(no_key=True).filter(pk=claim.webhook).first()
        held = WebhookDelivery.objects.pending().filter(pk=claim.delivery, leased_until=claim.leased_until)
        delivery = held.select_for_update(no_key=True).first()
        if webhook is None or delivery is None:
            return Outcome.OVERTAKEN
        now = clock.now()
        delivery.attempts = [*delivery.attempts, _logged(answer, began)][-MOST_ATTEMPTS:]
        delivery.leased_until = None
        delivery.first_tried_at = delivery.first_tried_at or began
        if answer.accepted:
            webhook.failing_since, webhook.accepted_at, webhook.rests_until = None, now, None
            delivery.state, delivery.ended_at = DeliveryState.DELIVERED, now
            because, outcome = None, Outcome.DELIVERED
        else:
            because, outcome = _failed(webhook, delivery, answer, now)
        delivery.save(
            update_fields=["attempts", "leased_until", "first_tried_at", "state", "ended_at", "tries", "due_at"]
        )
        webhook.save(update_fields=["failing_since", "accepted_at", "rests_until"])
        if because is not None:
            disable(webhook, because, now)
            record(
                event(
                    kinds.WEBHOOK_DISABLED,
                    at=now,
                    actor=None,
                    project=webhook.project,
                    webhook=webhook.pk,
                    reason=because.value,
                    because=_in_words(because),
                )
            )
    return outcome


def _failed(
    webhook: Webhook, delivery: WebhookDelivery, answer: Answer, now: datetime
) -> tuple[Disabled | None, Outcome]:
    """Plan the next attempt, or give up; returns why the webhook is to be disabled, if it is."""
    delivery.tries += 1
    webhook.failing_since = webhook.failing_since or now
    if answer.status == GONE:
        delivery.state, delivery.ended_at = DeliveryState.FAILED, now
        return Disabled.GONE, Outcome.FAILED
    delay = delay_after(delivery.tries)
    if delay is None:
        delivery.state, delivery.ended_at = DeliveryState.FAILED, now
        assert delivery.first_tried_at is not None
        # Where other deliveries were accepted since, this one is what is wrong, not the address.
        lives = webhook.accepted_at is not None and webhook.accepted_at >= delivery.first_tried_at
        return (None if lives else Disabled.EXHAUSTED), Outcome.FAILED
    if wait := wait_asked_for(answer.headers, now):
        # It asks for all that would be sent to it, not for this delivery alone.
        webhook.rests_until = now + wait
    delivery.due_at = now + max(delay, wait)
    return None, Outcome.RETRIED


def disable(webhook: Webhook, because: Disabled, now: datetime) -> None:
    """Send nothing more to ``webhook``, which is locked; what was to be sent is given up and can be redelivered."""
    webhook.disabled_at, webhook.disabled_because = now, because
    webhook.save(update_fields=["disabled_at", "disabled_because"])
    waiting = WebhookDelivery.objects.pending().filter(webhook=webhook)
    waiting.update(state=DeliveryState.FAILED, ended_at=now, leased_until=None)


def _in_words(because: Disabled) -> str:
    return f"{because.label[0].lower()}{because.label[1:]}"


def _logged(answer: Answer, began: datetime) -> dict[str, Any]:
    return {
        "at": began.isoformat(),
        "status": answer.status,
        "error": answer.error[:ERROR_LENGTH],
        "milliseconds": round(answer.seconds * 1000),
        "answer": answer.body[:ANSWER_LENGTH],
    }
