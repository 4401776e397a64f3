"""Messages, and what becomes of those to a run."""

from typing import Final

from tasks.events import phrases
from tasks.events.declaration import FLAG, NUMBER, TEXT, TEXTS, Datum, Kind, Said
from tasks.events.kinds.shared import NOTE, RUN

MESSAGE_POSTED = Kind(
    "message.posted",
    "Somebody wrote in a task's thread or a project's channel, or to one member; then only the two see this event.",
    data={
        "message": Datum(NUMBER, "Its id."),
        "message_kind": Datum(TEXT, "`comment`, `instruction` or `stop`."),
        "body": Datum(TEXT, "The start of what was written; untrusted."),
        "in_reply_to": Datum(NUMBER, "The id of the message that it answers.", optional=True),
        "to": Datum(TEXT, "Slug or username of the other, if it is direct.", optional=True),
        "mentions": Datum(TEXTS, "Slugs or usernames of the members whom it mentions.", optional=True),
        "run": Datum(NUMBER, "Of an instruction or a stop: the number of the run that it is for.", optional=True),
    },
    says=phrases.says_posted,
    notifies={
        "mention": phrases.notice_mention,
        "direct_message": "{who} wrote you a message.",
        "message": "{who} wrote about {ref}.",
    },
)
MESSAGE_EDITED = Kind(
    "message.edited",
    "The author of a message corrected it; what it said before stays readable.",
    data={
        "message": Datum(NUMBER, "Its id."),
        "body": Datum(TEXT, "The start of what it says now; untrusted."),
        "mentions": Datum(TEXTS, "Slugs or usernames of the members whom no earlier version mentioned.", optional=True),
    },
    says=Said("edited a message", "edit"),
    notifies={"mention": phrases.notice_mention},
)
MESSAGE_REACTED = Kind(
    "message.reacted",
    "Somebody put an emoji under a message, or took it away; it starts nothing.",
    data={
        "message": Datum(NUMBER, "Its id."),
        "emoji": Datum(TEXT, "The emoji."),
        "removed": Datum(FLAG, "True if it was taken away.", optional=True),
    },
    says=lambda event: Said(
        "took {emoji} back from a message" if event.data.get("removed") else "reacted with {emoji} to a message", "edit"
    ),
)
_DIRECTED: Final = {
    "message": Datum(NUMBER, "Its id."),
    "message_kind": Datum(TEXT, "`instruction` or `stop`."),
    "author": Datum(TEXT, "Slug or username of its sender."),
}
_FOR_RUN: Final = {**_DIRECTED, "run": RUN}
MESSAGE_DELIVERED = Kind(
    "message.delivered",
    "A reply with an instruction or a stop was made for the holder of the run.",
    data=_FOR_RUN,
    says=Said("got {article} {message_kind} of {author}", "check"),
)
MESSAGE_ACKNOWLEDGED = Kind(
    "message.acknowledged",
    "The holder of the run acknowledged an instruction or a stop.",
    data={**_FOR_RUN, "note": NOTE},
    says=Said("acknowledged {article} {message_kind} of {author}", "check"),
)
MESSAGE_DECLINED = Kind(
    "message.declined",
    "The holder of the run declined an instruction.",
    data={**_FOR_RUN, "note": NOTE},
    says=Said("declined {article} {message_kind} of {author}", "back"),
    notifies={"undelivered": "{agent} declined your {message_kind} about {ref}."},
)
MESSAGE_WITHDRAWN = Kind(
    "message.withdrawn",
    "The sender took an instruction or a stop back, before it was delivered.",
    data={**_DIRECTED, "run": Datum(NUMBER, "The number of the run that it was for, if any.", optional=True)},
    says=Said("withdrew {article} {message_kind}", "back"),
)
MESSAGE_UNDELIVERED = Kind(
    "message.undelivered",
    "The run ended before its holder had acknowledged an instruction or a stop; or the task ended before a next run.",
    data={**_DIRECTED, "run": Datum(NUMBER, "The number of the run; absent if there was none.", optional=True)},
    says=phrases.says_undelivered,
    notifies={"undelivered": "Your {message_kind} about {ref} was not delivered: its run has ended."},
)
MESSAGE_KEPT = Kind(
    "message.kept",
    "The run ended before its holder had acknowledged an instruction, which now waits for the next run.",
    data=_FOR_RUN,
    says=Said("The {message_kind} of {author} waits for the next run: run {run} has ended", "deferred"),
)
