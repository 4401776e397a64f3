"""The last failure on the task, and no progress on a task that nobody works on, as runs left it there before."""

from django.db import migrations, models


def forget_progress(apps, schema_editor):
    tasks = apps.get_model("tasks", "Task").objects.using(schema_editor.connection.alias)
    left = tasks.filter(status__in=["not_started", "failed", "cancelled"])
    left.filter(progress_percent__gt=0).update(progress_percent=0, progress_note="", progress_at=None)


class Migration(migrations.Migration):
    dependencies = [("tasks", "0009_invitation")]

    operations = [
        migrations.AddField(
            model_name="task",
            name="last_failure",
            field=models.JSONField(
                blank=True,
                editable=False,
                help_text="Of the last attempt that failed: see `funnel.failure_of`.",
                null=True,
            ),
        ),
        migrations.RunPython(forget_progress, migrations.RunPython.noop),
    ]
