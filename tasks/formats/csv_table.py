"""CSV: a header line with the names of fields, then one task per row. Lists are separated by ``;``.

Cells are separated by commas, or by the semicolons, tabs or bars that spreadsheets in some countries write.
"""

import csv
import io
import re
from collections import Counter
from difflib import get_close_matches
from typing import Any

from taskproject.strict_json import DECODER, NotAllowed
from tasks.actions.imports import Plan, shown
from tasks.formats.entries import Entries
from tasks.formats.fields import CONVERTERS, Wrong, unknown_field

NAME = "csv"

LISTS = frozenset({"labels", "required_skills", "assignees", "depends_on", "criteria"})
NUMBERS = frozenset({"estimate_minutes", "max_attempts"})
BOOLEANS = frozenset({"review_required", "on_hold"})
FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
#: More than the longest description, less than what would exhaust memory.
MOST_CHARACTERS = 1_000_000
#: How much of the first line is examined to decide whether it is a header.
HEADER_READ = 2000
#: Signs between cells; a comma unless the header has more of another.
SIGNS = ",;\t|"
LINES_SEARCHED = 20
_SEP = re.compile(r'\s*"?sep=(?P<sign>[^\s"]|\t)"?\s*', re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"')
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)


def recognises(text: str) -> bool:
    """Whether the first line has a column ``title``, or several columns, one of them almost ours (a typo to report)."""
    cells = set(header_of(text))
    return "title" in cells or (
        len(cells) > 1 and any(get_close_matches(cell, CONVERTERS, cutoff=0.7) for cell in cells)
    )


def read(text: str) -> Plan:
    plan = Plan(NAME)
    entries = Entries(plan)
    # The limit applies to the whole process, so restore it.
    before = csv.field_size_limit(MOST_CHARACTERS)
    try:
        _read_rows(text, entries)
    finally:
        csv.field_size_limit(before)
    return plan


def header_of(text: str) -> list[str]:
    """The names of the columns in lower case, as far as the first line shows them."""
    sign, skipped = _delimiter(text)
    header = "\n".join(text.split("\n", skipped + 1)[skipped:][:1])[:HEADER_READ]
    return [cell.strip().strip('"').strip().lower() for cell in header.split(sign)]


def _delimiter(text: str) -> tuple[str, int]:
    """The sign between cells, and how many lines precede the header.

    Excel names the sign in a first line ``sep=;``. Otherwise it is the one that occurs most often in the header.
    """
    lines = text.split("\n", LINES_SEARCHED)[:LINES_SEARCHED]
    first = next((place for place, line in enumerate(lines) if line.strip()), 0)
    line = lines[first] if lines else ""
    if named := _SEP.fullmatch(line):
        return named["sign"], first + 1
    bare = _QUOTED.sub("", line[:HEADER_READ])
    return max(SIGNS, key=lambda sign: (bare.count(sign), -SIGNS.index(sign))), first


def _read_rows(text: str, entries: Entries) -> None:
    sign, skipped = _delimiter(text)
    sheet = io.StringIO(text, newline="")
    for _ in range(skipped):
        sheet.readline()
    rows = csv.reader(sheet, delimiter=sign, strict=True)
    columns: list[str] | None = None
    line = skipped + 1
    try:
        for cells in rows:
            if any(cell.strip() for cell in cells):
                if columns is None:
                    columns = _columns(cells, line, entries)
                else:
                    _read_row(cells, columns, line, entries)
            # A row may span several lines; the next one begins after it.
            line = skipped + rows.line_num + 1
    except csv.Error as error:
        entries.plan.complete = False
        entries.refuse(line, "", _sentence(error))
    if columns is None and entries.plan.complete:
        entries.refuse(1, "", "The first line must name the columns, such as title,priority,labels.")


def _sentence(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text:
        return "A quotation mark is opened here and never closed."
    if "field larger than" in text:
        return f"A cell has more than {MOST_CHARACTERS} characters."
    return f"This row is not CSV: {text}."


def _columns(cells: list[str], line: int, entries: Entries) -> list[str]:
    columns = [cell.strip().lower() for cell in cells]
    for column, times in Counter(columns).items():
        if column and column not in CONVERTERS:
            entries.refuse(line, shown(column), unknown_field(column))
        elif column and times > 1:
            entries.refuse(line, shown(column), "Is given twice.")
    if "title" not in columns:
        entries.refuse(line, "title", "This column is missing.")
    return columns


def _read_row(cells: list[str], columns: list[str], line: int, entries: Entries) -> None:
    fields = {}
    for column, cell in zip(columns, cells, strict=False):
        if column in CONVERTERS:
            try:
                fields[column] = (column, _value(column, cell), line)
            except Wrong as error:
                entries.refuse(line, column, str(error))
    if any(cell.strip() for cell in cells[len(columns) :]):
        entries.refuse(line, "", f"This row has {len(cells)} cells, but the header names {len(columns)} columns.")
    for column in columns:
        if column == "title":
            fields.setdefault(column, (column, None, line))
    entries.add(line, fields.values())


def _value(column: str, cell: str) -> Any:
    """What a cell would be in JSON; None where it is empty."""
    text = cell.strip()
    if not text:
        return None
    if column in LISTS:
        return [item.strip() for item in text.split(";") if item.strip()]
    if column in NUMBERS and _WHOLE.fullmatch(text):
        return int(text)
    if column in BOOLEANS:
        return FLAGS.get(text.lower(), text)
    if column in ("result", "comments"):
        try:
            return DECODER.decode(text)
        except NotAllowed as error:
            raise Wrong(str(error)) from None
        except (ValueError, RecursionError):
            raise Wrong("Must be JSON.") from None
    return text
