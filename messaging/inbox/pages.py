"""The inbox page: what needs the reader, most urgent first, each with its buttons; snoozed and archived items."""

from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from messaging.conversation.reading import read_conversation
from messaging.inbox.items import Group, Item, Scope, State
from messaging.inbox.people import People
from messaging.inbox.putting_aside import archive_item, restore_item, snooze_item
from messaging.inbox.reader import Reader
from messaging.inbox.reading import COUNTED, count_items, find_item, read_inbox, read_place, sources_of
from messaging.models import Webhook
from messaging.webhooks.endpoints import edit_webhook
from taskproject.errors import DomainError, Invalid
from taskproject.times import NotATime, OutOfRange, read_moment
from tasks import clock
from tasks.conversations import find_conversation
from tasks.models import Project, Role
from tasks.querysets import sees_all

SHOWN = 30
MORNING = time(9)
#: Times until which an item is snoozed with one click, by their name in the form.
SNOOZES = (("hour", "1 hour"), ("tomorrow", "Tomorrow morning"), ("week", "Next week"))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def inbox(request: HttpRequest) -> HttpResponse:
    """``?group=questions``, ``?scope=team``, ``?state=snoozed`` choose, ``?place=`` continues; a POST of ``do`` and
    ``id`` snoozes, archives or restores.
    """
    user = request.user
    assert isinstance(user, User)
    if request.method == "POST":
        return _post(request, user)
    group = _choice(Group, request.GET.get("group", ""))
    scope = _choice(Scope, request.GET.get("scope", "")) or Scope.MINE
    state = _choice(State, request.GET.get("state", "")) or State.ACTIVE
    filters = {
        "group": group.value if group else "",
        "scope": scope.value if scope is not Scope.MINE else "",
        "state": state.value if state is not State.ACTIVE else "",
    }
    try:
        place = read_place(request.GET["place"]) if request.GET.get("place") else None
    except Invalid:
        return HttpResponseRedirect(_url(filters))
    page = read_inbox(user, sources=sources_of(group), scope=scope, state=state, place=place, limit=SHOWN)
    counts = count_items(user, scope=scope, state=state)
    reader = Reader(user, clock.now())
    leads = sees_all(user) or any(role is Role.MANAGER for role in reader.roles.values())
    needs_reader = scope is Scope.MINE and state is State.ACTIVE
    team = count_items(user, scope=Scope.TEAM) if leads and needs_reader else {}
    people = People(reader, (item.project.pk for item in page.items))
    context: dict[str, Any] = {
        "items": page.items,
        "rows": [(item, people.agents(item.project.pk) if _assigns(item) else []) for item in page.items],
        "groups": [("", "All", _shown(counts.values()), _url(filters | {"group": ""}))]
        + [(each.value, each.label, _shown([counts[each]]), _url(filters | {"group": each.value})) for each in Group],
        "group": group.value if group else "",
        "group_label": group.label if group else "",
        "scopes": [(each.value, each.label, _url(filters | {"scope": each.value})) for each in Scope] if leads else [],
        "scope": scope.value,
        "team": _shown(team.values()) if team else "",
        # For the link at the top of the page, so that it need not count again.
        "inbox_count": sum(counts.values()) if needs_reader else None,
        "states": [(each.value, each.label, _url(filters | {"state": each.value})) for each in State],
        "state": state.value,
        "here": _url(filters | {"place": request.GET.get("place", "")}),
        "clear_url": _url(filters | {"group": "", "state": ""}),
        "team_url": _url({"scope": "team"}),
        "next_url": _url(filters | {"place": str(page.next)}) if page.next else "",
        "previous_url": _url(filters | {"place": str(page.previous)}) if page.previous else "",
        "first_url": _url(filters),
        "snoozes": SNOOZES,
        "is_member": sees_all(user) or Project.objects.visible_to(user).exists(),
    }
    return render(request, "messaging/inbox.html", context)


def _choice(kind: Any, value: str) -> Any:
    return kind(value) if value in kind.values else None


def _assigns(item: Item) -> bool:
    return any(action.name == "assign" for action in item.actions)


def _shown(counts: Any) -> str:
    total = sum(counts)
    return f"{COUNTED - 1}+" if total >= COUNTED else str(total)


def _url(filters: dict[str, str]) -> str:
    query = urlencode({name: value for name, value in filters.items() if value and (name, value) != ("scope", "mine")})
    return reverse("inbox") + (f"?{query}" if query else "")


def _post(request: HttpRequest, user: User) -> HttpResponse:
    try:
        messages.success(request, _do(user, request.POST))
    except DomainError as error:
        messages.error(request, error.sentence)
    query = {name: request.GET.get(name, "")[:1000] for name in ("group", "scope", "state", "place")}
    return HttpResponseRedirect(_url(query))


def _do(user: User, data: QueryDict) -> str:
    """Do what the button says; returns a sentence about the outcome. Raises ``DomainError``."""
    name = data.get("id", "")
    match data.get("do", ""):
        case "archive":
            item = archive_item(user=user, name=name)
            return f"Archived: {item.title}. It comes back if something new happens."
        case "read":
            item = find_item(user, name)
            if not item.conversation:
                raise Invalid({"id": "This is no message."})
            read_conversation(find_conversation(user, item.conversation))
            return f"Read: {item.title}."
        case "enable":
            item = find_item(user, name)
            if not isinstance(item.row, Webhook):
                raise Invalid({"id": "This is no webhook."})
            edit_webhook(actor=user, webhook=item.row, changes={"enabled": True})
            return f"Enabled again: {item.title}."
        case "restore":
            return f"Back in the inbox: {restore_item(user=user, name=name).title}."
        case "snooze":
            until = _until(data.get("for", ""), data.get("until", ""))
            item = snooze_item(user=user, name=name, until=until)
            return f"Snoozed until {timezone.localtime(until):%-d %b, %H:%M}: {item.title}."
    raise Invalid({"do": "There is no such button."})


def _until(name: str, typed: str) -> datetime:
    """The end of a snooze, in the reader's zone. Raises ``Invalid``."""
    now = timezone.localtime(clock.now())
    match name:
        case "hour":
            return now + timedelta(hours=1)
        case "tomorrow":
            return _morning(now, 1)
        case "week":
            return _morning(now, 7 - now.weekday())
    try:
        return read_moment(typed[:40], zone=timezone.get_current_timezone())
    except (NotATime, OutOfRange) as error:
        raise Invalid({"until": str(error) if typed else "Choose a time."}) from None


def _morning(now: datetime, days: int) -> datetime:
    return timezone.make_aware(datetime.combine(now.date() + timedelta(days=days), MORNING))
