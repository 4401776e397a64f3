from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "messaging"
    verbose_name = "Messaging"

    def ready(self) -> None:
        from messaging.notifications.reading import count_unread
        from messaging.stream import bell
        from tasks import unread

        bell.connect()
        unread.counters.append(count_unread)
