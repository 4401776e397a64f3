"""Webhooks over HTTP, for managers of their project: registering, changing, testing; the log, and sending again."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from messaging.models import DeliveryState, Disabled, Format, Webhook, WebhookDelivery
from messaging.models.webhooks import LONGEST_DESCRIPTION, LONGEST_URL
from messaging.webhooks import endpoints
from taskproject.api.operations import operation
from taskproject.api.serializers import Boolean, Choice, Integer, ListOf, PlainText, StrictSerializer, TextOf
from taskproject.api.views import LIST_QUERY_NAMES, ListView, View, shown
from taskproject.errors import Invalid, unknown_choice
from tasks.events import kinds
from tasks.events.recording import name_of
from tasks.finding import find_project

NO_STORE = {"Cache-Control": "no-store"}
EXAMPLE: dict[str, Any] = {
    "id": 3,
    "project": "OPS",
    "url": "https://hooks.example.org/taskproject",
    "kinds": [str(kinds.TASK_CREATED), str(kinds.TASK_STATUS_CHANGED)],
    "format": "plain",
    "description": "",
    "enabled": True,
    "disabled_at": None,
    "disabled_because": "",
    "failing_since": None,
    "accepted_at": "2026-11-22T10:00:00Z",
    "created_by": "ada",
    "created_at": "2026-11-20T09:00:00Z",
}
DELIVERY_EXAMPLE: dict[str, Any] = {
    "id": 12,
    "message_id": "msg_5f0c8e2b7f1d4f6e9a3b1c2d3e4f5a6b",
    "webhook": 3,
    "kind": str(kinds.TASK_CREATED),
    "event": "1042",
    "task": "OPS-42",
    "state": "pending",
    "created_at": "2026-11-22T10:00:00Z",
    "next_attempt_at": "2026-11-22T10:00:05Z",
    "ended_at": None,
    "attempts": [
        {"at": "2026-11-22T10:00:00Z", "status": 503, "error": "", "milliseconds": 41, "answer": "Back in a moment."}
    ],
}


class WebhookOutput(serializers.Serializer):
    """An address outside to which events of a project are sent; never its secret."""

    id = serializers.IntegerField()
    project = serializers.CharField(source="project.key")
    url = serializers.CharField()
    kinds = serializers.ListField(child=serializers.CharField(), help_text="Kinds of events; empty: all.")
    format = serializers.ChoiceField(Format.choices)
    description = serializers.CharField()
    enabled = serializers.BooleanField(source="is_enabled")
    disabled_at = serializers.DateTimeField(allow_null=True)
    disabled_because = serializers.ChoiceField(Disabled.choices, help_text="Empty while it is enabled.")
    failing_since = serializers.DateTimeField(allow_null=True, help_text="Since when it has accepted nothing.")
    accepted_at = serializers.DateTimeField(allow_null=True, help_text="When it last accepted something.")
    created_by = TextOf(lambda webhook: name_of(webhook.created_by) if webhook.created_by else None, allow_null=True)
    created_at = serializers.DateTimeField()


class NewWebhookOutput(WebhookOutput):
    """With the key that verifies what is sent."""

    secret = serializers.CharField(
        allow_null=True,
        help_text="`whsec_…`; shown only once. Null when the answer is repeated for the same Idempotency-Key.",
    )


class WebhookFields(StrictSerializer):
    kinds = ListOf(
        child=PlainText(max_length=60),
        max_length=endpoints.MOST_KINDS,
        required=False,
        help_text="Kinds of events, as in `EventOutput`; empty, and by default: all.",
    )
    format = Choice(
        Format.choices,
        required=False,
        help_text="`plain`: `type`, `timestamp`, `data`; `cloudevents`: CloudEvents 1.0, structured JSON.",
    )
    description = PlainText(max_length=LONGEST_DESCRIPTION, required=False)


class WebhookInput(WebhookFields):
    url = PlainText(allow_blank=False, max_length=LONGEST_URL, help_text="https://, to the public internet.")


class WebhookPatch(WebhookFields):
    url = PlainText(allow_blank=False, max_length=LONGEST_URL, required=False)
    enabled = Boolean(required=False, help_text="False gives up what is pending; it can be redelivered.")


class RotateInput(StrictSerializer):
    old_key_seconds = Integer(
        min_value=0,
        max_value=endpoints.OLD_KEY_SECONDS_MAX,
        required=False,
        help_text="How much longer the old keys sign beside the new one; 24 hours by default, 0 if one has leaked.",
    )


class AttemptOutput(serializers.Serializer):
    at = serializers.CharField(help_text="ISO 8601.")
    status = serializers.IntegerField(allow_null=True, help_text="Of the answer; null if there was none.")
    error = serializers.CharField(help_text="Why there was no answer.")
    milliseconds = serializers.IntegerField()
    answer = serializers.CharField(help_text="The beginning of the answer; untrusted.")


class DeliveryOutput(serializers.Serializer):
    """One event for one webhook, and how it fared."""

    id = serializers.IntegerField()
    message_id = serializers.CharField(help_text="The header `webhook-id`, the same at each attempt.")
    webhook = serializers.IntegerField(source="webhook_id")
    kind = serializers.CharField(help_text="`webhook.test` for a test.")
    event = TextOf(
        lambda delivery: str(delivery.event_id) if delivery.event_id else None,
        allow_null=True,
        help_text="Its id; null for a test.",
    )
    task = TextOf(
        lambda delivery: (delivery.event.task_ref or None) if delivery.event else None,
        allow_null=True,
        help_text="The ref of the event's task.",
    )
    state = serializers.ChoiceField(DeliveryState.choices)
    created_at = serializers.DateTimeField()
    next_attempt_at = serializers.SerializerMethodField()
    ended_at = serializers.DateTimeField(allow_null=True)
    attempts = AttemptOutput(many=True, help_text="The newest last, at most 20.")

    def get_next_attempt_at(self, delivery: WebhookDelivery) -> str | None:
        pending = delivery.state == DeliveryState.PENDING
        return delivery.due_at if pending else None  # type: ignore[return-value]  # the renderer writes times


def show_delivery(delivery: WebhookDelivery) -> dict[str, Any]:
    return shown(DeliveryOutput, delivery)


def _with_secret(webhook: Webhook, secret: str, code: int) -> Response:
    return Response({**shown(WebhookOutput, webhook), "secret": secret}, status=code, headers=NO_STORE)


class WebhooksView(ListView):
    query_names = LIST_QUERY_NAMES
    orderings = {"id": "pk"}

    @operation(
        "webhooks",
        "list_webhooks",
        "Webhooks of a project",
        "For its managers.",
        responses=WebhookOutput(many=True),
        response_example=EXAMPLE,
    )
    def get(self, request: Request, key: str) -> Response:
        return self.show_each(endpoints.webhooks_of(self.actor, find_project(self.actor, key)), WebhookOutput)

    @operation(
        "webhooks",
        "create_webhook",
        "Register a webhook",
        "For managers of the project. Each of its events that all members may see is sent to the URL as a POST, signed "
        "as *Standard Webhooks* says; verify it with the `secret`, which is shown only once. Answer with 2xx within "
        "15 seconds; anything else, redirects included, is tried again ten times within four days, later if you send "
        "`Retry-After`. After 410, or if all attempts of an event failed and nothing else was accepted meanwhile, the "
        "webhook is disabled and the managers are notified. An event may come more than once (with the same "
        "`webhook-id`) and in any order. Of an event of more than 20 kB the body has no `data`, but the address "
        "from which to fetch it (`url`; as CloudEvent: `dataref`).",
        request=WebhookInput,
        responses={201: NewWebhookOutput},
        request_example={"url": EXAMPLE["url"], "kinds": EXAMPLE["kinds"]},
        response_example=EXAMPLE | {"accepted_at": None, "secret": "whsec_…"},
    )
    def post(self, request: Request, key: str) -> Response:
        project = find_project(self.actor, key)
        endpoints.require_manager(self.actor, project)
        fields = self.read(WebhookInput)
        webhook, secret = endpoints.create_webhook(
            actor=self.actor,
            project=project,
            url=fields["url"],
            kinds=fields.get("kinds", ()),
            format=fields.get("format", Format.PLAIN),
            description=fields.get("description", ""),
        )
        return _with_secret(webhook, secret, status.HTTP_201_CREATED)


class WebhookView(View):
    def _find(self, key: str, id: str) -> Webhook:
        project = find_project(self.actor, key)
        endpoints.require_manager(self.actor, project)
        return endpoints.find_webhook(self.actor, int(id), project=project)

    @operation(
        "webhooks",
        "get_webhook",
        "A webhook",
        "For managers of the project.",
        responses=WebhookOutput,
        response_example=EXAMPLE,
    )
    def get(self, request: Request, key: str, id: str) -> Response:
        return Response(shown(WebhookOutput, self._find(key, id)))

    @operation(
        "webhooks",
        "edit_webhook",
        "Change a webhook",
        "For managers of the project. What is pending goes to the new URL. `enabled` starts a disabled one again, from "
        "the events of now on.",
        request=WebhookPatch,
        responses=WebhookOutput,
        request_example={"enabled": True},
        response_example=EXAMPLE,
    )
    def patch(self, request: Request, key: str, id: str) -> Response:
        webhook = self._find(key, id)
        changed = endpoints.edit_webhook(actor=self.actor, webhook=webhook, changes=self.read(WebhookPatch))
        return Response(shown(WebhookOutput, changed))

    @operation(
        "webhooks",
        "delete_webhook",
        "Delete a webhook",
        "For managers of the project; with its keys and its log.",
        responses={204: None},
    )
    def delete(self, request: Request, key: str, id: str) -> Response:
        endpoints.delete_webhook(actor=self.actor, webhook=self._find(key, id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class RotateView(View):
    @operation(
        "webhooks",
        "rotate_webhook_key",
        "Give a webhook a new key",
        "For managers of the project. Until the old key ends, each message has a signature by both.",
        request=RotateInput,
        responses=NewWebhookOutput,
        request_example={},
        response_example=EXAMPLE | {"secret": "whsec_…"},
    )
    def post(self, request: Request, id: str) -> Response:
        webhook = endpoints.find_webhook(self.actor, int(id))
        fields = self.read(RotateInput)
        webhook, secret = endpoints.rotate_key(actor=self.actor, webhook=webhook, **fields)
        return _with_secret(webhook, secret, status.HTTP_200_OK)


class TestView(View):
    @operation(
        "webhooks",
        "test_webhook",
        "Send a test",
        "For managers of the project: a message of the kind `webhook.test`, signed and tried again like any other. Its "
        "delivery says how it went.",
        request=None,
        responses={202: DeliveryOutput},
        response_example=DELIVERY_EXAMPLE | {"kind": "webhook.test", "event": None, "task": None, "attempts": []},
        problems=[409],
    )
    def post(self, request: Request, id: str) -> Response:
        webhook = endpoints.find_webhook(self.actor, int(id))
        delivery = endpoints.send_test(actor=self.actor, webhook=webhook)
        return Response(show_delivery(delivery), status=status.HTTP_202_ACCEPTED)


class DeliveriesView(ListView):
    query_names = (*LIST_QUERY_NAMES, "state")
    orderings = {"id": "pk"}
    default_ordering = "-id"

    @operation(
        "webhooks",
        "list_deliveries",
        "Deliveries of a webhook, newest first",
        "For managers of the project. Once over, they are kept for 30 days, unless the server is set otherwise.",
        parameters=[OpenApiParameter("state", OpenApiTypes.STR, enum=DeliveryState.values)],
        responses=DeliveryOutput(many=True),
        response_example=DELIVERY_EXAMPLE,
    )
    def get(self, request: Request, id: str) -> Response:
        webhook = endpoints.find_webhook(self.actor, int(id))
        rows = WebhookDelivery.objects.filter(webhook=webhook).select_related("event")
        if state := request.query_params.get("state"):
            if state not in DeliveryState.values:
                raise Invalid({"state": unknown_choice(state, DeliveryState.values, what="state")})
            rows = rows.filter(state=state)
        return self.show_each(rows, DeliveryOutput)


class RedeliverView(View):
    @operation(
        "webhooks",
        "redeliver",
        "Send a delivery again",
        "For managers of the project: now, with the same `webhook-id`, and with as many attempts as a new one.",
        request=None,
        responses={202: DeliveryOutput},
        response_example=DELIVERY_EXAMPLE,
        problems=[409],
    )
    def post(self, request: Request, id: str) -> Response:
        delivery = endpoints.redeliver(actor=self.actor, delivery=endpoints.find_delivery(self.actor, int(id)))
        return Response(show_delivery(delivery), status=status.HTTP_202_ACCEPTED)
