"""Webhooks. Their addresses are for managers alone: some contain a secret."""

from tasks.events.declaration import NUMBER, TEXT, Datum, Kind, Said
from tasks.events.kinds.shared import FIELDS

_WEBHOOK = Datum(NUMBER, "Its id.")
WEBHOOK_CREATED = Kind(
    "webhook.created",
    "A webhook was registered: events of the project are sent outside.",
    data={"webhook": _WEBHOOK},
    says=Said("registered webhook {webhook}", "plus"),
)
WEBHOOK_EDITED = Kind(
    "webhook.edited",
    "A webhook was changed.",
    data={"webhook": _WEBHOOK, "fields": FIELDS},
    says=Said("changed {changed} of webhook {webhook}", "edit"),
)
WEBHOOK_KEY_ROTATED = Kind(
    "webhook.key_rotated",
    "A webhook got a new signing key.",
    data={"webhook": _WEBHOOK},
    says=Said("gave webhook {webhook} a new key", "edit"),
)
WEBHOOK_DISABLED = Kind(
    "webhook.disabled",
    "Nothing more is sent to a webhook, since it answered 410 Gone or failed at every attempt.",
    data={
        "webhook": _WEBHOOK,
        "reason": Datum(TEXT, "`gone` or `exhausted`."),
        "because": Datum(TEXT, "The same in words."),
    },
    says=Said("Webhook {webhook} was disabled: {because}", "alert"),
    notifies={"webhook_disabled": "Webhook {webhook} of {project} was disabled: {because}."},
)
WEBHOOK_DELETED = Kind(
    "webhook.deleted",
    "A webhook was deleted.",
    data={"webhook": _WEBHOOK},
    says=Said("deleted webhook {webhook}", "cancelled"),
)
