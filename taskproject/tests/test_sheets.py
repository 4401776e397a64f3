"""Tables as files: what a spreadsheet makes of a value."""

import io
from datetime import UTC

import pytest
from openpyxl import load_workbook

from taskproject.sheets import Heading, xlsx_of


@pytest.mark.parametrize(("seconds", "days", "shown"), [(5400, 0.0625, "[h]:mm:ss"), (-309_312, -3.58, '0.000" d"')])
def test_durations_can_be_read_also_those_below_zero(seconds, days, shown):
    book = load_workbook(
        io.BytesIO(xlsx_of("Rows", [Heading("late", "Lateness", "seconds")], [[seconds]], zone=UTC, about=[]))
    )
    cell = book["Rows"]["A2"]
    # What is shown as a time is read as one.
    value = cell.value.total_seconds() / 86_400 if hasattr(cell.value, "total_seconds") else cell.value
    assert (value, cell.number_format) == (pytest.approx(days), shown)
