from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tasks", "0051_lists_in_order")]

    operations = [
        migrations.RemoveIndex(model_name="assignment", name="assignment_active"),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(fields=["agent", "-id"], name="assignment_latest"),
        ),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(fields=["agent", "ended_at", "task"], name="assignment_active"),
        ),
    ]
