"""Invitations to projects that the reader answers, for themself or for an LLM agent that they own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from messaging.inbox import urgency
from messaging.inbox.items import Action, Group, Head, Item
from messaging.inbox.reader import Reader
from messaging.inbox.sources.source import Source
from tasks.events.recording import name_of
from tasks.models import Invitation


class Invitations(Source):
    """The same that the page of invitations lists."""

    name, label, icon, group = "invitation", "Invitation", "person_add", Group.MESSAGES
    WEIGHT = 4

    def rows(self, reader: Reader) -> QuerySet:
        return Invitation.objects.standing().answered_by(reader.user)

    def since(self) -> Any:
        return "created_at"

    def score(self, now: datetime) -> Any:
        return urgency.of_other(self.WEIGHT, now)

    def items(self, reader: Reader, heads: Sequence[Head]) -> list[Item]:
        rows = Invitation.objects.filter(pk__in=[head.key for head in heads])
        by_key = {row.pk: row for row in rows.select_related("project", "user", "invited_by__agent")}
        return [self._item(reader, head, by_key[head.key]) for head in heads if head.key in by_key]

    def _item(self, reader: Reader, head: Head, row: Invitation) -> Item:
        whom = "you" if row.user_id == reader.user.pk else row.name
        role = row.get_role_display().lower()
        return Item(
            self,
            head,
            name=f"{self.name}-{row.pk}",
            project=row.project,
            title=f"Join {row.project.key}",
            why=f"{name_of(row.invited_by) or 'Somebody'} invites {whom} as {role}.",
            text=row.project.name,
            actions=[Action(do, do.capitalize(), f"/api/v1/invitations/{row.pk}/{do}") for do in ("accept", "decline")],
            row=row,
        )
