"""A report's answer as a file to download, the same from the API and from the page."""

from django.http import HttpResponse

from reports.exports import CONTENT_TYPES, as_csv
from reports.report import Answer
from reports.workbooks import as_xlsx


def file_response(given: Answer, output: str) -> HttpResponse:
    """The answer as ``csv`` or ``xlsx`` under its own file name."""
    body = as_csv(given) if output == "csv" else as_xlsx(given)
    response = HttpResponse(body, content_type=CONTENT_TYPES[output])
    response.headers["Content-Disposition"] = f'attachment; filename="{given.file_stem}.{output}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
