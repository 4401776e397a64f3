"""The link in each scheduled mail that ends its schedule, without signing in."""

from typing import Final

from django.core import signing
from django.urls import reverse

from reports.models import ReportSchedule

STOPPED: Final = "You stopped it by the link in a mail."
_SALT: Final = "reports.stop_schedule"


def stop_path(schedule: ReportSchedule) -> str:
    """Where the owner of ``schedule`` ends it; the same in each of its mails."""
    return reverse("stop_report_schedule", args=[_signer().sign_object([schedule.pk, schedule.owner_id])])


def scheduled_by(token: str) -> tuple[int, int] | None:
    """The schedule and its owner, by id, of a token of ours; None for any other."""
    try:
        schedule, owner = _signer().unsign_object(token)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return (schedule, owner) if isinstance(schedule, int) and isinstance(owner, int) else None


def stop_schedule(*, schedule: int, owner: int) -> None:
    """End it until its owner resumes it; one that rests or is gone stays as it is.

    An engine that is making its file gives up.
    """
    going = ReportSchedule.objects.filter(pk=schedule, owner=owner, next_at__isnull=False)
    going.update(next_at=None, stopped=STOPPED, claim=None, claimed_until=None)


def _signer() -> signing.Signer:
    return signing.Signer(salt=_SALT)
