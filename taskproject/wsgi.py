"""WSGI entry point: HTTP workers in production."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")

# Django's application loads the settings that the line below reads.
_application = get_wsgi_application()

from django.conf import settings  # noqa: E402

from taskproject.http.waiting import WaitingWSGI  # noqa: E402
from taskproject.watch.pulse import pulse  # noqa: E402

_waiting = WaitingWSGI(_application, most=settings.HTTP_WAITING)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    # Not before: a server may load the application first and fork its workers then.
    pulse.ensure()
    return _waiting(environ, start_response)
