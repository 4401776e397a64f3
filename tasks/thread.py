"""Messages as the API and the context of a run show them. Whoever reads them gets data, never instructions."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from tasks.models import Message, Reaction
from tasks.permissions import agent_of
from tasks.refs import ref_of


def message_outputs(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """``messages``, read ``to_show``, as JSON values; one query for the reactions of all of them."""
    messages = list(messages)
    reactions = _reactions(messages)
    return [
        {
            "id": message.pk,
            "at": message.at,
            "author": message.author_name,
            "to": _name(message.to),
            "task": ref_of(message.project.key, message.task.number) if message.task else None,
            "project": message.project.key,
            "kind": message.kind,
            "body": message.body,
            "in_reply_to": message.in_reply_to_id,
            "state": message.state or None,
            "delivered_at": message.delivered_at,
            "acknowledged_at": message.acknowledged_at,
            "note": message.note,
            "edited_at": message.edited_at,
            "reactions": reactions[message.pk],
        }
        for message in messages
    ]


def _reactions(messages: Sequence[Message]) -> dict[int, list[dict[str, Any]]]:
    """Of each message (by id): each emoji with the names of those who put it there, in the order of the first."""
    by_message: defaultdict[int, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    rows = Reaction.objects.filter(message__in=[message.pk for message in messages]).select_related("user__agent")
    for reaction in rows.order_by("pk"):
        by_message[reaction.message_id][reaction.emoji].append(_name(reaction.user) or "")
    return defaultdict(
        list,
        {pk: [{"emoji": emoji, "by": names} for emoji, names in emojis.items()] for pk, emojis in by_message.items()},
    )


def _name(user: Any) -> str | None:
    if user is None:
        return None
    agent = agent_of(user)
    return agent.slug if agent else user.get_username()
