"""The two forms of the log: readable lines, and JSON (``LOG_FORMAT=json``), one object a line.

Whatever was logged, and whoever caused it: no line begins where none was meant, and what looks like a secret is hidden.
"""

import logging
import re
from datetime import UTC, datetime
from typing import Any

import orjson

from taskproject.http.notes import Notes, current_notes, template_of

HIDDEN = "[hidden]"
#: What looks like a secret, wherever it stands: tokens, headers, fields and cookies named so, passwords in addresses.
#: Only how a name ends is looked for: with its beginning, a long word that a caller sent would cost seconds.
_NAMES = r"authorization|cookie|password|passwd|secret|token|session_?id|api_?key|signature"
SECRETS = (
    (re.compile(r"\btp_[A-Za-z0-9_-]{8,}"), HIDDEN),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{4,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"://([^/\s:@]*):[^/\s@]+@"), rf"://\1:{HIDDEN}@"),
    (
        re.compile(rf"(?i)({_NAMES})(['\"]?\s*[=:]\s*)(?!\[hidden\])(\"[^\"]*\"|'[^']*'|[^\s&;,'\"}}\])]+)"),
        rf"\1\2{HIDDEN}",
    ),
)
#: Characters that end a line, move the cursor or reverse the text.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
LONGEST_MESSAGE = 10_000


def without_secrets(text: str) -> str:
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


def on_one_line(text: str) -> str:
    return UNSAFE.sub(lambda match: ascii(match[0])[1:-1], text)


class RoutesNotPaths(logging.Filter):
    """Replaces the path of a request in Django's own records by its route: a path may hold a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if (path := getattr(request, "path", None)) and isinstance(record.args, tuple):
            match = getattr(request, "resolver_match", None)
            route = template_of(match.route) if match is not None else "an unknown path"
            record.args = tuple(route if argument == path else argument for argument in record.args)
        return True


class Plain(logging.Formatter):
    """``time LEVEL logger: message``; a traceback follows indented, so that none of its lines looks like another."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = on_one_line(without_secrets(record.message[:LONGEST_MESSAGE]))
        line = super().formatMessage(record)
        notes = _notes_of(record)
        return line if notes is None else f"{line} [request {notes.request_id}]"

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return _indented(stack_info)


class Json(logging.Formatter):
    """One object a line: time, level, logger, message, and what is known of the request."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": on_one_line(without_secrets(record.getMessage()[:LONGEST_MESSAGE])),
        }
        if (notes := _notes_of(record)) is not None:
            line |= _known(notes)
        for name in ("status", "duration_ms"):
            if (value := getattr(record, name, None)) is not None and isinstance(value, int | float):
                line[name] = value
        if record.exc_info:
            line["exception"] = _printable(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = _printable(record.stack_info)
        return orjson.dumps(line).decode()


def _notes_of(record: logging.LogRecord) -> Notes | None:
    notes = getattr(record, "notes", None) or current_notes.get()
    return notes if isinstance(notes, Notes) else None


def _known(notes: Notes) -> dict[str, Any]:
    known = {
        "request": notes.request_id,
        "method": notes.method,
        "route": notes.route,
        "user": notes.user,
        "agent": notes.agent,
        "runs": notes.runs,
    }
    return {
        name: on_one_line(value[:200]) if isinstance(value, str) else value for name, value in known.items() if value
    }


def _printable(text: str) -> str:
    return "\n".join(_lines(text))


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in _lines(text))


def _lines(text: str) -> list[str]:
    return [on_one_line(line) for line in without_secrets(text).split("\n")]
