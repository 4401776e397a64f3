from django.db import migrations
from django.db.models import Max, Min, Q


def follow_by_row_id(apps, schema_editor):
    """Each follower goes on before the first event it has not handled; what it handled beyond is made no second time."""
    events = apps.get_model("tasks", "Event").objects
    for follower in apps.get_model("messaging", "FollowerCursor").objects.all():
        behind = Q(transaction_id__gt=follower.transaction_id) | Q(
            transaction_id=follower.transaction_id, id__gt=follower.event_id
        )
        first = events.filter(behind).aggregate(first=Min("id"))["first"]
        newest = events.aggregate(newest=Max("id"))["newest"] or 0
        follower.event_id = newest if first is None else first - 1
        follower.save()


class Migration(migrations.Migration):

    dependencies = [("messaging", "0002_more_kinds"), ("tasks", "0005_decision_warning")]

    # It reads the former order.
    run_before = [("tasks", "0007_order_by_row_id")]

    operations = [
        migrations.RunPython(follow_by_row_id, migrations.RunPython.noop),
        migrations.RemoveField(model_name="followercursor", name="transaction_id"),
    ]
