"""Made the creator of each episode known, once the history was filled; ``0038_creators_of_then`` does so since."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tasks", "0030_labels_of_before")]

    operations = []
