"""The verbs of webhooks: managers of a project register, change, test and delete them, and send again what failed."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from messaging.models import DeliveryState, Disabled, Format, Webhook, WebhookDelivery, WebhookKey
from messaging.webhooks.addresses import Refused, Unresolved, read_url, resolve
from messaging.webhooks.bodies import TEST
from messaging.webhooks.keys import MOST_KEYS, new_secret, seal
from messaging.webhooks.making import new_delivery
from messaging.webhooks.outcomes import disable
from messaging.webhooks.sending import sender
from taskproject.errors import DomainError, Invalid, NotFound, NotPermitted, unknown_name
from tasks import clock
from tasks.events.kinds import (
    CATALOGUE,
    WEBHOOK_CREATED,
    WEBHOOK_DELETED,
    WEBHOOK_EDITED,
    WEBHOOK_KEY_ROTATED,
)
from tasks.events.recording import event, record
from tasks.models import Project
from tasks.permissions import may_in_project

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Of one project.
MOST_WEBHOOKS: Final = 20
MOST_KINDS: Final = 100
#: How long the replaced key still signs, and at most.
OLD_KEY_SECONDS: Final = 24 * 3600
OLD_KEY_SECONDS_MAX: Final = 7 * 24 * 3600
#: How long whoever registers an address waits for its name to be resolved.
LOOKUP_SECONDS: Final = 3.0
EDITABLE: Final = ("url", "kinds", "format", "description")


class WebhookDisabled(DomainError):
    code, status, title = "webhook_disabled", 409, "The webhook is disabled"

    def __init__(self) -> None:
        super().__init__("The webhook is disabled, so nothing is sent to it.", "Enable it first.")


def require_manager(actor: "User", project: Project) -> None:
    if not may_in_project(actor, "edit_project", project):
        raise NotPermitted(f"Only a manager of {project.key} may see and change its webhooks.")


def webhooks_of(actor: "User", project: Project) -> QuerySet[Webhook]:
    """The webhooks of ``project``. Raises ``NotPermitted``."""
    require_manager(actor, project)
    return Webhook.objects.filter(project=project).select_related("project", "created_by__agent")


def find_webhook(actor: "User", pk: int, *, project: Project | None = None) -> Webhook:
    """The webhook with this id, in ``project`` if given. Raises ``NotFound``, ``NotPermitted``."""
    rows = Webhook.objects.found_by(actor).select_related("project", "created_by__agent").filter(pk=pk)
    webhook = (rows.filter(project=project) if project is not None else rows).first()
    if webhook is None:
        raise NotFound("There is no webhook with this id that you may see.")
    require_manager(actor, webhook.project)
    return webhook


def find_delivery(actor: "User", pk: int) -> WebhookDelivery:
    """The delivery with this id. Raises ``NotFound``, ``NotPermitted``."""
    rows = WebhookDelivery.objects.filter(pk=pk, webhook__in=Webhook.objects.found_by(actor).order_by().values("pk"))
    delivery = rows.select_related("webhook__project", "event").first()
    if delivery is None:
        raise NotFound("There is no delivery with this id that you may see.")
    require_manager(actor, delivery.webhook.project)
    return delivery


def create_webhook(
    *,
    actor: "User",
    project: Project,
    url: str,
    kinds: Sequence[str] = (),
    format: str = Format.PLAIN,
    description: str = "",
) -> tuple[Webhook, str]:
    """Register an address; returns the webhook and its secret, which is shown this once.

    Looks the name up first, outside the transaction. Raises ``NotPermitted``, ``Invalid``.
    """
    require_manager(actor, project)
    _require_address(url)
    webhook = Webhook(
        project=project, url=url, kinds=_known(kinds), format=format, description=description, created_by=actor
    )
    secret = new_secret()
    with transaction.atomic():
        # One at a time, so that two cannot pass the limit together.
        Project.objects.select_for_update(no_key=True).filter(pk=project.pk).values_list("pk").first()
        if Webhook.objects.filter(project=project).count() >= MOST_WEBHOOKS:
            raise Invalid({"url": f"{project.key} has {MOST_WEBHOOKS} webhooks, which is the limit; delete one first."})
        now = clock.now()
        webhook.created_at = now
        _validate(webhook)
        webhook.save(force_insert=True)
        WebhookKey.objects.create(webhook=webhook, sealed=seal(secret), created_at=now)
        record(event(WEBHOOK_CREATED, at=now, actor=actor, project=project, webhook=webhook.pk))
    return webhook, secret


def edit_webhook(*, actor: "User", webhook: Webhook, changes: dict[str, Any]) -> Webhook:
    """Change fields (``EDITABLE``), and ``enabled``. What is pending goes to the new address.

    Disabling gives up what is pending. Raises ``NotPermitted``, ``Invalid``.
    """
    require_manager(actor, webhook.project)
    changes = dict(changes)
    enabled = changes.pop("enabled", None)
    if "kinds" in changes:
        changes["kinds"] = _known(changes["kinds"])
    if "url" in changes and changes["url"] != webhook.url:
        _require_address(changes["url"])
    with transaction.atomic():
        webhook = _locked(webhook)
        now = clock.now()
        changed = [name for name, value in changes.items() if getattr(webhook, name) != value]
        for name in changed:
            setattr(webhook, name, changes[name])
        _validate(webhook)
        saved = list(changed)
        if "url" in changed:
            # What the old address did says nothing of the new one.
            webhook.failing_since = webhook.rests_until = webhook.accepted_at = None
            saved += ["failing_since", "rests_until", "accepted_at"]
        if enabled is not None and enabled != webhook.is_enabled:
            changed.append("enabled")
            if enabled:
                webhook.disabled_at, webhook.disabled_because = None, Disabled.NO
                webhook.failing_since = webhook.rests_until = None
                saved += ["disabled_at", "disabled_because", "failing_since", "rests_until"]
        if saved:
            webhook.save(update_fields=list(dict.fromkeys(saved)))
        if "enabled" in changed and not enabled:
            disable(webhook, Disabled.MANAGER, now)
        if changed:
            home = webhook.project
            record(event(WEBHOOK_EDITED, at=now, actor=actor, project=home, webhook=webhook.pk, fields=changed))
        transaction.on_commit(sender.wake)
    return webhook


def rotate_key(*, actor: "User", webhook: Webhook, old_key_seconds: int = OLD_KEY_SECONDS) -> tuple[Webhook, str]:
    """Give the webhook a new key; the old ones sign beside it for so many seconds more, at most.

    Returns the webhook and the new secret, which is shown this once. Raises ``NotPermitted``, ``Invalid``.
    """
    require_manager(actor, webhook.project)
    if not 0 <= old_key_seconds <= OLD_KEY_SECONDS_MAX:
        raise Invalid({"old_key_seconds": f"Must be from 0 to {OLD_KEY_SECONDS_MAX}."})
    secret = new_secret()
    with transaction.atomic():
        webhook = _locked(webhook)
        now = clock.now()
        ends_at = now + timedelta(seconds=old_key_seconds)
        old = list(webhook.keys.order_by("-pk"))
        for place, key in enumerate(old, start=1):
            key.ends_at = min(key.ends_at, ends_at) if key.ends_at is not None else ends_at
            if place >= MOST_KEYS or key.ends_at <= now:
                key.delete()
            else:
                key.save(update_fields=["ends_at"])
        WebhookKey.objects.create(webhook=webhook, sealed=seal(secret), created_at=now)
        record(event(WEBHOOK_KEY_ROTATED, at=now, actor=actor, project=webhook.project, webhook=webhook.pk))
    return webhook, secret


def delete_webhook(*, actor: "User", webhook: Webhook) -> None:
    """Delete the webhook with its keys and its log; what is being sent is not stopped. Raises ``NotPermitted``."""
    require_manager(actor, webhook.project)
    with transaction.atomic():
        webhook = _locked(webhook)
        pk, project = webhook.pk, webhook.project
        webhook.delete()
        record(event(WEBHOOK_DELETED, at=clock.now(), actor=actor, project=project, webhook=pk))


def send_test(*, actor: "User", webhook: Webhook) -> WebhookDelivery:
    """Send a message of the kind ``webhook.test``, like any other. Raises ``NotPermitted``, ``WebhookDisabled``."""
    require_manager(actor, webhook.project)
    with transaction.atomic():
        webhook = _locked(webhook)
        if not webhook.is_enabled:
            raise WebhookDisabled
        delivery = new_delivery(webhook, kind=TEST, at=clock.now())
        delivery.save(force_insert=True)
        transaction.on_commit(sender.wake)
    return delivery


def redeliver(*, actor: "User", delivery: WebhookDelivery) -> WebhookDelivery:
    """Send a delivery again, now, with the same message id, and with all attempts of a new one.

    One that is being sent at this moment stays as it is. Raises ``NotPermitted``, ``NotFound``, ``WebhookDisabled``.
    """
    require_manager(actor, delivery.webhook.project)
    with transaction.atomic():
        webhook = _locked(delivery.webhook)
        if not webhook.is_enabled:
            raise WebhookDisabled
        row = WebhookDelivery.objects.select_for_update(no_key=True).filter(pk=delivery.pk).first()
        if row is None:
            raise NotFound("There is no delivery with this id that you may see.")
        now = clock.now()
        if not (row.state == DeliveryState.PENDING and row.leased_until is not None and row.leased_until > now):
            row.state, row.ended_at, row.tries, row.due_at = DeliveryState.PENDING, None, 0, now
            row.first_tried_at = row.leased_until = None
            row.save(update_fields=["state", "ended_at", "tries", "due_at", "first_tried_at", "leased_until"])
            # Whoever asks for it knows better than what the receiver asked for.
            Webhook.objects.filter(pk=webhook.pk).update(rests_until=None)
        row.webhook = webhook
        transaction.on_commit(sender.wake)
    return row


def _locked(webhook: Webhook) -> Webhook:
    row = Webhook.objects.select_for_update(no_key=True, of=("self",)).select_related("project").filter(pk=webhook.pk)
    locked = row.first()
    if locked is None:
        raise NotFound("There is no webhook with this id that you may see.")
    return locked


def _require_address(url: str) -> None:
    """Raise ``Invalid`` unless a webhook may lead there now; the same is examined again at each sending."""
    try:
        resolve(read_url(url), seconds=LOOKUP_SECONDS)
    except (Refused, Unresolved) as error:
        raise Invalid({"url": str(error)}) from None


def _known(names: Sequence[str]) -> list[str]:
    if len(names) > MOST_KINDS:
        raise Invalid({"kinds": f"At most {MOST_KINDS}; leave it empty for all."})
    for name in names:
        if name not in CATALOGUE:
            raise Invalid({"kinds": unknown_name(name, CATALOGUE, what="kind of events")})
    return sorted(set(names))


def _validate(webhook: Webhook) -> None:
    try:
        webhook.clean_fields(exclude=["project", "created_by"])
    except ValidationError as error:
        raise Invalid({name: list(texts) for name, texts in error.message_dict.items()}) from None
