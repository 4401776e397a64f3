"""The verbs of saved reports: save, edit, delete, run; and finding those that somebody may read.

Whoever saves a report owns it. Shared with a project, it is read by all its members, and edited, taken back or deleted
by its owner and the project's managers. Its figures are always those that its reader may see.
"""

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Case, Value, When

from reports.definitions import read
from reports.instants import READER, zone_at
from reports.models import SavedReport
from reports.models.saved_report import SavedReportQuerySet
from reports.report import Answer
from reports.running import run
from taskproject.errors import Invalid, NotFound
from taskproject.strict_json import dumps, unfit, unstorable
from tasks import clock
from tasks.models import Project
from tasks.owning import (
    HasChanged,
    lock_what_is_of,
    project_moved_to,
    project_to_share,
    require_edit,
    require_free_name,
    validate,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Of one owner.
MOST_REPORTS: Final = 500
#: Bytes of JSON. The builder has a definition in its address, which is refused beyond 8,000 characters.
LARGEST_DEFINITION: Final = 5_000
#: Of each group of an overview; and of all of them.
FEW: Final = 6
MOST_LISTED: Final = MOST_REPORTS + 100
EDITABLE: Final = ("name", "description", "project", "definition")


@dataclass(frozen=True, slots=True)
class Overview:
    """One's own, those that others share by project, and how many there are in all."""

    own: list[SavedReport]
    shared: list[tuple[Project | None, list[SavedReport]]]
    count: int


def reports_of(user: "User") -> SavedReportQuerySet:
    """Those that ``user`` may read, with owner and project loaded."""
    rows: SavedReportQuerySet = SavedReport.objects.visible_to(user)
    return rows.select_related("owner__agent", "project")


def overview(user: "User") -> Overview:
    """The first few for ``user``: those that changed last."""
    is_own = Case(When(owner=user, then=Value(0)), default=Value(1))
    rows = reports_of(user).defer("definition").order_by(is_own, "project__key", "-updated_at", "-pk")
    listed = list(rows[:MOST_LISTED])
    own = sorted((row for row in listed if row.owner_id == user.pk), key=lambda row: row.updated_at, reverse=True)
    shared = groupby((row for row in listed if row.owner_id != user.pk), key=lambda row: row.project)
    return Overview(
        own=own[:FEW],
        shared=[(project, list(reports)[:FEW]) for project, reports in shared],
        count=len(listed) if len(listed) < MOST_LISTED else rows.count(),
    )


def find_saved_report(user: "User", pk: int) -> SavedReport:
    """The report with this id. Raises ``NotFound``."""
    report = reports_of(user).filter(pk=pk).first() if pk < 2**63 else None
    if report is None:
        raise NotFound("There is no saved report with this id that you may see.")
    return report


def save_report(
    *, actor: "User", name: str, definition: Any, description: str = "", project: str | None = None
) -> SavedReport:
    """Keep a definition under a name, for oneself or for the members of the project with this key.

    Raises ``Invalid`` with the place in the definition, ``NotFound`` for an unknown project, ``NotPermitted``.
    """
    report = SavedReport(owner=actor, name=name, description=description)
    report.project = project_to_share(actor, project, what="report")
    report.definition = checked_definition(definition)
    validate(report, document="definition")
    with transaction.atomic():
        lock_what_is_of(actor.pk)
        if SavedReport.objects.filter(owner=actor).count() >= MOST_REPORTS:
            raise Invalid({"name": f"You have {MOST_REPORTS} saved reports, which is the limit; delete one first."})
        require_free_name(report, what="report")
        report.created_at = report.updated_at = clock.now()
        report.save(force_insert=True)
    return report


def save_report_once(*, actor: "User", name: str, definition: Any, **fields: Any) -> SavedReport:
    """As ``save_report``; a form that was sent twice gives the report that the first one made."""
    try:
        return save_report(actor=actor, name=name, definition=definition, **fields)
    except Invalid as error:
        may_be_there = "name" in error.data["errors"] and not unstorable(name)
        own = reports_of(actor).filter(owner=actor, name=name).first() if may_be_there else None
        key = own.project.key if own is not None and own.project else None
        if own is None or own.definition != definition or key != fields.get("project"):
            raise
        return own


def edit_report(
    *, actor: "User", report: SavedReport, changes: dict[str, Any], expected_version: int | None = None
) -> SavedReport:
    """Change fields (``EDITABLE``); ``project`` is a key, or None to take the report back.

    Raises ``HasChanged`` if ``expected_version`` is not the present one; ``Invalid``, ``NotFound``,
    ``NotPermitted``.
    """
    require_edit(actor, report)
    values = {name: changes[name] for name in EDITABLE if name in changes}
    if "definition" in values:
        values["definition"] = checked_definition(values["definition"])
    with transaction.atomic():
        lock_what_is_of(report.owner_id)
        present = reports_of(actor).select_for_update(of=("self",), no_key=True).filter(pk=report.pk).first()
        if present is None:
            raise NotFound("The report was deleted or is no longer shared with you.")
        report = present
        require_edit(actor, report)
        if expected_version not in (None, report.version):
            raise HasChanged(report)
        if "project" in values:
            values["project"] = project_moved_to(actor, report, values["project"], what="report")
        changed = [name for name, value in values.items() if getattr(report, name) != value]
        if changed:
            for name in changed:
                setattr(report, name, values[name])
            validate(report, document="definition")
            require_free_name(report, what="report")
            report.version += 1
            report.updated_at = clock.now()
            report.save(update_fields=[*changed, "version", "updated_at"])
    return report


def delete_report(*, actor: "User", report: SavedReport) -> None:
    """Raises ``NotPermitted``."""
    require_edit(actor, report)
    report.delete()


def run_saved_report(
    *, user: "User", report: SavedReport, zone: ZoneInfo, project: str | None = None, tz: str | None = None
) -> Answer:
    """The figures of ``report`` for ``user``, whoever owns it: of their projects, or of the one with this key.

    ``zone``: in which they read; ``tz`` names one that replaces that of the definition. Raises ``Invalid`` for words
    that have ceased to mean something, ``NotFound``, and what ``reports.running.run`` raises.
    """
    definition = read(report.definition)
    if tz is not None:
        definition = replace(definition, tz=zone_at("tz", tz).key if tz != READER else tz)
    given = run(definition, user=user, now=clock.now(), project=project, zone=zone)
    return replace(given, slug=f"report-{report.pk}", title=report.name, description=report.description)


def checked_definition(document: Any) -> dict[str, Any]:
    """``document`` as it is stored. Raises ``Invalid`` with the place of a mistake."""
    if problem := unfit(document):
        raise Invalid({"definition": problem})
    size = len(dumps(document))
    if size > LARGEST_DEFINITION:
        raise Invalid({"definition": f"It has {size:,} bytes; at most {LARGEST_DEFINITION:,} are kept."})
    read(document)
    checked: dict[str, Any] = document
    return checked
