"""What messaging adds to the replies that an agent gets about its runs."""

from django.contrib.auth.models import User

from messaging.notifications.reading import count_unread
from messaging.stream.hub import hub
from tasks.replies import Addition


class Messages(Addition):
    def count_unread(self, user: User) -> int:
        return count_unread(user)

    def listens(self, user: User) -> bool:
        """By what this process knows: a stream that another one serves is not seen here."""
        return hub.has(user.pk)
