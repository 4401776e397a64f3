"""What an artifact may contain, by its kind, and the lines of its text. Imports nothing of the other rooms."""

import mimetypes
import re

from taskproject.texts import wrong_url

#: Bytes of one artifact; a body of the API has as many.
MOST_BYTES = 1024 * 1024
KINDS = ("text", "link", "diff", "file")
#: Kinds with lines, on which a review can comment.
WITH_LINES = frozenset({"text", "diff"})
_MEDIA_TYPES = {"text": "text/plain", "link": "text/uri-list", "diff": "text/x-diff"}
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}")


def wrong_content(kind: str, content: bytes) -> str | None:
    """The sentence that refuses ``content`` for an artifact of this kind; None if it is valid."""
    if not content:
        return "It is empty."
    if len(content) > MOST_BYTES:
        return f"At most {MOST_BYTES:,} bytes; this has {len(content):,}."
    if kind == "file":
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return f"Must be UTF-8; byte {error.start + 1:,} is not. Send it as a file."
    if "\0" in text:
        return "A text has no NUL characters; send it as a file."
    return wrong_url(text) if kind == "link" else None


def media_type_of(kind: str, name: str, given: str = "") -> str:
    """The media type of an artifact: for files the one given, without parameters, or the one its name suggests."""
    if kind in _MEDIA_TYPES:
        return _MEDIA_TYPES[kind]
    plain = given.partition(";")[0].strip().lower()
    if _MEDIA_TYPE.fullmatch(plain):
        return plain
    return mimetypes.guess_type(name.rpartition("/")[2])[0] or "application/octet-stream"


def lines_of(content: bytes) -> list[str]:
    """The lines of a text, without their ends; only line feeds end a line, alone or after a carriage return.

    Not ``str.splitlines``, for which a form feed ends a line too: editors and compilers count otherwise.
    """
    lines = content.decode(errors="replace").split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def count_lines(kind: str, content: bytes) -> int:
    """How many lines it has; 0 for kinds without."""
    if kind not in WITH_LINES:
        return 0
    return content.count(b"\n") + (not content.endswith(b"\n"))
