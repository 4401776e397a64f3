"""The builder opened with what a predefined report counts."""

from datetime import datetime
from typing import Any

from django.urls import reverse

from reports.builder.form import Form
from reports.report import Answer, Part


def changes_of(given: Answer) -> list[tuple[str, str]]:
    """What the parts of a predefined report count, each with the address at which the builder shows the same figures.

    They are those of the project and the period of ``given``.
    """
    parts = given.report.parts if given.report else ()
    builder = reverse("new_report")
    return [(part.title, f"{builder}?{Form.of_definition(_asked(part, given)).query}") for part in parts]


def _asked(part: Part, given: Answer) -> dict[str, Any]:
    """The document of ``part`` for what ``given`` shows."""
    document, period = part.definition.to_document(), given.period
    document["tz"] = given.tz
    document["period"] = {"from": _written(period.start, given), "to": _written(period.end, given)}
    if given.is_over_time:
        document["time"]["bucket"] = period.size.value
    if given.scope.project is not None:
        where = document.get("where", {"all": []})
        others = where["all"] if where.keys() == {"all"} else [where]
        document["where"] = {"all": [*others, {"field": "project", "in": [given.scope.project.key]}]}
    return document


def _written(moment: datetime, given: Answer) -> str:
    """A day where it begins by the clocks of ``given``, else the time."""
    local = moment.astimezone(given.period.zone)
    return local.date().isoformat() if local.time().isoformat() == "00:00:00" else local.isoformat()
