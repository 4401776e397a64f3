"""What the composer and the buttons of a message do, on a task's page and on the page of messages.

Each posts here and leads back to ``next``, a path of this site. With ``X-Requested-With: fetch`` the answer is empty
(204), or the sentence of the refusal as plain text, so that a module of the page can show it where it was typed.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from taskproject.api.throttling import require_pace
from tasks.actions.messages import (
    edit_message,
    post_direct,
    post_in_channel,
    react,
    take_back_reaction,
)
from tasks.conversations import find_conversation
from tasks.errors import DomainError, Invalid
from tasks.finding import find_message
from tasks.models import MessageKind
from tasks.pages.returning import way_back
from tasks.using.calling import use
from tasks.verbs.catalogue import ACK, POST_MESSAGE, WITHDRAW_MESSAGE

FETCHED = "fetch"


def _button(do: Callable[[HttpRequest, User, Any], None], done: str = "") -> Callable[..., HttpResponse]:
    """A view that does something with a message or conversation and leads back, with the sentence ``done``."""

    @require_POST
    @login_required
    def view(request: HttpRequest, name: str | int) -> HttpResponse:
        user = request.user
        assert isinstance(user, User)
        is_fetched = request.headers.get("X-Requested-With") == FETCHED
        try:
            do(request, user, name)
        except DomainError as error:
            if is_fetched:
                return HttpResponse(error.detail, status=error.status, content_type="text/plain; charset=utf-8")
            messages.error(request, error.detail)
        else:
            if is_fetched:
                return HttpResponse(status=204)
            if done:
                messages.success(request, done)
        return HttpResponseRedirect(way_back(request) or reverse("board"))

    return view


def _write(request: HttpRequest, user: User, name: str) -> None:
    conversation = find_conversation(user, name)
    values = _values(request)
    require_pace(user)
    if conversation.task is not None:
        use(POST_MESSAGE, actor=user, task=conversation.task, values=values)
        return
    values = {key: value for key, value in values.items() if key in ("body", "in_reply_to") and value is not None}
    if conversation.channel is not None:
        post_in_channel(actor=user, project=conversation.channel, **values)
    elif conversation.partner is not None:
        post_direct(actor=user, to=conversation.partner, **values)


def _values(request: HttpRequest) -> dict[str, Any]:
    """What the composer sent. Browsers end lines with CR LF; everyone else reads LF."""
    answered = request.POST.get("in_reply_to", "")
    if answered and not (answered.isascii() and answered.isdecimal() and len(answered) < 19):
        raise Invalid({"in_reply_to": "Must be the id of a message."})
    kind = request.POST.get("kind", "")
    return {
        "body": request.POST.get("body", "").replace("\r\n", "\n"),
        "kind": kind or None,
        # The box is hidden unless the message is an instruction.
        "keep": True if kind == MessageKind.INSTRUCTION and request.POST.get("keep") else None,
        "in_reply_to": int(answered) if answered else None,
    }


def _edit(request: HttpRequest, user: User, pk: int) -> None:
    edit_message(actor=user, message=find_message(user, pk), body=request.POST.get("body", "").replace("\r\n", "\n"))


def _react(request: HttpRequest, user: User, pk: int) -> None:
    message, emoji = find_message(user, pk), request.POST.get("emoji", "")
    if request.POST.get("remove"):
        take_back_reaction(actor=user, message=message, emoji=emoji)
    else:
        require_pace(user)
        react(actor=user, message=message, emoji=emoji)


def _ack(request: HttpRequest, user: User, pk: int) -> None:
    values = {"outcome": request.POST.get("outcome") or None, "note": request.POST.get("note") or None}
    use(ACK, actor=user, message=find_message(user, pk), values=values)


def _withdraw(request: HttpRequest, user: User, pk: int) -> None:
    use(WITHDRAW_MESSAGE, actor=user, message=find_message(user, pk), values={})


write_message = _button(_write, "Sent.")
edit_message_view = _button(_edit)
react_to_message = _button(_react)
ack_message_view = _button(_ack)
withdraw_message_view = _button(_withdraw)
