"""The catalogue of events: each kind once, with its data, the words that tell it, and who listens.

A verb names a kind by its constant; ``event`` refuses what is not declared here. The stream's filter, the timeline,
notifications, matching, waiting agents and the OpenAPI description are made from it.
"""

from typing import TYPE_CHECKING, Any, Final

from tasks.errors import unknown_name
from tasks.events import phrases
from tasks.events.declaration import (
    FLAG,
    MOMENT,
    NUMBER,
    NUMBERS,
    SCORE,
    STATUS,
    TEXT,
    TEXTS,
    Data,
    Datum,
    Kind,
    Said,
    UndeclaredEvent,
)
from tasks.transitions import Status

if TYPE_CHECKING:
    pass

CATALOGUE: Final[dict[str, Kind]] = {}


def _kind(name: str, meaning: str, **declaration: Any) -> Kind:
    CATALOGUE[name] = kind = Kind(name, meaning=meaning, **declaration)
    return kind


# What several kinds have in their data

_NOTE = Datum(TEXT, "What was written with it; untrusted.", optional=True)
_TITLE = Datum(TEXT, "The task's title; untrusted.")
_FIELDS = Datum(TEXTS, "Names of the fields that changed.")
_RUN = Datum(NUMBER, "The number of the run.")
_AGENTS = "Slugs of the agents that"
_BY = Datum(TEXT, "Ref of the task whose change caused it.", optional=True)
_DUE_AT = Datum(MOMENT, "The due date.")
_MEMBER = Datum(TEXT, "Slug or username of the member.")
_ROLE = Datum(TEXT, "The member's role from now on.")
_OPEN: Final = Datum(NUMBER, "How many others it waits for now.")
_FAILED: Final = {
    "failed": Datum(TEXTS, "Refs of those that it waits for and that have failed.", optional=True),
    "cancelled": Datum(TEXTS, "Refs of those that it waits for and that have been cancelled.", optional=True),
}
_FILE = {
    "title": _TITLE,
    "source": Datum(TEXT, "The format of the file."),
    "fingerprint": Datum(TEXT, "What the file said of the task, in short: the same again changes nothing."),
    "started_at": Datum(MOMENT, "When the task was first begun, wherever that was.", optional=True),
    "completed_at": Datum(MOMENT, "When the task was completed, wherever that was.", optional=True),
    "agents": Datum(TEXTS, f"{_AGENTS} got the task by it.", optional=True),
    "taken_from": Datum(TEXTS, f"{_AGENTS} lost the task by it.", optional=True),
    "open": Datum(NUMBER, "How many others it waits for now, where that changed.", optional=True),
    **_FAILED,
}

# The life of a task
TASK_CREATED = _kind(
    "task.created",
    "A task was created, not started yet.",
    data={"title": _TITLE, "agents": Datum(TEXTS, f"{_AGENTS} it was assigned to at once.", optional=True)},
    says=phrases.says_created,
    notifies={"assigned": "{who} assigned {ref} to you."},
    brings_work=True,
    wakes_matching=True,
)
_TELLS_IMPORTED: Final = {
    "assigned": "{who} assigned {ref} to you.",
    "unassigned": "{who} took {ref} from you.",
    "dependency_failed": phrases.tells_dependency_failed,
}
TASK_IMPORTED = _kind(
    "task.imported",
    "An import created a task, or changed the status of one that had not started here: all that it did to the task.",
    data={
        **_FILE,
        "from": Datum(STATUS, "The status before; left out for a new task.", optional=True),
        "to": Datum(STATUS, "The task's status according to the file."),
        "fields": Datum(TEXTS, "Names of the fields that changed; left out for a new task.", optional=True),
    },
    says=phrases.says_imported,
    notifies=_TELLS_IMPORTED,
    brings_work=lambda data: data.get("to") == Status.NOT_STARTED,
    wakes_matching=True,
)
TASK_REIMPORTED = _kind(
    "task.reimported",
    "An import changed a task, but not its status.",
    data={**_FILE, "fields": _FIELDS},
    says=phrases.says_imported,
    notifies=_TELLS_IMPORTED,
    brings_work=True,
    wakes_matching=True,
)
TASK_EDITED = _kind(
    "task.edited",
    "Fields of a task changed.",
    data={"fields": _FIELDS},
    says=Said("changed {changed}", "edit"),
    brings_work=True,
    wakes_matching=True,
)
TASK_DELETED = _kind(
    "task.deleted",
    "A task was deleted; its events stay.",
    data={"title": _TITLE},
    says=Said("deleted the task", "cancelled"),
)
_REVOKED: Final = {
    "run": Datum(NUMBER, "The number of the run that was revoked, where there was one.", optional=True),
    "outcome": Datum(TEXT, "`revoked`, where a run was.", optional=True),
    "verb": Datum(TEXT, "`revoke`, where a run was.", optional=True),
    "from": Datum(STATUS, "The status before, where a run was revoked.", optional=True),
    "to": Datum(STATUS, "The status after, where a run was revoked.", optional=True),
}
TASK_ASSIGNED = _kind(
    "task.assigned",
    "Agents were assigned to a task, or one was offered it; with it others may have lost it.",
    data={
        "agents": Datum(TEXTS, f"{_AGENTS} got the task."),
        "source": Datum(TEXT, "How: `manual` by staff, `auto` as an offer."),
        "note": _NOTE,
        "taken_from": Datum(TEXTS, f"{_AGENTS} lost the task by this.", optional=True),
        **_REVOKED,
        "accept_by": Datum(MOMENT, "Until when an offer stands.", optional=True),
        "score": Datum(SCORE, "How well the agent fits, by the project's policy.", optional=True),
    },
    says=phrases.says_assigned,
    notifies={"assigned": phrases.tells_assigned, "unassigned": "{who} took {ref} from you."},
    brings_work=True,
    wakes_matching=lambda data: "taken_from" in data,
)
TASK_UNASSIGNED = _kind(
    "task.unassigned",
    "Agents were taken off a task.",
    data={"agents": Datum(TEXTS, f"{_AGENTS} lost the task."), "note": _NOTE, **_REVOKED},
    says=phrases.says_unassigned,
    notifies={"unassigned": "{who} took {ref} from you."},
    brings_work=True,
    wakes_matching=True,
)
TASK_DECLINED = _kind(
    "task.declined",
    "An agent declined a task that it was assigned to or offered.",
    data={"note": _NOTE},
    says=Said("declined the task", "person_add"),
    notifies={"declined": "{agent} declined {ref}."},
    brings_work=True,
    wakes_matching=True,
)
TASK_OFFER_LAPSED = _kind(
    "task.offer_lapsed",
    "Agents did not begin a task that they were offered in time.",
    data={"agents": Datum(TEXTS, f"{_AGENTS} had the offer.")},
    says=Said("The offer to {agents} has lapsed", "deferred"),
    notifies={"unassigned": "The offer of {ref} has lapsed: you did not begin it in time."},
    brings_work=True,
    wakes_matching=True,
)
TASK_NOBODY_FOUND = _kind(
    "task.nobody_found",
    "Automatic assignment found nobody for a task, and somebody has to do something about it.",
    data={"note": Datum(TEXT, "Why, and what would help.")},
    says=Said("Nobody was found who can do the task", "alert"),
    notifies={"nobody_found": "Nobody can be given {ref}."},
)
TASK_WARNING_CHANGED = _kind(
    "task.warning_changed",
    "Why automatic assignment finds nobody for a task has changed, or no longer holds.",
    data={"note": Datum(TEXT, "Why, and what would help; empty where it no longer holds.")},
    says=phrases.says_warning_changed,
)

# Work on a task
TASK_STATUS_CHANGED = _kind(
    "task.status_changed",
    "A verb moved a task from one status to another: all that it did to the task, with the run that it began or ended.",
    data={
        "verb": Datum(TEXT, "The verb of the table of transitions."),
        "from": Datum(STATUS, "The status before."),
        "to": Datum(STATUS, "The status after."),
        "run": Datum(NUMBER, "The number of the run that it began, ended, judged or adopted.", optional=True),
        "outcome": Datum(
            TEXT, "How it ended the run: completed, failed, released, expired, cancelled or parked.", optional=True
        ),
        "source": Datum(TEXT, "`pull`, where the agent took a task that it was not assigned to.", optional=True),
        "agents": Datum(TEXTS, f"{_AGENTS} were assigned by it.", optional=True),
        "taken_from": Datum(TEXTS, f"{_AGENTS} lost the task by it.", optional=True),
        "revoked_run": Datum(NUMBER, "The number of a run that was revoked for it.", optional=True),
        "note": _NOTE,
        "summary": Datum(TEXT, "What the agent said of its result, its beginning; untrusted.", optional=True),
        "code": Datum(TEXT, "The code of a failure; untrusted.", optional=True),
        "detail": Datum(TEXT, "The failure in words; untrusted.", optional=True),
        "retryable": Datum(FLAG, "Whether trying again may help.", optional=True),
    },
    says=phrases.says_moved,
    notifies={
        "assigned": "{who} assigned {ref} to you.",
        "unassigned": phrases.tells_unassigned,
        "completed": phrases.tells_completed,
        "failed": phrases.tells_failed,
        "review_asked": phrases.tells_review_asked,
        "changes_requested": "{who} requested changes to {ref}.",
    },
    brings_work=lambda data: data.get("to") == Status.NOT_STARTED,
    wakes_matching=True,
)
TASK_PROGRESSED = _kind(
    "task.progressed",
    "The holder of a run reported progress, or kept a checkpoint.",
    data={
        "run": _RUN,
        "percent": Datum(NUMBER, "How far the work is."),
        "note": _NOTE,
        "resumed": Datum(FLAG, "True where the run had stalled before.", optional=True),
    },
    says=Said("reported progress", "in_progress"),
)
TASK_STALLED = _kind(
    "task.stalled",
    "A run is alive, but has not advanced for the time that its project allows.",
    data={"run": _RUN, "last_progress_at": Datum(MOMENT, "When it last advanced.")},
    says=Said("Run {run} of {agent} has stalled", "stalled"),
    notifies={"stalled": "{agent} works on {ref} without advancing."},
)
RUN_LATE_RESULT_KEPT = _kind(
    "run.late_result_kept",
    "The holder of a run sent a result after the run had ended; it was kept for staff to adopt.",
    data={"run": _RUN, "verb": Datum(TEXT, "The verb that was refused: complete or fail.")},
    says=Said("sent a result of run {run} after losing its lease; it was kept", "alert"),
)
# What a task waits for

TASK_BLOCKED = _kind(
    "task.blocked",
    "A task that could begin waits for another now.",
    data={"open": _OPEN, "by": _BY},
    says=Said("Blocked{because}", "blocked"),
)
TASK_BLOCKERS_CHANGED = _kind(
    "task.blockers_changed",
    "A task waits for more or fewer others, and still waits.",
    data={"open": _OPEN, "by": _BY},
    says=Said("Blocked by {open} now{because}", "blocked"),
)
TASK_UNBLOCKED = _kind(
    "task.unblocked",
    "A task does not wait for others any more.",
    data={"open": _OPEN, "by": _BY},
    says=Said("Nothing blocks the task any more{because}", "check"),
    brings_work=True,
    wakes_matching=True,
)
TASK_DEPENDENCY_FAILED = _kind(
    "task.dependency_failed",
    "A task waits for others that failed or were cancelled, so somebody has to decide.",
    data={**_FAILED, "open": _OPEN},
    says=phrases.says_dependency_failed,
    notifies={"dependency_failed": phrases.tells_dependency_failed},
)
TASK_DEPENDENCIES_ADDED = _kind(
    "task.dependencies_added",
    "A task waits for further tasks.",
    data={"depends_on": Datum(TEXTS, "Refs of those tasks."), "open": _OPEN},
    says=Said("let the task wait for {depends_on}", "link"),
)
TASK_DEPENDENCIES_REMOVED = _kind(
    "task.dependencies_removed",
    "A task waits for fewer tasks.",
    data={"depends_on": Datum(TEXTS, "Refs of those that it waits for no longer."), "open": _OPEN},
    says=phrases.says_dependencies_removed,
    brings_work=lambda data: not data.get("open"),
    wakes_matching=lambda data: not data.get("open"),
)

# What time does to a task

TASK_UNDEFERRED = _kind(
    "task.undeferred",
    "The time before which a task was not to begin, or its rest after a failure, is over.",
    data={"ready": Datum(FLAG, "Whether it may begin: nothing else blocks it.")},
    says=Said("The time to begin has come", "due"),
    brings_work=True,
    wakes_matching=True,
)
TASK_DUE_DATE_NEARED = _kind(
    "task.due_date_neared",
    "The due date of an open task is near; recorded once for each due date.",
    data={"due_at": _DUE_AT},
    says=Said("The due date is near", "due"),
    notifies={"due_soon": "{ref} is due soon."},
)
TASK_DUE_DATE_PASSED = _kind(
    "task.due_date_passed",
    "The due date of an open task has passed; recorded once for each due date.",
    data={"due_at": _DUE_AT},
    says=Said("The due date has passed", "overdue"),
    notifies={"overdue": "{ref} is overdue."},
)

# Projects, their members, and agents

PROJECT_CREATED = _kind(
    "project.created",
    "A project was created.",
    data={"name": Datum(TEXT, "Its name; untrusted.")},
    says=Said("created the project", "plus"),
    wakes_matching=True,
)
PROJECT_EDITED = _kind(
    "project.edited",
    "Rules of a project changed.",
    data={"fields": _FIELDS},
    says=Said("changed {changed} of the project", "edit"),
    brings_work=True,
    wakes_matching=True,
)
AGENT_EDITED = _kind(
    "agent.edited",
    "Fields or skills of an agent changed; recorded in each of its projects.",
    data={"fields": _FIELDS},
    says=Said("changed {changed} of {agent}", "edit"),
    brings_work=True,
    wakes_matching=True,
)
AGENT_AVAILABILITY_CHANGED = _kind(
    "agent.availability_changed",
    "An agent was paused, or lets itself be given work again; recorded in each of its projects.",
    data={"availability": Datum(TEXT, "`available` or `paused`.")},
    says=Said("set {agent} to {availability}", "edit"),
    wakes_matching=True,
)
MEMBER_ADDED = _kind(
    "member.added",
    "Somebody became a member of a project.",
    data={"member": _MEMBER, "role": _ROLE},
    says=Said("let {member} join as {role}", "person_add"),
    brings_work=True,
    wakes_matching=True,
)
MEMBER_ROLE_CHANGED = _kind(
    "member.role_changed",
    "The role of a member changed.",
    data={"member": _MEMBER, "role": _ROLE},
    says=Said("made {member} {role}", "person_add"),
    brings_work=True,
    wakes_matching=True,
)
MEMBER_REMOVED = _kind(
    "member.removed",
    "Somebody is no longer a member of a project.",
    data={"member": _MEMBER},
    says=Said("took {member} out of the project", "person_add"),
    wakes_matching=True,
)

# Notifications: for their recipients alone

NOTIFICATION_CREATED = _kind(
    "notification.created",
    "A notification was made; only its recipient sees this event.",
    data={
        "notification": Datum(NUMBER, "Its id."),
        "notification_kind": Datum(TEXT, "Its kind, as in the list of notifications."),
    },
    says=Said("Somebody was notified", "bell"),
)
NOTIFICATION_READ = _kind(
    "notification.read",
    "Somebody read notifications; only they see this event.",
    data={
        "count": Datum(NUMBER, "How many."),
        "notifications": Datum(NUMBERS, "Ids of the first hundred of them."),
    },
    says=Said("read notifications", "check"),
)


def kind_named(name: str) -> Kind:
    """The declaration of the kind ``name``. Raises ``UndeclaredEvent`` with the nearest name that is declared."""
    kind = CATALOGUE.get(name)
    if kind is None:
        raise UndeclaredEvent(unknown_name(name, CATALOGUE, what="kind of events"))
    return kind


#: The kinds that those who wait for work, matching, and notifications listen to; see ``Kind`` for what each asks.
BRINGING_WORK: Final = frozenset(kind for kind in CATALOGUE.values() if kind.declared.brings_work)
WAKING_MATCHING: Final = frozenset(kind for kind in CATALOGUE.values() if kind.declared.wakes_matching)
NOTIFYING: Final = frozenset(kind for kind in CATALOGUE.values() if kind.declared.notifies)


def may_bring_work(kind: str, data: Data) -> bool:
    """Whether an agent that found nothing to claim may find something after an event of this kind with this data."""
    return kind in BRINGING_WORK and CATALOGUE[kind].may_bring_work(data)


def may_wake_matching(kind: str, data: Data) -> bool:
    """Whether a matching after an event of this kind with this data may come out differently."""
    return kind in WAKING_MATCHING and CATALOGUE[kind].may_wake_matching(data)
