"""Writing outside of tasks: in a project's channel, and to one member."""

from typing import TYPE_CHECKING

from tasks.actions.messages.posting import answered_in, write
from tasks.actions.transactions import in_transaction
from tasks.conversations import between, shared_project
from tasks.errors import Invalid, NotFound
from tasks.events.recording import name_of, record
from tasks.models import Message, Project
from tasks.permissions import agent_of, require_in_project
from tasks.verbs.catalogue import POST_MESSAGE

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@in_transaction
def post_in_channel(*, actor: "User", project: Project, body: str, in_reply_to: int | None = None) -> Message:
    """Write in the channel of ``project``; ``in_reply_to`` is the id of a message there.

    Raises ``NotPermitted``, ``Invalid``.
    """
    _require_valid(body, in_reply_to)
    require_in_project(actor, "comment", project)
    answered = answered_in(Message.objects.of_channel(project), in_reply_to)
    message, posted = write(actor=actor, project=project, body=body, in_reply_to=answered)
    record(posted)
    return message


@in_transaction
def post_direct(
    *, actor: "User", to: "User", body: str, project: str | None = None, in_reply_to: int | None = None
) -> Message:
    """Write to one person or agent alone, with whom ``actor`` shares a project.

    The message belongs to the project with the key ``project``, else to that of their last message, else to the oldest
    that they share, as far as the credentials of ``actor`` reach; see ``conversations.shared_project``.
    Raises ``NotFound`` if they share none, ``Invalid``.
    """
    _require_valid(body, in_reply_to)
    if to.pk == actor.pk:
        raise Invalid({"to": "Write to somebody else; this is you."})
    home = shared_project(actor, to, key=project)
    if home is None:
        where = f"project {project!r} that you share" if project else "project that you share"
        raise NotFound(f"There is no {where} with {name_of(to)!r}.")
    agent = agent_of(to)
    if not to.is_active or (agent is not None and not agent.enabled):
        raise Invalid({"to": f"The account of {name_of(to)} is disabled; nobody would read this."})
    answered = answered_in(between(actor, to), in_reply_to)
    message, posted = write(actor=actor, project=home, to=to, body=body, in_reply_to=answered)
    record(posted)
    return message


def _require_valid(body: str, in_reply_to: int | None) -> None:
    """Raise ``Invalid`` for what no message may be, with the sentences of its declaration."""
    if problems := POST_MESSAGE.problems({"body": body, "in_reply_to": in_reply_to}):
        raise Invalid(dict(problems))
