"""What messaging adds to the replies that an agent gets about its runs."""

from django.contrib.auth.models import User

from messaging.notifications.reading import count_unread
from tasks.replies import Addition


class Messages(Addition):
    def count_unread(self, user: User) -> int:
        return count_unread(user)
