"""The button with which a page's reader starts or stops to watch a task."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from messaging.watching import choose_watch
from taskproject.errors import NotFound
from tasks.finding import find_task


@require_POST
@login_required
def watch(request: HttpRequest, ref: str) -> HttpResponse:
    """``watching`` is ``yes`` or ``no``; leads back to the task."""
    user = request.user
    assert isinstance(user, User)
    try:
        task = find_task(user, ref)
    except NotFound:
        raise Http404 from None
    watching = request.POST.get("watching") == "yes"
    choose_watch(user=user, task=task, watching=watching)
    messages.success(request, f"You watch {task.ref}." if watching else f"You no longer watch {task.ref}.")
    return HttpResponseRedirect(reverse("task", args=[task.ref]))
