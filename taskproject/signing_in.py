"""Signing in, on our page and in the admin: Django's forms with a brake on guessing (``taskproject.guessing``)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm, AdminPasswordChangeForm
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse_lazy

from taskproject.guessing import DEVICE_COOKIE, DEVICE_SECONDS, PasswordAttempt, TooManyGuesses, address_in

if TYPE_CHECKING:
    _Form = AuthenticationForm
else:
    _Form = object


class Braked(_Form):
    """Mixin for ``AuthenticationForm``: asks the brake before the password is looked at."""

    #: Why the password was not looked at, if so.
    refusal: str = ""

    def clean(self) -> dict[str, Any]:
        username, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if username is None or not password or self.request is None:
            return super().clean()
        attempt = _begin(self.request, username, on_refusal=self._refuse)
        try:
            cleaned = super().clean()
        except ValidationError:
            attempt.was_wrong()
            raise
        self.request.device_cookie = attempt.was_right()  # type: ignore[attr-defined]
        return cleaned

    def _refuse(self, sentence: str) -> None:
        self.refusal = sentence


def _begin(request: HttpRequest, username: str, on_refusal: Callable[[str], None] = lambda sentence: None) -> Any:
    attempt = PasswordAttempt(username, address_in(request.META), request.COOKIES.get(DEVICE_COOKIE))
    try:
        attempt.begin()
    except TooManyGuesses as error:
        request.sign_in_wait = error.data["retry_after_seconds"]  # type: ignore[attr-defined]
        sentence = f"{error.fact} {error.advice}"
        on_refusal(sentence)
        raise ValidationError(sentence, code="throttled") from None
    return attempt


class SignInForm(Braked, AuthenticationForm):
    """Of the page ``/login/``."""


class AdminSignInForm(Braked, AdminAuthenticationForm):
    """Of the admin's login."""


class ChangeOwnPasswordForm(AdminPasswordChangeForm):
    """Of the admin's page for one's own password: the old one may not be guessed there either."""

    request: HttpRequest | None = None

    def clean_old_password(self) -> str:
        if self.request is None:
            return super().clean_old_password()
        attempt = _begin(self.request, self.user.get_username())
        try:
            password = super().clean_old_password()
        except ValidationError:
            attempt.was_wrong()
            raise
        attempt.was_right()
        return password


class OwnPasswordView(PasswordChangeView):
    """The admin's page for one's own password, as the admin makes it, with our form."""

    form_class = ChangeOwnPasswordForm
    success_url = reverse_lazy("admin:password_change_done")

    def get_form(self, form_class: Any = None) -> Any:
        form: Any = super().get_form(form_class)
        form.request = self.request
        return form

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**admin.site.each_context(self.request), **kwargs)


class SignInMiddleware:
    """Answers a refused attempt with 429 and ``Retry-After``, a successful one with the cookie of a known browser."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if wait := getattr(request, "sign_in_wait", None):
            response.status_code = 429
            response.headers["Retry-After"] = str(wait)
        if cookie := getattr(request, "device_cookie", None):
            response.set_cookie(
                DEVICE_COOKIE,
                cookie,
                max_age=DEVICE_SECONDS,
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
        return response
