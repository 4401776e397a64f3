"""Invitations to projects: those that the user answers, for themself or an LLM agent they own, and those they sent."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from tasks.actions.invitations import accept_invitation, decline_invitation, withdraw_invitation
from tasks.errors import DomainError, Invalid
from tasks.finding import find_invitation
from tasks.models import Invitation
from tasks.pages.returning import way_back
from tasks.permissions import is_staff_somewhere

SHOWN = 200

VERBS = {
    "accept": (accept_invitation, "{name} is now a {role} of {project}."),
    "decline": (decline_invitation, "Declined the invitation of {name} to {project}."),
    "withdraw": (withdraw_invitation, "Withdrew the invitation of {name} to {project}."),
}


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def invitations(request: HttpRequest) -> HttpResponse:
    """A list with a button for each answer; a POST of ``do`` and ``id`` gives it."""
    user = request.user
    assert isinstance(user, User)
    if request.method == "POST":
        try:
            messages.success(request, _do(user, request.POST.get("do", ""), request.POST.get("id", "")))
        except DomainError as error:
            messages.error(request, error.detail)
        return HttpResponseRedirect(way_back(request) or reverse("invitations"))
    standing = Invitation.objects.standing().select_related("project", "invited_by__agent").order_by("-pk")
    context: dict[str, Any] = {
        "to_answer": standing.answered_by(user)[:SHOWN],
        "sent": standing.of_managers(user)[:SHOWN],
        "manages": is_staff_somewhere(user),
        "own_name": user.agent.slug if hasattr(user, "agent") else user.get_username(),
    }
    return render(request, "tasks/invitations.html", context)


def _do(user: User, verb: str, pk: str) -> str:
    """Do what the button says; returns a sentence about the outcome. Raises ``DomainError``."""
    if verb not in VERBS or not (pk.isascii() and pk.isdecimal() and len(pk) < 16):
        raise Invalid({"do": "There is no such button."})
    function, words = VERBS[verb]
    invitation = function(actor=user, invitation=find_invitation(user, int(pk)))
    return words.format(name=invitation.name, role=invitation.role, project=invitation.project.key)
