"""Filled the history of tasks from the events that an installation has; ``0037_history_of_then`` does so since."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tasks", "0029_labels_of_then")]

    operations = []
