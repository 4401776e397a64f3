"""Who follows a task: whoever has to do with it, unless they chose otherwise, and whoever chose to."""

from collections import defaultdict
from collections.abc import Collection

from django.contrib.auth.models import User
from django.db import transaction

from messaging.models import Watch
from tasks import clock
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import Assignment, Membership, Mention, Message, Task
from tasks.querysets import SEES_ALL


def watchers_of(tasks: Collection[int]) -> dict[int, set[int]]:
    """The users who watch each of these tasks (ids): its creator, those it is assigned to, who wrote in it or was
    mentioned there, without those who chose not to, and with those who chose to. Members or not.
    """
    tasks = list(tasks)
    watching: dict[int, set[int]] = defaultdict(set)
    concerned = [
        Task.objects.filter(pk__in=tasks, created_by__isnull=False).order_by().values_list("pk", "created_by"),
        Assignment.objects.active().filter(task__in=tasks).order_by().values_list("task", "agent__user"),
        Message.objects.filter(task__in=tasks, author__isnull=False).order_by().values_list("task", "author"),
        Mention.objects.filter(message__task__in=tasks).order_by().values_list("message__task", "user"),
    ]
    first, *others = concerned
    for task, user in first.union(*others):
        watching[task].add(user)
    for task, user, is_watching in Watch.objects.filter(task__in=tasks).values_list("task", "user", "is_watching"):
        if is_watching:
            watching[task].add(user)
        else:
            watching[task].discard(user)
    return watching


def watching_members(task: Task) -> list[User]:
    """Those who watch ``task`` and may see it, by name."""
    users = watchers_of([task.pk]).get(task.pk, set())
    members = Membership.objects.filter(project=task.project_id, user__in=users).values("user")
    active = User.objects.filter(pk__in=users, is_active=True)
    seen = active.filter(pk__in=members) | active.filter(SEES_ALL)
    return list(seen.select_related("agent").order_by("username"))


def is_watching(user: User, task: Task) -> bool:
    return user.pk in watchers_of([task.pk]).get(task.pk, set())


def choose_watch(*, user: User, task: Task, watching: bool) -> bool:
    """Set whether ``user`` watches ``task``; returns whether that is new. Repeating it changes nothing."""
    now = clock.now()
    with transaction.atomic():
        was = is_watching(user, task)
        Watch.objects.update_or_create(task=task, user=user, defaults={"is_watching": watching, "at": now})
        if was == watching:
            return False
        kind = kinds.TASK_WATCHED if watching else kinds.TASK_UNWATCHED
        record(event(kind, at=now, actor=user, task=task, recipient=user))
    return True
