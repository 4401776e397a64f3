from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "messaging"
    verbose_name = "Messaging"

    def ready(self) -> None:
        from messaging import bell, notifications
        from tasks import unread

        bell.connect()
        unread.counters.append(notifications.count_unread)
