"""Template tags of the pages: icons, avatars, times, Markdown."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zlib import crc32

from django import template
from django.contrib.auth.models import AnonymousUser
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from taskproject.money import amount
from taskproject.texts import host_of, wrong_url
from tasks.events.recording import name_of
from tasks.markdown import render_markdown
from tasks.models import Agent, AgentKind, Theme
from tasks.permissions import agent_of
from tasks.transitions import Status

if TYPE_CHECKING:
    from django.contrib.auth.models import User

register = template.Library()

AVATAR_COLOURS = 6
MINUTE, HOUR, DAY = 60, 3600, 86400


@register.simple_tag
def list_cell(column: Any, row: Any) -> Any:
    """What a column of the list shows of a row."""
    return column.cell(row)


@register.simple_tag
@lru_cache(maxsize=200)
def icon(name: str, label: str = "") -> SafeString:
    """The icon ``name`` of icons.svg; hidden from screen readers unless ``label`` says what it means."""
    attributes = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html(
        '<svg class="icon" {}><use href="{}#{}"></use></svg>', attributes, static("taskproject/icons.svg"), name
    )


@register.simple_tag(takes_context=True)
def time_zone(context: template.Context) -> SafeString:
    """Says in which zone the page's times are, and whether it may be asked for again once the browser has said its."""
    request = context.get("request")
    follows = request is not None and request.method == "GET" and not getattr(request, "zone_is_chosen", True)
    name = timezone.get_current_timezone_name()
    tag = '<meta name="time-zone" content="{}" data-follows>' if follows else '<meta name="time-zone" content="{}">'
    return format_html(tag, name)


@register.simple_tag(takes_context=True)
def theme(context: template.Context) -> str:
    """``light`` or ``dark`` if the reader chose one, else empty."""
    chosen: str = getattr(context.get("request"), "reader_theme", "")
    return chosen if chosen in Theme.values else ""


@register.simple_tag
@lru_cache(maxsize=20)
def priority(label: str, tail: str = "") -> SafeString:
    """A priority by its label, as icon and word."""
    name = label.lower()
    return format_html('<span class="priority priority-{}">{}{}{}</span>', name, icon(name), label, tail)


@lru_cache(maxsize=2000)
def _avatar(slug: str, kind: str) -> SafeString:
    words = [word for word in slug.replace("_", "-").replace(".", "-").split("-") if word]
    initials = words[0][0] + words[1][0] if len(words) > 1 else slug[:2]
    colour = crc32(slug.encode()) % AVATAR_COLOURS + 1
    return format_html(
        '<span class="avatar avatar-{} avatar-{}" title="{}" aria-hidden="true">{}</span>', kind, colour, slug, initials
    )


@register.simple_tag
def avatar(agent: Agent) -> SafeString:
    """The initials of an agent: round for people, square for LLM agents."""
    return _avatar(agent.slug, agent.kind)


@register.simple_tag
def avatar_of(user: "User | AnonymousUser") -> SafeString:
    if isinstance(user, AnonymousUser):
        return mark_safe("")
    agent = agent_of(user)
    return _avatar(name_of(user) or "?", agent.kind if agent else AgentKind.HUMAN.value)


@register.simple_tag
def avatar_of_name(name: str, user: "User | None") -> SafeString:
    """The initials of whoever wrote under ``name``; ``user`` is None where the account is gone or was never here."""
    return avatar_of(user) if user is not None else _avatar(name.lower() or "?", AgentKind.HUMAN.value)


def in_words(moment: datetime, now: datetime) -> str:
    """How far ``moment`` is from ``now``: ``just now``, ``5 min ago``, ``in 3 h``, or the date if over a month away."""
    seconds = (moment - now).total_seconds()
    size = abs(seconds)
    if size < 45:
        return "just now" if seconds <= 0 else "in a moment"
    for unit, length, until in (("min", MINUTE, HOUR), ("h", HOUR, DAY), ("d", DAY, 30 * DAY)):
        if size < until - length / 2:
            count = max(1, round(size / length))
            return f"in {count} {unit}" if seconds > 0 else f"{count} {unit} ago"
    return f"{timezone.localtime(moment):%-d %b %Y}"


@register.simple_tag
def moment(when: datetime | None, style: str = "relative") -> SafeString:
    """A ``<time>`` element; ``style``: relative (with the exact time as title), short (how long ago), exact, date."""
    if when is None:
        return mark_safe("")
    local = timezone.localtime(when)
    exact = f"{local:%-d %b %Y, %H:%M} {local.tzname()}"
    shown = {"exact": exact, "date": f"{local:%-d %b}"}.get(style) or in_words(when, timezone.now())
    if style == "short":
        shown = shown.removesuffix(" ago")
    stamp = when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return format_html('<time datetime="{}" title="{}" data-time="{}">{}</time>', stamp, exact, style, shown)


@register.simple_tag
def cost(value: Decimal) -> SafeString:
    """What runs cost, as their agents reported it."""
    return format_html('<span title="As agents report it, in their currency">cost {}</span>', amount(value))


@register.filter
def thousands(number: int) -> str:
    return f"{number:,}"


@register.filter
def public_name(user: "User | None") -> str:
    """What people call a user: the agent's slug, or the username."""
    return name_of(user)


@register.filter
def markdown(text: Any) -> SafeString:
    """Untrusted text as sanitised HTML."""
    return mark_safe(render_markdown(str(text or "")))  # noqa: S308 - sanitised by nh3


@register.filter
def duration(seconds: float) -> str:
    """A duration in its two largest units: ``45 s``, ``12 min``, ``3 h 20 min``, ``2 d 4 h``."""
    whole = int(seconds)
    for length, unit, smaller, small_unit in ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "min")):
        if whole >= length:
            rest = whole % length // smaller
            return f"{whole // length} {unit}" + (f" {rest} {small_unit}" if rest else "")
    return f"{whole // MINUTE} min" if whole >= MINUTE else f"{whole} s"


#: Icon and word of each status of a step of a plan.
_STEPS = {
    "pending": ("not_started", "To do:"),
    "in_progress": ("in_progress", "Doing:"),
    "completed": ("completed", "Done:"),
    "skipped": ("cancelled", "Skipped:"),
}


@register.simple_tag
def step_mark(status: str) -> SafeString:
    """How far a step of a plan is."""
    return icon(*_STEPS.get(status, _STEPS["pending"]))


@register.simple_tag
def outside_link(url: str, words: str) -> SafeString:
    """A link to a page outside, that an agent named: its host is shown, and the page learns nothing about the reader.

    An address that is none by http or https is shown as text.
    """
    if wrong_url(url):
        return format_html("{}: {}", words, url)
    return format_html(
        '<a href="{}" rel="nofollow noopener noreferrer" target="_blank">{}</a> <span class="muted mono">{}</span>',
        url,
        words,
        host_of(url),
    )


@register.simple_tag
@lru_cache(maxsize=20)
def status_badge(status: str) -> SafeString:
    """A status as icon and word."""
    return format_html(
        '<span class="badge status status-{0} status-badge">{1}{2}</span>', status, icon(status), Status(status).label
    )
