"""Assignments: who is to do a task; and how tasks found their agents, step by step."""

from django.db.models import F, Q, QuerySet

from reports.scopes import Scope
from reports.units import RATIO, SECONDS
from reports.vocabulary import dimensions, quantities
from reports.vocabulary.declaration import SPREAD, Dimension, Fact, Measure, Moment, always, filled
from tasks.models import Assignment, AssignmentEnd, AssignmentSource, AssignmentStep, AssignmentStepKind
from tasks.transitions import Status

ENDED = Q(ended_at__isnull=False)


def _rows(scope: Scope) -> QuerySet:
    return Assignment.objects.filter(task__project_id__in=scope.project_ids)


ASSIGNMENTS = Fact(
    name="assignments",
    label="Assignments",
    meaning="That an agent was to do a task; it is gone with its task.",
    model=Assignment,
    rows=_rows,
    moments=(Moment("began", "Began", "created_at"), Moment("ended", "Ended", "ended_at", ENDED)),
    measures=(
        Measure(
            "duration",
            "Duration",
            SECONDS,
            always(quantities.between("created_at", "ended_at")),
            "From its beginning to its end; nothing while it stands.",
            SPREAD,
        ),
    ),
    dimensions=(
        dimensions.project("task__project"),
        dimensions.agent(meaning="Who was to do it, by slug."),
        dimensions.agent_kind(),
        Dimension("source", "Source", F("source"), "How it came about.", choices=dimensions.choices(AssignmentSource)),
        Dimension(
            "end",
            "End",
            filled("end_reason"),
            "How it ended.",
            choices=dimensions.choices(AssignmentEnd),
            nothing="Stands",
        ),
        dimensions.flag("offered", "Offered", Q(accept_by__isnull=False), "Whether it lapses unless it is taken."),
        Dimension(
            "status",
            "Status of the task",
            F("task__status"),
            "The status of its task, as it is now.",
            choices=dimensions.choices(Status),
        ),
        dimensions.priority("task__priority"),
    ),
)


def _steps(scope: Scope) -> QuerySet:
    return AssignmentStep.objects.filter(project_id__in=scope.project_ids)


ASSIGNMENT_STEPS = Fact(
    name="steps",
    label="Steps of assignment",
    meaning="That a task was offered or assigned to an agent, or that an agent declined it or let its offer lapse.",
    model=AssignmentStep,
    rows=_steps,
    moments=(Moment("happened", "Happened", "at"),),
    measures=(
        Measure(
            "score",
            "Score",
            RATIO,
            always(quantities.ratio("score")),
            "Of an offer: how well the agent fitted.",
            SPREAD,
        ),
        Measure(
            "margin",
            "Margin",
            RATIO,
            always(quantities.ratio("margin")),
            "Of an offer: the lead over the runner-up's score; nothing without one.",
            SPREAD,
        ),
    ),
    dimensions=(
        dimensions.project(),
        dimensions.agent(meaning="Which agent, by slug.", nothing="Deleted agents"),
        dimensions.agent_kind(nothing="Deleted agents"),
        Dimension("step", "Step", F("step"), "What happened.", choices=dimensions.choices(AssignmentStepKind)),
        dimensions.label(meaning="The task’s labels as they were then; it counts once for each."),
    ),
)
