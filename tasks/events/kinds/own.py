"""What one person alone sees: what they watch, their notifications, their inbox."""

from typing import Final

from tasks.events.declaration import FLAG, NUMBER, NUMBERS, TEXT, Datum, Kind, Said

TASK_WATCHED = Kind(
    "task.watched",
    "Somebody chose to watch a task; only they see this event.",
    data={},
    says=Said("started to watch the task", "bell"),
)
TASK_UNWATCHED = Kind(
    "task.unwatched",
    "Somebody chose not to watch a task any more; only they see this event.",
    data={},
    says=Said("stopped watching the task", "bell"),
)

_ALERT: Final = Datum(FLAG, "True if its recipient wants a browser to show it by itself.", optional=True)
NOTIFICATION_CREATED = Kind(
    "notification.created",
    "A notification was created; only its recipient sees this event.",
    data={
        "notification": Datum(NUMBER, "Its id."),
        "notification_kind": Datum(TEXT, "Its kind, as in the list of notifications."),
        "count": Datum(NUMBER, "For how many it stands, if they are more.", optional=True),
        "alert": _ALERT,
    },
    says=Said("Somebody was notified", "bell"),
)
NOTIFICATION_EXTENDED = Kind(
    "notification.extended",
    "An unread notification now stands for more that belongs to it; only its recipient sees this event.",
    data={
        "notification": Datum(NUMBER, "Its id."),
        "count": Datum(NUMBER, "For how many it stands now."),
        "alert": _ALERT,
    },
    says=Said("Somebody was notified of more", "bell"),
)
NOTIFICATION_READ = Kind(
    "notification.read",
    "Somebody read notifications; only they see this event.",
    data={
        "count": Datum(NUMBER, "How many."),
        "notifications": Datum(NUMBERS, "Ids of the first hundred of them."),
    },
    says=Said("read notifications", "check"),
)

INBOX_CHANGED = Kind(
    "inbox.changed",
    "Somebody snoozed, archived or restored an item of their inbox; only they see this event.",
    data={
        "item": Datum(TEXT, "The item's id, as in `question-7`."),
        "state": Datum(TEXT, "`active`, `snoozed` or `archived`."),
    },
    says=Said("put {item} aside", "check"),
)
