"""A report's answer as a file, the same from the API, from the page and by mail."""

from django.http import HttpResponse

from reports.exports import CONTENT_TYPES, as_csv
from reports.report import Answer
from reports.workbooks import as_xlsx
from taskproject import sheets


def file_of(given: Answer, output: str) -> tuple[str, str, bytes]:
    """The answer as ``csv`` or ``xlsx``: its file name, content type and bytes."""
    body = as_csv(given).encode() if output == "csv" else as_xlsx(given)
    return f"{given.file_stem}.{output}", CONTENT_TYPES[output], body


def file_response(given: Answer, output: str) -> HttpResponse:
    """The answer as ``csv`` or ``xlsx`` under its own file name."""
    _, _, body = file_of(given, output)
    return sheets.file_response(body, output, given.file_stem)
