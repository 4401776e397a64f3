"""The list as a file: all its tasks in its order, with the columns that were chosen."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpResponse

from taskproject.sheets import Heading, csv_of, file_response, plain, xlsx_of
from taskproject.texts import counted
from tasks.conditions.of_tasks import TASK_FIELDS
from tasks.conditions.words import words_of
from tasks.errors import Invalid
from tasks.models import Priority, Task
from tasks.pages.list_columns import COLUMNS, IN_FILES
from tasks.pages.list_query import ListQuery
from tasks.pages.list_rows import READ, rows_of
from tasks.transitions import Status

#: Rows of a file.
MOST_ROWS: Final = 20_000
ROWS_AT_ONCE: Final = 500
_FIRST = (Heading("ref", "Ref", width=12), Heading("title", "Title", width=60))


def file_of(query: ListQuery, columns: Sequence[str], tasks: QuerySet[Task], now: datetime) -> HttpResponse:
    """``columns``: the chosen ones; empty: what a file usually has. Raises ``Invalid`` if the tasks are too many."""
    sign = "-" if query.is_descending else ""
    ordered = tasks.order_by(f"{sign}{query.column}", *([f"{sign}pk"] if query.column != "pk" else []))
    values = list(ordered.values(*READ)[: MOST_ROWS + 1])
    if len(values) > MOST_ROWS:
        raise Invalid({"output": f"A file has at most {MOST_ROWS:,} tasks, and these are more; add a filter."})
    lots = (values[start : start + ROWS_AT_ONCE] for start in range(0, len(values), ROWS_AT_ONCE))
    rows = (row for lot in lots for row in rows_of(lot, now))
    shown = [COLUMNS[name] for name in columns or IN_FILES]
    headings = [*_FIRST, *(column.heading for column in shown)]

    def cells(is_for_people: bool) -> Iterable[list[Any]]:
        words = _for_people if is_for_people else _for_programs
        for row in rows:
            yield [row.ref, row.values["title"], *(words(column.name, column.cell(row)) for column in shown)]

    name = f"tasks_{now.astimezone(query.zone):%Y-%m-%d}"
    if query.output == "csv":
        return file_response(csv_of(headings, cells(is_for_people=False)), "csv", name)
    about = [
        ("Tasks", counted(len(values), "task")),
        ("Filters", words_of(query.condition, TASK_FIELDS, zone=query.zone) or "none"),
        ("Times in", query.zone.key),
        ("Made at", plain(now)),
    ]
    book = xlsx_of("Tasks", headings, cells(is_for_people=True), zone=query.zone, about=about)
    return file_response(book, "xlsx", name)


def _for_programs(name: str, value: Any) -> Any:
    return Priority(value).name.lower() if name == "priority" else value


def _for_people(name: str, value: Any) -> Any:
    match name:
        case "priority":
            return Priority(value).label
        case "status":
            return Status(value).label
    return value
