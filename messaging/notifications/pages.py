"""The notifications page: all of the user's notifications, or the unread ones."""

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

from messaging.models import Grouped, Notification, NotificationKind
from messaging.notifications.reading import (
    COUNTED,
    count_unread,
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
        """Leads to each of the group; empty if it stands for itself."""
        return _query({"bundle": str(self.notification.pk)}) if self.notification.refs else ""

    @property
    def note(self) -> str:
        return note(self.notification)

    @property
    def icon(self) -> str:
        return ICONS[self.notification.shown_kind]

    @property
    def is_pile(self) -> bool:
        """Whether it stands for several tasks, and so leads to none."""
        return bool(self.notification.refs) and self.notification.grouped == Grouped.KIND

    @property
    def title(self) -> str:
        task = self.notification.shown_task
        return task.title if task is not None else ""


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def notifications(request: HttpRequest) -> HttpResponse:
    """``?show=unread``, ``?kind=assigned`` filter the list, ``?bundle=7`` shows each of a group, ``?before=`` continues
    it; a POST reads.
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
        rows = rows.of_kinds([kind])
    # A row is as new as the last that it stands for; each of a group by itself, as new as its event.
    place = "last_event_id" if bundle is None else "event_id"
    if before is not None:
        rows = rows.filter(**{f"{place}__lt": before})
    page = list(rows.with_event_and_task().order_by(f"-{place}")[: SHOWN + 1])
    shown = page[:SHOWN]
    filters = {"show": "unread" if unread_only else "", "kind": kind, "bundle": str(bundle or "")}
    unread = mine.unread().of_kinds([kind])[:COUNTED].count() if kind else count_unread(user)
    rows_shown = shown if bundle is not None else with_refs(shown)
    context: dict[str, Any] = {
        "rows": [Row(notification) for notification in rows_shown],
        "bundle": bundle,
        "kinds": NotificationKind.choices,
        "kind": kind,
        "kind_label": NotificationKind(kind).label if kind else "",
        "unread_only": unread_only,
        "unread": f"{COUNTED}+" if unread >= COUNTED else unread,
        "newest": shown[0].last_event_id if shown and before is None else None,
        "before": before,
        "query": _query(filters | {"before": str(before or "")}),
        "all_query": _query(filters | {"show": ""}),
        "unread_query": _query(filters | {"show": "unread"}),
        "older_query": _query(filters | {"before": str(getattr(shown[-1], place))}) if len(page) > SHOWN else "",
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
    raise Invalid({"do": "There is no such button."})
