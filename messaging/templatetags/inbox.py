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
    request = context.get("request")
    count = context.get("inbox_count")
    if count is None:
        # An open page that renews itself (refresh.js) keeps its frame, and with it the count that it has.
        is_renewal = request is not None and request.headers.get("X-Requested-With") == "refresh"
        count = 0 if is_renewal else sum(count_items(user).values())
    return {
        "count": min(count, COUNTED),
        "shown": f"{COUNTED - 1}+" if count >= COUNTED else str(count),
        "most": COUNTED,
        "is_current": request is not None and request.path == "/inbox/",
    }
