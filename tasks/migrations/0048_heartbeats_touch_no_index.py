from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ("tasks", "0047_times_not_known"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="run", name="run_lease"),
    ]
