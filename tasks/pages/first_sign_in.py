"""How a person gets into the account that a manager made for them: by a link, on whose page they set a password."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import SetPasswordForm
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from tasks.actions.accounts import offer_sign_in, person_of_link, set_first_password
from tasks.errors import NotFound, NotPermitted
from tasks.finding import find_agent


@login_required
@never_cache
@require_POST
def sign_in_link(request: HttpRequest, slug: str) -> HttpResponse:
    """A new link, in this answer and nowhere else."""
    user: Any = request.user
    try:
        agent = find_agent(user, slug)
        uid, token = offer_sign_in(actor=user, agent=agent)
    except NotFound:
        raise Http404 from None
    except NotPermitted as error:
        raise PermissionDenied(error.sentence) from None
    link = request.build_absolute_uri(reverse("first_sign_in", args=[uid, token]))
    return render(request, "tasks/sign_in_link.html", {"agent": agent, "link": link})


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def first_sign_in(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """GET shows the form, POST sets the password; the person then signs in with it."""
    try:
        person = person_of_link(uid, token)
        form: Any = SetPasswordForm(person, request.POST or None)
        if form.is_valid():
            set_first_password(uid=uid, token=token, password=form.cleaned_data["new_password1"])
            messages.success(request, f"Your password is set. Sign in as {person.get_username()}.")
            return HttpResponseRedirect(reverse("login"))
    except NotFound as error:
        return render(request, "tasks/first_sign_in.html", {"refusal": error.sentence}, status=404)
    context = {"form": form, "person": person}
    response = render(request, "tasks/first_sign_in.html", context, status=400 if form.errors else 200)
    # The address is a secret: what the page loads and sends names the origin alone, also in the log of a proxy. With
    # no-referrer browsers would send no origin either, and the form would be refused.
    response.headers["Referrer-Policy"] = "strict-origin"
    return response
