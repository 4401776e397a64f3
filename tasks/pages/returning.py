"""Where a button leads that was pressed on another page."""

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme


def way_back(request: HttpRequest) -> str:
    """The path of this site that the posted ``next`` names; empty if it names none."""
    path = request.POST.get("next", "")[:2000]
    return path if path.startswith("/") and url_has_allowed_host_and_scheme(path, allowed_hosts=None) else ""
