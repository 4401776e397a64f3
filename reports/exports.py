"""A report's answer as JSON and CSV (XLSX: ``workbooks``). Texts come from agents; none may become a formula."""

import csv
import io
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from reports.columns import Column
from reports.report import Answer, Report, Row
from taskproject.sheets import BOM, safe_cell
from taskproject.sheets import CONTENT_TYPES as FILES
from taskproject.times import stamp

OUTPUTS = ("json", "csv", "xlsx")
CONTENT_TYPES = {"json": "application/json", **FILES}


def plain(value: Any) -> Any:
    """Times in UTC with a Z, dates in ISO form, money as a number, everything else unchanged."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return stamp(value)
    return value.isoformat() if isinstance(value, date) else value


def _csv(value: Any) -> Any:
    """Values as in JSON, with texts made safe."""
    return str(value).lower() if isinstance(value, bool) else safe_cell(plain(value))


def as_json_columns(columns: tuple[Column, ...]) -> list[dict[str, Any]]:
    """What a reader has to know of each column."""
    return [
        {
            "name": column.name,
            "label": column.label,
            "unit": column.unit,
            "role": column.role,
            "n": column.n,
            "needs": column.needs,
        }
        for column in columns
    ]


def as_json_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row as plain values."""
    return {name: plain(value) for name, value in row.items()}


def as_json_definition(given: Answer) -> dict[str, Any]:
    """The answer to a definition as the API returns it."""
    period = given.period
    return {
        "columns": as_json_columns(given.columns),
        "rows": [as_json_row(row) for row in given.rows],
        "total": as_json_row(given.total),
        "n": given.n,
        "project": given.scope.project.key if given.scope.project else None,
        "period": {
            "from": plain(period.start),
            "to": plain(period.end),
            "bucket": period.size.value if given.is_over_time else None,
        },
        "tz": given.tz,
        "notes": list(given.notes),
        "words": {
            name: [{"value": value, "label": label} for value, label in words.items()]
            for name, words in given.result.words.items()
        },
        "definition": given.definition.to_document() if given.definition else None,
        "generated_at": plain(given.at.replace(microsecond=0)),
    }


def as_json_head(report: Report) -> dict[str, Any]:
    """A report's description, without an answer."""
    return {
        "slug": report.slug,
        "title": report.title,
        "description": report.description,
        "formula": report.formula,
        "source": report.source,
        "columns": as_json_columns(report.columns),
    }


def as_json(given: Answer) -> dict[str, Any]:
    """The answer as the API returns it: plain values, ready for any JSON encoder."""
    period = given.period
    return {
        "slug": given.slug,
        "title": given.title,
        "description": given.description,
        "formula": given.formula,
        "source": given.source,
        "columns": as_json_columns(given.columns),
        "project": given.scope.project.key if given.scope.project else None,
        "from": plain(period.start),
        "to": plain(period.end),
        "bucket": period.size.value,
        "tz": given.tz,
        "generated_at": plain(given.at.replace(microsecond=0)),
        "rows": [as_json_row(row) for row in given.rows],
        "total": as_json_row(given.total),
        "n": given.n,
        "figures": [
            {
                "name": column.name,
                "label": column.label,
                "unit": column.unit,
                "value": plain(given.figures[column.name]),
            }
            for column in given.figure_columns
        ],
        "notes": list(given.notes),
    }


def lines(given: Answer) -> list[Row]:
    """The rows of a file: those of the answer, or its total where nothing is grouped."""
    is_grouped = any(column.role in ("time", "dimension") for column in given.columns)
    return given.rows if is_grouped or given.rows else [given.total]


def as_csv(given: Answer) -> str:
    """Columns by their JSON names, one line per row; without the total, so that the lines add up to it.

    It begins with a byte order mark: without one, spreadsheets take UTF-8 for something else.
    """
    out = io.StringIO()
    out.write(BOM)
    writer = csv.writer(out)
    names = [column.name for column in given.columns]
    writer.writerow(names)
    for row in lines(given):
        writer.writerow([_csv(row[name]) for name in names])
    return out.getvalue()
