"""What is sent: the body in either format, and the headers that sign it.

*Standard Webhooks* 1.0.0 for the headers and the plain body (``type``, ``timestamp``, ``data``); *CloudEvents* 1.0.2 in
the structured mode of its HTTP binding, with the extension ``dataref`` for what is too large.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings
from standardwebhooks import Webhook as Signer

from messaging.models import Format, WebhookDelivery
from taskproject import strict_json
from tasks.events.reading import Cursor, event_output
from tasks.models import Event

#: The kind of a test, which is no event.
TEST: Final = "webhook.test"
MOST_BYTES: Final = 20_000
USER_AGENT: Final = "taskproject-webhooks"
_TYPES: Final = {Format.PLAIN: "application/json", Format.CLOUDEVENTS: "application/cloudevents+json; charset=utf-8"}


@dataclass(frozen=True)
class Message:
    """What one delivery sends at every attempt; the headers differ, since each attempt is signed with its time."""

    id: str
    content_type: str
    body: bytes


def message_of(delivery: WebhookDelivery) -> Message:
    """The message of a delivery, whose webhook and event are loaded."""
    form = Format(delivery.webhook.format)
    body = strict_json.dumps(_body(delivery, form, whole=True))
    if len(body) > MOST_BYTES:
        body = strict_json.dumps(_body(delivery, form, whole=False))
    return Message(delivery.message_id, _TYPES[form], body)


def _body(delivery: WebhookDelivery, form: Format, *, whole: bool) -> dict[str, Any]:
    event = delivery.event
    if event is None:
        data: dict[str, Any] = {"project": delivery.webhook.project.key, "webhook": delivery.webhook_id}
        at, event_id, task = delivery.created_at, delivery.message_id, ""
    else:
        data, at, event_id, task = event_output(event), event.at, str(event.pk), event.task_ref
    url = "" if whole or event is None else url_of(event)
    if form is Format.CLOUDEVENTS:
        envelope = {
            "specversion": "1.0",
            "id": event_id,
            "source": f"{settings.PUBLIC_URL}/projects/{delivery.webhook.project.key}",
            "type": delivery.kind,
            "time": at,
            **({"subject": task} if task else {}),
        }
        return envelope | ({"dataref": url} if url else {"datacontenttype": "application/json", "data": data})
    if url:
        data = {name: value for name, value in data.items() if name != "data"} | {"url": url}
    return {"type": delivery.kind, "timestamp": at, "data": data}


def url_of(event: Event) -> str:
    """Where the API returns ``event`` alone, in a page of one; without ``PUBLIC_URL`` only the path.

    Of a task's events none is ever too old.
    """
    query = f"after={Cursor(event.pk - 1)}&limit=1"
    if event.task_ref and event.task_id:
        return f"{settings.PUBLIC_URL}/api/v1/tasks/{event.task_ref}/events?{query}"
    return f"{settings.PUBLIC_URL}/api/v1/events?{query}&project={event.project_key}"


def headers_of(message: Message, secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """The headers of one attempt, with a signature by each key. ``at``: the time of the attempt, aware."""
    # The library takes any time as if it were UTC.
    moment = at.astimezone(UTC)
    text = message.body.decode()
    signatures = [Signer(secret).sign(msg_id=message.id, timestamp=moment, data=text) for secret in secrets]
    return {
        "Content-Type": message.content_type,
        "User-Agent": USER_AGENT,
        "webhook-id": message.id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
