"""Words, doors and fields that several declarations share."""

from tasks.verbs.declaration import Door
from tasks.verbs.fields import Text

EVERYWHERE = frozenset({Door.API, Door.PAGE, Door.BOARD, Door.ADMIN, Door.BULK})
BY_THE_HOLDER = EVERYWHERE - {Door.BULK}
MANAGERS = "Managers only."
REVIEWERS = "Managers and reviewers, never the author."


def note(help: str = "", *, most: int = 10_000, missing: str = "") -> Text:
    required = {"required": True, "missing": missing} if missing else {"default": ""}
    return Text(name="note", label="Note", help=help, most=most, lines=3, **required)
