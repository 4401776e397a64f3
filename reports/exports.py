"""A report's answer as JSON, CSV or XLSX. Texts come from agents; none of them may become a formula."""

import csv
import io
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from reports.columns import Column
from reports.report import Answer, Report

OUTPUTS = ("json", "csv", "xlsx")
CONTENT_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
# What a spreadsheet takes as the start of a formula (OWASP, *CSV Injection*), and what XML cannot contain.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def _iso(value: Any) -> Any:
    """Times in UTC with a Z, dates in ISO form, money as a number, everything else unchanged."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def _csv(value: Any) -> Any:
    """Values as in JSON, with texts made safe."""
    return str(value).lower() if isinstance(value, bool) else safe_cell(_iso(value))


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
    return {name: _iso(value) for name, value in row.items()}


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
        "from": _iso(period.start),
        "to": _iso(period.end),
        "bucket": period.size.value,
        "tz": given.tz,
        "generated_at": _iso(given.at.replace(microsecond=0)),
        "rows": [as_json_row(row) for row in given.rows],
        "total": as_json_row(given.total),
        "n": given.n,
        "figures": [
            {"name": column.name, "label": column.label, "unit": column.unit, "value": _iso(given.figures[column.name])}
            for column in given.figure_columns
        ],
        "notes": list(given.notes),
    }


def safe_cell(value: Any) -> Any:
    """``value`` for a cell: a text that would start a formula gets a leading '; numbers and None are unchanged."""
    if not isinstance(value, str):
        return value
    text = NOT_IN_XML.sub("", value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def as_csv(given: Answer) -> str:
    """Columns by their JSON names, one line per row; without the total, so that the lines add up to it."""
    out = io.StringIO()
    writer = csv.writer(out)
    names = [column.name for column in given.columns]
    writer.writerow(names)
    for row in given.rows:
        writer.writerow([_csv(row[name]) for name in names])
    return out.getvalue()


def _xlsx_cell(sheet: Any, value: Any, unit: str) -> Any:
    """A cell that a spreadsheet can calculate with: durations and dates as such, times in UTC."""
    from openpyxl.cell import WriteOnlyCell

    if value is not None and unit == "seconds":
        cell = WriteOnlyCell(sheet, value / 86_400)
        cell.number_format = "[h]:mm:ss"
    elif isinstance(value, datetime):
        cell = WriteOnlyCell(sheet, value.astimezone(UTC).replace(tzinfo=None))
        cell.number_format = "yyyy-mm-dd hh:mm"
    elif isinstance(value, bool):
        cell = WriteOnlyCell(sheet, "yes" if value else "no")
    else:
        cell = WriteOnlyCell(sheet, safe_cell(value))
    return cell


XLSX_UNITS = {"seconds": "h:mm:ss", "time": "UTC", "percent": "%"}


def as_xlsx(given: Answer) -> bytes:
    """A workbook with two sheets: the rows with their total, and what was counted for which period."""
    # Here and not above: with numpy it is a third of what a process imports before it serves.
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    book = Workbook(write_only=True)
    columns = given.columns
    sheet = book.create_sheet("Report")
    sheet.freeze_panes = "A2"
    bold = Font(bold=True)

    def heading(text: str) -> Any:
        cell = WriteOnlyCell(sheet, safe_cell(text))
        cell.font = bold
        return cell

    for index, column in enumerate(columns):
        sheet.column_dimensions[chr(ord("A") + index)].width = max(14, len(column.label) + 4)
    units = {column.name: XLSX_UNITS.get(column.unit, "") for column in columns}
    sheet.append(
        [
            heading(f"{column.label} ({units[column.name]})" if units[column.name] else column.label)
            for column in columns
        ]
    )
    for row in [*given.rows, given.total]:
        cells = [_xlsx_cell(sheet, row[column.name], column.unit) for column in columns]
        if row is given.total:
            if cells[0].value is None:
                cells[0].value = "All"
            for cell in cells:
                cell.font = bold
        sheet.append(cells)
    about = book.create_sheet("About")
    about.column_dimensions["A"].width, about.column_dimensions["B"].width = 24, 100
    exported = as_json(given)
    for name in ("title", "description", "project", "from", "to", "bucket", "tz", "generated_at"):
        about.append([name, safe_cell(exported[name] if exported[name] is not None else "all projects of the reader")])
    for row in exported["figures"]:
        about.append([safe_cell(row["label"]), row["value"]])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
