"""Tables as files: CSV for programs, XLSX for people. Texts come from anybody; none of them may become a formula."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from django.http import HttpResponse

CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
# What a spreadsheet takes as the start of a formula (OWASP, *CSV Injection*), and what XML cannot contain.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
#: A cell of a workbook holds no more.
LONGEST_CELL = 32_000
#: By which Excel knows that the file is UTF-8.
BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Heading:
    """A column: its name for programs, its label for people, and how wide it is in characters.

    ``unit``: ``seconds`` are shown as a duration; anything else as what it is.
    """

    name: str
    label: str
    unit: str = ""
    width: int = 16


def safe_cell(value: Any) -> Any:
    """``value`` for a cell: a text that would start a formula gets a leading '; numbers and None are unchanged."""
    if not isinstance(value, str):
        return value
    text = NOT_IN_XML.sub("", value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def plain(value: Any) -> Any:
    """As in JSON: times in UTC with a Z, dates in ISO form, flags as words, lists separated by semicolons."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return safe_cell("; ".join(map(str, value)))
    return safe_cell(value)


def csv_of(headings: Sequence[Heading], rows: Iterable[Sequence[Any]]) -> str:
    """Columns by their names, one line per row."""
    out = io.StringIO()
    out.write(BOM)
    writer = csv.writer(out)
    writer.writerow([heading.name for heading in headings])
    writer.writerows([plain(value) for value in row] for row in rows)
    return out.getvalue()


def xlsx_of(
    title: str,
    headings: Sequence[Heading],
    rows: Iterable[Sequence[Any]],
    *,
    zone: tzinfo,
    about: Iterable[tuple[str, Any]],
) -> bytes:
    """A workbook of two sheets: the rows, with times in ``zone``, and ``about``: what they are."""
    # Here and not above: with numpy it is a third of what a process imports before it serves.
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    for index, heading in enumerate(headings, start=1):
        sheet.column_dimensions[get_column_letter(index)].width = heading.width
    first = []
    for heading in headings:
        cell = WriteOnlyCell(sheet, safe_cell(heading.label))
        cell.font = Font(bold=True)
        first.append(cell)
    sheet.append(first)
    count = 1
    for row in rows:
        sheet.append([_cell(sheet, value, each.unit, zone) for value, each in zip(row, headings, strict=True)])
        count += 1
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(headings))}{count}"
    notes = book.create_sheet("About")
    notes.column_dimensions["A"].width, notes.column_dimensions["B"].width = 24, 100
    for name, value in about:
        notes.append([safe_cell(name), safe_cell(value)])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def duration_format(seconds: float) -> str:
    """The number format of a duration, which a spreadsheet counts in days and shows as no negative time."""
    return "[h]:mm:ss" if seconds >= 0 else '0.000" d"'


def _cell(sheet: Any, value: Any, unit: str, zone: tzinfo) -> Any:
    """A cell that a spreadsheet can calculate with."""
    from openpyxl.cell import WriteOnlyCell

    if value is not None and unit == "seconds":
        cell = WriteOnlyCell(sheet, float(value) / 86_400)
        cell.number_format = duration_format(float(value))
    elif isinstance(value, datetime):
        cell = WriteOnlyCell(sheet, value.astimezone(zone).replace(tzinfo=None))
        cell.number_format = "yyyy-mm-dd hh:mm"
    elif isinstance(value, bool):
        cell = WriteOnlyCell(sheet, "yes" if value else "no")
    elif isinstance(value, list | tuple):
        cell = WriteOnlyCell(sheet, safe_cell("; ".join(map(str, value))[:LONGEST_CELL]))
    else:
        cell = WriteOnlyCell(sheet, safe_cell(value[:LONGEST_CELL] if isinstance(value, str) else value))
    return cell


def file_response(body: str | bytes, kind: str, name: str) -> HttpResponse:
    """A file to download under ``name``, which we made, with the extension of its ``kind``."""
    response = HttpResponse(body, content_type=CONTENT_TYPES[kind])
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
