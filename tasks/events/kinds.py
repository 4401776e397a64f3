"""The catalogue of events: each kind once, with its data, the words that tell it, and who listens.

A verb names a kind by its constant; ``event`` refuses what is not declared here. The stream's filter, the timeline,
notifications, matching, waiting agents and the OpenAPI description are made from it.
"""

from typing import TYPE_CHECKING, Any, Final

from tasks.errors import unknown_name
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
    from tasks.models import Event

CATALOGUE: Final[dict[str, Kind]] = {}


def _kind(name: str, meaning: str, **declaration: Any) -> Kind:
    CATALOGUE[name] = kind = Kind(name, meaning=meaning, **declaration)
    return kind


# What several kinds have in their data

_NOTE = Datum(TEXT, "What whoever acted wrote with it; untrusted.", optional=True)
_TITLE = Datum(TEXT, "The task's title; untrusted.")
_FIELDS = Datum(TEXTS, "Names of the fields that changed.")
_RUN = Datum(NUMBER, "The number of the run.")
_BY = Datum(TEXT, "Ref of the task whose change caused it.", optional=True)
_DEPENDS_ON = Datum(TEXTS, "Refs of the tasks that it waits for, or no longer waits for.")
_DUE_AT = Datum(MOMENT, "The due date.")
_MEMBER = Datum(TEXT, "Slug or username of the member.")
_ROLE = Datum(TEXT, "The member's role from now on.")
_FILE = {
    "title": _TITLE,
    "status": Datum(STATUS, "The task's status according to the file."),
    "started_at": Datum(MOMENT, "When the task was first begun, wherever that was.", optional=True),
    "completed_at": Datum(MOMENT, "When the task was completed, wherever that was.", optional=True),
    "source": Datum(TEXT, "The format of the file."),
    "fingerprint": Datum(TEXT, "What the file said of the task, in short: the same again changes nothing."),
}

# The life of a task

TASK_CREATED = _kind(
    "task.created",
    "A task was created.",
    data={"title": _TITLE},
    says=Said("created the task", "plus"),
    brings_work=True,
    wakes_matching=True,
)


def _says_imported(event: "Event") -> Said:
    if "fields" in event.data:
        return Said("An import from {source} changed {changed}", "edit")
    return Said("Imported from {source}", "plus")


TASK_IMPORTED = _kind(
    "task.imported",
    "An import created a task, or changed the status of one that had not started here.",
    data={**_FILE, "fields": Datum(TEXTS, "Names of the fields that changed; left out for a new task.", optional=True)},
    says=_says_imported,
    brings_work=lambda data: data["status"] == Status.NOT_STARTED,
    wakes_matching=True,
)
TASK_REIMPORTED = _kind(
    "task.reimported",
    "An import changed a task, but not its status.",
    data={**_FILE, "fields": _FIELDS},
    says=_says_imported,
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


def _says_assigned(event: "Event") -> Said:
    words = {"pull": "took the task", "auto": "offered the task to {agent}"}
    return Said(words.get(event.data.get("source", ""), "assigned {agent}"), "person_add")


def _tells_assigned(event: "Event") -> str:
    return "{ref} is offered to you." if event.data.get("source") == "auto" else "{who} assigned {ref} to you."


TASK_ASSIGNED = _kind(
    "task.assigned",
    "An agent was assigned to a task, or was offered it.",
    data={
        "source": Datum(TEXT, "How: `manual` by staff, `pull` by the agent itself, `auto` as an offer."),
        "note": _NOTE,
        "accept_by": Datum(MOMENT, "Until when an offer stands.", optional=True),
        "score": Datum(SCORE, "How well the agent fits, by the project's policy.", optional=True),
    },
    says=_says_assigned,
    notifies={"assigned": _tells_assigned},
    brings_work=lambda data: data["source"] != "pull",
)
TASK_UNASSIGNED = _kind(
    "task.unassigned",
    "An agent was taken off a task.",
    data={"note": _NOTE},
    says=Said("took {agent} off the task", "person_add"),
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
    "An agent did not begin a task that it was offered in time.",
    data={},
    says=Said("The offer to {agent} has lapsed", "deferred"),
    notifies={"unassigned": "{ref} is yours no more: you did not begin it in time."},
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


def _says_warning_changed(event: "Event") -> Said:
    again = "Why nobody can do the task has changed" if event.data.get("note") else "Somebody can do the task again"
    return Said(again, "alert")


TASK_WARNING_CHANGED = _kind(
    "task.warning_changed",
    "Why automatic assignment finds nobody for a task has changed, or no longer holds.",
    data={"note": Datum(TEXT, "Why, and what would help; empty where it no longer holds.")},
    says=_says_warning_changed,
)

# Work on a task

_MOVES: Final = {
    "approve": Said("approved the result", "check"),
    "request_changes": Said("requested changes", "back"),
    "cancel": Said("cancelled the task", "cancelled"),
    "reopen": Said("reopened the task", "back"),
    "adopt": Said("brought the late result in", "check"),
    "answer": Said("let the task go on", "play"),
    "ask": Said("asked a question", "waiting"),
    "revoke": Said("returned the task", "back"),
}


def _tells_completed(event: "Event") -> str:
    if event.data.get("verb") == "approve":
        return "{who} approved {ref}; it is completed."
    return "{agent} completed {ref}." if event.agent_slug else "{who} completed {ref}."


def _tells_failed(event: "Event") -> str:
    return "{ref} failed for good, last with {agent}." if event.agent_slug else "{ref} failed."


def _tells_review_asked(event: "Event") -> str:
    return f"{'{agent}' if event.agent_slug else '{who}'} brought a result of {{ref}}; it waits for a review."


TASK_STATUS_CHANGED = _kind(
    "task.status_changed",
    "A verb moved a task from one status to another.",
    data={
        "verb": Datum(TEXT, "The verb of the table of transitions."),
        "from": Datum(STATUS, "The status before."),
        "to": Datum(STATUS, "The status after."),
        "note": _NOTE,
    },
    says=lambda event: _MOVES.get(event.data.get("verb", ""), Said("moved the task", "in_progress")),
    notifies={
        "unassigned": "{who} cancelled {ref}, which was yours.",
        "completed": _tells_completed,
        "failed": _tells_failed,
        "review_asked": _tells_review_asked,
        "changes_requested": "{who} asks for changes to {ref}.",
    },
    brings_work=lambda data: data["to"] == Status.NOT_STARTED,
    wakes_matching=True,
)
TASK_PROGRESSED = _kind(
    "task.progressed",
    "The holder of a run reported progress, or kept a checkpoint.",
    data={
        "number": _RUN,
        "percent": Datum(NUMBER, "How far the work is."),
        "note": _NOTE,
        "resumed": Datum(FLAG, "True where the run had stalled before.", optional=True),
    },
    says=Said("reported progress", "in_progress"),
)
TASK_STALLED = _kind(
    "task.stalled",
    "A run is alive, but has not advanced for the time that its project allows.",
    data={"number": _RUN, "last_progress_at": Datum(MOMENT, "When it last advanced.")},
    says=Said("Run {number} of {agent} has stalled", "stalled"),
    notifies={"stalled": "{agent} works on {ref} without advancing."},
)


def _says_run_started(event: "Event") -> Said:
    for_other = " for {agent}" if event.actor_name != event.agent_slug else ""
    return Said(f"started run {{number}}{for_other}", "play")


def _says_run_ended(event: "Event") -> Said:
    data, of_whom = event.data, " of {agent}" if event.actor_name != event.agent_slug else ""
    match data.get("outcome"):
        case "completed":
            return Said("finished run {number}", "check")
        case "failed":
            code = " with {code}" if data.get("code") else ""
            again = "" if data.get("retryable", True) else ", not to be retried"
            return Said(f"failed run {{number}}{code}{again}", "failed")
        case "released":
            return Said(f"gave run {{number}}{of_whom} back", "back")
        case "expired":
            return Said("The lease of run {number} by {agent} is over", "deferred")
        case "revoked":
            return Said(f"took run {{number}}{of_whom} back", "back")
        case "cancelled":
            return Said(f"stopped run {{number}}{of_whom}", "back")
        case "parked":
            return Said(f"parked run {{number}}{of_whom}", "back")
    return Said(f"ended run {{number}}{of_whom}", "back")


RUN_STARTED = _kind(
    "run.started",
    "An agent began a run.",
    data={"number": _RUN},
    says=_says_run_started,
)
RUN_ENDED = _kind(
    "run.ended",
    "A run ended.",
    data={
        "number": _RUN,
        "outcome": Datum(TEXT, "How: completed, failed, released, expired, revoked, cancelled."),
        "summary": Datum(TEXT, "What the agent said of its result, its beginning; untrusted.", optional=True),
        "code": Datum(TEXT, "The code of a failure; untrusted.", optional=True),
        "detail": Datum(TEXT, "The failure in words; untrusted.", optional=True),
        "retryable": Datum(FLAG, "Whether trying again may help.", optional=True),
        "reason": Datum(TEXT, "Why it was given back; untrusted.", optional=True),
        "note": _NOTE,
    },
    says=_says_run_ended,
    notifies={"unassigned": "{who} took {ref} from you."},
    wakes_matching=True,
)
RUN_LATE_RESULT_KEPT = _kind(
    "run.late_result_kept",
    "The holder of a run sent a result after the run had ended; it was kept for staff to adopt.",
    data={"number": _RUN, "verb": Datum(TEXT, "The verb that was refused: complete or fail.")},
    says=Said("sent a result of run {number} after losing its lease; it was kept", "alert"),
)
RUN_ADOPTED = _kind(
    "run.adopted",
    "Staff took a late result as the task's result.",
    data={"number": _RUN},
    says=Said("adopted the late result of run {number}", "check"),
)

# What a task waits for

TASK_BLOCKED = _kind(
    "task.blocked",
    "A task that could begin waits for another now.",
    data={"by": _BY},
    says=Said("Blocked{because}", "blocked"),
)
TASK_BLOCKERS_CHANGED = _kind(
    "task.blockers_changed",
    "A task waits for more or fewer others, and still waits.",
    data={"open": Datum(NUMBER, "How many it waits for."), "by": _BY},
    says=Said("Blocked by {open} now{because}", "blocked"),
)
TASK_UNBLOCKED = _kind(
    "task.unblocked",
    "A task waits for no other any more.",
    data={"by": _BY},
    says=Said("Nothing blocks the task any more{because}", "check"),
    brings_work=True,
    wakes_matching=True,
)
TASK_DEPENDENCY_FAILED = _kind(
    "task.dependency_failed",
    "A task waits for one that failed or was cancelled, so somebody has to decide.",
    data={"dependency": Datum(TEXT, "Ref of the other task."), "status": Datum(STATUS, "Its status.")},
    says=Said("{dependency} {status}; the task stays blocked", "alert"),
    notifies={"dependency_failed": "{ref} stays blocked: {dependency} {status}."},
)
TASK_DEPENDENCIES_ADDED = _kind(
    "task.dependencies_added",
    "A task waits for further tasks.",
    data={"depends_on": _DEPENDS_ON},
    says=Said("let the task wait for {depends_on}", "link"),
)
TASK_DEPENDENCIES_REMOVED = _kind(
    "task.dependencies_removed",
    "A task waits for fewer tasks.",
    data={"depends_on": _DEPENDS_ON},
    says=Said("let the task wait no longer for {depends_on}", "link"),
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
