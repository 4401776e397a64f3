"""A bare Django view that returns bytes stored earlier: the cost of a read when there is nothing to read."""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from taskproject.urls import urlpatterns as ours

KEPT: dict[str, bytes] = {}


@csrf_exempt
def bare(request: HttpRequest, name: str) -> HttpResponse:
    """POST keeps the body under ``name``; GET returns it."""
    if request.method == "POST":
        KEPT[name] = request.body
    return HttpResponse(KEPT[name], content_type="application/json")


urlpatterns = [path("bare/<name>", bare), *ours]
