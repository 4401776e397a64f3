"""What the tests of notifications share: handling all events at once, and reading who was notified of what."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from messaging.models import Notification
from messaging.notifications.making import prepare
from messaging.tests.webhook_scene import receiver, scene, this_machine  # noqa: F401 - fixtures
from tasks.actions import assignments
from tasks.models import AgentKind, Event, Role, Task
from tasks.tests.cast import join, make_agent

Notified = set[tuple[str, str]]


@pytest.fixture
def notified(cast) -> Callable[..., Notified]:
    """``notified(task)`` → {("hugo", "assigned"), …}: the notifications made by the events since the last call.

    The events are handled as by a follower, but without its cursor, which needs its own transactions.
    """
    seen = {"up_to": 0}

    def since(task: Task | None = None) -> Notified:
        events = list(Event.objects.filter(pk__gt=seen["up_to"]).order_by("pk"))
        before = Notification.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        if events:
            seen["up_to"] = events[-1].pk
            effect = prepare(events)
            if effect is not None:
                with transaction.atomic():
                    effect()
        new = Notification.objects.filter(pk__gt=before).select_related("recipient")
        if task is not None:
            new = new.filter(task=task)
        rows = [
            (notification.recipient.get_username(), notification.kind, notification.task_id) for notification in new
        ]
        assert len(rows) == len(set(rows)), "nobody is told the same twice"
        return {(name, kind) for name, kind, _ in rows}

    return since


@pytest.fixture
def notified_tasks(cast, new_task, notified) -> list[Task]:
    """Three tasks are assigned to hugo, and one is taken from him again, each hours after the one before."""

    def later() -> None:
        notified()
        Notification.objects.update(at=F("at") - timedelta(hours=2))

    made = []
    for number in (1, 2, 3):
        made.append(new_task(f"Task {number}", assignees=[cast.hugo]))
        later()
    assignments.unassign_task(actor=cast.ada.user, task=made[2], note="You have enough <b>to do</b>.")
    notified()
    return made


@pytest.fixture
def manager_mia(cast) -> User:
    """A second manager of OPS, who caused none of the events."""
    mia = make_agent("mia", kind=AgentKind.HUMAN)
    join(cast.ops, mia.user, Role.MANAGER)
    return mia.user
