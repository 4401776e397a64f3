"""The verbs of those who do the work: start it, report on it, finish it or give it back."""

from taskproject.texts import LONGEST_URL
from tasks.contents import KINDS, MOST_BYTES
from tasks.transitions import Status
from tasks.verbs.catalogue.shared import ACKNOWLEDGED, BY_THE_HOLDER
from tasks.verbs.declaration import Answer, Door, Need, On, Verb
from tasks.verbs.fields import (
    Artifacts,
    Choice,
    Content,
    Criteria,
    Flag,
    Json,
    JsonObject,
    Line,
    Number,
    Person,
    Projects,
    Record,
    Records,
    Text,
    Url,
    Whole,
)

#: How long a lease may be.
LEASE_SECONDS_MIN, LEASE_SECONDS_MAX = 30, 4 * 3600

#: The longest rest that a failure may request: a week.
RETRY_AFTER_MAX = 7 * 24 * 3600

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
#: The words of the Agent Client Protocol, and one for a step that turned out not to be needed.
STEP_STATUSES = ("pending", "in_progress", "completed", "skipped")
_PLAN = Records(
    name="plan",
    label="Plan",
    help="The whole checklist each time, in order, as in the Agent Client Protocol; an empty list takes it back.",
    by_hand=False,
    most=100,
    parts=(
        Text(name="content", label="Step", required=True, missing="Say what the step is.", most=500),
        Choice(name="status", label="Status", required=True, missing="Say how far it is.", choices=STEP_STATUSES),
        Choice(name="priority", label="Priority", choices=("high", "medium", "low")),
    ),
)
_EXTERNAL_URL = Url(
    name="external_url",
    label="Log",
    help="Where people can follow or read the work, such as the agent's own log; empty takes it back.",
)
_CHECKPOINT = JsonObject(name="checkpoint", label="Checkpoint", help="What the next run needs.")

_ARTIFACT_NAME = Line(
    name="name",
    label="Name",
    help="Such as report.md; another content by the same name replaces it while the run is active.",
    required=True,
    missing="Give it a name.",
    most=200,
)
_MEDIA_TYPE = Text(name="media_type", label="Media type", help="Of a file; left out, its name decides.", most=100)
_ARTIFACTS = Artifacts(
    name="artifacts",
    label="Artifacts",
    help="What the work produced. The whole body has at most 1 MB; send larger ones before, one at a time.",
    parts=(
        _ARTIFACT_NAME,
        Choice(name="kind", label="Kind", required=True, missing="Say what it is.", choices=KINDS),
        _MEDIA_TYPE,
        Text(name="text", label="Text", help="Of a text or a unified diff.", most=MOST_BYTES),
        Text(name="url", label="Address", help="Of a link, by http or https.", most=LONGEST_URL),
        Text(name="base64", label="Content", help="Of a file.", most=MOST_BYTES * 3 // 2),
    ),
)
_FOLLOW_UPS = Records(
    name="follow_ups",
    label="Follow-ups",
    help="Work that was found and not done. With the result approved, they become tasks if you may create tasks in the"
    " project, else proposals to its managers. Those of an earlier run that wait for a review are replaced; left out,"
    " they stay.",
    by_hand=False,
    most=20,
    parts=(
        Text(name="title", label="Title", required=True, missing="Give it a title.", most=300),
        Text(name="description", label="Description", most=20_000),
        Choice(name="priority", label="Priority", default="normal", choices=("low", "normal", "high", "urgent")),
        Records(
            name="required_skills",
            label="Required skills",
            most=20,
            parts=(
                Text(name="skill", label="Skill", required=True, missing="Name the skill.", most=60),
                Whole(name="min_level", label="Level", required=True, missing="Say which level.", least=1, most=5),
            ),
        ),
    ),
)

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
    in_api=(
        "Renews the lease. Send it well before the lease ends; obey `directives`. With `wait_seconds` the answer waits"
        " for one, at most half the lease (without an `Idempotency-Key`). One caller may have 100 calls waiting; more"
        " get 429. After a stop it only takes `ack`."
    ),
    on=On.RUN,
    row="heartbeat",
    fields=(
        _LEASE,
        ACKNOWLEDGED,
        Whole(
            name="wait_seconds", label="Wait", help="How long the answer may wait for a directive.", default=0, most=30
        ),
    ),
    doors=frozenset({Door.API}),
    tag="work",
    answer=Answer.BRIEF,
    regular=False,
    example={"ack": ["m7"], "wait_seconds": 20},
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
        _PLAN,
        _EXTERNAL_URL,
        _CHECKPOINT,
        _USAGE,
        ACKNOWLEDGED,
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
        "plan": [
            {"content": "make new keys", "status": "completed"},
            {"content": "switch the services over", "status": "in_progress"},
            {"content": "refuse the old keys", "status": "pending"},
        ],
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
        _ARTIFACTS,
        _FOLLOW_UPS,
        _PLAN,
        _EXTERNAL_URL,
        _USAGE,
        ACKNOWLEDGED,
    ),
    doors=BY_THE_HOLDER,
    primary=True,
    tag="work",
    answer=Answer.FINISHED,
    example={
        "summary": "Rotated; old keys are refused",
        "result": {"key": "2026-11"},
        "artifacts": [{"name": "rotation.md", "kind": "text", "text": "1. New keys made\n2. Old keys refused\n"}],
        "follow_ups": [{"title": "Rotate the backup keys as well", "priority": "high"}],
    },
)
ADD_ARTIFACT = Verb(
    name="add_artifact",
    label="Add an artifact",
    doing="Add an artifact to {}",
    done="Added an artifact to {}",
    passive="given artifacts",
    help="A text, a unified diff, a link or a small file, for people to read and to review.",
    in_api="The body is its content as it is, at most 1 MB: `curl --data-binary @report.md`. Renews the lease. The same"
    " name again replaces it; the same content changes nothing and is answered by 200. A run has at most 50"
    " artifacts and 10 MB of them.",
    on=On.RUN,
    sources=frozenset({Status.IN_PROGRESS}),
    right="progress",
    fields=(
        _ARTIFACT_NAME,
        Choice(name="kind", label="Kind", default="file", choices=KINDS),
        _MEDIA_TYPE,
        Content(name="content", label="Content", required=True, missing="Send the content as the body."),
    ),
    doors=frozenset({Door.API}),
    tag="work",
    regular=False,
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
REVOKE = Verb(
    name="revoke",
    label="Revoke",
    doing="Revoke {}",
    done="Revoked {}",
    passive="revoked",
    help="The holder was told to stop and has not ended the run in time: the task comes back. It costs no attempt.",
    on=On.RUN,
    row="revoke",
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
        Whole(
            name="retry_after_seconds",
            label="Not before, in seconds",
            help="The task rests for this or for the usual delay, whichever is longer.",
            least=1,
            most=RETRY_AFTER_MAX,
            short=False,
        ),
        _EXTERNAL_URL,
        _USAGE,
        ACKNOWLEDGED,
    ),
    doors=BY_THE_HOLDER,
    danger=True,
    icon="failed",
    submit="End this attempt",
    on_board="Fail for good",
    tag="work",
    example={"code": "rate_limited", "detail": "429 of the search API", "retry_after_seconds": 900},
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
    fields=(Text(name="reason", label="Reason", default="", most=10_000, lines=2), _CHECKPOINT, ACKNOWLEDGED),
    doors=BY_THE_HOLDER,
    icon="back",
    tag="work",
    example={"reason": "shutting down", "checkpoint": {"step": 3}},
)
