"""The page on which somebody chooses how and when they are told."""

from dataclasses import dataclass
from datetime import time
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from messaging.models import Email, NotificationKind
from messaging.notifications.choices import Ways, change_choices, read_zone, times_of, ways_of
from taskproject.errors import DomainError, Invalid
from taskproject.zones import server_zone
from tasks.links import open_links, revoke_links
from tasks.zones import zone_of_work


@dataclass
class Line:
    """A row of the table."""

    kind: NotificationKind
    ways: Ways


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def notification_settings(request: HttpRequest) -> HttpResponse:
    """A table of kinds by ways, and the times; a POST stores both, or says why not and keeps the input."""
    user = request.user
    assert isinstance(user, User)
    if request.method != "POST":
        return render(request, "messaging/settings.html", _context(user, ways_of(user), _times_shown(user)))
    if request.POST.get("do") == "revoke":
        return _revoked(request, user)
    ways = _posted_ways(request.POST)
    try:
        change_choices(user=user, ways=ways, times=_posted_times(request.POST))
    except DomainError as error:
        shown = {name: request.POST.get(name, "")[:100] for name in TIMES}
        context = _context(user, ways, shown | {"urgent_anyway": "urgent_anyway" in request.POST})
        return render(request, "messaging/settings.html", context | {"problem": error.detail}, status=400)
    messages.success(request, "Saved. It counts from now on; what you were told before stays.")
    return HttpResponseRedirect(reverse("notification_settings"))


def _revoked(request: HttpRequest, user: User) -> HttpResponse:
    revoke_links(user.pk)
    messages.success(request, "The links to questions in the e-mails that you have are no longer valid.")
    return HttpResponseRedirect(reverse("notification_settings"))


TIMES = ("time_zone", "quiet_from", "quiet_until", "digest_at")


def _context(user: User, ways: dict[NotificationKind, Ways], times: dict[str, Any]) -> dict[str, Any]:
    return {
        "lines": [Line(kind, ways[kind]) for kind in NotificationKind],
        "emails": Email.choices,
        "fallback_zone": (zone_of_work(user) or server_zone()).key,
        "address": user.email,
        "has_links": open_links(user.pk).exists(),
        "times": times,
    }


def _times_shown(user: User) -> dict[str, Any]:
    times = times_of(user)
    shown = {name: f"{value:%H:%M}" if (value := getattr(times, name)) else "" for name in TIMES[1:]}
    return {"time_zone": times.zone_name, "urgent_anyway": times.urgent_anyway, **shown}


def _posted_ways(data: QueryDict) -> dict[NotificationKind, Ways]:
    pages, browsers = set(data.getlist("page")), set(data.getlist("browser"))
    ways = {}
    for kind in NotificationKind:
        email = data.get(f"email_{kind}", "")
        ways[kind] = Ways(kind in pages, kind in browsers, Email(email) if email in Email.values else Email.OFF)
    return ways


def _posted_times(data: QueryDict) -> dict[str, Any]:
    """Raises ``Invalid``."""
    digest = _time(data, "digest_at")
    if digest is None:
        raise Invalid({"digest_at": "Say when the daily e-mail comes."})
    # The zone is chosen on the account page; a form from before has it, too.
    zone = {"time_zone": read_zone(data.get("time_zone", ""))} if "time_zone" in data else {}
    return zone | {
        "quiet_from": _time(data, "quiet_from"),
        "quiet_until": _time(data, "quiet_until"),
        "digest_at": digest,
        "urgent_anyway": "urgent_anyway" in data,
    }


def _time(data: QueryDict, name: str) -> time | None:
    text = data.get(name, "").strip()
    if not text:
        return None
    try:
        return time.fromisoformat(text.zfill(len("08:00"))).replace(second=0, microsecond=0, tzinfo=None)
    except ValueError:
        raise Invalid({name: "Must be a time such as 22:00."}) from None
