"""Give PostgreSQL the unique index back that ``0046_indexes_of_the_engine`` dropped there with that of a foreign key."""

from django.db import migrations


def restore(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            "CREATE UNIQUE INDEX IF NOT EXISTS run_one_active_per_task ON tasks_run (task_id) WHERE status = 'active'"
        )


class Migration(migrations.Migration):
    dependencies = [("tasks", "0052_assignments_of_agents")]

    operations = [migrations.RunPython(restore, migrations.RunPython.noop, elidable=True)]
