"""The notifications page: all of the user's notifications, unread ones, muted kinds."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from messaging.models import Notification, NotificationKind
from messaging.notifications.reading import (
    COUNTED,
    count_unread,
    mute_kinds,
    muted_kinds,
    read_notifications,
    shown_of,
    with_refs,
)
from messaging.notifications.sentences import ICONS, note, sentence
from taskproject.errors import DomainError, Invalid, unknown_name
from tasks.models import Project
from tasks.querysets import sees_all

SHOWN = 50


@dataclass
class Row:
    """A notification with its texts; ``note`` and the task's title are untrusted."""

    notification: Notification

    @property
    def text(self) -> str:
        return sentence(self.notification)

    @property
    def bundle_query(self) -> str:
        """Leads to each of the burst; empty if it stands for itself."""
        return _query({"bundle": str(self.notification.pk)}) if self.notification.refs else ""

    @property
    def note(self) -> str:
        return note(self.notification)

    @property
    def icon(self) -> str:
        return ICONS[NotificationKind(self.notification.kind)]

    @property
    def title(self) -> str:
        return self.notification.task.title if self.notification.task else ""


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def notifications(request: HttpRequest) -> HttpResponse:
    """``?show=unread``, ``?kind=assigned`` filter the list, ``?bundle=7`` shows each of a burst, ``?before=`` continues
    it; a POST reads or mutes.
    """
    user = request.user
    assert isinstance(user, User)
    if request.method == "POST":
        return _post(request, user)
    unread_only = request.GET.get("show") == "unread"
    kind = request.GET.get("kind", "")
    kind = kind if kind in NotificationKind.values else ""
    before = _number(request.GET.get("before", ""))
    bundle = _number(request.GET.get("bundle", ""))
    mine = shown_of(user, bundle=bundle)
    rows = mine.unread() if unread_only else mine
    if kind:
        rows = rows.filter(kind=kind)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    page = list(rows.with_event_and_task().order_by("-pk")[: SHOWN + 1])
    shown = page[:SHOWN]
    muted = muted_kinds(user)
    filters = {"show": "unread" if unread_only else "", "kind": kind, "bundle": str(bundle or "")}
    unread = mine.unread().filter(kind=kind)[:COUNTED].count() if kind else count_unread(user)
    rows_shown = shown if bundle is not None else with_refs(shown)
    context: dict[str, Any] = {
        "rows": [Row(notification) for notification in rows_shown],
        "bundle": bundle,
        "kinds": [(kind.value, kind.label, kind.value not in muted) for kind in NotificationKind],
        "muted": [NotificationKind(kind).label for kind in muted],
        "kind": kind,
        "kind_label": NotificationKind(kind).label if kind else "",
        "unread_only": unread_only,
        "unread": f"{COUNTED}+" if unread >= COUNTED else unread,
        "newest": shown[0].pk if shown and before is None else None,
        "before": before,
        "query": _query(filters | {"before": str(before or "")}),
        "all_query": _query(filters | {"show": ""}),
        "unread_query": _query(filters | {"show": "unread"}),
        "older_query": _query(filters | {"before": str(shown[-1].pk)}) if len(page) > SHOWN else "",
        "has_any": bool(shown) or mine.exists(),
        "is_member": sees_all(user) or Project.objects.visible_to(user).exists(),
    }
    return render(request, "messaging/notifications.html", context)


def _query(filters: dict[str, str]) -> str:
    return urlencode({name: value for name, value in filters.items() if value})


def _post(request: HttpRequest, user: User) -> HttpResponse:
    try:
        messages.success(request, _do(user, request.POST))
    except DomainError as error:
        messages.error(request, error.detail)
    query = _query({name: request.GET.get(name, "")[:100] for name in ("show", "kind", "bundle", "before")})
    return HttpResponseRedirect(reverse("notifications") + (f"?{query}" if query else ""))


def _do(user: User, data: QueryDict) -> str:
    """Do what the button says; returns a sentence about the outcome. Raises ``DomainError``."""
    match data.get("do", ""):
        case "read":
            pk = _number(data.get("id", ""))
            if pk is None:
                raise Invalid({"id": "Say which notification."})
            read_notifications(user=user, ids=[pk])
            return "Marked as read."
        case "read_all":
            # Only what existed when the page was rendered: the user has not seen what arrived since.
            kind = data.get("kind", "")
            if kind and kind not in NotificationKind.values:
                raise Invalid({"kind": unknown_name(kind, NotificationKind.values, what="kind")})
            read = read_notifications(user=user, up_to=_number(data.get("up_to", "")), kind=kind)
            return f"Marked {read} as read." if read else "All had already been read."
        case "mute":
            wanted = data.getlist("wanted")
            muted = [kind for kind in NotificationKind.values if kind not in wanted]
            mute_kinds(user=user, kinds=muted)
            names = ", ".join(NotificationKind(kind).label.lower() for kind in muted)
            return (
                f"Muted: {names}." if muted else "No kinds are muted: you are notified of everything that concerns you."
            )
    raise Invalid({"do": "There is no such button."})
