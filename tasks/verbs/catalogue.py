"""The verbs, one declaration each, in the order in which doors show them.

If several lead to the same column of the board, the first one is used.
"""

from typing import Final

from tasks.transitions import OPEN, TRANSITIONS, Status
from tasks.verbs.declaration import Answer, Door, Need, On, Verb, listed
from tasks.verbs.fields import (
    Agents,
    Criteria,
    Flag,
    Json,
    JsonObject,
    Number,
    Person,
    Projects,
    Record,
    Tasks,
    Text,
    Texts,
    Whole,
)

#: The texts of a task, for creating, editing and importing tasks.
TITLE = Text(name="title", label="Title", required=True, missing="Give the task a title.", most=300)
DESCRIPTION = Text(name="description", label="Description", most=100_000, lines=10)
LABELS = Texts(name="labels", label="Labels", longest=60)
CRITERIA = Texts(name="criteria", label="Criteria", longest=1_000)
TASK_FIELDS: Final = (TITLE, DESCRIPTION, CRITERIA)

#: How long a lease may be.
LEASE_SECONDS_MIN, LEASE_SECONDS_MAX = 30, 4 * 3600

_EVERYWHERE = frozenset({Door.API, Door.PAGE, Door.BOARD, Door.ADMIN, Door.BULK})
_BY_THE_HOLDER = _EVERYWHERE - {Door.BULK}
_MANAGERS = "Managers only."
_REVIEWERS = "Managers and reviewers, never the author."


def _note(help: str = "", *, most: int = 10_000, missing: str = "") -> Text:
    required = {"required": True, "missing": missing} if missing else {"default": ""}
    return Text(name="note", label="Note", help=help, most=most, lines=3, **required)


_AGENTS = Agents(name="agents", label="Agents", help="Slugs.", required=True, missing="Choose at least one agent.")
# Notes on assignments are short, because lists show them next to the name.
_ASSIGNMENT_NOTE = _note(most=500)
_LEASE = Whole(
    name="lease_seconds",
    label="Lease in seconds",
    help="How long the run is believed alive (default: the project's).",
    least=LEASE_SECONDS_MIN,
    most=LEASE_SECONDS_MAX,
)
_USAGE = Record(
    name="usage",
    label="Usage",
    help="Usage since the last report; summed over the run.",
    parts=(
        Whole(name="input_tokens", label="Input tokens", default=0, most=10**12),
        Whole(name="output_tokens", label="Output tokens", default=0, most=10**12),
        Number(name="cost", label="Cost", default=0, most=10**6 - 1),
    ),
)
_CHECKPOINT = JsonObject(name="checkpoint", label="Checkpoint", help="What the next run needs.")

CLAIM = Verb(
    name="claim",
    label="Claim",
    doing="Claim {}",
    done="Claimed {}",
    passive="claimed",
    help="Repeating it is safe for the holder: it returns the same run with its lease renewed.",
    row="claim",
    fields=(_LEASE,),
    doors=frozenset({Door.API}),
    icon="play",
    tag="work",
    answer=Answer.RUN,
    example={"lease_seconds": 600},
)
CLAIM_NEXT = Verb(
    name="claim_next",
    label="Claim next",
    doing="Claim {}",
    done="Claimed {}",
    passive="claimed",
    help="First what is assigned to you, then what the projects let you pull; by priority, due date and age.",
    on=On.MANY,
    row="claim",
    fields=(
        Projects(name="projects", label="Projects", help="Keys."),
        Whole(name="limit", label="Limit", default=1, least=1, most=20),
        _LEASE,
    ),
    doors=frozenset({Door.API}),
    icon="play",
    tag="work",
    regular=False,
)
START = Verb(
    name="start",
    label="Start",
    doing="Start {}",
    done="Started {}",
    passive="started",
    help="You work on the task yourself; there is no lease.",
    in_api="For people: for yourself or, as staff, for another person.",
    row="start",
    fields=(Person(name="agent", label="Who", help="Another person (staff only).", by_hand=False),),
    doors=frozenset({Door.API, Door.PAGE, Door.BOARD, Door.ADMIN}),
    needs=frozenset({Need.READY, Need.MAY_TAKE}),
    primary=True,
    icon="play",
    tag="work",
    answer=Answer.RUN,
)
START_FOR = Verb(
    name="start_for",
    label="Start for",
    doing="Start {}",
    done="Started {}",
    passive="started",
    help="For people who work outside this site. LLM agents claim tasks themselves.",
    row="start",
    right="assign",
    fields=(Person(name="agent", label="Who", required=True, missing="Choose who starts it."),),
    doors=frozenset({Door.PAGE, Door.BOARD, Door.ADMIN}),
    needs=frozenset({Need.READY, Need.PERSON}),
    icon="play",
    answer=Answer.RUN,
)
HEARTBEAT = Verb(
    name="heartbeat",
    label="Heartbeat",
    doing="Renew the lease on {}",
    done="Renewed the lease on {}",
    passive="kept alive",
    in_api="Renews the lease. Send it well before the lease ends; obey `directives`.",
    on=On.RUN,
    row="heartbeat",
    fields=(_LEASE,),
    doors=frozenset({Door.API}),
    tag="work",
    answer=Answer.BRIEF,
)
PROGRESS = Verb(
    name="progress",
    label="Report progress",
    doing="Report progress of {}",
    done="Reported progress of {}",
    passive="reported on",
    in_api="Renews the lease. Only changed content counts as progress. `checkpoint` goes to the next holder.",
    on=On.RUN,
    row="progress",
    fields=(
        Whole(name="percent", label="Progress in %", shown="progress_percent", most=100),
        Text(name="note", label="What you are working on", shown="progress_note", most=1_000),
        _CHECKPOINT,
        _USAGE,
    ),
    doors=frozenset({Door.API, Door.PAGE, Door.ADMIN}),
    standing=True,
    icon="in_progress",
    submit="Report",
    tag="work",
    answer=Answer.BRIEF,
    example={
        "percent": 40,
        "note": "new keys made",
        "usage": {"input_tokens": 1200, "output_tokens": 300, "cost": 0.01},
    },
)
COMPLETE = Verb(
    name="complete",
    label="Complete",
    doing="Complete {}",
    done="Finished {}",
    passive="completed",
    help="The task is completed, or goes to review if it requires one.",
    on=On.RUN,
    row="complete",
    fields=(
        Text(
            name="summary",
            label="Summary",
            help="What was done, in Markdown. Tasks that wait for this one get it.",
            required=True,
            missing="Say what was done.",
            most=20_000,
            lines=4,
        ),
        Json(name="result", label="Result", help="Text, or JSON for programs to read.", short=False),
        Criteria(
            name="criteria",
            label="Criteria met",
            parts=(
                Text(name="criterion", label="Criterion", required=True, most=1_000),
                Flag(name="met", label="Met", required=True),
                Text(name="note", label="Note", most=2_000),
            ),
        ),
        _USAGE,
    ),
    doors=_BY_THE_HOLDER,
    primary=True,
    tag="work",
    answer=Answer.FINISHED,
    example={"summary": "Rotated; old keys are refused", "result": {"key": "2026-11"}},
)
COMPLETE_MANY = Verb(
    name="complete_many",
    label="Complete",
    doing="Complete {}",
    done="Finished {}",
    passive="completed",
    help="Each independently: a refused one carries its `problem`, the others are completed.",
    on=On.MANY,
    row="complete",
    doors=frozenset({Door.API}),
    tag="work",
    regular=False,
)
EXPIRE = Verb(
    name="expire",
    label="Expire",
    doing="End the lease of {}",
    done="Ended the lease of {}",
    passive="expired",
    help="The lease is over: the task comes back after a delay. The fifth lost lease fails it.",
    on=On.RUN,
    row="expire",
)
APPROVE = Verb(
    name="approve",
    label="Approve",
    doing="Approve {}",
    done="Approved {}",
    passive="approved",
    help="The task is completed; what waits for it becomes ready.",
    in_api=_REVIEWERS,
    row="approve",
    fields=(_note(),),
    doors=_EVERYWHERE,
    primary=True,
    tag="review",
)
REQUEST_CHANGES = Verb(
    name="request_changes",
    label="Request changes",
    doing="Request changes to {}",
    done="Requested changes to {}",
    passive="sent back for changes",
    help="The author gets the task again, with your note.",
    in_api=_REVIEWERS,
    row="request_changes",
    fields=(_note(missing="Say what should change."),),
    doors=_EVERYWHERE,
    icon="back",
    submit="Send back",
    tag="review",
    operation="request_changes",
    example={"note": "Please add a test."},
)
ADOPT = Verb(
    name="adopt",
    label="Adopt the result",
    doing="Adopt the late result of {}",
    done="Adopted the late result of {}",
    passive="given a late result",
    help="Use a result that arrived after its lease was lost as the task's result.",
    in_api=_MANAGERS,
    on=On.ENDED_RUN,
    row="adopt",
    doors=frozenset({Door.API, Door.PAGE, Door.ADMIN}),
    tag="review",
    answer=Answer.FINISHED,
    regular=False,
)
FAIL = Verb(
    name="fail",
    label="Fail",
    doing="End the attempt at {}",
    done="Ended the attempt at {}",
    passive="failed",
    help="The task fails; if it is worth another attempt and attempts are left, it comes back after a delay.",
    on=On.RUN,
    row="fail",
    fields=(
        Text(
            name="code",
            label="Short reason",
            help="A word that programs can count, such as tests_failed.",
            required=True,
            missing="Give a short reason.",
            most=100,
            initial="cannot_do",
        ),
        Text(
            name="detail",
            label="What went wrong",
            required=True,
            missing="Say what went wrong.",
            most=20_000,
            lines=3,
        ),
        Flag(name="retryable", label="Worth another attempt", default=True, short=False),
        _USAGE,
    ),
    doors=_BY_THE_HOLDER,
    danger=True,
    icon="failed",
    submit="End this attempt",
    on_board="Fail for good",
    tag="work",
    example={"code": "tests_failed", "detail": "3 of 40 tests fail", "retryable": True},
)
GIVE_BACK = Verb(
    name="release",
    label="Give back",
    doing="Give {} back",
    done="Gave {} back",
    passive="released",
    help="The task becomes free again; this costs no attempt.",
    in_api="The checkpoint goes to whoever is next.",
    on=On.RUN,
    row="release",
    fields=(Text(name="reason", label="Reason", default="", most=10_000, lines=2), _CHECKPOINT),
    doors=_BY_THE_HOLDER,
    icon="back",
    tag="work",
    example={"reason": "shutting down", "checkpoint": {"step": 3}},
)
RELEASE = Verb(
    name="release",
    label="Release",
    doing="Release {}",
    done="Released {}",
    passive="released",
    help="The task is taken from its holder and becomes free again. It costs no attempt.",
    in_api=_MANAGERS,
    row="release",
    fields=(_note(),),
    doors=_EVERYWHERE,
    needs=frozenset({Need.HELD_BY_ANOTHER}),
    icon="back",
)
ASSIGN = Verb(
    name="assign",
    label="Assign",
    doing="Assign {}",
    done="Assigned {}",
    passive="assigned",
    help="Those already assigned stay assigned.",
    in_api=_MANAGERS,
    sources=OPEN,
    right="assign",
    fields=(_AGENTS, _ASSIGNMENT_NOTE),
    doors=frozenset({Door.API, Door.ADMIN, Door.BULK}),
    icon="person_add",
    example={"agents": ["atlas"]},
)
REASSIGN = Verb(
    name="reassign",
    label="Reassign",
    doing="Reassign {}",
    done="Reassigned {}",
    passive="reassigned",
    help="Agents that are not chosen here lose the task, and their runs are revoked.",
    in_api=_MANAGERS,
    sources=OPEN,
    right="assign",
    fields=(_AGENTS, _ASSIGNMENT_NOTE),
    doors=frozenset({Door.ADMIN, Door.BULK}),
    needs=frozenset({Need.ASSIGNED}),
    icon="person_add",
)
AUTO_ASSIGN = Verb(
    name="auto_assign",
    label="Auto-assign",
    doing="Auto-assign {}",
    done="Auto-assigned {}",
    passive="offered to anybody",
    help="Offers the task to the agent that fits best.",
    in_api="Managers only, in projects of any mode. If nobody is found, `agent` is null. Repeating it is safe.",
    sources=frozenset({Status.NOT_STARTED}),
    right="assign",
    doors=frozenset({Door.API, Door.PAGE}),
    needs=frozenset({Need.READY, Need.NOBODY_ASSIGNED}),
    icon="person_add",
    tag="assignment",
    answer=Answer.DECISION,
)
AUTO_ASSIGN_MANY = Verb(
    name="auto_assign",
    label="Auto-assign",
    doing="Auto-assign {}",
    done="Offered {}",
    passive="offered to anybody",
    help="Matches the tasks together and offers each to the agent that fits best.",
    in_api=_MANAGERS,
    on=On.MANY,
    sources=frozenset({Status.NOT_STARTED}),
    right="assign",
    doors=frozenset({Door.ADMIN, Door.BULK}),
    needs=frozenset({Need.READY, Need.NOBODY_ASSIGNED}),
    confirm=True,
    icon="person_add",
)
UNASSIGN = Verb(
    name="unassign",
    label="Unassign",
    doing="Unassign {}",
    done="Unassigned {}",
    passive="unassigned",
    help="An agent that is working on the task loses its run.",
    in_api=_MANAGERS,
    sources=OPEN,
    right="unassign",
    fields=(
        Agents(
            name="agents",
            label="Agents",
            help="Slugs.",
            explicit=True,
            missing="Choose at least one agent.",
        ),
        _ASSIGNMENT_NOTE,
    ),
    doors=frozenset({Door.API, Door.BULK}),
    icon="person_add",
    example={"agents": ["atlas"]},
)
DECLINE = Verb(
    name="decline",
    label="Decline",
    doing="Decline {}",
    done="Declined {}",
    passive="declined",
    help="The task goes to somebody else and will not be offered to you again.",
    in_api="For an assignee, before the task is started.",
    sources=frozenset({Status.NOT_STARTED}),
    fields=(
        Text(
            name="reason",
            label="Reason",
            required=True,
            missing="Say why, so that the next choice is better.",
            most=10_000,
            lines=3,
        ),
    ),
    doors=frozenset({Door.API, Door.PAGE}),
    needs=frozenset({Need.ASSIGNEE}),
    icon="back",
    tag="assignment",
    example={"reason": "Needs access that I do not have."},
)
ADD_DEPENDENCIES = Verb(
    name="add_dependencies",
    label="Add dependencies",
    doing="Add dependencies to {}",
    done="Added dependencies to {}",
    passive="made to wait for others",
    help="The task waits until all of these are completed.",
    sources=OPEN,
    right="edit_dependencies",
    fields=(Tasks(name="depends_on", label="Waits for", help="Refs of tasks in the same project.", required=True),),
    doors=frozenset({Door.API}),
    icon="link",
    regular=False,
    example={"depends_on": ["OPS-1"]},
)
REMOVE_DEPENDENCIES = Verb(
    name="remove_dependencies",
    label="Remove dependencies",
    doing="Remove dependencies of {}",
    done="Removed dependencies of {}",
    passive="made to wait for less",
    sources=frozenset(Status),
    right="edit_dependencies",
    fields=ADD_DEPENDENCIES.fields,
    doors=frozenset({Door.API}),
    icon="link",
    regular=False,
    example={"depends_on": ["OPS-1"]},
)
CANCEL = Verb(
    name="cancel",
    label="Cancel",
    doing="Cancel {}",
    done="Cancelled {}",
    passive="cancelled",
    help="The task is given up and an active run ends. Tasks that wait for it stay blocked.",
    in_api=_MANAGERS,
    row="cancel",
    fields=(_note(),),
    doors=_EVERYWHERE,
    confirm=True,
    danger=True,
    icon="cancelled",
    submit="Cancel the task",
    example={"note": "Obsolete."},
)
REOPEN = Verb(
    name="reopen",
    label="Reopen",
    doing="Reopen {}",
    done="Reopened {}",
    passive="reopened",
    help="The task starts over with fresh attempts; its history stays.",
    in_api=_MANAGERS,
    row="reopen",
    fields=(_note(),),
    doors=_EVERYWHERE,
    icon="back",
)
DELETE = Verb(
    name="delete",
    label="Delete",
    doing="Delete {}",
    done="Deleted {}",
    passive="deleted",
    help="This cannot be undone: runs and results are deleted too, events stay. Cancelling keeps them.",
    in_api="Managers only; not while it is in progress.",
    sources=frozenset(Status) - {Status.IN_PROGRESS},
    right="delete",
    doors=frozenset({Door.API, Door.BULK}),
    confirm=True,
    danger=True,
    icon="cancelled",
    regular=False,
)

#: Every verb by its key, in the order of this file.
VERBS: Final[dict[str, Verb]] = listed(verb for verb in list(globals().values()) if isinstance(verb, Verb))

#: Rows of the table without a verb of that name, and their words for "cannot be …": a run is revoked when its holder
#: is taken off the task, and questions have no verbs yet.
WITHOUT_VERB: Final = {
    "ask": "asked about",
    "answer": "answered",
    "revoke": "revoked",
}

assert {verb.row for verb in VERBS.values() if verb.row} | set(WITHOUT_VERB) == set(TRANSITIONS), (
    "The table and the catalogue name different verbs."
)


def at(door: Door, *on: On) -> list[Verb]:
    """The verbs that ``door`` offers, in the order of this file; with ``on``, only those used on that."""
    return [verb for verb in VERBS.values() if door in verb.doors and (not on or verb.on in on)]


def _by_name(name: str) -> Verb | None:
    """A verb by its name, its row in the table or the right that it needs; the first if several share one."""
    for of in (lambda verb: verb.name, lambda verb: verb.row, lambda verb: verb.right):
        if match := next((verb for verb in VERBS.values() if of(verb) == name), None):
            return match
    return None


def passive_of(name: str) -> str:
    """The words for "cannot be …" of a verb, by its name or its row in the table."""
    verb = _by_name(name)
    return verb.passive if verb else WITHOUT_VERB.get(name, name.replace("_", " "))


def doing_of(name: str, what: str) -> str:
    """The words for "may …" of a verb used on ``what``, by its name, its row in the table or its right."""
    verb = _by_name(name)
    return verb.to(what) if verb else f"{name.replace('_', ' ')} {what}"
