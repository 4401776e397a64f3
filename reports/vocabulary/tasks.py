"""Tasks as they are now, for questions about what there is. What has happened is counted by episodes."""

from django.db.models import Exists, F, FilteredRelation, OuterRef, Q, QuerySet

from reports.scopes import Scope
from reports.units import SECONDS
from reports.vocabulary import dimensions, quantities
from reports.vocabulary.declaration import EVERYTHING, SPREAD, Dimension, Fact, Measure, Moment, always
from tasks.models import Episode, Task, TimeSource, counting
from tasks.querysets import blocked, held
from tasks.transitions import OPEN, Status

IS_OPEN = Q(status__in=sorted(OPEN))


def _rows(scope: Scope) -> QuerySet:
    assigned = FilteredRelation("assignments", condition=counting("assignments__"))
    return Task.objects.filter(project_id__in=scope.project_ids).alias(assigned=assigned)


def _entry_unknown() -> Q:
    first = Episode.objects.filter(task_id=OuterRef("pk"), number=1, entered_from=TimeSource.UNKNOWN)
    return Q(Exists(first))


TASKS = Fact(
    name="tasks",
    label="Tasks",
    meaning="A task as it is now.",
    model=Task,
    rows=_rows,
    moments=(
        Moment("created", "Created", "created_at", EVERYTHING, _entry_unknown(), "created"),
        Moment("updated", "Updated", "updated_at"),
        Moment("due", "Due", "due_at", Q(due_at__isnull=False)),
    ),
    measures=(
        Measure(
            "age",
            "Age",
            SECONDS,
            lambda now: quantities.until_now("created_at", now, IS_OPEN & ~_entry_unknown()),
            "From its creation until now, while it is open.",
            SPREAD,
        ),
        Measure("runs", "Runs", "runs", always(quantities.number("run_count")), "How often it was begun."),
        Measure("attempts", "Failed attempts", "runs", always(quantities.number("attempts")), "Attempts that failed."),
        Measure(
            "lease_losses", "Lost leases", "runs", always(quantities.number("lease_losses")), "Runs whose lease ended."
        ),
        Measure("estimate", "Estimate", SECONDS, always(quantities.minutes("estimate_minutes")), "Estimated work."),
        Measure(
            "open_questions",
            "Open questions",
            "questions",
            always(quantities.number("open_questions")),
            "Questions about it that wait for an answer.",
        ),
    ),
    dimensions=(
        dimensions.project(),
        Dimension("status", "Status", F("status"), "Its status.", choices=dimensions.choices(Status)),
        dimensions.priority(),
        Dimension(
            "assignee",
            "Assignee",
            F("assigned__agent__slug"),
            "Who is to do it, by slug; it counts once for each.",
            nothing="Nobody",
            is_many=True,
            is_whoever=True,
            names=dimensions.agent_names,
        ),
        dimensions.label("labels__name", "Its labels; it counts once for each."),
        dimensions.creator_of_a_task(),
        dimensions.flag("blocked", "Blocked", blocked(), "Whether it is not started and waits for other tasks."),
        dimensions.flag("on_hold", "On hold", held(), "Whether it is not started and set aside without a date."),
        dimensions.flag("has_due_date", "Has a due date", Q(due_at__isnull=False), "Whether it has a due date."),
        dimensions.flag("review_required", "Review required", Q(review_required=True), "Whether it is reviewed."),
    ),
)
