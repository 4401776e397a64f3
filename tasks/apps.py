from django.apps import AppConfig


class TasksConfig(AppConfig):
    name = "tasks"
    verbose_name = "Tasks"

    def ready(self) -> None:
        from tasks import engine
        from tasks.assignment.matchmaker import matchmaker

        engine.companions.append(matchmaker)
