"""The page of an agent's tokens: make one, see what each may do, revoke it. For people who cannot open the admin."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from tasks import clock
from tasks.actions.agents import revoke_token
from tasks.errors import DomainError, NotFound, NotPermitted
from tasks.finding import find_agent
from tasks.models import Agent
from tasks.using.tokens import TokenForm, tokens_shown


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def tokens(request: HttpRequest, slug: str) -> HttpResponse:
    """The tokens that the user may see; a new one is in the answer to its form, and nowhere else."""
    user: Any = request.user
    try:
        agent = find_agent(user, slug)
        shown = tokens_shown(user, agent)
        creates = request.POST.get("do") == "create"
        form = TokenForm(request.POST if creates else None, actor=user, agent=agent)
    except NotFound:
        raise Http404 from None
    except NotPermitted as error:
        raise PermissionDenied(error.sentence) from None
    if request.method == "POST" and not creates:
        return _revoke(request, agent, request.POST.get("token", ""))
    plain = form.create() if creates and form.is_valid() else None
    context = {
        "agent": agent,
        "tokens": shown,
        "form": form,
        "plain": plain,
        "now": clock.now(),
        "host": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "tasks/tokens.html", context, status=400 if creates and plain is None else 200)


def _revoke(request: HttpRequest, agent: Agent, number: str) -> HttpResponse:
    user: Any = request.user
    is_number = number.isascii() and number.isdecimal() and len(number) < 16
    token = tokens_shown(user, agent).select_related("agent__user").filter(pk=int(number) if is_number else 0).first()
    try:
        if token is None:
            raise NotFound(f"{agent.slug} has no such token.")
        revoke_token(actor=user, token=token)
        messages.success(request, f"Revoked the token {token.name} of {agent.slug}.")
    except DomainError as error:
        messages.error(request, error.sentence)
    return HttpResponseRedirect(reverse("agent_tokens", args=[agent.slug]))
