"""Reading a conversation: its mark moves, and the notifications of what was read are read with it."""

from collections import defaultdict
from typing import Any

from django.db.models import Q
from django.db.models.functions import Coalesce

from messaging.conversation.marks import mark_read
from messaging.models import Notification, NotificationKind
from messaging.notifications.reading import notifications_of, read_notifications
from tasks.conversations import Conversation

#: What a notification of a message may be.
OF_MESSAGES = (NotificationKind.MENTION, NotificationKind.DIRECT_MESSAGE, NotificationKind.MESSAGE)
#: Unread notifications that one call looks through.
MOST = 1_000


def read_conversation(conversation: Conversation, *, up_to: int | None = None) -> int | None:
    """As ``mark_read``. Also reads the reader's notifications that tell of nothing but messages of this conversation up
    to the mark: a row that stands for more stays.
    """
    mark = mark_read(conversation, up_to=up_to)
    if mark is not None and (ids := _told_of(conversation, mark)):
        read_notifications(user=conversation.reader, ids=ids)
    return mark


def _told_of(conversation: Conversation, mark: int) -> list[int]:
    reader = conversation.reader
    unread = notifications_of(reader).heads().unread().filter(_about(conversation), kind__in=OF_MESSAGES)
    heads = list(unread.order_by("-pk").values_list("pk", flat=True)[:MOST])
    if not heads:
        return []
    rows = Notification.objects.filter(Q(pk__in=heads) | Q(head__in=heads)).order_by()
    all_read: defaultdict[int, bool] = defaultdict(lambda: True)
    columns = (Coalesce("head", "pk"), "kind", "event__task", "event__project", "event__recipient", "event__actor")
    for head, kind, task, project, recipient, actor, data in rows.values_list(*columns, "event__data"):
        here = kind in OF_MESSAGES and _is_in(conversation, task, project, recipient, actor)
        all_read[head] &= here and data.get("message", mark + 1) <= mark
    return [pk for pk in heads if all_read[pk]]


def _about(conversation: Conversation) -> Q:
    if conversation.task is not None:
        return Q(event__task=conversation.task)
    if conversation.channel is not None:
        return Q(event__project=conversation.channel, event__task=None, event__recipient=None)
    return Q(event__recipient=conversation.reader, event__actor=conversation.partner)


def _is_in(conversation: Conversation, task: Any, project: Any, recipient: Any, actor: Any) -> bool:
    if conversation.task is not None:
        return bool(task == conversation.task.pk)
    if conversation.channel is not None:
        return bool((task, recipient, project) == (None, None, conversation.channel.pk))
    assert conversation.partner is not None
    return bool((recipient, actor) == (conversation.reader.pk, conversation.partner.pk))
