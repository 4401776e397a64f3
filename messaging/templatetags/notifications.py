"""The bell at the top of every page."""

from typing import Any

from django import template
from django.contrib.auth.models import User

from messaging.notifications.reading import COUNTED, count_unread

register = template.Library()

#: The badge has room for two digits; the page gives the full number.
SHOWN = 99


@register.inclusion_tag("messaging/_bell.html", takes_context=True)
def bell(context: template.Context) -> dict[str, Any]:
    """How many notifications the user has not read; ``static/messaging/notifications.js`` keeps it up to date."""
    user: User = context["user"]
    unread = count_unread(user)
    request = context.get("request")
    return {
        "unread": unread,
        "shown": f"{SHOWN}+" if unread > SHOWN else str(unread),
        "words": f"{COUNTED} or more" if unread >= COUNTED else str(unread),
        "most_shown": SHOWN,
        "most_counted": COUNTED,
        "is_current": request is not None and request.path == "/notifications/",
    }
