"""A report's answer as XLSX: a table that a spreadsheet can filter and calculate with, and what was asked."""

import io
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from reports.columns import Column
from reports.exports import as_json, lines
from reports.report import Answer
from taskproject.sheets import duration_format, safe_cell

UNITS = {"seconds": "h:mm:ss", "time": "UTC", "percent": "%"}
FORMATS = {"money": "#,##0.00####", "percent": "0.00", "ratio": "0.00"}
GREY = "808080"
#: Wider columns hide the others.
WIDEST = 40


def as_xlsx(given: Answer) -> bytes:
    """A workbook with two sheets: the rows as a table with their total below, and what was counted for which period.

    A figure that is based on fewer facts than it needs is grey and in italics.
    """
    # Here and not above: with numpy it is a third of what a process imports before it serves.
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    _fill_report(book.create_sheet("Report"), given)
    _fill_about(book.create_sheet("About"), given)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _fill_report(sheet: Any, given: Answer) -> None:
    from openpyxl.cell.cell import Cell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    sheet.freeze_panes = "A2"
    headings = _headings(given.columns)
    for index, heading in enumerate(headings, start=1):
        sheet.column_dimensions[get_column_letter(index)].width = min(WIDEST, max(14, len(heading) + 4))
    rows = lines(given)
    if rows:
        _add_table(sheet, headings, len(rows))
    bold, thin = Font(bold=True), Font(italic=True, color=GREY)
    bold_thin = Font(bold=True, italic=True, color=GREY)
    titles = [Cell(sheet, column=1, row=1, value=heading) for heading in headings]
    for cell in titles:
        cell.font = bold
    sheet.append(titles)
    words = {name: _unambiguous(labels) for name, labels in given.result.words.items()}
    for row in rows:
        cells = []
        for column in given.columns:
            value = row[column.name]
            cell = _cell(sheet, words.get(column.name, {}).get(value, value), column.unit)
            if column.is_thin(row):
                cell.font = thin
            cells.append(cell)
        sheet.append(cells)
    if rows == [given.total]:
        return
    cells = [_cell(sheet, given.total[column.name], column.unit) for column in given.columns]
    if cells[0].value is None:
        cells[0].value = "All"
    for cell, column in zip(cells, given.columns, strict=True):
        cell.font = bold_thin if column.is_thin(given.total) else bold
    sheet.append(cells)


def _headings(columns: Sequence[Column]) -> list[str]:
    """A heading for each column; a table needs different ones."""
    headings = [
        str(safe_cell(f"{column.label} ({UNITS[column.unit]})" if column.unit in UNITS else column.label))
        for column in columns
    ]
    repeated = {heading for heading, times in Counter(each.casefold() for each in headings).items() if times > 1}
    return [
        f"{heading} [{column.name}]" if heading.casefold() in repeated else heading
        for heading, column in zip(headings, columns, strict=True)
    ]


def _unambiguous(labels: Any) -> dict[Any, str]:
    """What people read for a value, where no other value reads the same."""
    times = Counter(labels.values())
    return {value: label for value, label in labels.items() if times[label] == 1}


def _add_table(sheet: Any, headings: Sequence[str], rows: int) -> None:
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.table import Table, TableStyleInfo

    table = Table(displayName="Report", ref=f"A1:{get_column_letter(len(headings))}{rows + 1}")
    table.tableStyleInfo = TableStyleInfo(name="TableStyleLight1", showRowStripes=True)
    sheet.add_table(table)


def _cell(sheet: Any, value: Any, unit: str) -> Any:
    """A cell that a spreadsheet can calculate with: durations and dates as such, times in UTC."""
    from openpyxl.cell.cell import Cell

    if isinstance(value, bool):
        return Cell(sheet, column=1, row=1, value="yes" if value else "no")
    if value is not None and unit == "seconds":
        cell = Cell(sheet, column=1, row=1, value=value / 86_400)
        cell.number_format = duration_format(value)
    elif isinstance(value, datetime):
        cell = Cell(sheet, column=1, row=1, value=value.astimezone(UTC).replace(tzinfo=None))
        cell.number_format = "yyyy-mm-dd hh:mm"
    else:
        cell = Cell(sheet, column=1, row=1, value=safe_cell(value))
        if unit in FORMATS and not isinstance(value, str | date):
            cell.number_format = FORMATS[unit]
    return cell


def _fill_about(sheet: Any, given: Answer) -> None:
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 24, 100
    exported = as_json(given)
    for name in ("title", "description", "formula", "source", "project", "from", "to", "bucket", "tz", "generated_at"):
        value = exported[name]
        sheet.append([name, safe_cell("all projects of the reader" if value is None else value)])
    sheet.append(["n", given.n])
    for figure in exported["figures"]:
        sheet.append([safe_cell(figure["label"]), figure["value"]])
    for note in given.notes:
        sheet.append(["note", safe_cell(note)])
    if given.definition is not None:
        sheet.append(["definition", safe_cell(json.dumps(given.definition.to_document(), ensure_ascii=False))])
