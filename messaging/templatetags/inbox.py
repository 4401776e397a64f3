"""The link to the inbox at the top of every page."""

from typing import Any

from django import template
from django.contrib.auth.models import User

from messaging.inbox.reading import COUNTED, count_items

register = template.Library()


@register.inclusion_tag("messaging/_inbox_link.html", takes_context=True)
def inbox_link(context: template.Context) -> dict[str, Any]:
    """How many items need the user; ``static/messaging/inbox_count.js`` keeps it up to date."""
    user: User = context["user"]
    count = context.get("inbox_count")
    if count is None:
        count = sum(count_items(user).values())
    request = context.get("request")
    return {
        "count": min(count, COUNTED),
        "shown": f"{COUNTED - 1}+" if count >= COUNTED else str(count),
        "most": COUNTED,
        "is_current": request is not None and request.path == "/inbox/",
    }
