"""Tasks come, change, are given to agents, and go."""

from typing import Final

from tasks.events import phrases
from tasks.events.declaration import MOMENT, NUMBER, SCORE, STATUS, TEXT, TEXTS, Datum, Kind, Said
from tasks.events.kinds.shared import AGENTS, FAILED, FIELDS, LABELS, LIKE, NOTE, TITLE, USED, WAITS_FOR
from tasks.transitions import Status

_SOURCES = "`given` by the file, `inferred` from its other times, or `unknown`: then it is the import's, and no fact."

_FILE = {
    "title": TITLE,
    "source": Datum(TEXT, "The format of the file."),
    "fingerprint": Datum(
        TEXT, "A digest of what the file said about the task: if it is the same again, nothing changes."
    ),
    "comments": Datum(NUMBER, "How many comments came into its thread.", optional=True),
    "started_at": Datum(MOMENT, "When the task was first started, here or elsewhere.", optional=True),
    "completed_at": Datum(MOMENT, "When the task was completed, here or elsewhere.", optional=True),
    "created_at": Datum(MOMENT, "When the task was created elsewhere.", optional=True),
    "created_from": Datum(TEXT, f"Where that comes from: {_SOURCES} Absent: it began with the import.", optional=True),
    "completed_from": Datum(TEXT, f"Where `completed_at` comes from: {_SOURCES}", optional=True),
    "credited": Datum(TEXTS, "The agents whose work the file says it was, if it came in completed.", optional=True),
    "agents": Datum(TEXTS, f"{AGENTS} got the task.", optional=True),
    "taken_from": Datum(TEXTS, f"{AGENTS} lost the task by it.", optional=True),
    "open": Datum(NUMBER, "How many others it waits for now, if that changed.", optional=True),
    **FAILED,
    **WAITS_FOR,
    **LIKE,
    **LABELS,
}

TASK_CREATED = Kind(
    "task.created",
    "A task was created.",
    data={
        "title": TITLE,
        "agents": Datum(TEXTS, f"{AGENTS} were assigned to it at once.", optional=True),
        "follows": Datum(TEXT, "Ref of the task with whose result it was named.", optional=True),
        **WAITS_FOR,
        **LIKE,
        **LABELS,
    },
    says=phrases.says_created,
    notifies={"assigned": "{who} assigned {ref} to you."},
    brings_work=True,
    wakes_matching=True,
)
_TELLS_IMPORTED: Final = {
    "assigned": "{who} assigned {ref} to you.",
    "unassigned": "{who} unassigned you from {ref}.",
    "dependency_failed": phrases.notice_dependency_failed,
}
TASK_IMPORTED = Kind(
    "task.imported",
    "An import created a task, or changed the status of one that had not started here, with all its effects on it.",
    data={
        **_FILE,
        "from": Datum(STATUS, "The status before; absent for a new task.", optional=True),
        "to": Datum(STATUS, "The task's status according to the file."),
        "fields": Datum(TEXTS, "Names of the fields that changed; absent for a new task.", optional=True),
    },
    says=phrases.says_imported,
    notifies=_TELLS_IMPORTED,
    brings_work=lambda data: data.get("to") == Status.NOT_STARTED,
    wakes_matching=True,
)
TASK_REIMPORTED = Kind(
    "task.reimported",
    "An import changed a task, but not its status.",
    data={**_FILE, "fields": FIELDS},
    says=phrases.says_imported,
    notifies=_TELLS_IMPORTED,
    brings_work=True,
    wakes_matching=True,
)
TASK_COMMENTS_IMPORTED = Kind(
    "task.comments_imported",
    "An import brought comments into the thread of a task and changed nothing else of it.",
    data={
        "source": Datum(TEXT, "The format of the file."),
        "comments": Datum(NUMBER, "How many."),
    },
    says=Said("An import from {source} brought comments: {comments}", "edit"),
)
TASK_EDITED = Kind(
    "task.edited",
    "Fields of a task changed.",
    data={"fields": FIELDS, **WAITS_FOR, **LIKE, **LABELS},
    says=Said("changed {changed}", "edit"),
    brings_work=True,
    wakes_matching=True,
)
TASK_DELETED = Kind(
    "task.deleted",
    "A task was deleted; its events stay.",
    data={"title": TITLE, **LIKE},
    says=Said("deleted the task", "cancelled"),
)
_REVOKED: Final = {
    "run": Datum(NUMBER, "The number of the revoked run, if any.", optional=True),
    "outcome": Datum(TEXT, "`revoked`, if a run was revoked.", optional=True),
    "verb": Datum(TEXT, "`revoke`, if a run was revoked.", optional=True),
    "from": Datum(STATUS, "The status before, if a run was revoked.", optional=True),
    "to": Datum(STATUS, "The status after, if a run was revoked.", optional=True),
    **WAITS_FOR,
    **USED,
}
TASK_ASSIGNED = Kind(
    "task.assigned",
    "Agents were assigned to a task, or it was offered to one; others may have lost it.",
    data={
        "agents": Datum(TEXTS, f"{AGENTS} got the task."),
        "source": Datum(TEXT, "How: `manual` by staff, `auto` as an offer."),
        "note": NOTE,
        "taken_from": Datum(TEXTS, f"{AGENTS} lost the task by this.", optional=True),
        **_REVOKED,
        "accept_by": Datum(MOMENT, "Until when the offer stands.", optional=True),
        "score": Datum(SCORE, "How well the agent fits, by the project's policy.", optional=True),
        "margin": Datum(SCORE, "By how much better than the next one, if there is another.", optional=True),
    },
    says=phrases.says_assigned,
    notifies={"assigned": phrases.notice_assigned, "unassigned": "{who} unassigned you from {ref}."},
    brings_work=True,
    wakes_matching=lambda data: "taken_from" in data,
)
TASK_UNASSIGNED = Kind(
    "task.unassigned",
    "Agents were taken off a task.",
    data={"agents": Datum(TEXTS, f"{AGENTS} lost the task."), "note": NOTE, **_REVOKED},
    says=phrases.says_unassigned,
    notifies={"unassigned": "{who} unassigned you from {ref}."},
    brings_work=True,
    wakes_matching=True,
)
TASK_DECLINED = Kind(
    "task.declined",
    "An agent declined a task that it was assigned to or offered.",
    data={"note": NOTE},
    says=Said("declined the task", "person_add"),
    notifies={"declined": "{agent} declined {ref}."},
    brings_work=True,
    wakes_matching=True,
)
TASK_OFFER_LAPSED = Kind(
    "task.offer_lapsed",
    "Agents did not start a task that was offered to them in time.",
    data={"agents": Datum(TEXTS, f"{AGENTS} had the offer.")},
    says=Said("The offer to {agents} has lapsed", "deferred"),
    notifies={"unassigned": "The offer of {ref} has lapsed: you did not start it in time."},
    brings_work=True,
    wakes_matching=True,
)
TASK_NOBODY_FOUND = Kind(
    "task.nobody_found",
    "Automatic assignment found nobody for a task, and somebody has to act.",
    data={"note": Datum(TEXT, "Why, and what would help.")},
    says=Said("No agent was found for the task", "alert"),
    notifies={"nobody_found": "No agent can be given {ref}."},
)
TASK_WARNING_CHANGED = Kind(
    "task.warning_changed",
    "The reason why automatic assignment finds nobody for a task has changed or no longer applies.",
    data={"note": Datum(TEXT, "Why, and what would help; empty if it no longer applies.")},
    says=phrases.says_warning_changed,
)
