"""Recording what happened: the rows, and the bell that rings when they are committed.

The bell says "there is news" and nothing more; readers look at the table. ``messaging`` carries it to other processes.
"""

import functools
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.dispatch import Signal

from tasks.events.declaration import Kind
from tasks.events.kinds import kind_named
from tasks.models import Agent, Event, Project, Run, Task
from tasks.permissions import agent_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Sent after each commit that recorded ``events``. Receivers must be quick and must not touch the database.
bell = Signal()


def name_of(user: "User | None") -> str:
    """How a user is named to others: the agent's slug, else the username; empty for the engine."""
    if user is None:
        return ""
    agent = agent_of(user)
    return agent.slug if agent else user.get_username()


def event(
    kind: Kind,
    *,
    at: datetime,
    actor: "User | None",
    task: Task | None = None,
    project: Project | None = None,
    run: Run | None = None,
    agent: Agent | None = None,
    recipient: "User | None" = None,
    **data: Any,
) -> Event:
    """An event, not yet stored. Give ``task`` or ``project``; ``agent`` is the one of the run or of the assignment.

    An event with a ``recipient`` is private: only they and the actor ever see it. ``data`` is what the catalogue
    declares for ``kind``; raises ``UndeclaredEvent`` where it is not.
    """
    declared = kind if isinstance(kind, Kind) else kind_named(kind)
    declared.check(data)
    home = project or (task.project if task else None)
    assert home is not None
    return Event(
        kind=str(declared),
        at=at,
        project=home,
        project_key=home.key,
        task=task,
        task_ref=task.ref if task else "",
        run=run,
        agent=agent,
        agent_slug=agent.slug if agent else "",
        actor=actor,
        actor_name=name_of(actor),
        recipient=recipient,
        data=data,
    )


def record(*events: Event) -> None:
    """Store events in the running transaction and ring the bell once it commits.

    Raises ``UndeclaredEvent`` for a kind that the catalogue does not know.
    """
    if not events:
        return
    for each in events:
        kind_named(each.kind)
    Event.objects.bulk_create(events)
    transaction.on_commit(functools.partial(_ring, events), robust=True)


def carry_order_over() -> int | None:
    """Put events that came with a dump of another PostgreSQL before all of this one's; returns the id of the last.

    Transaction ids begin anew there: events of before would come up as news, one after the other, as the ids rise to
    theirs. Only a restored row can carry an id that was not given yet. None where there is none, which is the rule.
    Called in a transaction that has not written yet.
    """
    if connection.vendor != "postgresql":
        return None
    table = Event._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT max(id) FROM {table} "  # noqa: S608 - our own name
            "WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
        )
        last = cursor.fetchone()[0]
    if last is not None:
        Event.objects.filter(pk__lte=last).exclude(transaction_id=0).update(transaction_id=0)
    return last


def _ring(events: Sequence[Event]) -> None:
    bell.send(sender=None, events=events)
