"""The words of tasks for full-text search, the index over them, and the words of the tasks that there are."""

import django.db.models.deletion
from django.db import migrations, models

from tasks.batches import batches
from tasks.migrations._text_index import drop_index, make_index
from tasks.search.keeping import BATCH, rebuild


def fill(apps, schema_editor):
    task, text = apps.get_model("tasks", "Task"), apps.get_model("tasks", "TaskText")
    for ids in batches(task._default_manager.order_by("pk").values_list("pk", flat=True), BATCH):
        rebuild(ids, task=task, text=text)


class Migration(migrations.Migration):
    dependencies = [("tasks", "0033_invitation_links")]

    operations = [
        migrations.CreateModel(
            name="TaskText",
            fields=[
                (
                    "task",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="text",
                        serialize=False,
                        to="tasks.task",
                    ),
                ),
                ("words", models.TextField(help_text="See `tasks.search.words.kept_words`.")),
            ],
        ),
        migrations.RunPython(make_index, drop_index),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
