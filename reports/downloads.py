"""A report's answer as a file, the same from the API, from the page and by mail."""

from django.http import HttpResponse

from reports.exports import CONTENT_TYPES, as_csv
from reports.report import Answer
from reports.workbooks import as_xlsx


def file_of(given: Answer, output: str) -> tuple[str, str, bytes]:
    """The answer as ``csv`` or ``xlsx``: its file name, content type and bytes."""
    body = as_csv(given).encode() if output == "csv" else as_xlsx(given)
    return f"{given.file_stem}.{output}", CONTENT_TYPES[output], body


def file_response(given: Answer, output: str) -> HttpResponse:
    """The answer as ``csv`` or ``xlsx`` under its own file name."""
    name, content_type, body = file_of(given, output)
    response = HttpResponse(body, content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
