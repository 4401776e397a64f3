from django.apps import AppConfig


class TaskprojectConfig(AppConfig):
    name = "taskproject"
    verbose_name = "taskproject"

    def ready(self) -> None:
        from taskproject import checks  # noqa: F401 - importing registers them
