"""Reviews of results."""

from django.db.models import F, Q, QuerySet

from reports.scopes import Scope
from reports.units import FLAG, SECONDS
from reports.vocabulary import dimensions, quantities
from reports.vocabulary.declaration import SHARE, SPREAD, Dimension, Fact, Measure, Moment, always
from tasks.models import Review, Verdict


def _rows(scope: Scope) -> QuerySet:
    return Review.objects.filter(run__task__project_id__in=scope.project_ids)


REVIEWS = Fact(
    name="reviews",
    label="Reviews",
    meaning="A reviewer's verdict on the result of a run.",
    model=Review,
    rows=_rows,
    moments=(Moment("given", "Given", "created_at"),),
    measures=(
        Measure(
            "wait",
            "Wait for the review",
            SECONDS,
            always(quantities.between("run__ended_at", "created_at")),
            "From the end of the run to the verdict.",
            SPREAD,
        ),
        Measure(
            "approved",
            "Approved",
            FLAG,
            always(quantities.share(Q(verdict=Verdict.APPROVED))),
            "Approved, of all.",
            SHARE,
        ),
    ),
    dimensions=(
        dimensions.project("run__task__project"),
        dimensions.agent("run__agent", "Whose result it is, by slug."),
        dimensions.agent_kind("run__agent"),
        dimensions.person("reviewer", "Reviewer", "reviewer", "Who reviewed."),
        Dimension("verdict", "Verdict", F("verdict"), "The verdict.", choices=dimensions.choices(Verdict)),
        dimensions.priority("run__task__priority"),
        dimensions.label("run__task"),
    ),
)
