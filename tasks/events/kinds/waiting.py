"""What a task waits for, and what time does to it."""

from tasks.events import phrases
from tasks.events.declaration import FLAG, TEXTS, Datum, Kind, Said
from tasks.events.kinds.shared import BY, DUE_AT, FAILED, OPEN, WAITS_FOR

TASK_BLOCKED = Kind(
    "task.blocked",
    "An unblocked task now waits for another.",
    data={"open": OPEN, "by": BY, **WAITS_FOR},
    says=Said("Blocked{because}", "blocked"),
)
TASK_BLOCKERS_CHANGED = Kind(
    "task.blockers_changed",
    "A blocked task waits for more or fewer others.",
    data={"open": OPEN, "by": BY, **WAITS_FOR},
    says=Said("Now blocked by {open}{because}", "blocked"),
)
TASK_UNBLOCKED = Kind(
    "task.unblocked",
    "A task no longer waits for others.",
    data={"open": OPEN, "by": BY, **WAITS_FOR},
    says=Said("Nothing blocks the task any more{because}", "check"),
    brings_work=True,
    wakes_matching=True,
)
TASK_DEPENDENCY_FAILED = Kind(
    "task.dependency_failed",
    "A task waits for others that failed or were cancelled, so somebody has to decide.",
    data={**FAILED, "open": OPEN},
    says=phrases.says_dependency_failed,
    notifies={"dependency_failed": phrases.notice_dependency_failed},
)
TASK_DEPENDENCIES_ADDED = Kind(
    "task.dependencies_added",
    "A task waits for further tasks.",
    data={"depends_on": Datum(TEXTS, "Refs of those tasks."), "open": OPEN, **WAITS_FOR},
    says=Said("made the task wait for {depends_on}", "link"),
)
TASK_DEPENDENCIES_REMOVED = Kind(
    "task.dependencies_removed",
    "A task waits for fewer tasks.",
    data={"depends_on": Datum(TEXTS, "Refs of the tasks that it no longer waits for."), "open": OPEN, **WAITS_FOR},
    says=phrases.says_dependencies_removed,
    brings_work=lambda data: not data.get("open"),
    wakes_matching=lambda data: not data.get("open"),
)

TASK_UNDEFERRED = Kind(
    "task.undeferred",
    "The time before which a task may not start, or its delay after a failure, is over.",
    data={"ready": Datum(FLAG, "Whether it may start: nothing else blocks it."), **WAITS_FOR},
    says=Said("The task is no longer deferred", "due"),
    brings_work=True,
    wakes_matching=True,
)
TASK_DUE_DATE_NEARED = Kind(
    "task.due_date_neared",
    "The due date of an open task is near; recorded once for each due date.",
    data={"due_at": DUE_AT},
    says=Said("The due date is near", "due"),
    notifies={"due_soon": "{ref} is due soon."},
)
TASK_DUE_DATE_PASSED = Kind(
    "task.due_date_passed",
    "The due date of an open task has passed; recorded once for each due date.",
    data={"due_at": DUE_AT},
    says=Said("The due date has passed", "overdue"),
    notifies={"overdue": "{ref} is overdue."},
)
