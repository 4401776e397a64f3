"""What ``bench growth`` measures, each with its name; the addresses are also those whose plans a test keeps.

In an address ``{ref}`` is a task's ref, ``{cursor}`` a place a hundred recent events before the end, ``{past}`` the day
half a year ago and ``{today}`` this one.
"""

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlencode

#: Who asks: an agent that works in three of ten projects, by token; who manages all ten; a superuser.
Caller = Literal["worker", "lead", "root"]


@dataclass(frozen=True, slots=True)
class Address:
    path: str
    caller: Caller


_EITHER: Final = '{"any": [{"field": "status", "is": "failed"}, {"field": "priority", "is": "urgent"}]}'
#: Filters of the list, by their names in the figures.
_FILTERS: Final[dict[str, dict[str, str]]] = {
    "": {},
    "one project": {"project": "P0"},
    "not started": {"status": "not_started"},
    "two statuses": {"status": "failed,in_review"},
    "ready": {"ready": "true"},
    "blocked": {"blocked": "true"},
    "overdue": {"overdue": "true"},
    "deferred": {"deferred": "true"},
    "unassigned": {"unassigned": "true"},
    "an assignee": {"assignee": "agent-65"},
    "a label": {"label": "label-9"},
    "a skill": {"skill": "python"},
    "urgent": {"priority": "urgent"},
    "with a parent": {"where": '{"field": "parent", "is_set": true}'},
    "updated after": {"updated_after": "{past}"},
    "due before": {"due_before": "{today}"},
    "completed after": {"completed_after": "{past}"},
    "words that all have": {"q": "nightly import"},
    "a rare word": {"q": "task 77"},
    "a ref": {"q": "{ref}"},
    "or": {"where": _EITHER},
}
_ORDERS: Final = ("created_at", "updated_at", "-updated_at", "priority", "-priority", "due_at", "-due_at")
#: Orders with a filter that has an index of its own.
_BOTH: Final[dict[str, dict[str, str]]] = {
    "updated after, by -updated_at": {"updated_after": "{past}", "ordering": "-updated_at"},
    "due before, by due_at": {"due_before": "{today}", "ordering": "due_at"},
    "not started, by -priority": {"status": "not_started", "ordering": "-priority"},
    "one project, by -updated_at": {"project": "P0", "ordering": "-updated_at"},
}


def _lists() -> dict[str, dict[str, str]]:
    orders = {f"by {order}": {"ordering": order} for order in _ORDERS}
    return {name: dict(parameters) for name, parameters in {**_FILTERS, **orders, **_BOTH}.items()}


def _named(room: str, name: str) -> str:
    return f"{room}, {name}" if name else room


def _address(path: str, parameters: dict[str, str]) -> str:
    # The places of an address are filled in later.
    return path + (f"?{urlencode(parameters, safe='{}')}" if parameters else "")


def _task_lists() -> dict[str, Address]:
    addresses = {}
    for name, parameters in _lists().items():
        addresses[_named("API list", name)] = Address(_address("/api/v1/tasks", parameters), "worker")
        addresses[_named("list", name)] = Address(_address("/tasks/", parameters), "lead")
    addresses["list, by status"] = Address("/tasks/?ordering=status", "lead")
    addresses["list, by title"] = Address("/tasks/?ordering=title", "lead")
    addresses["API list, of all projects"] = Address("/api/v1/tasks", "lead")
    addresses["API list, of all projects, by -updated_at"] = Address("/api/v1/tasks?ordering=-updated_at", "lead")
    for group in ("status", "assignee", "priority", "label", "parent"):
        addresses[f"list, groups by {group}"] = Address(f"/tasks/?group={group}", "lead")
    admin = {
        "": "",
        "by -updated": "o=-8",
        "by priority": "o=4",
        "by due": "o=7",
        "open": "status=open",
        "ready": "state=ready",
        "an assignee": "assignee=agent-65",
        "overdue": "due=overdue",
        "a label": "label=label-9",
        "a skill": "skill=python",
        "one project": "project=P0",
        "words that all have": "q=nightly+import",
        "a rare word": "q=task+77",
        "a ref": "q={ref}",
    }
    for name, query in admin.items():
        addresses[_named("admin list", name)] = Address(f"/admin/tasks/task/?{query}", "root")
    addresses["admin list, of a manager"] = Address("/admin/tasks/task/", "lead")
    boards = {
        "": {},
        "one project": {"project": "P0"},
        "lanes by assignee": {"group": "assignee"},
        "lanes by label": {"group": "label"},
        "an assignee": {"assignee": "agent-65"},
        "nobody assigned": {"assignee": "-"},
        "a label": {"label": "label-9"},
        "urgent": {"priority": "urgent"},
        "words that all have": {"q": "nightly import"},
        "overdue": {"overdue": "true"},
    }
    for name, parameters in boards.items():
        addresses[_named("board", name)] = Address(_address("/", parameters), "lead")
    addresses["board, changes"] = Address("/board/changes?refs={ref}", "lead")
    addresses["views in the side bar"] = Address("/views/side", "lead")
    addresses["palette, words"] = Address("/search/?q=nightly+import", "lead")
    return addresses


TASK_LISTS: Final = _task_lists()

_OTHERS: Final[dict[str, tuple[Caller, str]]] = {
    "GET one": ("worker", "/api/v1/tasks/{ref}"),
    "events of a task": ("worker", "/api/v1/tasks/{ref}/events"),
    "runs of a task": ("worker", "/api/v1/tasks/{ref}/runs"),
    "messages of a task": ("worker", "/api/v1/tasks/{ref}/messages"),
    "decisions of a task": ("lead", "/api/v1/tasks/{ref}/decisions"),
    "candidates of a task": ("lead", "/api/v1/tasks/{ref}/candidates"),
    "API events": ("worker", "/api/v1/events"),
    "API events, of one project": ("worker", "/api/v1/events?project=P0"),
    "API events, of a kind": ("worker", "/api/v1/events?kinds=task.stalled"),
    "API events, the latest": ("worker", "/api/v1/events?after={cursor}"),
    "API events, of a kind, the latest": ("worker", "/api/v1/events?kinds=task.assigned&after={cursor}"),
    "API events, now": ("worker", "/api/v1/events?after=now"),
    "API me": ("worker", "/api/v1/me"),
    "API projects": ("worker", "/api/v1/projects"),
    "API agents": ("worker", "/api/v1/agents"),
    "API agent": ("worker", "/api/v1/agents/agent-65"),
    "API questions": ("worker", "/api/v1/questions"),
    "API questions, open": ("lead", "/api/v1/questions?state=open"),
    "API messages": ("lead", "/api/v1/messages?with=agent-0"),
    "API channel": ("lead", "/api/v1/projects/P0/messages"),
    "API conversations": ("lead", "/api/v1/conversations"),
    "API inbox": ("lead", "/api/v1/inbox"),
    "API inbox, count": ("lead", "/api/v1/inbox/count"),
    "API notifications": ("lead", "/api/v1/notifications"),
    "API notifications, unread": ("lead", "/api/v1/notifications/unread"),
    "task page": ("lead", "/tasks/{ref}"),
    "questions of a task page": ("lead", "/tasks/{ref}/questions"),
    "new task": ("lead", "/tasks/new/"),
    "views": ("lead", "/views/"),
    "agents page": ("lead", "/agents/"),
    "agent page": ("lead", "/agents/agent-65"),
    "projects page": ("lead", "/projects/"),
    "people page": ("lead", "/projects/P0/people/"),
    "inbox": ("lead", "/inbox/"),
    "inbox, my team's": ("lead", "/inbox/?scope=team"),
    "inbox, trouble": ("lead", "/inbox/?group=trouble"),
    "notifications": ("lead", "/notifications/"),
    "messages": ("lead", "/messages/"),
    "messages, a channel": ("lead", "/messages/P0"),
    "messages, a thread": ("lead", "/messages/{ref}"),
    "messages, somebody": ("lead", "/messages/@agent-0"),
    "compare policies": ("lead", "/assignment/"),
    "admin task": ("root", "/admin/tasks/task/{ref}/change/"),
    "admin agents": ("root", "/admin/tasks/agent/"),
    "admin agent": ("root", "/admin/tasks/agent/{agent}/change/"),
    "reports page": ("lead", "/reports/"),
}
OTHERS: Final = {name: Address(path, caller) for name, (caller, path) in _OTHERS.items()}

#: Predefined reports.
REPORTS: Final = (
    "completed", "time_to_complete", "cycle_times", "cycle_time_histogram", "service_level", "wip_age",
    "cumulative_flow", "time_in_status", "flow_efficiency", "waiting", "forecast", "littles_law", "workload",
    "utilisation", "due_performance", "reliability", "failures", "quality", "cost", "cost_by_version",
    "cost_by_project", "cost_by_label", "people_load", "assignment", "top_blockers",
)  # fmt: skip
OF_REPORTS: Final = {f"report {slug}": Address(f"/api/v1/reports/{slug}", "lead") for slug in REPORTS}

ADDRESSES: Final = {**TASK_LISTS, **OTHERS, **OF_REPORTS}
#: What writes: measured by functions of the probe.
VERBS: Final = ("claim + complete", "heartbeat", "create a task", "engine tick")
NAMES: Final = (*VERBS, *ADDRESSES)
