"""Questions of runs to people: how many, and how long they wait."""

from django.db.models import F, Q, QuerySet

from reports.scopes import Scope
from reports.units import FLAG, SECONDS
from reports.vocabulary import dimensions, quantities
from reports.vocabulary.declaration import SHARE, SPREAD, Dimension, Fact, Measure, Moment, always, filled
from tasks.models import AskedQuestion, QuestionKind, QuestionState, Role

ANSWERED = Q(state=QuestionState.ANSWERED)
ENDED = Q(ended_at__isnull=False)


def _rows(scope: Scope) -> QuerySet:
    return AskedQuestion.objects.filter(project_id__in=scope.project_ids)


QUESTIONS = Fact(
    name="questions",
    label="Questions",
    meaning="A question that a run asked people.",
    model=AskedQuestion,
    rows=_rows,
    moments=(Moment("asked", "Asked", "asked_at"), Moment("ended", "Ended", "ended_at", ENDED)),
    measures=(
        Measure(
            "time_to_answer",
            "Time to answer",
            SECONDS,
            always(quantities.between("asked_at", "ended_at", ANSWERED)),
            "From the question to its answer by somebody.",
            SPREAD,
        ),
        Measure(
            "age",
            "Age",
            SECONDS,
            lambda now: quantities.until_now("asked_at", now, ~ENDED),
            "From the question until now, while it is open.",
            SPREAD,
        ),
        Measure(
            "answered",
            "Answered",
            FLAG,
            always(quantities.share(ANSWERED, ENDED)),
            "Answered by somebody, of those that have ended.",
            SHARE,
        ),
    ),
    dimensions=(
        dimensions.project(),
        dimensions.agent(meaning="Who asked, by slug."),
        dimensions.agent_kind(),
        Dimension("kind", "Kind", F("kind"), "What answers it.", choices=dimensions.choices(QuestionKind)),
        Dimension("state", "State", F("state"), "What became of it.", choices=dimensions.choices(QuestionState)),
        dimensions.priority("urgency", "urgency", "Urgency"),
        Dimension(
            "role",
            "Asked of",
            filled("to_role"),
            "The role that it is for.",
            choices=dimensions.choices(Role),
            nothing="No role",
        ),
        dimensions.person("answered_by", "Answered by", "answered_by", "Who answered."),
        dimensions.priority(),
        dimensions.label(
            meaning="The task’s labels as they were when it was asked; it counts once for each.",
        ),
    ),
)
