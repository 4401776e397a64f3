"""The time zone that somebody chose for their notifications is that of all they read."""

from django.conf import settings
from django.db import migrations



def move(apps, schema_editor):
    chosen = apps.get_model("messaging", "Delivery").objects.exclude(time_zone="").order_by()
    profiles = apps.get_model("tasks", "Profile").objects
    for user, zone in chosen.values_list("user", "time_zone"):
        profiles.update_or_create(user_id=user, defaults={"time_zone": zone})


def move_back(apps, schema_editor):
    digest_at = apps.get_model("messaging", "Delivery")._meta.get_field("digest_at").to_python("08:00")
    deliveries = apps.get_model("messaging", "Delivery").objects
    for user, zone in apps.get_model("tasks", "Profile").objects.exclude(time_zone="").values_list("user", "time_zone"):
        deliveries.update_or_create(
            user_id=user, defaults={"time_zone": zone}, create_defaults={"time_zone": zone, "digest_at": digest_at}
        )


class Migration(migrations.Migration):
    dependencies = [
        ("messaging", "0010_put_aside"),
        ("tasks", "0025_profile"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunPython(move, move_back, elidable=True),
        migrations.RemoveField(model_name="delivery", name="time_zone"),
    ]
