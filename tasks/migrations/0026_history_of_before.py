"""Filled the history of tasks from the events that an installation has; ``0030_labels_of_before`` does so since."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tasks", "0025_profile")]

    operations = []
