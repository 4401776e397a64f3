"""Intervals of a status, and those in progress: runs."""

from django.db.models import DateTimeField, F, OuterRef, Q, QuerySet, Subquery

from reports.scopes import Scope
from reports.units import FLAG, SECONDS
from reports.vocabulary import dimensions, quantities
from reports.vocabulary.declaration import SHARE, Dimension, Fact, KnownTime, Measure, Moment, always, filled
from tasks.models import Episode, RunStatus, StatusInterval, WaitReason
from tasks.transitions import OPEN, Status

ENDED = Q(ended_at__isnull=False)


def _intervals(scope: Scope) -> QuerySet:
    return StatusInterval.objects.filter(project_id__in=scope.project_ids)


def _runs(scope: Scope) -> QuerySet:
    # What a file tells of work elsewhere has no number.
    return _intervals(scope).filter(status=Status.IN_PROGRESS, run_number__isnull=False)


def _start_of_episode() -> Subquery:
    episode = Episode.objects.filter(task=OuterRef("task"), number=OuterRef("episode")).order_by()
    return Subquery(episode.values("started_at")[:1], output_field=DateTimeField())


_MOMENTS = (Moment("ended", "Ended", "ended_at", ENDED), Moment("began", "Began", "began_at"))
_DURATION = Measure(
    "duration",
    "Duration",
    SECONDS,
    always(quantities.between("began_at", "ended_at")),
    "From its beginning to its end; nothing while it goes on.",
)
_AGE = Measure(
    "age",
    "Age",
    SECONDS,
    lambda now: quantities.until_now("began_at", now, ~ENDED),
    "From its beginning until now, while it goes on.",
)
_SHARED = (
    dimensions.project(),
    dimensions.agent(),
    dimensions.agent_kind(),
    dimensions.version(),
    dimensions.priority(),
    dimensions.label(),
    dimensions.creator_of_its_episode(),
)

INTERVALS = Fact(
    name="intervals",
    label="Intervals of a status",
    meaning="A time that a task spent in one open status for one reason.",
    model=StatusInterval,
    rows=_intervals,
    moments=_MOMENTS,
    measures=(_DURATION, _AGE),
    dimensions=(
        *_SHARED,
        Dimension(
            "status",
            "Status",
            F("status"),
            "The status that the task was in.",
            choices={status.value: (status.value, str(status.label)) for status in Status if status in OPEN},
        ),
        Dimension(
            "reason",
            "Reason",
            filled("reason"),
            "Why it stood still.",
            choices=dimensions.choices(WaitReason),
            nothing="Worked on",
        ),
        dimensions.flag("goes_on", "Goes on", ~ENDED, "Whether it has not ended."),
    ),
    times=(KnownTime("started", "First start of its task", _start_of_episode()),),
)

RUNS = Fact(
    name="runs",
    label="Runs",
    meaning="One attempt of one agent at a task.",
    model=StatusInterval,
    rows=_runs,
    moments=_MOMENTS,
    measures=(
        _DURATION,
        _AGE,
        Measure(
            "succeeded",
            "Succeeded",
            FLAG,
            always(quantities.share(Q(outcome=RunStatus.COMPLETED), ENDED)),
            "Completed, of those that have ended.",
            SHARE,
        ),
        *quantities.usage(),
        quantities.different("tasks", "Tasks", "task_id", "How many tasks they were at."),
        quantities.different("agents", "Agents", "agent_id", "How many agents worked."),
    ),
    dimensions=(
        *_SHARED,
        Dimension(
            "outcome",
            "Outcome",
            filled("outcome"),
            "How it ended.",
            choices={kind.value: (kind.value, str(kind.label)) for kind in RunStatus if kind is not RunStatus.ACTIVE},
            nothing="Goes on",
        ),
        dimensions.flag(
            "pulled", "Pulled", Q(is_pulled=True), "Whether the agent took the task without being assigned."
        ),
        Dimension("code", "Code of failure", filled("code"), "What the agent gave as the reason.", nothing="No code"),
    ),
)
