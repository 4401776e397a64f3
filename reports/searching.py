"""What the search of every page finds among reports and dashboards, for its reader."""

from typing import TYPE_CHECKING

from django.urls import reverse

from reports.predefined import REPORTS
from reports.saving import reports_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def find_reports(user: "User", text: str, *, limit: int) -> list[tuple[str, str]]:
    """Title and address of reports with these words in their title: saved ones first, then those that come with it."""
    saved = reports_of(user).with_words(text).defer("definition").order_by("name", "pk")[:limit]
    own = [(report.name, reverse("saved_report", args=[report.pk])) for report in saved]
    words = text.casefold().split()
    predefined = [
        (report.title, reverse("report", args=[report.slug]))
        for report in REPORTS.values()
        if all(word in report.title.casefold() for word in words)
    ]
    return [*own, *predefined][:limit]
