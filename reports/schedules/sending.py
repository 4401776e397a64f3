"""Sends what is due: by any number of engines, each time of a schedule once.

An engine takes a schedule by a conditional UPDATE, makes the file outside any transaction, and then, in one
transaction and only if the schedule is still taken by it, moves the schedule to its next time and puts the mail into
the outbox. If it is killed before, the claim lapses and another engine does it.
"""

import logging
import threading
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.urls import reverse

from reports.downloads import file_of
from reports.limits import TooLarge
from reports.models import ReportSchedule
from reports.report import Answer
from reports.saving import find_saved_report, run_saved_report
from reports.schedules.cron import in_words, next_time
from reports.schedules.keeping import has_address
from reports.schedules.outbox import posts
from reports.schedules.stopping import stop_path
from taskproject.errors import DomainError, Invalid, NotFound, shortened
from taskproject.zones import known_zone
from tasks import clock
from tasks.outage import AWAY, Outage

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0
#: Longer than any report takes.
CLAIM: Final = timedelta(minutes=5)
MOST: Final = 100
#: What the page says of one that failed in a way of its own.
FAULT: Final = "Not made: a fault of the server, whose log has it. It is tried again every few minutes."


class Stopped(Exception):
    """A schedule can no longer go on; the text says why, to its owner."""


@dataclass(frozen=True, slots=True)
class _Mail:
    subject: str
    text: str
    result: str
    path: str
    file: tuple[str, str, bytes] | None = None
    projects: tuple[int, ...] = ()
    stop: str = ""


def send_due() -> int:
    """Make and post every report that is due now; returns how many were posted.

    Times that were missed count once: the next time is after now.
    """
    ids = ReportSchedule.objects.due(clock.now()).order_by("next_at", "pk").values_list("pk", flat=True)[:MOST]
    return sum(_send_one(pk) for pk in list(ids))


def _send_one(pk: int) -> int:
    """One that fails in a way of its own does not keep the others from being sent; it is tried again later."""
    mark = None
    try:
        mark = _take(pk)
        return _send(pk, mark) if mark is not None else 0
    except AWAY:
        raise
    except Exception:
        logger.exception("The scheduled report %s could not be made; trying again in %s.", pk, CLAIM)
        taken = ReportSchedule.objects.filter(pk=pk, claim=mark, claim__isnull=False)
        taken.update(last_at=clock.now(), last_result=FAULT, last_key="")
        return 0


def _take(pk: int) -> UUID | None:
    mark, now = uuid4(), clock.now()
    taken = ReportSchedule.objects.due(now).filter(pk=pk).update(claim=mark, claimed_until=now + CLAIM)
    return mark if taken else None


def _send(pk: int, mark: UUID) -> int:
    rows = ReportSchedule.objects.select_related("report", "owner")
    schedule = rows.filter(pk=pk, claim=mark).first()
    if schedule is None:
        return 0
    now = clock.now()
    zone = known_zone(schedule.tz)
    next_at = next_time(schedule.cron, zone, now) if zone is not None else None
    stopped = ""
    try:
        mail = _written(schedule, zone)
    except Stopped as error:
        stopped, next_at = shortened(str(error), 300), None
        mail = _farewell(schedule, stopped)
    except DomainError as error:
        # What may go better the next time, such as a report that took too long.
        mail = _apology(schedule, error.sentence)
    key = f"report_schedule.{pk}.{schedule.next_at:%Y%m%d%H%M%S}"
    changes: dict[str, Any] = {"next_at": next_at, "stopped": stopped, "last_at": now, "last_key": key}
    changes |= {"last_result": shortened(mail.result, 300), "claim": None, "claimed_until": None}
    with transaction.atomic():
        if not ReportSchedule.objects.filter(pk=pk, claim=mark).update(**changes):
            return 0
        _post(schedule, key, mail)
    return 1 if mail.file is not None else 0


def _post(schedule: ReportSchedule, key: str, mail: _Mail) -> None:
    for post in posts:
        post(
            recipient=schedule.owner,
            key=key,
            subject=mail.subject,
            text=mail.text,
            path=mail.path,
            projects=mail.projects,
            stop=mail.stop,
            file=mail.file,
        )


def _written(schedule: ReportSchedule, zone: ZoneInfo | None) -> _Mail:
    """The mail with the report, as its owner may see it now. Raises ``Stopped``, and ``DomainError`` for once."""
    if not schedule.owner.is_active:
        raise Stopped("The account is disabled.")
    if not has_address(schedule.owner):
        raise Stopped("The account has no valid e-mail address.")
    if zone is None:
        raise Stopped(f"There is no time zone {schedule.tz} any more.")
    try:
        report = find_saved_report(schedule.owner, schedule.report_id)
    except NotFound:
        raise Stopped("You may no longer read this report.") from None
    try:
        given = run_saved_report(user=schedule.owner, report=report, zone=zone)
    except (Invalid, NotFound, TooLarge) as error:
        # Waiting makes it no better: the definition names what has ceased to exist, or asks for too much.
        raise Stopped(f"The report can no longer be made: {error.sentence}") from None
    file = file_of(given, schedule.output)
    return _Mail(
        subject=report.name,
        text=_text(given, schedule),
        result=f"Put into the mails: {file[0]}",
        path=reverse("saved_report", args=[report.pk]),
        file=file,
        projects=given.scope.project_ids,
        stop=stop_path(schedule),
    )


def _text(given: Answer, schedule: ReportSchedule) -> str:
    period = given.period
    days = (moment.astimezone(period.zone) for moment in (period.start, period.end - timedelta(microseconds=1)))
    span = " to ".join(f"{day.day} {day:%b %Y}" for day in days)
    lines = [given.title, f"{span}, in {given.tz} time, of your projects; the file is attached."]
    if not given.n:
        lines.append("Nothing in your projects fits this report in this period, so the file has no figures.")
    return "\n".join([*lines, *given.notes, "", _why(schedule)])


def _why(schedule: ReportSchedule) -> str:
    """Why this mail comes, and where that is changed."""
    times = f"{in_words(schedule.cron)}, in {schedule.tz} time"
    return f"You scheduled it: {times}. Change that under “Reports by mail”."


def _apology(schedule: ReportSchedule, why: str) -> _Mail:
    """What is sent instead of a report that could not be made this time."""
    report = schedule.report
    return _Mail(
        subject=f"Not made: {report.name}",
        text=f"{report.name}\nIt could not be made this time: {why}\n\n{_why(schedule)}",
        result=f"Not made: {why}",
        path=reverse("saved_report", args=[report.pk]),
        projects=(report.project_id,) if report.project_id else (),
        stop=stop_path(schedule),
    )


def _farewell(schedule: ReportSchedule, why: str) -> _Mail:
    """What the owner is told once, with nothing of a report that they may not read."""
    text = f"A report that was scheduled for you ({schedule.cron}, {schedule.tz}) is no longer sent.\n{why}\n"
    return _Mail(
        subject="A scheduled report has stopped",
        text=f"{text}\nIt can be changed and resumed among your schedules.",
        result="Stopped; you were told by mail.",
        path=reverse("report_schedules"),
    )


class Scheduler:
    """The companion of the engine that sends scheduled reports."""

    name = "scheduled reports"

    def catch_up(self) -> int:
        return send_due()

    def run(self, stop: threading.Event) -> None:
        """Send what is due until ``stop`` is set; an outage of the database is logged once."""
        outage = Outage(logger, "Sending scheduled reports")
        with closing(connection):
            while not stop.is_set():
                try:
                    send_due()
                    outage.end()
                except AWAY as error:
                    outage.begin(error)
                except Exception:
                    logger.exception("Scheduled reports could not be sent; trying again.")
                stop.wait(LOOK_SECONDS)


scheduler = Scheduler()
