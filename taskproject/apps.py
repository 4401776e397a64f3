from django.apps import AppConfig


class TaskprojectConfig(AppConfig):
    name = "taskproject"
    verbose_name = "taskproject"
