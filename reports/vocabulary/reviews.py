"""Reviews of results: intervals in review that a verdict ended."""

from django.db.models import Q, QuerySet

from reports.scopes import Scope
from reports.units import FLAG, SECONDS
from reports.vocabulary import dimensions, quantities
from reports.vocabulary.declaration import SHARE, SPREAD, Dimension, Fact, Measure, Moment, always, filled
from tasks.models import StatusInterval, Verdict
from tasks.transitions import Status


def _rows(scope: Scope) -> QuerySet:
    return StatusInterval.objects.filter(project_id__in=scope.project_ids, status=Status.IN_REVIEW).exclude(verdict="")


REVIEWS = Fact(
    name="reviews",
    label="Reviews",
    meaning="A reviewer's verdict on a result.",
    model=StatusInterval,
    rows=_rows,
    moments=(Moment("given", "Given", "ended_at"),),
    measures=(
        Measure(
            "wait",
            "Wait for the review",
            SECONDS,
            always(quantities.between("began_at", "ended_at")),
            "From the result to the verdict.",
            SPREAD,
        ),
        Measure(
            "approved",
            "Approved",
            FLAG,
            always(quantities.share(Q(verdict=Verdict.APPROVED))),
            "Approved, of all verdicts.",
            SHARE,
        ),
    ),
    dimensions=(
        dimensions.project(),
        dimensions.agent(meaning="Whose result it is, by slug."),
        dimensions.agent_kind(),
        Dimension(
            "reviewer",
            "Reviewer",
            filled("reviewer"),
            "Who reviewed.",
            nothing="Nobody",
            is_whoever=True,
            names=dimensions.agent_names,
        ),
        Dimension("verdict", "Verdict", filled("verdict"), "The verdict.", choices=dimensions.choices(Verdict)),
        dimensions.priority(),
        dimensions.label(),
        dimensions.creator_of_its_episode(),
    ),
)
