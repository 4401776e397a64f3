"""WSGI entry point: HTTP workers in production."""

import os
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")

# Django's application loads the settings that the line below reads.
_application = get_wsgi_application()

from django.conf import settings  # noqa: E402

from taskproject.http.waiting import WaitingWSGI  # noqa: E402
from taskproject.watch import doors  # noqa: E402
from taskproject.watch.pulse import pulse  # noqa: E402
from taskproject.watch.recording import recorded_wsgi  # noqa: E402

_recorded = recorded_wsgi(WaitingWSGI(_application, most=settings.HTTP_WAITING))


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    # Not before: a server may load the application first and fork its workers then.
    pulse.ensure()
    if (path := doors.door(environ["PATH_INFO"])) is not None:
        given = doors.answer_wsgi(path, environ)
        start_response(f"{given.status} {HTTPStatus(given.status).phrase}", given.headers)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else given.body]
    return _recorded(environ, start_response)
