"""The own account: name, zone, theme, password, signed-in browsers, and the way to all else that is the reader's."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from taskproject.sign_ins import browsers_of, sign_out_others
from taskproject.signing_in import ChangeOwnPasswordForm
from taskproject.zones import known_zones, server_zone
from tasks.actions.agents import edit_agent
from tasks.errors import DomainError, Invalid, unknown_name
from tasks.models import Profile, Theme
from tasks.permissions import agent_of
from tasks.zones import choose_theme, choose_zone, zone_of_work


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """The page; a POST of ``do`` saves one part of it, or says why not and keeps the input."""
    user = request.user
    assert isinstance(user, User)
    if request.method == "POST":
        try:
            messages.success(request, _do(request, user))
        except Invalid as error:
            return render(request, "tasks/account.html", _context(request, user, error), status=400)
        except DomainError as error:
            messages.error(request, error.sentence)
        return HttpResponseRedirect(reverse("account"))
    return render(request, "tasks/account.html", _context(request, user))


def _do(request: HttpRequest, user: User) -> str:
    """Do what the button says; returns a sentence about the outcome. Raises ``DomainError``."""
    match request.POST.get("do"):
        case "reading":
            _save_reading(user, request.POST)
            return "Saved. It counts for all pages, on every device."
        case "name":
            if (agent := agent_of(user)) is None:
                raise Invalid({"name": "Your account has no name of its own."})
            edit_agent(actor=user, agent=agent, changes={"name": request.POST.get("name", "").strip()})
            return "Your name is saved."
        case "sign_out_others":
            sign_out_others(user, request.session.session_key)
            return "All other browsers are signed out."
    raise Invalid({"do": "There is no such button."})


def _save_reading(user: User, data: QueryDict) -> None:
    zone, theme = data.get("time_zone", ""), data.get("theme", "")
    if zone and zone not in known_zones():
        raise Invalid({"time_zone": unknown_name(zone[:60], known_zones(), what="time zone")})
    if theme not in Theme.values:
        raise Invalid({"theme": "Choose one of the themes."})
    choose_zone(user, zone)
    choose_theme(user, Theme(theme))


def _context(request: HttpRequest, user: User, error: Invalid | None = None) -> dict[str, Any]:
    profile = Profile.objects.filter(user=user).first() or Profile(user=user)
    agent = agent_of(user)
    posted = request.POST if error is not None else QueryDict()
    return {
        "agent": agent,
        "name": posted.get("name", agent.name if agent else "")[:200],
        "zone": posted.get("time_zone", profile.time_zone),
        "zones": sorted(known_zones()),
        "fallback_zone": (zone_of_work(user) or server_zone()).key,
        "theme_value": posted.get("theme", profile.theme),
        "themes": Theme.choices,
        "problems": {} if error is None else error.data["errors"],
        "browsers": browsers_of(user, request.session.session_key),
    }


@method_decorator(never_cache, name="dispatch")
class PasswordView(PasswordChangeView):
    """One's own password: asks for the old one, with the brake on guessing, and signs out all other browsers."""

    form_class = ChangeOwnPasswordForm
    template_name = "tasks/password.html"
    success_url = reverse_lazy("account")

    def get_form(self, form_class: Any = None) -> Any:
        form: Any = super().get_form(form_class)
        form.request = self.request
        return form

    def form_invalid(self, form: Any) -> HttpResponse:
        response = super().form_invalid(form)
        response.status_code = 400
        return response

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        user = self.request.user
        assert isinstance(user, User)
        # The hash of the password has ended them already; their rows and open streams go, too.
        sign_out_others(user, self.request.session.session_key)
        messages.success(self.request, "Your password is changed, and all other browsers are signed out.")
        return response
