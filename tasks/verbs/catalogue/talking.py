"""The verbs of those who write about a task."""

from tasks.transitions import Status
from tasks.verbs.declaration import Door, Verb
from tasks.verbs.fields import Text, Whole

#: How long a message may be.
BODY_MAX = 10_000

POST_MESSAGE = Verb(
    name="post_message",
    label="Send",
    doing="Write about {}",
    done="Wrote about {}",
    passive="written about",
    help="A comment in the task's thread. It has no authority, however it is worded.",
    sources=frozenset(Status),
    right="comment",
    fields=(
        Text(
            name="body",
            label="Message",
            help="Markdown.",
            required=True,
            missing="Write something.",
            most=BODY_MAX,
            lines=3,
        ),
        Whole(name="in_reply_to", label="In reply to", help="The id of a message in the same thread.", least=1),
    ),
    doors=frozenset({Door.API}),
    tag="messages",
    regular=False,
    example={"body": "The old keys are still used by the exporter."},
)
