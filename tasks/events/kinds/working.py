"""Work on a task: its status, its runs and what they bring."""

from tasks.events import phrases
from tasks.events.declaration import FLAG, MOMENT, NUMBER, NUMBERS, STATUS, TEXT, TEXTS, Datum, Kind, Said
from tasks.events.kinds.shared import AGENTS, LABELS, LIKE, NOTE, RUN, USED, WAITS_FOR
from tasks.transitions import Status

TASK_STATUS_CHANGED = Kind(
    "task.status_changed",
    "A verb moved a task from one status to another, with all its effects on it and the run that it started or ended.",
    data={
        "verb": Datum(TEXT, "The verb of the table of transitions."),
        "from": Datum(STATUS, "The status before."),
        "to": Datum(STATUS, "The status after."),
        "run": Datum(NUMBER, "The number of the run that it started, ended, judged or adopted.", optional=True),
        "outcome": Datum(
            TEXT, "How it ended the run: completed, failed, released, expired, cancelled or parked.", optional=True
        ),
        "source": Datum(TEXT, "`pull`, if the agent took a task that it was not assigned to.", optional=True),
        "agents": Datum(TEXTS, f"{AGENTS} were assigned.", optional=True),
        "taken_from": Datum(TEXTS, f"{AGENTS} lost the task by it.", optional=True),
        "revoked_run": Datum(NUMBER, "The number of a run that it revoked.", optional=True),
        "note": NOTE,
        "summary": Datum(TEXT, "The start of what the agent said about its result; untrusted.", optional=True),
        "code": Datum(TEXT, "The code of a failure; untrusted.", optional=True),
        "detail": Datum(TEXT, "The failure in words; untrusted.", optional=True),
        "retryable": Datum(FLAG, "Whether a retry may help.", optional=True),
        "retry_after_seconds": Datum(NUMBER, "The rest that the agent asked for.", optional=True),
        "artifacts": Datum(NUMBER, "How many artifacts came with the result.", optional=True),
        "comments": Datum(NUMBER, "How many lines of them a review commented on.", optional=True),
        "follow_ups": Datum(NUMBER, "How many follow-ups came with the result.", optional=True),
        "questions": Datum(NUMBERS, "Ids of open questions about the task that ended with this.", optional=True),
        "agent_version": Datum(TEXT, "If it started a run: the version of the agent.", optional=True),
        **WAITS_FOR,
        **USED,
        **LIKE,
        **LABELS,
    },
    says=phrases.says_moved,
    notifies={
        "assigned": "{who} assigned {ref} to you.",
        "unassigned": phrases.notice_unassigned,
        "completed": phrases.notice_completed,
        "failed": phrases.notice_failed,
        "review_asked": phrases.notice_review_asked,
        "changes_requested": "{who} requested changes to {ref}.",
        "watched_changed": phrases.notice_watched,
    },
    brings_work=lambda data: data.get("to") == Status.NOT_STARTED,
    wakes_matching=True,
)
TASK_PROGRESSED = Kind(
    "task.progressed",
    "The holder of a run reported progress or stored a checkpoint.",
    data={
        "run": RUN,
        "percent": Datum(NUMBER, "How far the work is."),
        "note": NOTE,
        "steps": Datum(NUMBER, "How many steps its plan has.", optional=True),
        "settled": Datum(NUMBER, "How many of them are completed or skipped.", optional=True),
        "resumed": Datum(FLAG, "True if the run had stalled before.", optional=True),
    },
    says=Said("reported progress", "in_progress"),
)
TASK_STALLED = Kind(
    "task.stalled",
    "A run is alive, but has made no progress for longer than its project allows.",
    data={"run": RUN, "last_progress_at": Datum(MOMENT, "When it last made progress.")},
    says=Said("Run {run} of {agent} has stalled", "stalled"),
    notifies={"stalled": "{agent} is making no progress on {ref}."},
)
RUN_LATE_RESULT_KEPT = Kind(
    "run.late_result_kept",
    "The holder of a run sent a result after the run had ended; it was stored for staff to adopt.",
    data={"run": RUN, "verb": Datum(TEXT, "The verb that was refused: complete or fail.")},
    says=Said("sent a result of run {run} after losing its lease; it was stored", "alert"),
)
TASK_FOLLOW_UP_DECIDED = Kind(
    "task.follow_up_decided",
    "A manager made a task of what a run proposed, or dismissed it.",
    data={
        "title": Datum(TEXT, "What was proposed; untrusted."),
        "decision": Datum(TEXT, "`accepted` or `dismissed`."),
        "created": Datum(TEXT, "Ref of the new task.", optional=True),
        "note": NOTE,
    },
    says=phrases.says_follow_up_decided,
)
RUN_ARTIFACT_ADDED = Kind(
    "run.artifact_added",
    "The holder of a run added an artifact, or replaced one by another content.",
    data={
        "run": RUN,
        "artifact": Datum(NUMBER, "Its id."),
        "name": Datum(TEXT, "Its name; untrusted."),
        "artifact_kind": Datum(TEXT, "`text`, `link`, `diff` or `file`."),
        "size": Datum(NUMBER, "In bytes."),
    },
    says=Said("added the artifact {name}", "link"),
)
