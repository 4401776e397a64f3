"""The first password of a person whose account a manager has made: a link that works once."""

from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.utils.encoding import force_str
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from tasks.actions.agents import record_change
from tasks.actions.transactions import in_transaction
from tasks.errors import NotFound, NotPermitted
from tasks.models import Agent
from tasks.permissions import may_offer_sign_in

if TYPE_CHECKING:
    from django.contrib.auth.models import User

OVER = "This link has been used, replaced or taken back, or it has expired. Ask the person who sent it for a new one."


class FirstPasswordTokens(PasswordResetTokenGenerator):
    """Django's, which end with the password they were made for, with ``PASSWORD_RESET_TIMEOUT`` or a first login."""

    key_salt = "tasks.actions.accounts.FirstPasswordTokens"


_tokens = FirstPasswordTokens()


@in_transaction
def offer_sign_in(*, actor: "User", agent: Agent) -> tuple[str, str]:
    """The parts of a link with which the person of ``agent`` sets their first password; earlier links end.

    Raises ``NotPermitted`` unless ``may_offer_sign_in``.
    """
    user = get_user_model().objects.select_for_update().get(pk=agent.user_id)
    agent = Agent.objects.select_related("user").get(pk=agent.pk)
    if not may_offer_sign_in(actor, agent):
        raise NotPermitted(
            f"Only whoever made the account of {agent.slug}, and manages all its projects, may give out such a link, "
            "and only until it is used."
        )
    # A new random text in place of a password, with which all tokens made before end.
    user.set_unusable_password()
    user.save(update_fields=["password"])
    record_change(actor, agent, ["first sign-in"])
    return urlsafe_base64_encode(str(user.pk).encode()), _tokens.make_token(user)


def person_of_link(uid: str, token: str, *, lock: bool = False) -> "User":
    """Whose first password the link sets. Raises ``NotFound`` if it does not work, or whoever made it may no longer."""
    users: Any = get_user_model().objects
    try:
        user = (users.select_for_update() if lock else users).get(pk=int(force_str(urlsafe_base64_decode(uid))))
    except (ValueError, OverflowError, get_user_model().DoesNotExist):
        raise NotFound(OVER) from None
    agent = Agent.objects.select_related("user", "created_by").filter(user=user).first()
    if agent is None or not _tokens.check_token(user, token) or not may_offer_sign_in(agent.created_by, agent):
        raise NotFound(OVER)
    return user


@in_transaction
def set_first_password(*, uid: str, token: str, password: str) -> "User":
    """Set the password that the person chose; the link then works no more. ``password`` has been validated.

    Raises ``NotFound`` if the link does not work.
    """
    user = person_of_link(uid, token, lock=True)
    user.set_password(password)
    user.save(update_fields=["password"])
    return user
