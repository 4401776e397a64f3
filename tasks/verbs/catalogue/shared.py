"""Words, doors and fields that several declarations share."""

from tasks.verbs.declaration import Door
from tasks.verbs.fields import LineComments, Text, Texts, Whole

EVERYWHERE = frozenset({Door.API, Door.PAGE, Door.BOARD, Door.ADMIN, Door.BULK})
BY_THE_HOLDER = EVERYWHERE - {Door.BULK}
MANAGERS = "Managers only."
REVIEWERS = "Managers and reviewers, never the author."


LINE_COMMENTS = LineComments(
    name="comments",
    label="Comments on lines",
    help="On lines of a text or diff among the artifacts of the result, counted from 1. With request_changes they go to"
    " the next run.",
    parts=(
        Whole(name="artifact", label="Artifact", help="Its id.", required=True, missing="Name its id.", least=1),
        Whole(name="line", label="Line", required=True, missing="Say which line.", least=1),
        Text(name="body", label="Comment", required=True, missing="Write something.", most=10_000, lines=3),
    ),
)

#: Taken by every call on a run.
ACKNOWLEDGED = Texts(
    name="ack",
    label="Acknowledged",
    help="Ids of `directives` that you have taken up; they come with each reply until you send this.",
    most=100,
    longest=30,
    by_hand=False,
)


def note(help: str = "", *, most: int = 10_000, missing: str = "") -> Text:
    required = {"required": True, "missing": missing} if missing else {"default": ""}
    return Text(name="note", label="Note", help=help, most=most, lines=3, **required)
