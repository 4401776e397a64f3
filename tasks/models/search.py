"""What full-text search reads of tasks."""

from django.db import models

from tasks.models.task import Task


class TaskText(models.Model):
    """The words of a task's ref, title, labels and description. In a table of its own: a move writes nothing here.

    ``tasks.search.keeping`` writes it. The database's index over it is made by its migration: on SQLite an FTS5 table
    that triggers keep, on PostgreSQL the column ``vector``, which the server computes.
    """

    task = models.OneToOneField(Task, on_delete=models.CASCADE, primary_key=True, related_name="text")
    words = models.TextField(help_text="See `tasks.search.words.kept_words`.")

    def __str__(self) -> str:
        return f"words of {self.task_id}"
