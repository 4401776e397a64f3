"""The page behind an invitation link: whoever has it joins with a new account, or with the one they have."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import authenticate, login
from django.contrib.auth.forms import SetPasswordMixin
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.forms import CharField, Form, TextInput
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from taskproject.errors import TooManyRequests
from taskproject.guessing import (
    DEVICE_COOKIE,
    PasswordAttempt,
    TooManyGuesses,
    address_in,
    count_taken_name,
    count_wrong_token,
)
from taskproject.strict_json import unstorable
from taskproject.texts import require_visible
from tasks.actions.invitation_links import TAKEN, join_by_link, link_of, require_standing, sign_up_by_link
from tasks.errors import DomainError, Invalid, NotFound
from tasks.models import InvitationLink, Membership
from tasks.models.agent import SLUG

LONGEST_NAME = 60


class SignUpForm(SetPasswordMixin, Form):
    """User name, name and password of a new account, by Django's rules for passwords."""

    username = CharField(
        label="User name",
        max_length=LONGEST_NAME,
        validators=[SLUG],
        help_text="You sign in with it, and others name you by it: lowercase letters, digits, dots, dashes.",
        widget=TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )
    name = CharField(
        label="Your name",
        max_length=120,
        validators=[require_visible],
        widget=TextInput(attrs={"autocomplete": "name"}),
    )
    password1, password2 = SetPasswordMixin.create_password_fields(label1="Password", label2="Password, again")

    def clean(self) -> dict[str, Any]:
        self.validate_passwords()
        password = self.cleaned_data.get("password1")
        if password and "password2" in self.cleaned_data:
            person = User(username=self.cleaned_data.get("username", ""), first_name=self.cleaned_data.get("name", ""))
            self.validate_password_for_user(person, "password1")
        return self.cleaned_data


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, secret: str) -> HttpResponse:
    """GET says what the link is for; POST joins, once, whoever is signed in or fills in the form."""
    try:
        response = _join(request, secret)
    except DomainError as error:
        refusal = error
        if isinstance(error, NotFound):
            try:
                count_wrong_token(address_in(request.META))
            except TooManyRequests as too_many:
                refusal = too_many
        response = render(request, "tasks/join.html", {"refusal": refusal.sentence}, status=refusal.status)
        if "retry_after_seconds" in refusal.data:
            response.headers["Retry-After"] = str(refusal.data["retry_after_seconds"])
    # The address is a secret, also for what the page loads; with no-referrer the form would be refused.
    response.headers["Referrer-Policy"] = "strict-origin"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _join(request: HttpRequest, secret: str) -> HttpResponse:
    link, user = link_of(secret), request.user
    context: dict[str, Any] = {"link": link, "role": link.get_role_display().lower()}
    if isinstance(user, User):
        role = Membership.objects.filter(project=link.project, user=user).values_list("role", flat=True).first()
        if role is None:
            require_standing(link)
            if request.method == "POST":
                membership = join_by_link(actor=user, secret=secret)
                return _welcomed(request, link, membership.role)
        elif request.method == "POST":
            return _to_board(link)
        return render(request, "tasks/join.html", {**context, "present_role": role})
    if request.method != "POST":
        require_standing(link)
        return _form_shown(request, context, SignUpForm())
    if _signed_in_again(request, link):
        return _to_board(link)
    require_standing(link)
    form = SignUpForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        try:
            user = sign_up_by_link(
                secret=secret, username=given["username"], name=given["name"], password=given["password1"]
            )
        except Invalid as error:
            return _form_shown(request, context, form, status=_refused(request, form, error))
        else:
            login(request, user)
            attempt = PasswordAttempt(user.get_username(), address_in(request.META), request.COOKIES.get(DEVICE_COOKIE))
            request.device_cookie = attempt.was_right()  # type: ignore[attr-defined]
            return _welcomed(request, link, link.role)
    return _form_shown(request, context, form, status=400)


def _signed_in_again(request: HttpRequest, link: InvitationLink) -> bool:
    """Whether this is the form of somebody who has joined, sent once more: it signs in, like the first time."""
    username, password = request.POST.get("username", ""), request.POST.get("password1", "")
    if password != request.POST.get("password2") or unstorable(username):
        return False
    if not Membership.objects.filter(project=link.project, user__username=username).exists():
        return False
    attempt = PasswordAttempt(username, address_in(request.META), request.COOKIES.get(DEVICE_COOKIE))
    try:
        attempt.begin()
    except TooManyGuesses:
        return False
    user = authenticate(request, username=username, password=password)
    if user is None:
        attempt.was_wrong()
        return False
    request.device_cookie = attempt.was_right()  # type: ignore[attr-defined]
    login(request, user)
    return True


def _refused(request: HttpRequest, form: SignUpForm, error: Invalid) -> int:
    """Put the error at its field; returns the status. Who tries too many taken names is not told of more of them."""
    errors: dict[str, list[str]] = error.data["errors"]
    status = error.status
    if TAKEN in errors.get("username", ()):
        try:
            count_taken_name(address_in(request.META))
        except TooManyRequests as too_many:
            errors, status = {"username": [too_many.sentence]}, too_many.status
    for name, texts in errors.items():
        form.add_error(name if name in form.fields else None, ValidationError(texts))
    return status


def _form_shown(request: HttpRequest, context: dict[str, Any], form: SignUpForm, status: int = 200) -> HttpResponse:
    return render(request, "tasks/join.html", {**context, "form": form}, status=status)


def _welcomed(request: HttpRequest, link: InvitationLink, role: str) -> HttpResponse:
    messages.success(request, f"Welcome to {link.project.name}: you are a {role} now.")
    return _to_board(link)


def _to_board(link: InvitationLink) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse('board')}?project={link.project.key}")
