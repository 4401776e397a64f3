from django.apps import AppConfig


class TaskprojectConfig(AppConfig):
    name = "taskproject"
    verbose_name = "taskproject"

    def ready(self) -> None:
        from messaging.notifications.making import follower
        from taskproject import checks  # noqa: F401 - importing registers them
        from tasks import engine

        # The engine belongs to tasks, which knows nothing about messaging; they are connected here.
        engine.companions.append(follower)
