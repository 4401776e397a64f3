"""beads' ``issues.jsonl``: one issue per line, with typed dependencies.

Field names and statuses as in ``internal/types/types.go`` of the beads project. What a task has no field for becomes
a label (``type:bug``, ``status:pinned``) or part of the description (design, notes), or is listed in a note. What beads
would not hand out is on hold here; see decision 7.
"""

import json
import re
from collections import Counter
from typing import Any

from taskproject.strict_json import DECODER, why
from tasks.actions.imports import Note, Plan, PlannedTask, held, shown
from tasks.formats.entries import Entries, counts_as
from tasks.formats.fields import LABEL_LENGTH, TITLE_LENGTH, WORDS, Wrong, name, require_storable, spelled
from tasks.transitions import TERMINAL

NAME = "beads"

PRIORITIES = ("urgent", "high", "normal", "low", "low")
#: The statuses of beads that say no more than ours do. What other trackers call theirs is known, too, and noted.
STATUSES = {"open": "not_started", "in_progress": "in_progress", "closed": "completed"}
#: What else says that work may be handed out.
OPEN_WORDS = frozenset({"todo", "to_do", "new", "ready", "not_started"})
#: Work that beads does not hand out, and why.
SET_ASIDE = {
    "blocked": "blocked, and by no open issue of the file",
    "pinned": "pinned, which beads never hands out",
    "hooked": "held by a worker in beads",
}
#: A removed issue that beads keeps as a marker.
TOMBSTONE = "tombstone"
#: Fields that become a field of the task under the same name, except these.
FIELD_NAMES = {
    "key": "id",
    "completed_at": "closed_at",
    "start_after": "defer_until",
    "estimate_minutes": "estimated_minutes",
    "criteria": "acceptance_criteria",
    "summary": "close_reason",
    "assignees": "assignee",
    "depends_on": "dependencies",
    "parent": "dependencies",
    "links": "dependencies",
}
#: Parts of the description that beads keeps in fields of their own.
PARTS = ("design", "notes")
#: Fields that say nothing about the work itself.
SILENT = frozenset(
    {"_type", "content_hash", "source_repo", "compaction_level", "compacted_at", "compacted_at_commit", "original_size"}
    | {"dependency_count", "dependent_count", "comment_count", "created_by", "closed_by_session", "owner"}
)
USED = frozenset(
    {"id", "title", "description", "status", "priority", "issue_type", "labels", "dependencies", "assignee", "due_at"}
    | {"defer_until", "estimated_minutes", "acceptance_criteria", "close_reason", *PARTS}
    | {"created_at", "updated_at", "started_at", "closed_at", "comments"}
)
#: Go's zero time stands for "none".
NO_TIME = "0001-01-01T00:00:00Z"

_NUMBERED = re.compile(r"(?P<parent>.+)\.[0-9]+", re.ASCII | re.DOTALL)
_BULLET = re.compile(r"^\s*(?:[-*+]|\d+[.)])?\s*(?:\[[ xX]\])?\s*")


def recognises(text: str) -> bool:
    """Whether the first line is a complete object with an id."""
    first = text.lstrip().partition("\n")[0]
    try:
        issue = json.loads(first) if first.startswith("{") else None
    except (ValueError, RecursionError):
        return False
    return isinstance(issue, dict) and "id" in issue and "tasks" not in issue


def read(text: str) -> Plan:
    plan = Plan(NAME)
    issues = Issues(plan)
    # Not splitlines: it would also split at characters that are legal inside a text.
    for line, source in enumerate(text.split("\n"), start=1):
        if source.strip():
            issues.read_line(line, source)
    issues.hold_what_nothing_else_keeps()
    plan.notes += issues.notes()
    return plan


class Issues:
    """Reads issues line by line into ``plan``. Each line is the whole issue: a field it leaves out is empty."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.entries = Entries(plan)
        self.left_out: Counter[str] = Counter()
        self.removed = 0
        #: With the status that the file gives them.
        self.set_aside: list[tuple[PlannedTask, str]] = []
        self.other_kinds: Counter[str] = Counter()

    def notes(self) -> list[Note]:
        notes = []
        if self.removed:
            notes.append(f"Left out: removed issues, or tombstones ({self.removed}).")
        for kind, times in sorted(self.other_kinds.items()):
            notes.append(f"Left out: lines of type {kind} ({times}), which are not issues.")
        if self.left_out:
            fields = ", ".join(f"{field} ({times})" for field, times in sorted(self.left_out.items()))
            notes.append(f"Left out, because a task has no such field: {fields}.")
        return [Note(0, "", note) for note in notes]

    def hold_what_nothing_else_keeps(self) -> None:
        """Put issues on hold that are set aside, unless an open issue of this file or a date keeps them anyway."""
        open_ones = {task.key for task in self.plan.tasks if task.values.get("status") not in TERMINAL}
        for planned, status in self.set_aside:
            waits = planned.values.get("depends_on") or ()
            if spelled(status) == "blocked" and open_ones.intersection(waits):
                continue
            label = f"status:{status}"[:LABEL_LENGTH].strip()
            planned.values["on_hold"] = True
            planned.values["labels"] = list(dict.fromkeys([*planned.values.get("labels", ()), label]))
            reason = SET_ASIDE.get(spelled(status), f"{shown(status)}, which is not a known status")
            planned.notes.append(planned.note("status", held(reason)))

    def read_line(self, line: int, source: str) -> None:
        try:
            issue = DECODER.decode(source)
        except json.JSONDecodeError as error:
            self._unread(line, f"This is not JSON: {error.msg} at column {error.colno}.")
            return
        except (RecursionError, ValueError) as error:
            self._unread(line, why(error))
            return
        if not isinstance(issue, dict):
            self._unread(line, "An issue must be an object.")
            return
        kind = issue.get("_type", "issue")
        if kind != "issue":
            self.other_kinds[shown(str(kind))] += 1
        elif issue.get("status") == TOMBSTONE:
            self.removed += 1
            # Issues that still refer to it must not fail because of it.
            self.plan.gone.add(str(issue.get("id")))
        else:
            self._read_issue(line, issue)

    def _unread(self, line: int, detail: str) -> None:
        self.plan.complete = False
        self.entries.refuse(line, "", detail)

    def _read_issue(self, line: int, issue: dict[str, Any]) -> None:
        if issue.get("id") in (None, ""):
            self.entries.refuse(line, "id", "Is missing; every issue needs an id.")
        for field, value in issue.items():
            if field not in USED and field not in SILENT and value not in (None, "", [], {}, 0, False):
                self.left_out[shown(field)] += 1
        status, word = self._status(line, issue)
        depends_on, parent, links = self._dependencies(line, issue)
        title, description = _title_and_description(issue)
        fields: dict[str, Any] = {
            "key": issue.get("id"),
            "title": title,
            "description": description,
            "status": status,
            "priority": self._priority(line, issue.get("priority")),
            "labels": self._labels(issue),
            "depends_on": depends_on,
            "parent": parent,
            "assignees": self._assignee(line, issue.get("assignee")),
            "criteria": _criteria(issue.get("acceptance_criteria")),
            "estimate_minutes": issue.get("estimated_minutes"),
            "due_at": _time(issue.get("due_at")),
            "start_after": _time(issue.get("defer_until")),
            "on_hold": False,
            "created_at": _time(issue.get("created_at")),
            "updated_at": _time(issue.get("updated_at")),
            "started_at": _time(issue.get("started_at")),
        }
        if issue.get("comments"):
            fields["comments"] = issue["comments"]
        if status == "completed":
            fields["completed_at"] = _time(issue.get("closed_at"))
            fields["summary"] = issue.get("close_reason")
        planned = self.entries.add(line, [(field, value, line) for field, value in fields.items()], FIELD_NAMES)
        planned.values["links"] = links
        planned.places["links"] = (line, "dependencies")
        if parent is None:
            planned.implied_parents = _parents_by_id(planned.key)
        if word == "deferred":
            planned.deferred = True
        elif word in STATUSES or word == planned.values["status"]:
            pass
        elif word in OPEN_WORDS or WORDS.get(word) in TERMINAL:
            planned.notes.append(planned.note("status", counts_as(word, planned.values["status"])))
        else:
            self.set_aside.append((planned, issue["status"].strip()))

    def _status(self, line: int, issue: dict[str, Any]) -> tuple[str, str]:
        """Our status, and the file's word for it, as we would spell it. An unknown one is work not started."""
        value = issue.get("status") or "open"
        try:
            if not isinstance(value, str):
                raise Wrong("Must be a text.")
            # An unknown one becomes a label.
            require_storable(value)
        except Wrong as error:
            self.entries.refuse(line, "status", str(error))
            return "not_started", "open"
        word = spelled(value) or "open"
        ours = WORDS.get(word, word)
        # Any other word may mean that it is not to be handed out.
        known = word in STATUSES or word in OPEN_WORDS or ours in TERMINAL
        return STATUSES.get(word, ours) if known else "not_started", word

    def _priority(self, line: int, value: Any) -> str | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < len(PRIORITIES):
            self.entries.refuse(line, "priority", f"Must be a number from 0 to 4, not {shown(repr(value))}.")
            return None
        return PRIORITIES[value]

    def _assignee(self, line: int, value: Any) -> list[Any]:
        return [] if value in (None, "") else [value]

    def _labels(self, issue: dict[str, Any]) -> Any:
        labels = issue.get("labels") or []
        if not isinstance(labels, list):
            return labels
        kind = issue.get("issue_type")
        more = [f"type:{kind}"[:LABEL_LENGTH]] if isinstance(kind, str) and kind not in ("", "task") else []
        return [*labels, *more]

    def _dependencies(self, line: int, issue: dict[str, Any]) -> tuple[list[str], str | None, list[tuple[str, str]]]:
        """What the issue waits for, its parent, and its other links as ``(kind, id)``."""
        depends_on: list[str] = []
        links: list[tuple[str, str]] = []
        parent: str | None = None
        rows = issue.get("dependencies")
        if rows is None:
            rows = []
        if not isinstance(rows, list):
            self.entries.refuse(line, "dependencies", "Must be a list.")
            return [], None, []
        for row in rows:
            if not isinstance(row, dict):
                self.entries.refuse(line, "dependencies", "Each must be an object with depends_on_id and type.")
                continue
            try:
                kind, target = name(row.get("type") or "blocks")[:LABEL_LENGTH], name(row.get("depends_on_id"))
            except Wrong as error:
                self.entries.refuse(line, "dependencies", f"depends_on_id and type: {error}")
                continue
            if kind == "blocks" and not target.startswith("external:"):
                depends_on.append(target)
            elif kind == "parent-child" and parent is None and not target.startswith("external:"):
                parent = target
            elif not (kind == "parent-child" and target == parent):
                links.append((kind, target))
        return depends_on, parent, links


def _parents_by_id(key: str | None) -> list[str]:
    """The issues that an id such as ``lh-6.12.1`` names as those above it, nearest first."""
    parents = []
    while key and (match := _NUMBERED.fullmatch(key)):
        key = match["parent"]
        parents.append(key)
    return parents


def _title_and_description(issue: dict[str, Any]) -> tuple[Any, Any]:
    """Cut a title that exceeds our limit, and put it in full before the description."""
    title, description = issue.get("title"), issue.get("description")
    parts = [
        (part.capitalize(), issue[part]) for part in PARTS if isinstance(issue.get(part), str) and issue[part].strip()
    ]
    if isinstance(description, str) or description is None:
        texts = [description or "", *(f"## {heading}\n\n{text}" for heading, text in parts)]
        if isinstance(title, str) and len(title.strip()) > TITLE_LENGTH:
            texts.insert(0, title.strip())
            title = title.strip()[: TITLE_LENGTH - 1] + "…"
        description = "\n\n".join(text for text in texts if text.strip())
    return title, description


def _criteria(value: Any) -> Any:
    """Split the criteria, which beads keeps as one text, usually one per line."""
    if not isinstance(value, str):
        return value
    return [text for line in value.splitlines() if (text := _BULLET.sub("", line).strip())]


def _time(value: Any) -> Any:
    if value in ("", NO_TIME):
        return None
    return value
