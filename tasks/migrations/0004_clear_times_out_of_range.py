"""Times that say "no time" in other languages were accepted; no page of a server in another zone could show them."""

from django.db import migrations
from django.db.models import Q

from taskproject.times import FIRST, LAST


def clear(apps, schema_editor):
    tasks = apps.get_model("tasks", "Task").objects.using(schema_editor.connection.alias)
    for name in ("due_at", "start_after", "deferred_until"):
        tasks.filter(Q(**{f"{name}__lt": FIRST}) | Q(**{f"{name}__gt": LAST})).update(**{name: None})


class Migration(migrations.Migration):
    dependencies = [("tasks", "0003_agents_belong_to_their_oldest_project")]

    operations = [migrations.RunPython(clear, migrations.RunPython.noop)]
