"""Files of trackers that are not read yet, known by their shape, so that one sentence can say so."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.formats import csv_table

#: Columns of a CSV file: all of the first set, and at least one of the second.
_TABLES = {
    "Jira (CSV)": ({"summary"}, {"issue key", "issue id", "issue type"}),
    "Linear (CSV)": ({"id", "team", "title"}, {"parent issue", "cycle name", "blocked by", "due date", "completed"}),
    "Todoist (CSV)": ({"type", "content"}, {"indent", "author", "date_lang", "responsible"}),
}
_FRONT_MATTER = re.compile(r"---\r?\n(?P<head>.*?)\r?\n---\s*(\r?\n|$)", re.DOTALL)
_NAME = re.compile(r"^([A-Za-z_]+):", re.MULTILINE)
#: Beyond this a file is not examined for its shape.
MOST_CHARACTERS = 50_000_000


def sentence(tracker: str) -> str:
    return f"This looks like a file of {tracker}, which is not read yet; convert it to our CSV or JSON, or to beads."


def tracker_of(text: str) -> str | None:
    """The tracker and format whose shape ``text`` has, if it is one that we know and do not read."""
    if len(text) > MOST_CHARACTERS:
        return None
    start = text.lstrip("\ufeff \t\r\n")
    if start[:1] in ("[", "{"):
        return _of_json(start)
    if match := _FRONT_MATTER.match(start):
        names = set(_NAME.findall(match["head"]))
        return "Backlog.md" if {"id", "title", "status"} <= names else None
    columns = set(csv_table.header_of(text))
    return next((name for name, (all_of, one_of) in _TABLES.items() if all_of <= columns and one_of & columns), None)


def tracker_of_folder(folder: Path) -> str | None:
    """As ``tracker_of``, for a folder. Backlog.md keeps each task in a file of its own."""
    for tasks in (folder / "tasks", folder / "backlog" / "tasks", folder):
        for path in sorted(tasks.glob("*.md"))[:5]:
            with path.open(encoding="utf-8", errors="replace") as file:
                if tracker_of(file.read(10_000)) == "Backlog.md":
                    return "Backlog.md"
    return None


def _of_json(text: str) -> str | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return next((name for name, fits in _DOCUMENTS.items() if fits(document)), None)


def _items(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, as far as they are worth examining."""
    return [item for item in value[:50] if isinstance(item, dict)] if isinstance(value, list) else []


def _dig(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _is_taskmaster(document: Any) -> bool:
    if not isinstance(document, dict):
        return False
    lists = [document.get("tasks"), *(_dig(value, "tasks") for value in document.values())]
    marks = {"testStrategy", "subtasks", "details", "dependencies"}
    return any("id" in item and marks & item.keys() for tasks in lists for item in _items(tasks))


def _is_github(document: Any) -> bool:
    # Whoever exports chooses the fields; with its number or without, a title and one of these give it away.
    marks = {"createdAt", "closedAt", "updatedAt", "stateReason", "html_url", "number"}
    others = {"state", "body", "url", "author", "labels", "assignees", "title"}
    return any(
        marks & item.keys() and "title" in item and len(others & item.keys()) > 1 and "identifier" not in item
        for item in _items(document)
    )


def _is_linear(document: Any) -> bool:
    nodes = _items(_dig(document, "data", "issues", "nodes")) or _items(_dig(document, "issues", "nodes"))
    return any("identifier" in item and "title" in item for item in nodes or _items(document))


def _is_jira(document: Any) -> bool:
    issues = _items(_dig(document, "issues")) or _items(document)
    return any("key" in item and isinstance(item.get("fields"), dict) for item in issues)


def _is_todoist(document: Any) -> bool:
    marks = {"project_id", "is_completed", "checked", "section_id"}
    items = _items(_dig(document, "items")) or _items(_dig(document, "results")) or _items(document)
    return any("content" in item and "title" not in item and marks & item.keys() for item in items)


def _is_backlog(document: Any) -> bool:
    items = _items(_dig(document, "tasks")) or _items(document)
    return any({"id", "title", "acceptanceCriteriaItems"} <= item.keys() for item in items)


_DOCUMENTS: dict[str, Callable[[Any], bool]] = {
    "Task Master (tasks.json)": _is_taskmaster,
    "GitHub (`gh issue list --json`)": _is_github,
    "Linear (JSON)": _is_linear,
    "Jira (JSON)": _is_jira,
    "Todoist (JSON)": _is_todoist,
    "Backlog.md": _is_backlog,
}
