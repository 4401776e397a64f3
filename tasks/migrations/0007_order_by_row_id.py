from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("tasks", "0006_delete_idempotency_key")]

    operations = [
        migrations.AlterModelOptions(name="event", options={"ordering": ["id"]}),
        migrations.RemoveIndex(model_name="event", name="event_order"),
        migrations.RemoveField(model_name="event", name="transaction_id"),
        migrations.AddField(
            model_name="enginestate",
            name="settled_event_id",
            field=models.BigIntegerField(default=0, help_text="Up to here all events are there to be read."),
        ),
    ]
