"""Ending mails by the link in them, without signing in: one click of a mail program (RFC 8058), or a button."""

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from messaging.mail.addresses import EVERYTHING, read_unsubscribe
from messaging.models import Email, NotificationKind
from messaging.notifications.choices import Ways, change_choices, ways_of


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows a button and changes nothing; POST ends the mails. The token is the authority, for this alone."""
    known = read_unsubscribe(token)
    user = User.objects.filter(pk=known[0], is_active=True).first() if known else None
    if known is None or user is None:
        return _shown(request, {"is_known": False}, 404)
    what = known[1]
    label = "" if what == EVERYTHING else NotificationKind(what).label
    context = {"is_known": True, "kind": label, "is_done": request.method == "POST"}
    if request.method == "POST":
        ways = ways_of(user)
        kinds = list(NotificationKind) if what == EVERYTHING else [NotificationKind(what)]
        change_choices(user=user, ways={kind: _without_email(ways[kind]) for kind in kinds})
    return _shown(request, context)


def _without_email(ways: Ways) -> Ways:
    return Ways(ways.page, ways.browser, Email.OFF)


def _shown(request: HttpRequest, context: dict[str, object], status: int = 200) -> HttpResponse:
    response = render(request, "messaging/unsubscribe.html", context, status=status)
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    return response
