import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Apart from the change of rows before it: PostgreSQL changes no table whose rows wait for their checks."""

    dependencies = [
        ("messaging", "0005_grouped_rows_choices_mails_watches"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="notification",
            name="last_event",
            field=models.ForeignKey(
                db_index=False,
                help_text="Of a group, what happened last.",
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="tasks.event",
            ),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.UniqueConstraint(fields=("event", "recipient"), name="notification_once_per_event"),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=Q(head=None), fields=["recipient", "-last_event"], name="notification_of_recipient"
            ),
        ),
    ]
