"""Webhooks that were disabled because nobody took what was sent to them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from messaging.inbox import urgency
from messaging.inbox.items import Action, Group, Head, Item
from messaging.inbox.people import People
from messaging.inbox.reader import Reader
from messaging.inbox.sources.source import Source
from messaging.models import Disabled, Webhook
from tasks.models import Role


class DisabledWebhooks(Source):
    """For the managers of its project, first for who registered it; ``row`` is the webhook."""

    name, label, icon, group = "webhook", "Webhook disabled", "alert", Group.TROUBLE
    WEIGHT = 4

    def rows(self, reader: Reader) -> QuerySet:
        stopped = (Disabled.GONE, Disabled.EXHAUSTED)
        return Webhook.objects.filter(
            reader.where(Role.MANAGER), disabled_at__isnull=False, disabled_because__in=stopped
        )

    def since(self) -> Any:
        return "disabled_at"

    def score(self, now: datetime) -> Any:
        return urgency.of_other(self.WEIGHT, now)

    def mine(self, reader: Reader) -> Q | None:
        return reader.leads()

    def items(self, reader: Reader, heads: Sequence[Head]) -> list[Item]:
        rows = Webhook.objects.filter(pk__in=[head.key for head in heads]).select_related("project")
        by_key = {row.pk: row for row in rows}
        people = People(reader, (row.project_id for row in by_key.values()))
        return [self._item(head, by_key[head.key], people) for head in heads if head.key in by_key]

    def _item(self, head: Head, row: Webhook, people: People) -> Item:
        because = Disabled(row.disabled_because).label
        return Item(
            self,
            head,
            name=f"{self.name}-{row.pk}",
            project=row.project,
            title=row.description or f"Webhook {row.pk}",
            why=f"Nothing more is sent to it: {because[0].lower()}{because[1:]}.",
            others=people.others(row.project_id, Role.MANAGER),
            actions=[
                Action(
                    "enable",
                    "Enable again",
                    f"/api/v1/projects/{row.project.key}/webhooks/{row.pk}",
                    needs=("enabled",),
                    method="PATCH",
                )
            ],
            row=row,
        )
