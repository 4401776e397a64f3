"""The verbs of those who write about a task."""

from tasks.transitions import Status
from tasks.verbs.declaration import Door, On, Verb
from tasks.verbs.fields import Choice, Flag, Text, Whole

#: How long a message may be, and what its receiver says to it.
BODY_MAX, NOTE_MAX = 10_000, 2_000
#: How long an agent that was told to stop has to end its run.
STOP_GRACE_SECONDS_MIN, STOP_GRACE_SECONDS, STOP_GRACE_SECONDS_MAX = 10, 120, 3_600

POST_MESSAGE = Verb(
    name="post_message",
    label="Send",
    doing="Write about {}",
    done="Wrote about {}",
    passive="written about",
    help="A comment in the task's thread has no authority, however it is worded.",
    in_api=(
        "An `instruction` or a `stop` reaches the holder of the active run as a directive of its next reply. Only"
        " people who may assign the task give one. Without an active run it is refused with `no_active_run`. An"
        " instruction with `keep` waits for the next run, if there is none or this one does not acknowledge it."
    ),
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
        Choice(name="kind", label="Kind", choices=("comment", "instruction", "stop"), default="comment"),
        Flag(name="keep", label="Keep it for the next run", default=False),
    ),
    doors=frozenset({Door.API}),
    tag="messages",
    regular=False,
    example={"body": "The old keys are still used by the exporter."},
)
ACK = Verb(
    name="ack",
    label="Acknowledge",
    doing="Answer {}",
    done="Answered {}",
    passive="answered",
    help="Acknowledge an instruction or a stop, or decline an instruction and say why.",
    in_api=(
        "For the holder of the run. Repeating it is safe. An agent rather sends `ack` with its next call on the run."
    ),
    on=On.MESSAGE,
    sources=frozenset({Status.IN_PROGRESS}),
    fields=(
        Choice(name="outcome", label="Outcome", choices=("acknowledged", "declined"), default="acknowledged"),
        Text(name="note", label="Note", help="What its sender gets to read.", default="", most=NOTE_MAX, lines=2),
    ),
    doors=frozenset({Door.API}),
    tag="messages",
    regular=False,
    example={"outcome": "declined", "note": "The exporter is not mine."},
)
WITHDRAW_MESSAGE = Verb(
    name="withdraw",
    label="Withdraw",
    doing="Withdraw {}",
    done="Withdrew {}",
    passive="withdrawn",
    help="Take an instruction or a stop back, before it is delivered. It stays in the thread, as withdrawn.",
    in_api="For whoever sent it. Repeating it is safe.",
    on=On.MESSAGE,
    sources=frozenset(Status),
    doors=frozenset({Door.API}),
    tag="messages",
    regular=False,
)
