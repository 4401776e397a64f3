"""The verbs of dashboards: make, change, delete; who may do which is as with saved reports."""

from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from reports import saving
from reports.models import Dashboard
from reports.models.dashboard import DashboardQuerySet
from reports.predefined import REPORTS
from taskproject.errors import Invalid, NotFound, unknown_choice, unknown_name
from tasks import clock
from tasks.owning import HasChanged, lock_what_is_of, project_to_share, require_edit, require_free_name, validate

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SIZES: Final = ("half", "full")
#: Of one dashboard, whose reports are all made for one page; and of one owner.
MOST_ITEMS: Final = 12
MOST_DASHBOARDS: Final = 50
MOVES: Final = ("remove", "up", "down", *SIZES)


def dashboards_of(user: "User") -> DashboardQuerySet:
    """Those that ``user`` may read, with owner and project loaded."""
    rows: DashboardQuerySet = Dashboard.objects.visible_to(user)
    return rows.select_related("owner__agent", "project")


def find_dashboard(user: "User", pk: int) -> Dashboard:
    """Raises ``NotFound``."""
    dashboard = dashboards_of(user).filter(pk=pk).first() if pk < 2**63 else None
    if dashboard is None:
        raise NotFound("There is no dashboard with this id that you may see.")
    return dashboard


def make_dashboard(*, actor: "User", name: str, project: str | None = None, items: Any = ()) -> Dashboard:
    """A dashboard of ``actor``'s own, or of the project with this key. Raises ``Invalid``, ``NotFound``,
    ``NotPermitted``.
    """
    dashboard = Dashboard(owner=actor, name=name, project=project_to_share(actor, project, what="dashboard"))
    dashboard.items = read_items(actor, list(items) if isinstance(items, tuple) else items)
    validate(dashboard, document="items")
    with transaction.atomic():
        lock_what_is_of(actor.pk)
        if Dashboard.objects.filter(owner=actor).count() >= MOST_DASHBOARDS:
            raise Invalid({"name": f"You have {MOST_DASHBOARDS} dashboards, which is the limit; delete one first."})
        require_free_name(dashboard, what="dashboard")
        dashboard.created_at = dashboard.updated_at = clock.now()
        dashboard.save(force_insert=True)
    return dashboard


def change_dashboard(
    *, actor: "User", dashboard: Dashboard, changes: dict[str, Any], expected_version: int | None = None
) -> Dashboard:
    """Change ``name`` and ``items``. Raises ``HasChanged``, ``Invalid``, ``NotFound``, ``NotPermitted``."""
    with transaction.atomic():
        lock_what_is_of(dashboard.owner_id)
        row = _locked(actor, dashboard)
        if expected_version not in (None, row.version):
            raise HasChanged(row)
        if "name" in changes:
            row.name = changes["name"]
        if "items" in changes:
            row.items = read_items(actor, changes["items"], kept=row.items)
        validate(row, document="items")
        require_free_name(row, what="dashboard")
        _save(row)
    return row


def add_item(*, actor: "User", dashboard: Dashboard, report: Any, size: str = "half") -> Dashboard:
    """Put a report at the end."""
    with transaction.atomic():
        row = _locked(actor, dashboard)
        row.items = read_items(actor, [*row.items, {"report": report, "size": size}], kept=row.items)
        _save(row)
    return row


def move_item(*, actor: "User", dashboard: Dashboard, report: Any, move: str) -> Dashboard:
    """Take a report away (``remove``), swap it with its neighbour (``up``, ``down``), or give it a size.

    One that somebody else has taken away meanwhile stays away.
    """
    if move not in MOVES:
        raise Invalid({"do": unknown_choice(move, MOVES, what="move")})
    with transaction.atomic():
        row = _locked(actor, dashboard)
        items = [dict(item) for item in row.items]
        place = next((place for place, item in enumerate(items) if item["report"] == report), None)
        if place is None:
            return row
        other = place + {"up": -1, "down": 1}.get(move, 0)
        if move == "remove":
            del items[place]
        elif move in SIZES:
            items[place]["size"] = move
        elif 0 <= other < len(items):
            items[place], items[other] = items[other], items[place]
        row.items = items
        _save(row)
    return row


def delete_dashboard(*, actor: "User", dashboard: Dashboard) -> None:
    """Its reports stay. Raises ``NotPermitted``."""
    require_edit(actor, dashboard)
    dashboard.delete()


def read_items(actor: "User", given: Any, kept: Any = ()) -> list[dict[str, Any]]:
    """``given`` as it is stored; what is among ``kept`` may name reports that are gone. Raises ``Invalid`` with the
    place, such as ``items[1].report``.
    """
    if not isinstance(given, list):
        raise Invalid({"items": 'Must be a list, as in [{"report": "completed", "size": "half"}].'})
    if len(given) > MOST_ITEMS:
        raise Invalid({"items": f"At most {MOST_ITEMS} reports fit on a dashboard."})
    before = {(type(item["report"]), item["report"]) for item in kept}
    items: list[dict[str, Any]] = []
    for place, item in enumerate(given):
        here = f"items[{place}]"
        if not isinstance(item, dict) or "report" not in item:
            raise Invalid({here: 'Must be an object, as in {"report": "completed", "size": "half"}.'})
        for name in item.keys() - {"report", "size"}:
            raise Invalid({f"{here}.{name[:60]}": unknown_name(name[:60], ["report", "size"], what="field")})
        report, size = item["report"], item.get("size", "half")
        if size not in SIZES:
            raise Invalid({f"{here}.size": unknown_choice(str(size)[:60], SIZES, what="size")})
        if any(other["report"] == report for other in items):
            raise Invalid({f"{here}.report": f"The report {str(report)[:60]!r} is on the dashboard already."})
        if (type(report), report if isinstance(report, str | int) else None) not in before:
            _require_report(actor, f"{here}.report", report)
        items.append({"report": report, "size": size})
    return items


def _require_report(actor: "User", place: str, report: Any) -> None:
    if isinstance(report, int) and not isinstance(report, bool):
        if not (0 < report < 2**63 and saving.reports_of(actor).filter(pk=report).exists()):
            raise Invalid({place: "There is no saved report with this id that you may see."})
    elif isinstance(report, str):
        if report not in REPORTS:
            raise Invalid({place: unknown_name(report[:60], list(REPORTS), what="report")})
    else:
        raise Invalid({place: "Must be the name of a report, or the id of a saved one."})


def _locked(actor: "User", dashboard: Dashboard) -> Dashboard:
    rows = dashboards_of(actor).select_for_update(of=("self",), no_key=True)
    row = rows.filter(pk=dashboard.pk).first()
    if row is None:
        raise NotFound("The dashboard was deleted or is no longer shared with you.")
    require_edit(actor, row)
    return row


def _save(dashboard: Dashboard) -> None:
    dashboard.version += 1
    dashboard.updated_at = clock.now()
    dashboard.save(update_fields=["name", "items", "version", "updated_at"])
