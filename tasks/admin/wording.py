"""An event as one plain sentence, as timelines show it. Plain text: whoever shows it escapes it."""

from typing import Any

from tasks.models import Event, RunStatus
from tasks.transitions import Status

#: Long texts in a sentence are cut here; the whole text stands where it belongs.
CUT = 300

_SIMPLE = {
    "task.created": "Created",
    "task.unblocked": "Nothing blocks it any more",
    "task.undeferred": "Its time to begin has come",
    "task.overdue": "Its due date has passed",
    "task.stalled": "Shows no progress",
    "task.deleted": "Deleted",
    "project.created": "Project created",
}


def told(event: Event) -> str:
    """What happened, in a sentence without who and when; a kind that is not known is told by its name."""
    data: dict[str, Any] = event.data if isinstance(event.data, dict) else {}
    if event.kind in _SIMPLE:
        return _SIMPLE[event.kind]
    tell = _TELL.get(event.kind)
    return tell(event, data) if tell else event.kind.replace(".", " ").replace("_", " ").capitalize()


def _cut(text: Any) -> str:
    words = str(text or "")
    return words if len(words) <= CUT else words[: CUT - 1] + "…"


def _with(text: str, more: Any) -> str:
    return f"{text}: {_cut(more)}" if more else text


def _listed(values: Any) -> str:
    return ", ".join(str(value).replace("_", " ") for value in values) if isinstance(values, list) else _cut(values)


def _status(value: Any) -> str:
    return str(Status(value).label) if value in Status.values else str(value)


def _status_changed(event: Event, data: dict[str, Any]) -> str:
    by = {"approve": "Approved", "request_changes": "Changes requested", "adopt": "A late result adopted"}
    words = f"{_status(data.get('from'))} → {_status(data.get('to'))}"
    verb = str(data.get("verb", ""))
    lead = by.get(verb)
    return _with(f"{lead} ({words})" if lead else words, data.get("note"))


def _assigned(event: Event, data: dict[str, Any]) -> str:
    if data.get("source") == "pull":
        return f"Taken by {event.agent_slug}"
    how = " automatically" if data.get("source") == "auto" else ""
    return _with(f"Assigned to {event.agent_slug}{how}", data.get("note"))


def _run_ended(event: Event, data: dict[str, Any]) -> str:
    outcome = data.get("outcome")
    words = str(RunStatus(outcome).label).lower() if outcome in RunStatus.values else str(outcome)
    more = data.get("summary") or data.get("detail") or data.get("reason") or data.get("note")
    return _with(f"Run {data.get('number')} of {event.agent_slug} ended: {words}", more)


def _progressed(event: Event, data: dict[str, Any]) -> str:
    return _with(f"Progress {data.get('percent', 0)} %", data.get("note"))


_TELL = {
    "task.status_changed": _status_changed,
    "task.assigned": _assigned,
    "task.unassigned": lambda event, data: _with(f"Unassigned from {event.agent_slug}", data.get("note")),
    "task.edited": lambda event, data: _with("Edited", _listed(data.get("fields", []))),
    "task.progressed": _progressed,
    "task.blocked": lambda event, data: _with("Blocked", data.get("by")),
    "task.dependencies_added": lambda event, data: _with("Waits for", _listed(data.get("depends_on", []))),
    "task.dependencies_removed": lambda event, data: _with("Waits no longer for", _listed(data.get("depends_on", []))),
    "task.dependency_failed": lambda event, data: (
        f"{_cut(data.get('dependency'))}, which it waits for, is {_status(data.get('status')).lower()}"
    ),
    "run.started": lambda event, data: f"Run {data.get('number')} of {event.agent_slug} began",
    "run.ended": _run_ended,
    "run.late_result": lambda event, data: (
        f"Run {data.get('number')} of {event.agent_slug} reported too late; it was kept"
    ),
    "run.adopted": lambda event, data: f"The late result of run {data.get('number')} of {event.agent_slug} was adopted",
    "agent.availability_changed": lambda event, data: f"{event.agent_slug} is {_cut(data.get('availability'))}",
    "agent.edited": lambda event, data: _with(f"{event.agent_slug} edited", _listed(data.get("fields", []))),
    "member.added": lambda event, data: f"{_cut(data.get('member'))} joined as {_cut(data.get('role'))}",
    "member.role_changed": lambda event, data: f"{_cut(data.get('member'))} is {_cut(data.get('role'))} now",
    "member.removed": lambda event, data: f"{_cut(data.get('member'))} left",
    "project.edited": lambda event, data: _with("Project edited", _listed(data.get("fields", []))),
}
