"""The page of messages: the reader's conversations, and one of them.

What is written there is posted to the pages of tasks, which own messages; how far it is read is noted here.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from messaging.conversation.listing import (
    KINDS,
    Listed,
    conversations_of,
    cursor_of,
    listed,
    place_of,
    title_of,
)
from messaging.conversation.reading import read_conversation
from taskproject.errors import DomainError, Invalid
from tasks import clock
from tasks.composing import Composer, composer_of
from tasks.conversations import Conversation, find_conversation, find_partner
from tasks.errors import NotFound
from tasks.models import Project, Run
from tasks.permissions import may_in_project
from tasks.shown import ShownMessage, preview, shown_messages

SHOWN = 50
LISTED = 40
KIND_LABELS = {"": "All", "direct": "Direct", "channel": "Channels", "task": "Tasks"}


@dataclass
class Row:
    """One conversation in the list; its title and the last message are untrusted."""

    listed: Listed
    is_current: bool = False

    @property
    def name(self) -> str:
        return self.listed.conversation.name

    @property
    def title(self) -> str:
        return title_of(self.listed)

    @property
    def last(self) -> str:
        return preview(self.listed.last) if self.listed.last else ""


@dataclass
class History:
    """A page of a conversation, the oldest first; ``older`` and ``newer`` are ids where the next pages begin."""

    shown: list[ShownMessage]
    older: int | None = None
    newer: int | None = None

    @property
    def first(self) -> int | None:
        return self.shown[0].message.pk if self.shown else None

    @property
    def last(self) -> int | None:
        return self.shown[-1].message.pk if self.shown else None


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def conversation(request: HttpRequest, name: str = "") -> HttpResponse:
    """``?kind=direct`` narrows the list, ``?cursor=`` continues it; ``?before=`` and ``?at=`` choose the page of the
    conversation, ``?since=`` keeps the line above what was new. A POST notes how far it is read.
    """
    user = request.user
    assert isinstance(user, User)
    current = _find(user, name) if name else None
    if request.method == "POST" and current is not None:
        return _mark(request, current)
    kind = request.GET.get("kind", "")
    kind = kind if kind in KINDS else ""
    try:
        after = place_of(request.GET["cursor"]) if request.GET.get("cursor") else None
    except Invalid:
        after = None
    page, place = conversations_of(user, kinds=(kind,) if kind else KINDS, after=after, limit=LISTED)
    context: dict[str, Any] = {
        "rows": [Row(row, current is not None and row.conversation.name == current.name) for row in page],
        "kind": kind,
        "kinds": KIND_LABELS.items(),
        "more_query": urlencode({"kind": kind, "cursor": cursor_of(place)}) if place else "",
        "is_later_page": after is not None,
        "here": request.get_full_path(),
    }
    if current is not None:
        context |= _shown(request, user, current)
    return render(request, "messaging/messages.html", context)


def _find(user: User, name: str) -> Conversation:
    try:
        return find_conversation(user, name)
    except NotFound:
        raise Http404 from None


def _shown(request: HttpRequest, user: User, current: Conversation) -> dict[str, Any]:
    row = listed(user, current)
    composer = _composer(user, current)
    since = _number(request.GET.get("since", ""))
    read_up_to = since if since is not None else row.unread.read_up_to
    if since is None and row.unread.first is not None:
        # A channel that was never read begins when the reader joined, not with its first message.
        read_up_to = row.unread.first - 1
    history = read_history(
        current,
        before=_number(request.GET.get("before", "")),
        at=_number(request.GET.get("at", "")),
        may_write=composer is not None,
        first_unread=row.unread.first,
    )
    return {
        "current": current,
        "title": title_of(row),
        "home": home.key if (home := _home(current)) else "",
        "history": history,
        "first_new": _first_new(history, read_up_to),
        "unread": row.unread,
        "composer": composer,
        "conversation": current.name,
        "read_up_to": read_up_to,
        "is_newest": history.newer is None,
    }


def read_history(
    current: Conversation,
    *,
    before: int | None = None,
    at: int | None = None,
    may_write: bool = False,
    first_unread: int | None = None,
) -> History:
    """The messages before or from an id on; else the newest, or those from the first unread one on, if it is not among
    the newest.
    """
    messages = current.messages().to_show()
    if before is None and at is None and first_unread is not None:
        is_beyond = messages.filter(pk__gte=first_unread)[SHOWN : SHOWN + 1].exists()
        at = first_unread if is_beyond else None
    if at is not None:
        page = list(messages.filter(pk__gte=at).order_by("pk")[: SHOWN + 1])
        newer = page[SHOWN].pk if len(page) > SHOWN else None
        page = page[:SHOWN]
        older = page[0].pk if page and current.messages().filter(pk__lt=page[0].pk).exists() else None
    else:
        rows = messages if before is None else messages.filter(pk__lt=before)
        latest = list(rows.order_by("-pk")[: SHOWN + 1])
        older = latest[SHOWN - 1].pk if len(latest) > SHOWN else None
        page = latest[:SHOWN][::-1]
        newer = before
    shown = shown_messages(page, current.reader, now=clock.now(), may_write=may_write)
    return History(shown, older, newer)


def _home(current: Conversation) -> Project | None:
    """The project of a thread or channel: who of it is there now is shown."""
    return current.task.project if current.task is not None else current.channel


def _first_new(history: History, read_up_to: int | None) -> int | None:
    """The id of the first message of others that is new on this page: the line stands above it."""
    if read_up_to is None:
        return None
    ids = (shown.message.pk for shown in history.shown if not shown.is_mine)
    return next((pk for pk in ids if pk > read_up_to), None)


def _composer(user: User, current: Conversation) -> Composer | None:
    if current.task is not None:
        run = Run.objects.active().select_related("agent__user").filter(task=current.task).first()
        return composer_of(current.task, user, run=run, now=clock.now())
    if current.channel is not None:
        if not may_in_project(user, "comment", current.channel):
            return None
        return Composer(f"Write in the channel of {current.channel.key}", "Write to everyone…", current.channel.key)
    return Composer(f"Write to {current.name}", f"Write to {current.name}…")


def _mark(request: HttpRequest, current: Conversation) -> HttpResponse:
    read_conversation(current, up_to=_number(request.POST.get("up_to", "")))
    return HttpResponseRedirect(reverse("conversation", args=[current.name]))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


@require_http_methods(["GET", "HEAD"])
@login_required
def write_to(request: HttpRequest) -> HttpResponse:
    """``?to=ada`` leads to the conversation with her."""
    user = request.user
    assert isinstance(user, User)
    name = request.GET.get("to", "").strip().removeprefix("@")
    try:
        find_partner(user, name)
    except DomainError as error:
        messages.error(request, error.detail)
        return HttpResponseRedirect(reverse("messages"))
    return HttpResponseRedirect(reverse("conversation", args=[f"@{name}"]))
