import django.db.models.deletion
from django.db import migrations, models

from tasks.migrations._indexes import WithoutIndex


class Migration(migrations.Migration):
    dependencies = [("tasks", "0048_heartbeats_touch_no_index")]

    operations = [
        WithoutIndex(
            model_name="task",
            name="parent",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="children",
                to="tasks.task",
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("parent__isnull", False)), fields=["parent"], name="task_child"
            ),
        ),
    ]
