"""Events: what happened, by kind."""

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import NullIf

from reports.scopes import Scope
from reports.sql import Whole
from reports.vocabulary import dimensions
from reports.vocabulary.declaration import Dimension, Fact, Moment, filled
from tasks.events.kinds import CATALOGUE
from tasks.models import Event, StatusInterval


def _rows(scope: Scope) -> QuerySet:
    # What two people write to each other is counted by nobody else.
    return Event.objects.filter(project_id__in=scope.project_ids, recipient__isnull=True)


def _version() -> Subquery:
    run = StatusInterval.objects.filter(task=OuterRef("task"), run_number=Whole(OuterRef("data"), "run")).order_by()
    return Subquery(run.values("version")[:1])


EVENTS = Fact(
    name="events",
    label="Events",
    meaning="Something that happened, as in the stream of events.",
    model=Event,
    rows=_rows,
    moments=(Moment("happened", "Happened", "at"),),
    measures=(),
    dimensions=(
        dimensions.project(),
        Dimension(
            "kind", "Kind", F("kind"), "The kind of event.", choices={name: (name, name) for name in sorted(CATALOGUE)}
        ),
        Dimension(
            "agent",
            "Agent",
            filled("agent_slug"),
            "The agent of the run that it is about, by slug.",
            nothing="No agent",
            is_whoever=True,
            names=dimensions.agent_names,
        ),
        dimensions.flag(
            "agent_deleted",
            "Agent deleted",
            Q(agent_id__isnull=False, agent__slug__isnull=True),
            "Whether that agent no longer exists.",
        ),
        Dimension(
            "version",
            "Version",
            NullIf(_version(), Value("")),
            "The version of the agent of that run when it began.",
            nothing="Without a version",
        ),
        Dimension("actor", "By", filled("actor_name"), "Who did it.", nothing="The engine"),
    ),
)
