"""The catalogue of events: each kind once, with its data, its words, and who listens.

A verb names a kind by its constant; ``event`` refuses what is not declared here. The stream's filter, the timeline,
notifications, matching, waiting agents and the OpenAPI description are made from it.
"""

from typing import Any, Final

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
    "failed": Datum(TEXTS, "Refs of failed tasks that it waits for.", optional=True),
    "cancelled": Datum(TEXTS, "Refs of cancelled tasks that it waits for.", optional=True),
}
_SOURCES = "`given` by the file, `inferred` from its other times, or `unknown`: then it is the import's, and no fact."
# For the history of tasks; see ``tasks.history``.
_WAITS_FOR: Final = {
    "waits_for": Datum(
        TEXT,
        "If it is not started: why it waits from now on, `dependency`, `on_hold`, `deferred` or `no_agent`.",
        optional=True,
    )
}
_LIKE: Final = {
    "priority": Datum(TEXT, "Its priority; then the next two belong to it.", optional=True),
    "due_at": Datum(MOMENT, "Its due date, if it has one.", optional=True),
    "estimate_minutes": Datum(NUMBER, "Its estimate, if it has one.", optional=True),
}
_LABELS: Final = {"labels": Datum(TEXTS, "Its labels, as an episode begins or they change.", optional=True)}
_USED: Final = {
    "input_tokens": Datum(NUMBER, "What the run that ended has used, if it said so.", optional=True),
    "output_tokens": Datum(NUMBER, "The same of output.", optional=True),
    "cost": Datum(TEXT, "What that run cost: a decimal number.", optional=True),
}
_FILE = {
    "title": _TITLE,
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
    "agents": Datum(TEXTS, f"{_AGENTS} got the task.", optional=True),
    "taken_from": Datum(TEXTS, f"{_AGENTS} lost the task by it.", optional=True),
    "open": Datum(NUMBER, "How many others it waits for now, if that changed.", optional=True),
    **_FAILED,
    **_WAITS_FOR,
    **_LIKE,
    **_LABELS,
}

# The life cycle of a task
TASK_CREATED = _kind(
    "task.created",
    "A task was created.",
    data={
        "title": _TITLE,
        "agents": Datum(TEXTS, f"{_AGENTS} were assigned to it at once.", optional=True),
        "follows": Datum(TEXT, "Ref of the task with whose result it was named.", optional=True),
        **_WAITS_FOR,
        **_LIKE,
        **_LABELS,
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
TASK_IMPORTED = _kind(
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
TASK_REIMPORTED = _kind(
    "task.reimported",
    "An import changed a task, but not its status.",
    data={**_FILE, "fields": _FIELDS},
    says=phrases.says_imported,
    notifies=_TELLS_IMPORTED,
    brings_work=True,
    wakes_matching=True,
)
TASK_COMMENTS_IMPORTED = _kind(
    "task.comments_imported",
    "An import brought comments into the thread of a task and changed nothing else of it.",
    data={
        "source": Datum(TEXT, "The format of the file."),
        "comments": Datum(NUMBER, "How many."),
    },
    says=Said("An import from {source} brought comments: {comments}", "edit"),
)
TASK_EDITED = _kind(
    "task.edited",
    "Fields of a task changed.",
    data={"fields": _FIELDS, **_WAITS_FOR, **_LIKE, **_LABELS},
    says=Said("changed {changed}", "edit"),
    brings_work=True,
    wakes_matching=True,
)
TASK_DELETED = _kind(
    "task.deleted",
    "A task was deleted; its events stay.",
    data={"title": _TITLE, **_LIKE},
    says=Said("deleted the task", "cancelled"),
)
_REVOKED: Final = {
    "run": Datum(NUMBER, "The number of the revoked run, if any.", optional=True),
    "outcome": Datum(TEXT, "`revoked`, if a run was revoked.", optional=True),
    "verb": Datum(TEXT, "`revoke`, if a run was revoked.", optional=True),
    "from": Datum(STATUS, "The status before, if a run was revoked.", optional=True),
    "to": Datum(STATUS, "The status after, if a run was revoked.", optional=True),
    **_WAITS_FOR,
    **_USED,
}
TASK_ASSIGNED = _kind(
    "task.assigned",
    "Agents were assigned to a task, or it was offered to one; others may have lost it.",
    data={
        "agents": Datum(TEXTS, f"{_AGENTS} got the task."),
        "source": Datum(TEXT, "How: `manual` by staff, `auto` as an offer."),
        "note": _NOTE,
        "taken_from": Datum(TEXTS, f"{_AGENTS} lost the task by this.", optional=True),
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
TASK_UNASSIGNED = _kind(
    "task.unassigned",
    "Agents were taken off a task.",
    data={"agents": Datum(TEXTS, f"{_AGENTS} lost the task."), "note": _NOTE, **_REVOKED},
    says=phrases.says_unassigned,
    notifies={"unassigned": "{who} unassigned you from {ref}."},
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
    "Agents did not start a task that was offered to them in time.",
    data={"agents": Datum(TEXTS, f"{_AGENTS} had the offer.")},
    says=Said("The offer to {agents} has lapsed", "deferred"),
    notifies={"unassigned": "The offer of {ref} has lapsed: you did not start it in time."},
    brings_work=True,
    wakes_matching=True,
)
TASK_NOBODY_FOUND = _kind(
    "task.nobody_found",
    "Automatic assignment found nobody for a task, and somebody has to act.",
    data={"note": Datum(TEXT, "Why, and what would help.")},
    says=Said("No agent was found for the task", "alert"),
    notifies={"nobody_found": "No agent can be given {ref}."},
)
TASK_WARNING_CHANGED = _kind(
    "task.warning_changed",
    "The reason why automatic assignment finds nobody for a task has changed or no longer applies.",
    data={"note": Datum(TEXT, "Why, and what would help; empty if it no longer applies.")},
    says=phrases.says_warning_changed,
)

# Work on a task
TASK_STATUS_CHANGED = _kind(
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
        "agents": Datum(TEXTS, f"{_AGENTS} were assigned.", optional=True),
        "taken_from": Datum(TEXTS, f"{_AGENTS} lost the task by it.", optional=True),
        "revoked_run": Datum(NUMBER, "The number of a run that it revoked.", optional=True),
        "note": _NOTE,
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
        **_WAITS_FOR,
        **_USED,
        **_LIKE,
        **_LABELS,
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
TASK_PROGRESSED = _kind(
    "task.progressed",
    "The holder of a run reported progress or stored a checkpoint.",
    data={
        "run": _RUN,
        "percent": Datum(NUMBER, "How far the work is."),
        "note": _NOTE,
        "steps": Datum(NUMBER, "How many steps its plan has.", optional=True),
        "settled": Datum(NUMBER, "How many of them are completed or skipped.", optional=True),
        "resumed": Datum(FLAG, "True if the run had stalled before.", optional=True),
    },
    says=Said("reported progress", "in_progress"),
)
TASK_STALLED = _kind(
    "task.stalled",
    "A run is alive, but has made no progress for longer than its project allows.",
    data={"run": _RUN, "last_progress_at": Datum(MOMENT, "When it last made progress.")},
    says=Said("Run {run} of {agent} has stalled", "stalled"),
    notifies={"stalled": "{agent} is making no progress on {ref}."},
)
RUN_LATE_RESULT_KEPT = _kind(
    "run.late_result_kept",
    "The holder of a run sent a result after the run had ended; it was stored for staff to adopt.",
    data={"run": _RUN, "verb": Datum(TEXT, "The verb that was refused: complete or fail.")},
    says=Said("sent a result of run {run} after losing its lease; it was stored", "alert"),
)
TASK_FOLLOW_UP_DECIDED = _kind(
    "task.follow_up_decided",
    "A manager made a task of what a run proposed, or dismissed it.",
    data={
        "title": Datum(TEXT, "What was proposed; untrusted."),
        "decision": Datum(TEXT, "`accepted` or `dismissed`."),
        "created": Datum(TEXT, "Ref of the new task.", optional=True),
        "note": _NOTE,
    },
    says=phrases.says_follow_up_decided,
)
RUN_ARTIFACT_ADDED = _kind(
    "run.artifact_added",
    "The holder of a run added an artifact, or replaced one by another content.",
    data={
        "run": _RUN,
        "artifact": Datum(NUMBER, "Its id."),
        "name": Datum(TEXT, "Its name; untrusted."),
        "artifact_kind": Datum(TEXT, "`text`, `link`, `diff` or `file`."),
        "size": Datum(NUMBER, "In bytes."),
    },
    says=Said("added the artifact {name}", "link"),
)

# What a run asks people

_QUESTION: Final = {
    "question": Datum(NUMBER, "Its id."),
    "prompt": Datum(TEXT, "The start of what was asked; untrusted."),
    "run": _RUN,
}
_CONTINUED: Final = {
    "verb": Datum(TEXT, "Of the table of transitions, if the task moved by it.", optional=True),
    "from": Datum(STATUS, "The status before, if it moved.", optional=True),
    "to": Datum(STATUS, "The status after, if it moved.", optional=True),
    **_WAITS_FOR,
}
QUESTION_ASKED = _kind(
    "question.asked",
    "A run asked people; each question is answered by its id.",
    data={
        "questions": Datum(NUMBERS, "Ids of the questions."),
        "prompt": Datum(TEXT, "The start of the first; untrusted."),
        "run": _RUN,
        "urgency": Datum(TEXT, "The highest of them: `low`, `normal`, `high` or `urgent`."),
        "asks": Datum(TEXTS, "Slugs, usernames and roles that they are for; absent: everyone.", optional=True),
        "outcome": Datum(TEXT, "`parked`, if the run ended to wait.", optional=True),
        **_CONTINUED,
        **_USED,
    },
    says=phrases.says_asked,
    notifies={"question_for_me": phrases.notice_asked, "watched_changed": phrases.notice_watched},
    wakes_matching=lambda data: "to" in data,
)
QUESTION_ANSWERED = _kind(
    "question.answered",
    "A question has its answer: the first, or at its expiry the default.",
    data={
        **_QUESTION,
        "value": Datum(TEXT, "The start of the answer, as text; untrusted."),
        "note": _NOTE,
        "by_default": Datum(FLAG, "True if nobody answered in time.", optional=True),
        **_CONTINUED,
    },
    says=phrases.says_answered,
    notifies={"question_answered": phrases.notice_answered, "watched_changed": phrases.notice_watched},
    brings_work=lambda data: "to" in data,
    wakes_matching=lambda data: "to" in data,
)
QUESTION_WITHDRAWN = _kind(
    "question.withdrawn",
    "Whoever asked, or a manager, took a question back.",
    data={**_QUESTION, "note": _NOTE, **_CONTINUED},
    says=Said("withdrew a question of {agent}", "back"),
    brings_work=lambda data: "to" in data,
    wakes_matching=lambda data: "to" in data,
)
QUESTION_SUPERSEDED = _kind(
    "question.superseded",
    "What a question was about has changed: its answer was refused.",
    data={**_QUESTION, "note": Datum(TEXT, "What has changed."), **_CONTINUED},
    says=Said("A question of {agent} is about something that has changed", "alert"),
    brings_work=lambda data: "to" in data,
    wakes_matching=lambda data: "to" in data,
)
QUESTION_EXPIRED = _kind(
    "question.expired",
    "Nobody answered a question in time: it stays open, or is over because its run has ended otherwise.",
    data={**_QUESTION, "on_expiry": Datum(TEXT, "`keep` or `fail`.")},
    says=phrases.says_question_expired,
    notifies={"question_for_me": "A question of {agent} about {ref} is late, and still open."},
)
QUESTION_ESCALATED = _kind(
    "question.escalated",
    "Nobody answered a question in time, so it goes to the managers; who could answer it still can.",
    data=_QUESTION,
    says=Said("A question of {agent} was not answered in time and goes to the managers", "alert"),
    notifies={"question_for_me": "Nobody answered {agent} about {ref} in time; the question goes to the managers."},
)
# What a task waits for

TASK_BLOCKED = _kind(
    "task.blocked",
    "An unblocked task now waits for another.",
    data={"open": _OPEN, "by": _BY, **_WAITS_FOR},
    says=Said("Blocked{because}", "blocked"),
)
TASK_BLOCKERS_CHANGED = _kind(
    "task.blockers_changed",
    "A blocked task waits for more or fewer others.",
    data={"open": _OPEN, "by": _BY, **_WAITS_FOR},
    says=Said("Now blocked by {open}{because}", "blocked"),
)
TASK_UNBLOCKED = _kind(
    "task.unblocked",
    "A task no longer waits for others.",
    data={"open": _OPEN, "by": _BY, **_WAITS_FOR},
    says=Said("Nothing blocks the task any more{because}", "check"),
    brings_work=True,
    wakes_matching=True,
)
TASK_DEPENDENCY_FAILED = _kind(
    "task.dependency_failed",
    "A task waits for others that failed or were cancelled, so somebody has to decide.",
    data={**_FAILED, "open": _OPEN},
    says=phrases.says_dependency_failed,
    notifies={"dependency_failed": phrases.notice_dependency_failed},
)
TASK_DEPENDENCIES_ADDED = _kind(
    "task.dependencies_added",
    "A task waits for further tasks.",
    data={"depends_on": Datum(TEXTS, "Refs of those tasks."), "open": _OPEN, **_WAITS_FOR},
    says=Said("made the task wait for {depends_on}", "link"),
)
TASK_DEPENDENCIES_REMOVED = _kind(
    "task.dependencies_removed",
    "A task waits for fewer tasks.",
    data={"depends_on": Datum(TEXTS, "Refs of the tasks that it no longer waits for."), "open": _OPEN, **_WAITS_FOR},
    says=phrases.says_dependencies_removed,
    brings_work=lambda data: not data.get("open"),
    wakes_matching=lambda data: not data.get("open"),
)

# What time does to a task

TASK_UNDEFERRED = _kind(
    "task.undeferred",
    "The time before which a task may not start, or its delay after a failure, is over.",
    data={"ready": Datum(FLAG, "Whether it may start: nothing else blocks it."), **_WAITS_FOR},
    says=Said("The task is no longer deferred", "due"),
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

# Messages

MESSAGE_POSTED = _kind(
    "message.posted",
    "Somebody wrote in a task's thread or a project's channel, or to one member; then only the two see this event.",
    data={
        "message": Datum(NUMBER, "Its id."),
        "message_kind": Datum(TEXT, "`comment`, `instruction` or `stop`."),
        "body": Datum(TEXT, "The start of what was written; untrusted."),
        "in_reply_to": Datum(NUMBER, "The id of the message that it answers.", optional=True),
        "to": Datum(TEXT, "Slug or username of the other, if it is direct.", optional=True),
        "mentions": Datum(TEXTS, "Slugs or usernames of the members whom it mentions.", optional=True),
        "run": Datum(NUMBER, "Of an instruction or a stop: the number of the run that it is for.", optional=True),
    },
    says=phrases.says_posted,
    notifies={
        "mention": phrases.notice_mention,
        "direct_message": "{who} wrote you a message.",
        "message": "{who} wrote about {ref}.",
    },
)
MESSAGE_EDITED = _kind(
    "message.edited",
    "The author of a message corrected it; what it said before stays readable.",
    data={
        "message": Datum(NUMBER, "Its id."),
        "body": Datum(TEXT, "The start of what it says now; untrusted."),
        "mentions": Datum(TEXTS, "Slugs or usernames of the members whom no earlier version mentioned.", optional=True),
    },
    says=Said("edited a message", "edit"),
    notifies={"mention": phrases.notice_mention},
)
MESSAGE_REACTED = _kind(
    "message.reacted",
    "Somebody put an emoji under a message, or took it away; it starts nothing.",
    data={
        "message": Datum(NUMBER, "Its id."),
        "emoji": Datum(TEXT, "The emoji."),
        "removed": Datum(FLAG, "True if it was taken away.", optional=True),
    },
    says=lambda event: Said(
        "took {emoji} back from a message" if event.data.get("removed") else "reacted with {emoji} to a message", "edit"
    ),
)
_DIRECTED: Final = {
    "message": Datum(NUMBER, "Its id."),
    "message_kind": Datum(TEXT, "`instruction` or `stop`."),
    "author": Datum(TEXT, "Slug or username of its sender."),
}
_FOR_RUN: Final = {**_DIRECTED, "run": _RUN}
MESSAGE_DELIVERED = _kind(
    "message.delivered",
    "A reply with an instruction or a stop was made for the holder of the run.",
    data=_FOR_RUN,
    says=Said("got {article} {message_kind} of {author}", "check"),
)
MESSAGE_ACKNOWLEDGED = _kind(
    "message.acknowledged",
    "The holder of the run acknowledged an instruction or a stop.",
    data={**_FOR_RUN, "note": _NOTE},
    says=Said("acknowledged {article} {message_kind} of {author}", "check"),
)
MESSAGE_DECLINED = _kind(
    "message.declined",
    "The holder of the run declined an instruction.",
    data={**_FOR_RUN, "note": _NOTE},
    says=Said("declined {article} {message_kind} of {author}", "back"),
    notifies={"undelivered": "{agent} declined your {message_kind} about {ref}."},
)
MESSAGE_WITHDRAWN = _kind(
    "message.withdrawn",
    "The sender took an instruction or a stop back, before it was delivered.",
    data={**_DIRECTED, "run": Datum(NUMBER, "The number of the run that it was for, if any.", optional=True)},
    says=Said("withdrew {article} {message_kind}", "back"),
)
MESSAGE_UNDELIVERED = _kind(
    "message.undelivered",
    "The run ended before its holder had acknowledged an instruction or a stop; or the task ended before a next run.",
    data={**_DIRECTED, "run": Datum(NUMBER, "The number of the run; absent if there was none.", optional=True)},
    says=phrases.says_undelivered,
    notifies={"undelivered": "Your {message_kind} about {ref} was not delivered: its run has ended."},
)
MESSAGE_KEPT = _kind(
    "message.kept",
    "The run ended before its holder had acknowledged an instruction, which now waits for the next run.",
    data=_FOR_RUN,
    says=Said("The {message_kind} of {author} waits for the next run: run {run} has ended", "deferred"),
)

# Who follows a task: only for themselves

TASK_WATCHED = _kind(
    "task.watched",
    "Somebody chose to watch a task; only they see this event.",
    data={},
    says=Said("started to watch the task", "bell"),
)
TASK_UNWATCHED = _kind(
    "task.unwatched",
    "Somebody chose not to watch a task any more; only they see this event.",
    data={},
    says=Said("stopped watching the task", "bell"),
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
    # What it could do at any time in the past is told backwards, from what it can do now.
    data={
        "fields": _FIELDS,
        "enabled_before": Datum(FLAG, "If that changed: whether it was enabled.", optional=True),
        "availability_before": Datum(TEXT, "If that changed: `available` or `paused`.", optional=True),
        "max_concurrent_before": Datum(NUMBER, "If that changed: its capacity.", optional=True),
        "working_hours_before": Datum(TEXT, "If they changed: its working hours.", optional=True),
        "time_zone_before": Datum(TEXT, "If that changed: the zone of its working hours.", optional=True),
    },
    says=Said("changed {changed} of {agent}", "edit"),
    brings_work=True,
    wakes_matching=True,
)
AGENT_AVAILABILITY_CHANGED = _kind(
    "agent.availability_changed",
    "An agent was paused or made available again; recorded in each of its projects.",
    data={"availability": Datum(TEXT, "`available` or `paused`.")},
    says=Said("set {agent} to {availability}", "edit"),
    wakes_matching=True,
)
MEMBER_ADDED = _kind(
    "member.added",
    "Somebody became a member of a project.",
    data={"member": _MEMBER, "role": _ROLE},
    says=Said("added {member} as {role}", "person_add"),
    brings_work=True,
    wakes_matching=True,
)
MEMBER_INVITED = _kind(
    "member.invited",
    "Somebody was invited to a project; whoever has the name that was written, if anyone.",
    data={
        "member": Datum(TEXT, "The name that was written; untrusted."),
        "role": Datum(TEXT, "The role they would have."),
    },
    says=Said("invited {member} as {role}", "person_add"),
    notifies={"invited": "{who} invites {member} to {project} as {role}."},
)
MEMBER_JOINED = _kind(
    "member.joined",
    "An invitation was accepted: by the person, also by a link, or by whoever owns the LLM agent.",
    data={"member": _MEMBER, "role": _ROLE},
    says=Said("accepted the invitation of {member} as {role}", "person_add"),
    brings_work=True,
    wakes_matching=True,
)
MEMBER_INVITATION_DECLINED = _kind(
    "member.invitation_declined",
    "An invitation was declined; not said by whom, since the project need not know who owns an agent.",
    data={"member": Datum(TEXT, "The name that was written; untrusted.")},
    says=Said("The invitation of {member} was declined", "person_add"),
)
MEMBER_INVITATION_WITHDRAWN = _kind(
    "member.invitation_withdrawn",
    "An invitation was withdrawn.",
    data={"member": Datum(TEXT, "The name that was written; untrusted.")},
    says=Said("withdrew the invitation of {member}", "person_add"),
)
MEMBER_LINK_MADE = _kind(
    "member.link_made",
    "A link was made by which whoever has it joins the project.",
    data={"role": Datum(TEXT, "The role they would have."), "once": Datum(FLAG, "Whether it is for one person.")},
    says=Said("made an invitation link for a {role}", "person_add"),
)
MEMBER_LINK_REVOKED = _kind(
    "member.link_revoked",
    "A link to join the project was revoked.",
    data={"role": Datum(TEXT, "The role it would have given.")},
    says=Said("revoked an invitation link for a {role}", "person_add"),
)
MEMBER_ROLE_CHANGED = _kind(
    "member.role_changed",
    "The role of a member changed.",
    data={"member": _MEMBER, "role": _ROLE},
    says=Said("made {member} a {role}", "person_add"),
    brings_work=True,
    wakes_matching=True,
)
MEMBER_PAUSED = _kind(
    "member.paused",
    "A manager paused an agent in the project: it keeps what it works on and takes nothing more there.",
    data={"member": _MEMBER},
    says=Said("paused {member} in the project", "pause"),
    wakes_matching=True,
)
MEMBER_RESUMED = _kind(
    "member.resumed",
    "An agent that was paused in the project may take work there again.",
    data={"member": _MEMBER},
    says=Said("let {member} take work again", "play"),
    brings_work=True,
    wakes_matching=True,
)
MEMBER_REMOVED = _kind(
    "member.removed",
    "Somebody is no longer a member of a project.",
    # While an agent is in no project, nothing is recorded of what changes.
    data={
        "member": _MEMBER,
        "enabled": Datum(FLAG, "Of an agent: whether it was enabled.", optional=True),
        "availability": Datum(TEXT, "Of an agent: `available` or `paused`.", optional=True),
        "max_concurrent": Datum(NUMBER, "Of an agent: its capacity.", optional=True),
        "working_hours": Datum(TEXT, "Of an agent: its working hours.", optional=True),
        "time_zone": Datum(TEXT, "Of an agent: the zone of its working hours.", optional=True),
    },
    says=Said("removed {member} from the project", "person_add"),
    wakes_matching=True,
)

# Notifications: only for their recipients

_ALERT: Final = Datum(FLAG, "True if its recipient wants a browser to show it by itself.", optional=True)
NOTIFICATION_CREATED = _kind(
    "notification.created",
    "A notification was created; only its recipient sees this event.",
    data={
        "notification": Datum(NUMBER, "Its id."),
        "notification_kind": Datum(TEXT, "Its kind, as in the list of notifications."),
        "count": Datum(NUMBER, "For how many it stands, if they are more.", optional=True),
        "alert": _ALERT,
    },
    says=Said("Somebody was notified", "bell"),
)
NOTIFICATION_EXTENDED = _kind(
    "notification.extended",
    "An unread notification now stands for more that belongs to it; only its recipient sees this event.",
    data={
        "notification": Datum(NUMBER, "Its id."),
        "count": Datum(NUMBER, "For how many it stands now."),
        "alert": _ALERT,
    },
    says=Said("Somebody was notified of more", "bell"),
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

# Webhooks. Their addresses are for managers alone: some contain a secret.

_WEBHOOK = Datum(NUMBER, "Its id.")
WEBHOOK_CREATED = _kind(
    "webhook.created",
    "A webhook was registered: events of the project are sent outside.",
    data={"webhook": _WEBHOOK},
    says=Said("registered webhook {webhook}", "plus"),
)
WEBHOOK_EDITED = _kind(
    "webhook.edited",
    "A webhook was changed.",
    data={"webhook": _WEBHOOK, "fields": _FIELDS},
    says=Said("changed {changed} of webhook {webhook}", "edit"),
)
WEBHOOK_KEY_ROTATED = _kind(
    "webhook.key_rotated",
    "A webhook got a new signing key.",
    data={"webhook": _WEBHOOK},
    says=Said("gave webhook {webhook} a new key", "edit"),
)
WEBHOOK_DISABLED = _kind(
    "webhook.disabled",
    "Nothing more is sent to a webhook, since it answered 410 Gone or failed at every attempt.",
    data={
        "webhook": _WEBHOOK,
        "reason": Datum(TEXT, "`gone` or `exhausted`."),
        "because": Datum(TEXT, "The same in words."),
    },
    says=Said("Webhook {webhook} was disabled: {because}", "alert"),
    notifies={"webhook_disabled": "Webhook {webhook} of {project} was disabled: {because}."},
)
WEBHOOK_DELETED = _kind(
    "webhook.deleted",
    "A webhook was deleted.",
    data={"webhook": _WEBHOOK},
    says=Said("deleted webhook {webhook}", "cancelled"),
)

# The inbox: only for its reader

INBOX_CHANGED = _kind(
    "inbox.changed",
    "Somebody snoozed, archived or restored an item of their inbox; only they see this event.",
    data={
        "item": Datum(TEXT, "The item's id, as in `question-7`."),
        "state": Datum(TEXT, "`active`, `snoozed` or `archived`."),
    },
    says=Said("put {item} aside", "check"),
)


def kind_named(name: str) -> Kind:
    """The declaration of the kind ``name``. Raises ``UndeclaredEvent`` with the nearest declared name."""
    kind = CATALOGUE.get(name)
    if kind is None:
        raise UndeclaredEvent(unknown_name(name, CATALOGUE, what="kind of events"))
    return kind


#: The kinds that waiting agents, matching, and notifications listen to; see ``Kind``.
BRINGING_WORK: Final = frozenset(kind for kind in CATALOGUE.values() if kind.declared.brings_work)
WAKING_MATCHING: Final = frozenset(kind for kind in CATALOGUE.values() if kind.declared.wakes_matching)
NOTIFYING: Final = frozenset(kind for kind in CATALOGUE.values() if kind.declared.notifies)
#: After these somebody may see other projects than before.
OF_MEMBERS: Final = frozenset({MEMBER_ADDED, MEMBER_JOINED, MEMBER_ROLE_CHANGED, MEMBER_REMOVED})


def may_bring_work(kind: str, data: Data) -> bool:
    """Whether an agent that found nothing to claim may find something after an event of this kind with this data."""
    return kind in BRINGING_WORK and CATALOGUE[kind].may_bring_work(data)


def may_wake_matching(kind: str, data: Data) -> bool:
    """Whether a matching after an event of this kind with this data may have a different outcome."""
    return kind in WAKING_MATCHING and CATALOGUE[kind].may_wake_matching(data)
