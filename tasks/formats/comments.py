"""The comments of a task in a file: what becomes a message, and a sentence for what does not."""

import hashlib
from typing import Any

from taskproject.strict_json import unfit
from taskproject.texts import is_blank
from tasks.actions.imports import PlannedComment
from tasks.formats.fields import Wrong, moment

BODY_LENGTH = 10_000
AUTHOR_LENGTH = 150
MOST = 1_000
#: What trackers call the parts of a comment.
BODIES, TIMES = ("body", "text", "content"), ("at", "created_at", "createdAt")


def read_comments(value: Any) -> tuple[list[PlannedComment], list[str]]:
    """The comments in ``value``, a list of objects with author, time and body, the oldest first, and what was taken
    differently or left out. Nothing about a comment keeps its task from coming in.
    """
    if not isinstance(value, list):
        return [], ["Left out: must be a list of objects with author, at and body."]
    notes: dict[str, None] = {}
    comments: dict[str, PlannedComment] = {}
    if len(value) > MOST:
        notes[f"Left out: all after the first {MOST:,} comments."] = None
    for item in value[:MOST]:
        try:
            comment = _read(item, notes)
        except Wrong as error:
            notes[f"Left out a comment: {error}"] = None
        else:
            comments.setdefault(comment.external_id, comment)
    # Stable: what has no time, or the same, stays in the order of the file.
    return sorted(comments.values(), key=lambda comment: comment.at.timestamp() if comment.at else 0.0), list(notes)


def _read(item: Any, notes: dict[str, None]) -> PlannedComment:
    if not isinstance(item, dict):
        raise Wrong("it is not an object.")
    author, body = item.get("author"), _first(item, BODIES)
    if not isinstance(body, str) or is_blank(body):
        raise Wrong("it says nothing.")
    for text in (author, body):
        if problem := unfit(text):
            raise Wrong(problem)
    author = author.strip() if isinstance(author, str) else ""
    if len(author) > AUTHOR_LENGTH:
        author = author[: AUTHOR_LENGTH - 1] + "…"
    time = _first(item, TIMES)
    try:
        at = moment(time) if time else None
    except Wrong:
        at = None
    if at is None:
        notes["A comment without a time counts as written now."] = None
    # Not by the source's id: some trackers give comments new numbers in each copy.
    digest = hashlib.sha256(f"{author}\0{at.isoformat() if at else ''}\0{body}".encode()).hexdigest()[:32]
    if len(body) > BODY_LENGTH:
        notes[f"A comment of more than {BODY_LENGTH:,} characters is cut."] = None
        body = body[: BODY_LENGTH - 1] + "…"
    return PlannedComment(external_id=f"comment-{digest}", author=author or "unknown", at=at, body=body)


def _first(item: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((item[name] for name in names if item.get(name) not in (None, "")), None)
