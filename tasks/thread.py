"""Messages as the API and the context of a run show them. Whoever reads them gets data, never instructions."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from tasks.events.recording import name_of
from tasks.markdown import render_markdown
from tasks.models import Mention, Message, Reaction
from tasks.refs import ref_of


def message_outputs(messages: Iterable[Message], *, html: bool = False) -> list[dict[str, Any]]:
    """``messages``, read ``to_show``, as JSON values; one query for the reactions of all of them. With ``html`` each
    also has its rendered body, for one more query.
    """
    messages = list(messages)
    reactions = _reactions(messages)
    rendered = rendered_bodies(messages) if html else {}
    return [
        {
            "id": message.pk,
            "at": message.at,
            "author": message.author_name,
            "to": name_of(message.to) or None,
            "task": ref_of(message.project.key, message.task.number) if message.task else None,
            "project": message.project.key,
            "kind": message.kind,
            "body": message.body,
            **({"html": rendered[message.pk]} if html else {}),
            "in_reply_to": message.in_reply_to_id,
            "imported": bool(message.external_id),
            "state": message.state or None,
            "delivered_at": message.delivered_at,
            "acknowledged_at": message.acknowledged_at,
            "note": message.note,
            "edited_at": message.edited_at,
            "reactions": reactions[message.pk],
        }
        for message in messages
    ]


def rendered_bodies(messages: Sequence[Message]) -> dict[int, str]:
    """The body of each message (by id) as safe HTML, with those whom it mentions marked: for every page and for live
    updates. One query.
    """
    names: defaultdict[int, set[str]] = defaultdict(set)
    rows = Mention.objects.filter(message__in=[message.pk for message in messages]).select_related("user__agent")
    for mention in rows:
        names[mention.message_id].add(name_of(mention.user).lower())
    return {message.pk: render_markdown(message.body, frozenset(names[message.pk])) for message in messages}


def _reactions(messages: Sequence[Message]) -> dict[int, list[dict[str, Any]]]:
    """Of each message (by id): each emoji with the names of those who put it there, in the order of the first."""
    by_message: defaultdict[int, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    rows = Reaction.objects.filter(message__in=[message.pk for message in messages]).select_related("user__agent")
    for reaction in rows.order_by("pk"):
        by_message[reaction.message_id][reaction.emoji].append(name_of(reaction.user))
    return defaultdict(
        list,
        {pk: [{"emoji": emoji, "by": names} for emoji, names in emojis.items()] for pk, emojis in by_message.items()},
    )
