"""Recording what happened: the rows, and the bell that rings when they are committed.

The bell says only "there is news"; readers read the table. ``messaging`` carries it to other processes.
"""

import functools
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.dispatch import Signal

from taskproject.prepared.inserting import insert
from taskproject.sqlite.inserting import Rows, insert_many
from tasks.events.declaration import Kind
from tasks.events.kinds import kind_named
from tasks.history.facts import facts_for_history
from tasks.history.keeping import keep
from tasks.models import Agent, Event, Project, Run, Task
from tasks.permissions import agent_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: From this number on, events are brought to PostgreSQL before they take their ids.
MANY = 200
DRAFT = "events_before_their_ids"

#: Sent after each commit that recorded ``events``. Receivers must be quick and must not touch the database.
bell = Signal()


def name_of(user: "User | None") -> str:
    """A user's public name: the agent's slug, else the username; empty for the engine."""
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
    """An event, not yet stored. Give ``task`` or ``project``; ``agent`` is that of the run or assignment.

    An event with a ``recipient`` is private: only they and the actor ever see it. ``data`` is what the catalogue
    declares for ``kind``, where the number of ``run`` is added as ``run``, and what the history of ``task`` needs;
    raises ``UndeclaredEvent`` where it is not.
    """
    if run is not None:
        data["run"] = run.number
    declared = kind if isinstance(kind, Kind) else kind_named(kind)
    if task is not None:
        data |= facts_for_history(declared, data, at=at, task=task, run=run, agent=agent)
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


def record(*events: Event, ready: Rows | None = None) -> None:
    """Store events in the running transaction, with the history of their tasks, and ring the bell once it commits.

    ``ready``: events to be stored first, prepared before the transaction, whose task and its ref are known only now.

    To be called after the verb has taken its locks, because the events' ids are their order, and each task has one
    history. From the first id to the
    commit every reader waits for what was recorded later, so whatever takes long is to be done before.
    Raises ``UndeclaredEvent`` for a kind that the catalogue does not know.
    """
    before: list[Any] = ready.objects if ready is not None else []
    if not events and not before:
        return
    for each in events:
        kind_named(each.kind)
    keep([*before, *events])
    if ready is not None:
        ready.take_ids()
        ready.insert(late=("task_id", "task_ref"))
    if len(events) >= MANY and connection.vendor == "postgresql":
        _store_many(events)
    elif len(events) >= MANY:
        insert_many(events)
    else:
        insert(events)
    transaction.on_commit(functools.partial(_ring, [*before, *events]), robust=True)


def _store_many(events: Sequence[Event]) -> None:
    """Store ``events`` without their ids in a table of this transaction first; then all take their ids at once.

    Most of the time goes into bringing them to the server: an import of 10,000 tasks held the stream up for 2.2 s and
    does so for 0.7 s, on the same machine.
    """
    table, fields = Event._meta.db_table, [field for field in Event._meta.concrete_fields if not field.primary_key]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {DRAFT}")
        cursor.execute(f"CREATE TEMPORARY TABLE {DRAFT} (LIKE {table} INCLUDING DEFAULTS) ON COMMIT DROP")
        with cursor.copy(f"COPY {DRAFT} (id, {columns}) FROM STDIN") as copy:
            for place, each in enumerate(events):
                values = [field.get_db_prep_save(getattr(each, field.attname), connection) for field in fields]
                copy.write_row([place, *values])
        cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {DRAFT} ORDER BY id")  # noqa: S608


def _ring(events: Sequence[Event]) -> None:
    bell.send(sender=None, events=events)
