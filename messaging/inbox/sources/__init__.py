"""The kinds of items, one class each: which rows need a reader, how urgent, and how they are shown."""

from typing import Final

from messaging.inbox.sources.follow_ups import FollowUps
from messaging.inbox.sources.invitations import Invitations
from messaging.inbox.sources.messages import DirectMessages, Mentions, Undelivered
from messaging.inbox.sources.questions import Questions
from messaging.inbox.sources.reviews import ChangesRequested, Reviews
from messaging.inbox.sources.runs import LateResult, Stalled
from messaging.inbox.sources.source import Source
from messaging.inbox.sources.trouble import Declined, DependencyFailed, Failed, NobodyFound, Overdue
from messaging.inbox.sources.webhooks import DisabledWebhooks

#: Every source by its name.
SOURCES: Final[dict[str, Source]] = {
    source.name: source
    for source in (
        Questions(),
        Reviews(),
        ChangesRequested(),
        Failed(),
        Stalled(),
        Overdue(),
        Declined(),
        NobodyFound(),
        DependencyFailed(),
        LateResult(),
        FollowUps(),
        DisabledWebhooks(),
        DirectMessages(),
        Mentions(),
        Undelivered(),
        Invitations(),
    )
}

__all__ = ["SOURCES", "Source"]
