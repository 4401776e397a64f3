"""WSGI entry point: HTTP workers in production."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")

# Django's application loads the settings that the line below reads.
_application = get_wsgi_application()

from django.conf import settings  # noqa: E402

from taskproject.http.waiting import WaitingWSGI  # noqa: E402

application = WaitingWSGI(_application, most=settings.HTTP_WAITING)
