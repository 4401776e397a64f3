"""The reports of a dashboard with the figures of its reader, each by itself: one that fails is one line."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.urls import reverse

from reports import saving
from reports.behind import href_of
from reports.builder.showing import shown_of
from reports.models import Dashboard, SavedReport
from reports.parameters import Question, read_question
from reports.predefined import REPORTS
from reports.presentation import Panel, shown
from reports.ranges import with_all_time
from reports.running import answer
from reports.tables import Cell
from taskproject.errors import DomainError

GONE = "This report was deleted, or is no longer shared with you."


@dataclass(frozen=True, slots=True)
class Tile:
    """A report on the page; with a ``problem``, nothing but that. ``period``: the time and the projects in words."""

    report: Any
    size: str
    title: str = ""
    path: str = ""
    period: str = ""
    headline: tuple[tuple[str, Cell], ...] = ()
    panel: Panel | None = None
    problem: str = ""


def tiles_of(dashboard: Dashboard, *, user: Any, now: datetime, zone: ZoneInfo) -> list[Tile]:
    """What ``dashboard`` shows ``user``: of its project, or of all of theirs."""
    ids = [item["report"] for item in dashboard.items if isinstance(item["report"], int)]
    saved = {report.pk: report for report in saving.reports_of(user).filter(pk__in=ids)}
    key = dashboard.project.key if dashboard.project else None
    question = None
    tiles = []
    for item in dashboard.items:
        report, size = item["report"], item["size"]
        if report in REPORTS:
            question = question or _question(user, key, now, zone)
            tiles.append(_predefined(report, size, question, key, now))
        elif report in saved:
            tiles.append(_saved(saved[report], size, user=user, key=key, zone=zone))
        else:
            tiles.append(Tile(report, size, problem=GONE))
    return tiles


def _question(user: Any, key: str | None, now: datetime, zone: ZoneInfo) -> Question:
    """All time, as the pages of predefined reports begin."""
    query = QueryDict(mutable=True)
    if key is not None:
        query["project"] = key
    question = read_question(query, user=user, now=now, zone=zone)
    return read_question(with_all_time(query, question, now), user=user, now=now, zone=zone)


def _predefined(slug: str, size: str, question: Question, key: str | None, now: datetime) -> Tile:
    report = REPORTS[slug]
    path = reverse("report", args=[slug]) + (f"?project={key}" if key else "")
    tile: dict[str, Any] = {"report": slug, "size": size, "title": report.title, "path": path}
    try:
        given = answer(report, question.scope, question.period, now=now)
    except DomainError as error:
        return Tile(**tile, problem=error.sentence)
    page = shown(given, href=href_of(given))
    return Tile(**tile, headline=tuple(page.headline), panel=page.panels[0] if page.panels else None)


def _saved(report: SavedReport, size: str, *, user: Any, key: str | None, zone: ZoneInfo) -> Tile:
    tile: dict[str, Any] = {
        "report": report.pk,
        "size": size,
        "title": report.name,
        "path": reverse("saved_report", args=[report.pk]),
    }
    try:
        given = saving.run_saved_report(user=user, report=report, zone=zone, project=key)
    except DomainError as error:
        return Tile(**tile, problem=error.sentence)
    page = shown_of(given, user=user, ident=f"saved-{report.pk}")
    return Tile(**tile, period=page.period, headline=tuple(page.headline), panel=page.panel if page.n else None)
