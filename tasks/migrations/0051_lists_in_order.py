import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from tasks.migrations._indexes import WithoutIndex


def renew_statistics(apps, schema_editor):
    """Where SQLite has statistics, it prefers an index that has none to all others."""
    if schema_editor.connection.vendor == "sqlite":
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'")
            if cursor.fetchone():
                cursor.execute("ANALYZE tasks_task")


class Migration(migrations.Migration):
    dependencies = [
        ("tasks", "0050_orders_of_a_project"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="assignment", index=models.Index(fields=["agent", "task"], name="assignment_of_agent")
        ),
        WithoutIndex(
            model_name="assignment",
            name="agent",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="assignments",
                to="tasks.agent",
            ),
        ),
        migrations.AddIndex(
            model_name="task", index=models.Index(fields=["project", "title", "id"], name="task_of_project_by_title")
        ),
        # The table between tasks and labels is Django's own and can declare no index.
        migrations.RunSQL(
            "CREATE INDEX task_of_label ON tasks_task_labels (label_id, task_id)", "DROP INDEX task_of_label"
        ),
        migrations.RunPython(renew_statistics, migrations.RunPython.noop),
    ]
