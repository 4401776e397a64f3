"""How statuses, marks, progress and times look in the admin."""

from datetime import datetime
from typing import Any

from django.utils import formats, timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from tasks.assignment.presence import State
from tasks.models import Task

#: The marks of the states of agents; the others warn.
STATE_MARKS = {State.AVAILABLE: "good", State.OFF_HOURS: "quiet", State.DISABLED: "bad"}


def mark(text: str, kind: str) -> SafeString:
    return format_html('<span class="tp-mark tp-{}">{}</span>', kind, text)


def marks_of(task: Task, *, is_stalled: bool, now: datetime) -> SafeString:
    """Blocked, deferred, overdue and stalled, as the board shows them."""
    marks = []
    if task.is_blocked():
        marks.append(("Blocked", "warn"))
    if task.status == "not_started" and task.on_hold:
        marks.append(("On hold", "quiet"))
    elif task.ready_at(now):
        marks.append(("Resting after a failure" if task.is_resting(now) else "Deferred", "quiet"))
    if task.is_overdue(now):
        marks.append(("Overdue", "bad"))
    if is_stalled:
        marks.append(("Stalled", "bad"))
    return format_html_join(" ", '<span class="tp-mark tp-{}">{}</span>', ((kind, text) for text, kind in marks))


def status_badge(task: Task) -> SafeString:
    return format_html('<span class="tp-status tp-{}">{}</span>', task.status, task.get_status_display())


def progress_bar(percent: int) -> SafeString:
    return format_html(
        '<progress max="100" value="{0}" aria-label="Progress">{0} %</progress> <small>{0}&nbsp;%</small>', percent
    )


def when(value: Any, *, this_year: str = "j M H:i") -> SafeString | str:
    """A time in a narrow column: in the format ``this_year``, or the date; in full as the title."""
    if value is None:
        return "–"
    local = timezone.localtime(value)
    short = formats.date_format(local, this_year if local.year == timezone.localtime().year else "j M Y")
    # Not by the format: it leaves out the name in the hour that comes twice, which is when it matters.
    whole = f"{formats.date_format(local, 'j M Y, H:i')} {local.tzname()}"
    return format_html('<time datetime="{}" title="{}">{}</time>', local.isoformat(), whole, short)
