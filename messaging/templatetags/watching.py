"""Who watches a task, and the button to join or leave them."""

from typing import Any

from django import template
from django.contrib.auth.models import User

from messaging.watching import watching_members
from tasks.events.recording import name_of
from tasks.models import Task

register = template.Library()

#: How many names are shown; the rest is a number.
NAMES = 12


@register.inclusion_tag("messaging/_watch.html", takes_context=True)
def watch_of(context: template.Context, task: Task) -> dict[str, Any]:
    """The button of ``task`` for the user of the page, with how many watch it and who."""
    user: User = context["user"]
    watchers = watching_members(task)
    names = [name_of(watcher) for watcher in watchers]
    return {
        "task": task,
        "is_watching": any(watcher.pk == user.pk for watcher in watchers),
        "count": len(names),
        "names": names[:NAMES],
        "more": max(0, len(names) - NAMES),
        "csrf_token": context.get("csrf_token"),
    }
