"""The verbs of schedules: add, change, pause, resume, delete. Each is its owner's alone."""

from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from reports.instants import zone_at
from reports.models import ReportSchedule, SavedReport, ScheduleOutput
from reports.models.schedule import ReportScheduleQuerySet
from reports.schedules.cron import next_time, read_cron
from taskproject.errors import Invalid, NotFound, unknown_choice
from taskproject.reach import reach_of
from tasks import clock
from tasks.owning import lock_what_is_of
from tasks.permissions import require_full_reach

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Of one owner.
MOST_SCHEDULES: Final = 20


def schedules_of(user: "User") -> ReportScheduleQuerySet:
    """Those of ``user``, with their reports. A token that is limited to projects reaches none: a schedule is sent with
    the figures of all of its owner's.
    """
    rows: ReportScheduleQuerySet = ReportSchedule.objects.filter(owner=user).select_related("report__project")
    return rows if reach_of(user).projects is None else rows.none()


def find_schedule(user: "User", pk: int) -> ReportSchedule:
    """Raises ``NotFound``."""
    schedule = schedules_of(user).filter(pk=pk).first() if pk < 2**63 else None
    if schedule is None:
        raise NotFound("You have no schedule with this id.")
    return schedule


def has_address(user: Any) -> bool:
    """Whether ``user`` can be mailed to."""
    try:
        validate_email(user.email)
    except ValidationError:
        return False
    return True


def add_schedule(
    *, actor: "User", report: SavedReport, cron: str, tz: str, output: str = ScheduleOutput.XLSX
) -> ReportSchedule:
    """Send ``report``, which ``actor`` may read, at the times of ``cron`` in the zone named ``tz``.

    Raises ``Invalid`` and ``NotPermitted``.
    """
    require_full_reach(actor, "schedule a report")
    if not has_address(actor):
        raise Invalid({"report": "Your account has no e-mail address to send it to; add one first."})
    schedule = ReportSchedule(owner=actor, report=report, cron=cron, tz=tz, output=output)
    _check(schedule)
    now = clock.now()
    schedule.created_at, schedule.next_at = now, next_time(schedule.cron, zone_at("tz", schedule.tz), now)
    with transaction.atomic():
        lock_what_is_of(actor.pk)
        if ReportSchedule.objects.filter(owner=actor).count() >= MOST_SCHEDULES:
            raise Invalid({"report": f"You have {MOST_SCHEDULES} schedules, which is the limit; delete one first."})
        _require_new(schedule)
        schedule.save(force_insert=True)
    return schedule


def change_schedule(*, actor: "User", schedule: ReportSchedule, changes: dict[str, Any]) -> ReportSchedule:
    """Change ``cron``, ``tz``, ``output`` or ``active``, which pauses and resumes.

    Other times than before also resume one that rests. Raises ``Invalid`` and ``NotFound``.
    """
    with transaction.atomic():
        lock_what_is_of(actor.pk)
        rows = schedules_of(actor).select_for_update(of=("self",), no_key=True)
        row = rows.filter(pk=schedule.pk).first()
        if row is None:
            raise NotFound("You have no schedule with this id.")
        before = (row.cron, row.tz)
        for name in ("cron", "tz", "output"):
            setattr(row, name, changes.get(name, getattr(row, name)))
        _check(row)
        _require_new(row)
        is_new = (row.cron, row.tz) != before
        active = changes.get("active", True if is_new else row.is_active)
        if not active:
            row.next_at = None
        elif is_new or not row.is_active:
            row.next_at, row.stopped = next_time(row.cron, zone_at("tz", row.tz), clock.now()), ""
        # An engine that is making it for the former times gives up.
        row.claim = row.claimed_until = None
        row.save(update_fields=["cron", "tz", "output", "next_at", "stopped", "claim", "claimed_until"])
    return row


def delete_schedule(*, actor: "User", schedule: ReportSchedule) -> None:
    schedules_of(actor).filter(pk=schedule.pk).delete()


def _check(schedule: ReportSchedule) -> None:
    schedule.cron = read_cron(schedule.cron)
    schedule.tz = zone_at("tz", schedule.tz).key
    if schedule.output not in ScheduleOutput.values:
        raise Invalid({"output": unknown_choice(schedule.output, ScheduleOutput.values, what="output")})


def _require_new(schedule: ReportSchedule) -> None:
    same = {name: getattr(schedule, name) for name in ("owner_id", "report_id", "cron", "tz", "output")}
    if ReportSchedule.objects.filter(**same).exclude(pk=schedule.pk).exists():
        raise Invalid({"cron": "You already get this report at these times."})
