"""Who chose to follow a task, or not to."""

from django.conf import settings
from django.db import models

from tasks.models import Task


class Watch(models.Model):
    """What somebody chose about a task; without a row, those who have to do with it watch it (``watching``)."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="watches")
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="watches", db_index=False)
    is_watching = models.BooleanField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["task", "user"], name="watch_once")]

    def __str__(self) -> str:
        return f"{self.user_id} {'watches' if self.is_watching else 'ignores'} task {self.task_id}"
