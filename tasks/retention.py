"""What tasks keep for a time only; see ``taskproject.pruning``.

Everything else about a task is kept as long as the task, and its events, which are its audit trail and what reports and
its history are made of, as long as the project.
"""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db.models import QuerySet

from taskproject.pruning import Retention
from tasks import clock
from tasks.events.reading import DISORDER, lowest_since, replayed_since
from tasks.models import AssignmentDecision, Event
from tasks.models.event import PASSING
from tasks.transitions import TERMINAL

# Constants, not parameters: SQLite uses the partial index only where it sees that they are those of its condition.
_IS_PASSING: Final = "kind IN ({})".format(", ".join(f"'{kind}'" for kind in PASSING))


def past_events() -> QuerySet[Event]:
    """Passing events that no cursor may ask for any more, but the newest of them.

    That one stays in place of all before it: a cursor that stood before any of them is answered by its date, which is
    too old (``reading.require_kept``), and not as if nothing had been there.
    """
    passing = Event.objects.extra(where=[_IS_PASSING]).order_by("pk")  # noqa: S610 - our own names
    lowest = lowest_since(replayed_since() - 2 * DISORDER)
    replaced = passing if lowest is None else passing.filter(pk__lt=lowest)
    newest = replaced.order_by("-pk").values_list("pk", flat=True).first()
    return passing.none() if newest is None else passing.filter(pk__lt=newest)


def past_decisions() -> QuerySet[AssignmentDecision]:
    """Decisions about tasks that ended long ago; what was offered to whom, and how well it fitted, stays in events."""
    before = clock.now() - timedelta(days=settings.DECISION_RETENTION_DAYS)
    over = AssignmentDecision.objects.filter(task__status__in=sorted(TERMINAL), task__updated_at__lt=before)
    return over.filter(at__lt=before).order_by("at")


RETENTIONS: Final = (
    Retention("events", "what told open pages of notifications and the inbox: EVENT_RETENTION_DAYS", past_events),
    Retention("decisions", "why tasks were assigned, once they have ended: DECISION_RETENTION_DAYS", past_decisions),
)
