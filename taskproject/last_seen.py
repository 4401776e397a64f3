"""When each signed-in browser was last here: noted by its requests and written behind, as for agents."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from taskproject.models import SignIn
from taskproject.sign_ins import NOTED
from tasks.presence import Presence

#: It is written no more often than this.
SEEN_EVERY: Final = timedelta(minutes=5)


def _write(noted: Mapping[int, datetime]) -> None:
    rows = SignIn.objects.filter(pk__in=noted).order_by().values_list("pk", "last_seen_at")
    for pk in [pk for pk, seen in rows if seen < noted[pk] - SEEN_EVERY]:
        SignIn.objects.filter(pk=pk).update(last_seen_at=noted[pk])


#: By the ids of the sign-ins.
browsers = Presence(write=_write, name="browsers")


class LastSeenMiddleware:
    """Notes the browser of each request that used its session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        session = request.session
        # What did not read the session, or could not, does not read it for this.
        if hasattr(session, "_session_cache") and (pk := session.get(NOTED)) is not None:
            # By the clock of this machine: that of the database would be a query of every request.
            browsers.note({pk: timezone.now()})
        return response
