"""Episodes: what completions, lead times and quality are counted by."""

from django.db.models import (
    BigIntegerField,
    Case,
    CharField,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast, NullIf

from reports.scopes import Scope
from reports.sql import Milliseconds
from reports.units import FLAG, SECONDS
from reports.vocabulary import dimensions, quantities
from reports.vocabulary.declaration import EVERYTHING, SHARE, SPREAD, Dimension, Fact, Measure, Moment, always, filled
from tasks.models import Credit, Episode, EpisodeEnd, StatusInterval, TimeSource
from tasks.transitions import Status

UNKNOWN = TimeSource.UNKNOWN
ENTRY_KNOWN, END_KNOWN = ~Q(entered_from=UNKNOWN), ~Q(ended_from=UNKNOWN)
COMPLETED = Q(end=EpisodeEnd.COMPLETED)
INFERRED_ENTRY, INFERRED_END = Q(entered_from=TimeSource.INFERRED), Q(ended_from=TimeSource.INFERRED)
HAD_DUE_DATE = COMPLETED & END_KNOWN & Q(due_at__isnull=False)
LATE = Q(ended_at__gt=F("due_at"))


def _rows(scope: Scope) -> QuerySet:
    return Episode.objects.filter(project_id__in=scope.project_ids)


def continues_another() -> Q:
    """Whether an episode goes on with the one before it: a result that arrived after a failure and was adopted.

    It has that one's entry and start, which are counted already.
    """
    return Q(number__gt=1) & Q(Exists(_former().filter(entered_at=OuterRef("entered_at"))))


def _former() -> "QuerySet[Episode]":
    return Episode.objects.filter(task=OuterRef("task"), number=OuterRef("number") - 1).order_by()


def _of_former(field: str) -> Subquery:
    """A field of the episode before, if that was completed: of the completion that was taken back."""
    return Subquery(_former().filter(COMPLETED).values(field)[:1])


def _time_in(status: Status) -> Measure:
    there = StatusInterval.objects.filter(task=OuterRef("task"), episode=OuterRef("number"), status=status).order_by()
    spent = there.values("task_id").annotate(spent=Sum(Milliseconds("began_at", "ended_at"))).values("spent")
    name = str(status.label)
    return Measure(
        f"time_{status.value}",
        f"Time {name[:1].lower()}{name[1:]}",
        SECONDS,
        always(Cast(Subquery(spent), BigIntegerField())),
        f"In the status {name}, all times together; nothing if it never was.",
    )


def _punctuality() -> Case:
    is_late = When(HAD_DUE_DATE & LATE, then=Value("late"))
    return Case(is_late, When(HAD_DUE_DATE, then=Value("on_time")), output_field=CharField())


EPISODES = Fact(
    name="episodes",
    label="Episodes of tasks",
    meaning="The way of a task from entry (created, imported, reopened) to end; a reopened task begins another.",
    model=Episode,
    rows=_rows,
    moments=(
        Moment("completed", "Completed", "ended_at", COMPLETED, Q(ended_from=UNKNOWN), "completed"),
        Moment("entered", "Entered", "entered_at", EVERYTHING, Q(entered_from=UNKNOWN), "entered"),
        Moment("started", "Started", "started_at", Q(started_at__isnull=False)),
        # Each end by its name, not any but none: so the index of a period's ends is found by them.
        Moment("ended", "Ended", "ended_at", Q(end__in=EpisodeEnd.values), Q(ended_from=UNKNOWN), "ended"),
    ),
    measures=(
        Measure(
            "lead",
            "Lead time",
            SECONDS,
            always(quantities.between("entered_at", "ended_at", ENTRY_KNOWN & END_KNOWN)),
            "From its entry to its end.",
        ),
        Measure(
            "queue",
            "Queue time",
            SECONDS,
            always(quantities.between("entered_at", "started_at", ENTRY_KNOWN)),
            "From its entry to its first start.",
            SPREAD,
        ),
        Measure(
            "cycle",
            "Cycle time",
            SECONDS,
            always(quantities.between("started_at", "ended_at", END_KNOWN)),
            "From its first start to its end.",
            SPREAD,
        ),
        Measure(
            "worked",
            "Time worked",
            SECONDS,
            always(quantities.seconds("worked_seconds")),
            "In progress, all its runs together.",
        ),
        Measure("runs", "Runs", "runs", always(quantities.number("runs")), "How often it was begun."),
        Measure("failed_runs", "Failed runs", "runs", always(quantities.number("failed_runs")), "Runs that failed."),
        Measure(
            "changes_requested",
            "Changes requested",
            "reviews",
            always(quantities.number("changes_requested")),
            "Reviews that requested changes.",
        ),
        Measure(
            "reopened",
            "Reopened",
            FLAG,
            always(quantities.share(Q(is_reopened=True))),
            "Came in again after it had been completed.",
            SHARE,
        ),
        Measure(
            "imported",
            "Imported",
            FLAG,
            always(quantities.share(Q(is_imported=True))),
            "Ended before its import.",
            SHARE,
        ),
        Measure(
            "inferred",
            "At inferred times",
            FLAG,
            always(quantities.share(INFERRED_ENTRY | INFERRED_END)),
            "Entered or ended at a time that a file implies and does not give.",
            SHARE,
        ),
        Measure(
            "inferred_end",
            "Ended at an inferred time",
            FLAG,
            always(quantities.share(INFERRED_END)),
            "Ended at a time that a file implies and does not give.",
            SHARE,
        ),
        Measure(
            "first_try",
            "Accepted at the first try",
            FLAG,
            always(quantities.share(Q(changes_requested=0, failed_runs=0), COMPLETED)),
            "Completed without a failed run or requested changes, of those completed.",
            SHARE,
        ),
        Measure(
            "late",
            "Late",
            FLAG,
            always(quantities.share(LATE, HAD_DUE_DATE)),
            "Completed after its due date, of those that had one.",
            SHARE,
        ),
        Measure(
            "on_time",
            "On time",
            FLAG,
            always(quantities.share(~LATE, HAD_DUE_DATE)),
            "Completed by its due date, of those that had one.",
            SHARE,
        ),
        Measure(
            "lateness",
            "Lateness",
            SECONDS,
            always(quantities.between("due_at", "ended_at", HAD_DUE_DATE)),
            "From its due date to its completion; negative if it was early.",
            SPREAD,
        ),
        Measure("estimate", "Estimate", SECONDS, always(quantities.minutes("estimate_minutes")), "Estimated work."),
        *quantities.usage(),
        *(_time_in(status) for status in (Status.NOT_STARTED, Status.IN_PROGRESS, Status.WAITING, Status.IN_REVIEW)),
    ),
    dimensions=(
        dimensions.project(),
        dimensions.agent(meaning="Whose completion it is, by slug.", nothing="Nobody or several"),
        dimensions.agent_kind(nothing="Nobody or several"),
        dimensions.version(),
        dimensions.priority(),
        dimensions.label(),
        dimensions.created_by(),
        Dimension(
            "end",
            "End",
            filled("end"),
            "How it ended.",
            choices=dimensions.choices(EpisodeEnd),
            nothing="Still open",
        ),
        Dimension(
            "credit",
            "Credit",
            filled("credit"),
            "Whether its completion is credited to one agent, several or nobody.",
            choices=dimensions.choices(Credit),
            nothing="Not completed",
        ),
        dimensions.flag("reopened", "Reopened", Q(is_reopened=True), "Whether the episode before it was completed."),
        dimensions.flag(
            "continues",
            "Continues another",
            continues_another(),
            "Whether it goes on with the one before it: a result that was adopted after a failure.",
        ),
        dimensions.flag("imported", "Imported", Q(is_imported=True), "Whether it ended before its import."),
        dimensions.flag("has_due_date", "Had a due date", Q(due_at__isnull=False), "Whether it had a due date."),
        Dimension(
            "punctuality",
            "Punctuality",
            _punctuality(),
            "Whether it was completed by its due date.",
            choices={"on_time": ("on_time", "On time"), "late": ("late", "Late")},
            nothing="Not completed, or without a due date",
        ),
        Dimension(
            "entry_time",
            "Time of entry",
            F("entered_from"),
            "Where the time of its entry comes from.",
            choices=dimensions.choices(TimeSource),
        ),
        Dimension(
            "end_time",
            "Time of the end",
            filled("ended_from"),
            "Where the time of its end comes from.",
            choices=dimensions.choices(TimeSource),
            nothing="Still open",
        ),
        Dimension(
            "former_agent",
            "Completed before by",
            _of_former("agent__slug"),
            "Whose completion was taken back by reopening it, by slug.",
            nothing="Nobody or several",
            is_whoever=True,
            names=dimensions.agent_names,
        ),
        Dimension(
            "former_version",
            "Version before",
            NullIf(_of_former("version"), Value("")),
            "The version of the agent whose completion was taken back.",
            nothing="Without a version",
        ),
        Dimension(
            "former_credit",
            "Credit before",
            _of_former("credit"),
            "Whether the completion that was taken back is credited to one agent, several or nobody.",
            choices=dimensions.choices(Credit),
            nothing="Not reopened",
        ),
    ),
)
