from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "messaging"
    verbose_name = "Messaging"

    def ready(self) -> None:
        from messaging.replies import Messages
        from messaging.stream import bell
        from tasks.replies import additions

        bell.connect()
        additions.append(Messages())
