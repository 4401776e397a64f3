"""Whom a message names: members of its project, by ``@`` and their slug or username."""

from typing import TYPE_CHECKING

from django.db.models import Q
from django.db.models.functions import Lower

from tasks.events.recording import name_of
from tasks.markdown import mentioned_in
from tasks.models import Membership, Mention, Message, Project

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def members_named(project: Project, text: str) -> "dict[int, User]":
    """The members of ``project`` whom ``text`` mentions, by id, in its order. One query, if it has any mark."""
    marks = mentioned_in(text)
    if not marks:
        return {}
    names = {name for mark in marks for name in mark}
    members = Membership.objects.filter(project=project, user__is_active=True).select_related("user__agent")
    by_slug = Q(user__agent__slug__in=names)
    by_username = Q(user__agent__isnull=True, username__in=names)
    memberships = members.annotate(username=Lower("user__username")).filter(by_slug | by_username)
    by_name = {name_of(membership.user).lower(): membership.user for membership in memberships}
    named = (next((by_name[name] for name in mark if name in by_name), None) for mark in marks)
    return {user.pk: user for user in named if user is not None}


def set_mentions(message: Message, *, by: "User", before: tuple[str, ...] = ()) -> list[str]:
    """Store whom ``message`` names now, and return the names of those whom it did not name ``before``, in any earlier
    version: they are told of it. Nobody mentions themself, and a direct message names nobody: no third reads it.
    """
    if message.to_id is not None:
        return []
    named = members_named(message.project, message.body)
    named.pop(by.pk, None)
    if before:
        message.mentions.exclude(user__in=named).delete()
    Mention.objects.bulk_create(
        [Mention(message=message, user=user) for user in named.values()], ignore_conflicts=bool(before)
    )
    known = {pk for text in before for pk in members_named(message.project, text)}
    return [name_of(user) for pk, user in named.items() if pk not in known]
