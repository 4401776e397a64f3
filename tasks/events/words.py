"""The life of a task in words: an entry per event, or per events that are one happening."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.models import Event, Task
from tasks.transitions import Status

SHOWN = 100
#: Long texts are cut here where an event is one sentence; the whole text stands where it belongs.
CUT = 300
ENGINE = "The engine"
_FIELDS = {"due_at": "due date", "start_after": "start date", "estimate_minutes": "estimate"}


@dataclass
class Entry:
    """One line of the timeline: ``who`` (empty: it came by itself) did ``what``; ``quote`` is untrusted text."""

    id: int
    at: datetime
    who: str
    what: str
    icon: str
    quote: str = ""
    status: str = ""
    percent: int | None = None

    @property
    def status_label(self) -> str:
        return str(Status(self.status).label) if self.status in Status.values else self.status


def _names(values: Any) -> str:
    return ", ".join(str(value) for value in values) if isinstance(values, list) else str(values)


def _fields(data: dict[str, Any]) -> str:
    return _names([_FIELDS.get(name, str(name).replace("_", " ")) for name in data.get("fields", [])])


def _assigned(event: Event) -> str:
    how = event.data.get("source")
    if how == "pull":
        return "took the task"
    if how == "auto":
        return f"offered the task to {event.agent_slug}"
    return f"assigned {event.agent_slug}"


def _run_ended(event: Event) -> tuple[str, str, str]:
    """What, icon and quote for the end of a run, by its outcome."""
    data, number = event.data, event.data.get("number", "")
    outcome = data.get("outcome")
    by_other = event.actor_name != event.agent_slug
    of_whom = f" of {event.agent_slug}" if by_other else ""
    if outcome == "completed":
        return f"finished run {number}", "check", data.get("summary", "")
    if outcome == "failed":
        code = f" with {data['code']}" if data.get("code") else ""
        again = "" if data.get("retryable", True) else ", not to be retried"
        return f"failed run {number}{code}{again}", "failed", data.get("detail", "")
    if outcome == "released":
        return f"gave run {number}{of_whom} back", "back", data.get("reason", "")
    if outcome == "expired":
        return f"The lease of run {number} by {event.agent_slug} is over", "deferred", ""
    words = {"revoked": "took", "cancelled": "stopped", "parked": "parked"}
    word = words.get(str(outcome), "ended")
    tail = " back" if word == "took" else ""
    return f"{word} run {number}{of_whom}{tail}", "back", data.get("note", "")


_VERBS = {
    "approve": ("approved the result", "check"),
    "request_changes": ("requested changes", "back"),
    "cancel": ("cancelled the task", "cancelled"),
    "reopen": ("reopened the task", "back"),
    "adopt": ("brought the late result in", "check"),
    "answer": ("let the task go on", "play"),
    "ask": ("asked a question", "waiting"),
    "revoke": ("returned the task", "back"),
}


def _said(event: Event) -> tuple[str, str, str]:
    """What happened, its icon, and what was said with it."""
    data = event.data
    match event.kind:
        case "task.created":
            return "created the task", "plus", ""
        case "task.imported" if "fields" not in data:
            return f"Imported from {data.get('source', 'a file')}", "plus", ""
        case "task.imported" | "task.reimported":
            return f"An import from {data.get('source', 'a file')} changed {_fields(data)}", "edit", ""
        case "task.assigned":
            return _assigned(event), "person_add", data.get("note", "")
        case "task.declined":
            return "declined the task", "person_add", data.get("note", "")
        case "task.offer_lapsed":
            return f"{event.agent_slug} did not take the task in time", "deferred", ""
        case "task.nobody_found":
            return "Nobody was found who can do the task", "alert", data.get("note", "")
        case "task.warning_changed":
            again = "Why nobody can do the task has changed" if data.get("note") else "Somebody can do the task again"
            return again, "alert", data.get("note", "")
        case "task.unassigned":
            return f"took {event.agent_slug} off the task", "person_add", data.get("note", "")
        case "run.started":
            for_whom = f" for {event.agent_slug}" if event.actor_name != event.agent_slug else ""
            return f"started run {data.get('number', '')}{for_whom}", "play", ""
        case "run.ended":
            return _run_ended(event)
        case "task.progressed":
            return "reported progress", "in_progress", data.get("note", "")
        case "task.status_changed":
            what, icon = _VERBS.get(data.get("verb", ""), ("moved the task", "in_progress"))
            return what, icon, data.get("note", "")
        case "task.blocked":
            return f"Blocked{_by(data)}", "blocked", ""
        case "task.blockers_changed":
            return f"Blocked by {data.get('open', 'others')} now{_by(data)}", "blocked", ""
        case "task.unblocked":
            return f"Nothing blocks the task any more{_by(data)}", "check", ""
        case "task.dependency_failed":
            ended = str(data.get("status", "failed")).replace("_", " ")
            return f"{data.get('dependency', 'A dependency')} {ended}; the task stays blocked", "alert", ""
        case "task.dependencies_added":
            return f"let the task wait for {_names(data.get('depends_on', []))}", "link", ""
        case "task.dependencies_removed":
            return f"let the task wait no longer for {_names(data.get('depends_on', []))}", "link", ""
        case "task.edited":
            return f"changed {_fields(data)}", "edit", ""
        case "task.undeferred":
            return "The time to begin has come", "due", ""
        case "task.due_soon":
            return "The due date is near", "due", ""
        case "task.overdue":
            return "The due date has passed", "overdue", ""
        case "task.stalled":
            return f"Run {data.get('number', '')} of {event.agent_slug} has stalled", "stalled", ""
        case "run.late_result":
            return f"sent a result of run {data.get('number', '')} after losing its lease; it was kept", "alert", ""
        case "run.adopted":
            return f"adopted the late result of run {data.get('number', '')}", "check", ""
        case "task.deleted":
            return "deleted the task", "cancelled", ""
    return _said_of_the_team(event)


def _said_of_the_team(event: Event) -> tuple[str, str, str]:
    """The same for events of a project, its members and agents."""
    data = event.data
    match event.kind:
        case "project.created":
            return "created the project", "plus", ""
        case "project.edited":
            return f"changed {_fields(data)} of the project", "edit", ""
        case "agent.edited":
            return f"changed {_fields(data)} of {event.agent_slug}", "edit", ""
        case "agent.availability_changed":
            return f"set {event.agent_slug} to {data.get('availability', '')}", "edit", ""
        case "member.added":
            return f"let {data.get('member', '')} join as {data.get('role', '')}", "person_add", ""
        case "member.role_changed":
            return f"made {data.get('member', '')} {data.get('role', '')}", "person_add", ""
        case "member.removed":
            return f"took {data.get('member', '')} out of the project", "person_add", ""
    return event.kind.replace(".", " ").replace("_", " "), "in_progress", ""


def _by(data: dict[str, Any]) -> str:
    return f" ({data['by']})" if data.get("by") else ""


def _entry(event: Event) -> Entry:
    what, icon, quote = _said(event)
    # A sentence of its own begins with a capital letter: nobody did it.
    who = "" if what[:1].isupper() else event.actor_name or ENGINE
    entry = Entry(event.pk, event.at, who, what, icon, str(quote or ""))
    if event.kind == "task.status_changed":
        entry.status = str(event.data.get("to", ""))
    if event.kind == "task.imported":
        entry.status = str(event.data.get("status", ""))
    if event.kind == "task.progressed" and isinstance(event.data.get("percent"), int):
        entry.percent = event.data["percent"]
    return entry


def sentence(event: Event) -> str:
    """One event as one plain sentence, who did what; whoever shows it escapes it."""
    entry = _entry(event)
    words = f"{entry.who} {entry.what}".strip()
    if entry.status:
        words += f" ({entry.status_label})"
    if entry.percent is not None:
        words += f" ({entry.percent} %)"
    quote = entry.quote if len(entry.quote) <= CUT else entry.quote[: CUT - 1] + "…"
    return f"{words}: {quote}" if quote else words


def in_words(events: Iterable[Event]) -> list[Entry]:
    """Entries for ``events`` (oldest first), newest first.

    A change of status that comes in the same moment as a run's start or end belongs to its entry.
    """
    entries: list[Entry] = []
    opened: Event | None = None
    for event in events:
        same = (
            opened is not None
            and event.kind == "task.status_changed"
            and opened.at == event.at
            and event.run_id in (None, opened.run_id)
        )
        if same:
            entries[-1].status = str(event.data.get("to", ""))
            if event.data.get("verb") == "cancel":
                entries[-1].what, entries[-1].icon = _VERBS["cancel"]
                entries[-1].quote = str(event.data.get("note") or "")
        else:
            entries.append(_entry(event))
        opened = event if event.kind.startswith("run.") else None
    return entries[::-1]


def read_timeline(task: Task, before: int | None = None) -> tuple[list[Entry], int | None]:
    """The latest entries of ``task``, or those before an event id; and the id to ask for what is older, if there is."""
    # What is told to one person, such as a notification, is no part of the task's story.
    events = Event.objects.filter(task=task, recipient__isnull=True).order_by("-pk")
    if before is not None:
        events = events.filter(pk__lt=before)
    page = list(events[: SHOWN + 1])
    older = page[SHOWN - 1].pk if len(page) > SHOWN else None
    return in_words(reversed(page[:SHOWN])), older
