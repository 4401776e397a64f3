import django.core.validators
import django.db.models.deletion
import tasks.models.agent
from django.conf import settings
from django.db import migrations, models
from django.db.models import Count, F, Max, Q

KINDS = [
    ("question_for_me", "Question for me"),
    ("question_answered", "Question answered"),
    ("undelivered", "Instruction not followed"),
    ("mention", "Mentioned"),
    ("direct_message", "Message to me"),
    ("assigned", "Assigned to me"),
    ("unassigned", "Taken from me"),
    ("declined", "Declined"),
    ("nobody_found", "Nobody found"),
    ("completed", "Completed"),
    ("failed", "Failed"),
    ("stalled", "Stalled"),
    ("dependency_failed", "Dependency failed"),
    ("review_asked", "Review requested"),
    ("changes_requested", "Changes requested"),
    ("due_soon", "Due soon"),
    ("overdue", "Overdue"),
    ("invited", "Invited to a project"),
    ("message", "Message in a watched task"),
    ("watched_changed", "Watched task changed"),
]


def once_per_event(apps, schema_editor):
    """Of several notifications of one event for one person, the first stays."""
    Notification = apps.get_model("messaging", "Notification")
    again = Notification.objects.order_by().values("event", "recipient").annotate(n=Count("pk")).filter(n__gt=1)
    for pair in list(again):
        first, *others = Notification.objects.filter(event=pair["event"], recipient=pair["recipient"]).order_by("pk")
        for other in others:
            if other.head_id is not None:
                Notification.objects.filter(pk=other.head_id).update(bundled=F("bundled") - 1)
            Notification.objects.filter(head=other.pk).update(head=None)
            other.delete()


def say_the_last(apps, schema_editor):
    """A row by itself says what it is about; one for several, what happened last."""
    Notification = apps.get_model("messaging", "Notification")
    Notification.objects.update(last_event=F("event"), last_kind=F("kind"))
    last = Notification.objects.filter(head__isnull=False).order_by().values("head").annotate(last=Max("event"))
    for group in last.iterator():
        Notification.objects.filter(pk=group["head"]).update(last_event=group["last"], grouped="kind")


def keep_muted(apps, schema_editor):
    MutedKind = apps.get_model("messaging", "MutedKind")
    KindChoice = apps.get_model("messaging", "KindChoice")
    KindChoice.objects.bulk_create(
        [
            KindChoice(user_id=muted.user_id, kind=muted.kind, page=False, browser=False, email="off")
            for muted in MutedKind.objects.all()
        ],
        batch_size=500,
    )


def mute_again(apps, schema_editor):
    MutedKind = apps.get_model("messaging", "MutedKind")
    KindChoice = apps.get_model("messaging", "KindChoice")
    MutedKind.objects.bulk_create(
        [MutedKind(user_id=choice.user_id, kind=choice.kind) for choice in KindChoice.objects.filter(page=False)],
        batch_size=500,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("messaging", "0004_index_unread_by_time"),
        ("tasks", "0012_questions_and_messages"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(model_name="notification", name="notification_of_recipient"),
        migrations.RemoveConstraint(model_name="notification", name="notification_once"),
        migrations.AddField(
            model_name="notification",
            name="grouped",
            field=models.CharField(
                blank=True,
                choices=[("", "By itself"), ("task", "About one task"), ("kind", "Of one kind")],
                default="",
                max_length=4,
            ),
        ),
        migrations.AddField(
            model_name="notification",
            name="last_event",
            field=models.ForeignKey(
                db_index=False,
                help_text="Of a group, what happened last.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="tasks.event",
            ),
        ),
        migrations.AddField(
            model_name="notification",
            name="last_kind",
            field=models.CharField(choices=KINDS, default="assigned", max_length=30),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="notification", name="kind", field=models.CharField(choices=KINDS, max_length=30)
        ),
        migrations.CreateModel(
            name="KindChoice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=KINDS, max_length=30)),
                ("page", models.BooleanField(default=True)),
                ("browser", models.BooleanField(default=False)),
                (
                    "email",
                    models.CharField(
                        choices=[("off", "No"), ("at_once", "At once"), ("daily", "Daily")],
                        default="off",
                        max_length=10,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="kind_choices",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["kind"],
                "constraints": [
                    models.UniqueConstraint(fields=("user", "kind"), name="kind_choice_once"),
                    models.CheckConstraint(
                        condition=Q(email__in=["off", "at_once", "daily"]), name="kind_choice_email_known"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "time_zone",
                    models.CharField(
                        blank=True,
                        help_text="Empty: that of the working hours.",
                        max_length=60,
                        validators=[tasks.models.agent.validate_time_zone],
                    ),
                ),
                ("quiet_from", models.TimeField(blank=True, null=True)),
                ("quiet_until", models.TimeField(blank=True, null=True)),
                ("digest_at", models.TimeField()),
                (
                    "urgent_anyway",
                    models.BooleanField(default=False, help_text="Urgent questions come in quiet hours too."),
                ),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="delivery",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "ordering": ["user"],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(quiet_from__isnull=True, quiet_until__isnull=True)
                        | Q(quiet_from__isnull=False, quiet_until__isnull=False),
                        name="delivery_quiet_hours_whole",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Mail",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=KINDS, max_length=30)),
                ("created_at", models.DateTimeField()),
                ("due_at", models.DateTimeField(help_text="Not sent before.")),
                ("daily", models.BooleanField(default=False, help_text="Part of the daily digest.")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("sent", "Sent"),
                            ("dropped", "Dropped"),
                            ("failed", "Failed"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("claim", models.UUIDField(blank=True, editable=False, null=True)),
                ("claimed_until", models.DateTimeField(blank=True, editable=False, null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "reason",
                    models.CharField(blank=True, help_text="Why it was dropped, or not sent yet.", max_length=300),
                ),
                (
                    "event",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tasks.event",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tasks.project"
                    ),
                ),
                (
                    "recipient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="mails",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(condition=Q(state="waiting"), fields=["due_at"], name="mail_waiting"),
                    models.Index(condition=Q(claim__isnull=False), fields=["claim"], name="mail_claimed"),
                    models.Index(condition=Q(ended_at__isnull=False), fields=["ended_at"], name="mail_ended"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("event", "recipient"), name="mail_once_per_event"),
                    models.CheckConstraint(
                        condition=Q(state__in=["waiting", "sent", "dropped", "failed"]), name="mail_state_known"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Watch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("is_watching", models.BooleanField()),
                ("at", models.DateTimeField()),
                (
                    "task",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="watches",
                        to="tasks.task",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="watches",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "constraints": [models.UniqueConstraint(fields=("task", "user"), name="watch_once")],
            },
        ),
        migrations.RunPython(once_per_event, migrations.RunPython.noop),
        migrations.RunPython(say_the_last, migrations.RunPython.noop),
        migrations.RunPython(keep_muted, mute_again),
        migrations.DeleteModel(name="MutedKind"),
    ]
