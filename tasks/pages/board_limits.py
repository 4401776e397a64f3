"""The limit of a column, set on the board by whoever may change the project's rules."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from tasks.actions.projects import edit_project
from tasks.errors import DomainError, Invalid
from tasks.models import Project
from tasks.pages.returning import way_back
from tasks.transitions import Status

FIELDS = {Status.IN_PROGRESS.value: "limit_in_progress", Status.IN_REVIEW.value: "limit_in_review"}


@require_POST
@login_required
def set_limit(request: HttpRequest, key: str) -> HttpResponse:
    """Set the limit of the posted ``status`` to its ``limit_STATUS``, or take it away, then lead back."""
    user: Any = request.user
    project = Project.objects.visible_to(user).filter(key=key.upper()).first()
    if project is None:
        raise Http404
    status = request.POST.get("status", "")
    try:
        if status not in FIELDS:
            raise Invalid({"status": "Only In progress and In review have a limit."})
        limit = _limit(request.POST.get(f"limit_{status}", ""))
        edit_project(actor=user, project=project, changes={FIELDS[status]: limit})
    except DomainError as error:
        messages.error(request, error.sentence)
    else:
        words = f"stop starting tasks at {limit:,}" if limit else "are not limited"
        messages.success(request, f"{Status(status).label} of {project.key}: agents {words}.")
    return HttpResponseRedirect(way_back(request) or f"{reverse('board')}?project={project.key}")


def _limit(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Invalid({"limit": "The limit is a whole number, or empty for none."})
    return int(text)
