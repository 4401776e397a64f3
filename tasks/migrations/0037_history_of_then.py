"""Fills the history of tasks from the events that an installation has, and what was added to it; see
``tasks.history.rebuilding``.

Labels of before are those that tasks have now: earlier events do not tell them. Of what earlier offers do not tell,
the decisions that are still there do.
"""

from django.db import migrations

from tasks.batches import batches
from tasks.history.rebuilding import BATCH, rebuild, tasks_with_events
from tasks.history.tables import tables_of


def fill(apps, schema_editor):
    tables = tables_of(apps)
    for ids in batches(tasks_with_events(tables=tables), BATCH):
        rebuild(ids, tables=tables, lock=False)


class Migration(migrations.Migration):
    dependencies = [("tasks", "0036_steps_of_assignment")]

    # The history can be rebuilt at any time, so going back leaves what is there.
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
