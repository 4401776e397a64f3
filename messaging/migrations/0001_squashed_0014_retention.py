"""All tables of a new installation in one step; Django takes seconds for the migrations that this replaces."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models.functions import Now


def follow_from_now(apps, schema_editor):
    """What happens before the first engine starts is not missed."""
    cursor = apps.get_model("messaging", "FollowerCursor")
    for name in ("notifications", "webhooks"):
        cursor.objects.create(name=name, event_id=0, moved_at=Now())


class Migration(migrations.Migration):

    replaces = [
        ("messaging", "0001_initial"),
        ("messaging", "0002_one_notification_for_a_burst"),
        ("messaging", "0003_invited"),
        ("messaging", "0004_index_unread_by_time"),
        ("messaging", "0005_grouped_rows_choices_mails_watches"),
        ("messaging", "0006_one_notification_per_event"),
        ("messaging", "0007_read_marks"),
        ("messaging", "0008_webhooks"),
        ("messaging", "0009_seen"),
        ("messaging", "0010_put_aside"),
        ("messaging", "0011_zone_in_the_profile"),
        ("messaging", "0012_letters"),
        ("messaging", "0013_letters_end_their_schedule"),
        ("messaging", "0014_retention"),
    ]

    initial = True

    dependencies = [
        ("tasks", "0001_squashed_0050_orders_of_a_project"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('quiet_from', models.TimeField(blank=True, null=True)),
                ('quiet_until', models.TimeField(blank=True, null=True)),
                ('digest_at', models.TimeField()),
                ('urgent_anyway', models.BooleanField(default=False, help_text='Urgent questions come in quiet hours too.')),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='delivery', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'deliveries',
                'ordering': ['user'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('quiet_from__isnull', True), ('quiet_until__isnull', True)), models.Q(('quiet_from__isnull', False), ('quiet_until__isnull', False)), _connector='OR'), name='delivery_quiet_hours_whole')],
            },
        ),
        migrations.CreateModel(
            name='FollowerCursor',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60, unique=True)),
                ('event_id', models.BigIntegerField()),
                ('moved_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='KindChoice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('question_for_me', 'Question for me'), ('question_answered', 'Question answered'), ('undelivered', 'Instruction not followed'), ('mention', 'Mentioned'), ('direct_message', 'Message to me'), ('assigned', 'Assigned to me'), ('unassigned', 'Taken from me'), ('declined', 'Declined'), ('nobody_found', 'Nobody found'), ('completed', 'Completed'), ('failed', 'Failed'), ('stalled', 'Stalled'), ('dependency_failed', 'Dependency failed'), ('review_asked', 'Review requested'), ('changes_requested', 'Changes requested'), ('due_soon', 'Due soon'), ('overdue', 'Overdue'), ('invited', 'Invited to a project'), ('webhook_disabled', 'Webhook disabled'), ('message', 'Message in a watched task'), ('watched_changed', 'Watched task changed')], max_length=30)),
                ('page', models.BooleanField(default=True)),
                ('browser', models.BooleanField(default=False)),
                ('email', models.CharField(choices=[('off', 'No'), ('at_once', 'At once'), ('daily', 'Daily')], default='off', max_length=10)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='kind_choices', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['kind'],
                'constraints': [models.UniqueConstraint(fields=('user', 'kind'), name='kind_choice_once'), models.CheckConstraint(condition=models.Q(('email__in', ['off', 'at_once', 'daily'])), name='kind_choice_email_known')],
            },
        ),
        migrations.CreateModel(
            name='Letter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField()),
                ('due_at', models.DateTimeField(help_text='Not sent before.')),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('sent', 'Sent'), ('dropped', 'Dropped'), ('failed', 'Failed')], default='waiting', max_length=10)),
                ('claim', models.UUIDField(blank=True, editable=False, null=True)),
                ('claimed_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('reason', models.CharField(blank=True, help_text='Why it was dropped, or not sent yet.', max_length=300)),
                ('key', models.CharField(max_length=100, unique=True)),
                ('subject', models.CharField(max_length=200)),
                ('text', models.TextField(blank=True)),
                ('path', models.CharField(blank=True, help_text='Our page that it leads to.', max_length=200)),
                ('projects', models.JSONField(default=list, help_text='Whose figures are in the file, by id; sent only while the recipient sees them all.')),
                ('file_name', models.CharField(blank=True, max_length=200)),
                ('content_type', models.CharField(blank=True, max_length=100)),
                ('content', models.BinaryField(blank=True, null=True)),
                ('recipient', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='letters', to=settings.AUTH_USER_MODEL)),
                ('stop_path', models.CharField(blank=True, help_text='Our page that ends such letters.', max_length=300)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('state', 'waiting')), fields=['due_at'], name='letter_waiting'), models.Index(condition=models.Q(('claim__isnull', False)), fields=['claim'], name='letter_claimed'), models.Index(condition=models.Q(('ended_at__isnull', False)), fields=['ended_at'], name='letter_ended')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['waiting', 'sent', 'dropped', 'failed'])), name='letter_state_known')],
            },
        ),
        migrations.CreateModel(
            name='Mail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('question_for_me', 'Question for me'), ('question_answered', 'Question answered'), ('undelivered', 'Instruction not followed'), ('mention', 'Mentioned'), ('direct_message', 'Message to me'), ('assigned', 'Assigned to me'), ('unassigned', 'Taken from me'), ('declined', 'Declined'), ('nobody_found', 'Nobody found'), ('completed', 'Completed'), ('failed', 'Failed'), ('stalled', 'Stalled'), ('dependency_failed', 'Dependency failed'), ('review_asked', 'Review requested'), ('changes_requested', 'Changes requested'), ('due_soon', 'Due soon'), ('overdue', 'Overdue'), ('invited', 'Invited to a project'), ('webhook_disabled', 'Webhook disabled'), ('message', 'Message in a watched task'), ('watched_changed', 'Watched task changed')], max_length=30)),
                ('created_at', models.DateTimeField()),
                ('due_at', models.DateTimeField(help_text='Not sent before.')),
                ('daily', models.BooleanField(default=False, help_text='Part of the daily digest.')),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('sent', 'Sent'), ('dropped', 'Dropped'), ('failed', 'Failed')], default='waiting', max_length=10)),
                ('claim', models.UUIDField(blank=True, editable=False, null=True)),
                ('claimed_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('reason', models.CharField(blank=True, help_text='Why it was dropped, or not sent yet.', max_length=300)),
                ('event', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tasks.event')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tasks.project')),
                ('recipient', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='mails', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('state', 'waiting')), fields=['due_at'], name='mail_waiting'), models.Index(condition=models.Q(('claim__isnull', False)), fields=['claim'], name='mail_claimed'), models.Index(condition=models.Q(('ended_at__isnull', False)), fields=['ended_at'], name='mail_ended')],
                'constraints': [models.UniqueConstraint(fields=('event', 'recipient'), name='mail_once_per_event'), models.CheckConstraint(condition=models.Q(('state__in', ['waiting', 'sent', 'dropped', 'failed'])), name='mail_state_known')],
            },
        ),
        migrations.CreateModel(
            name='Notification',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('question_for_me', 'Question for me'), ('question_answered', 'Question answered'), ('undelivered', 'Instruction not followed'), ('mention', 'Mentioned'), ('direct_message', 'Message to me'), ('assigned', 'Assigned to me'), ('unassigned', 'Taken from me'), ('declined', 'Declined'), ('nobody_found', 'Nobody found'), ('completed', 'Completed'), ('failed', 'Failed'), ('stalled', 'Stalled'), ('dependency_failed', 'Dependency failed'), ('review_asked', 'Review requested'), ('changes_requested', 'Changes requested'), ('due_soon', 'Due soon'), ('overdue', 'Overdue'), ('invited', 'Invited to a project'), ('webhook_disabled', 'Webhook disabled'), ('message', 'Message in a watched task'), ('watched_changed', 'Watched task changed')], max_length=30)),
                ('at', models.DateTimeField(help_text='When it happened.')),
                ('read_at', models.DateTimeField(blank=True, null=True)),
                ('event', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='notifications', to='tasks.event')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tasks.project')),
                ('recipient', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='notifications', to=settings.AUTH_USER_MODEL)),
                ('task', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tasks.task')),
                ('bundled', models.PositiveIntegerField(default=1)),
                ('head', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='messaging.notification')),
                ('grouped', models.CharField(blank=True, choices=[('', 'By itself'), ('task', 'About one task'), ('kind', 'Of one kind')], default='', max_length=4)),
                ('last_event', models.ForeignKey(db_constraint=False, db_index=False, help_text='Of a group, what happened last.', on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tasks.event')),
                ('last_kind', models.CharField(choices=[('question_for_me', 'Question for me'), ('question_answered', 'Question answered'), ('undelivered', 'Instruction not followed'), ('mention', 'Mentioned'), ('direct_message', 'Message to me'), ('assigned', 'Assigned to me'), ('unassigned', 'Taken from me'), ('declined', 'Declined'), ('nobody_found', 'Nobody found'), ('completed', 'Completed'), ('failed', 'Failed'), ('stalled', 'Stalled'), ('dependency_failed', 'Dependency failed'), ('review_asked', 'Review requested'), ('changes_requested', 'Changes requested'), ('due_soon', 'Due soon'), ('overdue', 'Overdue'), ('invited', 'Invited to a project'), ('webhook_disabled', 'Webhook disabled'), ('message', 'Message in a watched task'), ('watched_changed', 'Watched task changed')], max_length=30)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('read_at', None), ('head', None)), fields=['recipient', 'id'], name='notification_unread'), models.Index(condition=models.Q(('head__isnull', False)), fields=['head'], name='notification_of_bundle'), models.Index(condition=models.Q(('read_at', None), ('head', None)), fields=['recipient', 'at'], name='notification_unread_at'), models.Index(condition=models.Q(('head', None)), fields=['recipient', '-last_event'], name='notification_of_recipient'), models.Index(condition=models.Q(('read_at__isnull', False), ('head', None)), fields=['read_at'], name='notification_read_at'), models.Index(condition=models.Q(('read_at', None), ('head', None)), fields=['at'], name='notification_never_read')],
                'constraints': [models.UniqueConstraint(fields=('event', 'recipient'), name='notification_once_per_event')],
            },
        ),
        migrations.CreateModel(
            name='PutAside',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(max_length=20)),
                ('key', models.BigIntegerField()),
                ('since', models.DateTimeField()),
                ('until', models.DateTimeField(blank=True, null=True)),
                ('at', models.DateTimeField()),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='put_aside', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'put aside',
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('user', 'source', 'key'), name='put_aside_once')],
                'indexes': [models.Index(condition=models.Q(('until__isnull', False)), fields=['until'], name='put_aside_until')],
            },
        ),
        migrations.CreateModel(
            name='ReadMark',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('up_to', models.BigIntegerField(help_text='The id of the last message read; it may be gone.')),
                ('at', models.DateTimeField(help_text='When it was last moved.')),
                ('channel', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tasks.project')),
                ('partner', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('task', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tasks.task')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='read_marks', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('channel__isnull', True), ('partner__isnull', True), ('task__isnull', False)), models.Q(('channel__isnull', False), ('partner__isnull', True), ('task__isnull', True)), models.Q(('channel__isnull', True), ('partner__isnull', False), ('task__isnull', True)), _connector='OR'), name='read_mark_of_one_conversation'), models.UniqueConstraint(fields=('user', 'task'), name='read_mark_once_per_task'), models.UniqueConstraint(fields=('user', 'channel'), name='read_mark_once_per_channel'), models.UniqueConstraint(fields=('user', 'partner'), name='read_mark_once_per_partner')],
            },
        ),
        migrations.CreateModel(
            name='Seen',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='seen', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('at', models.DateTimeField(db_index=True)),
            ],
            options={
                'ordering': ['user'],
            },
        ),
        migrations.CreateModel(
            name='Watch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('is_watching', models.BooleanField()),
                ('at', models.DateTimeField()),
                ('task', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='watches', to='tasks.task')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='watches', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('task', 'user'), name='watch_once')],
            },
        ),
        migrations.CreateModel(
            name='Webhook',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('url', models.CharField(max_length=2000, verbose_name='URL')),
                ('kinds', models.JSONField(blank=True, default=list, help_text='Empty: all.', verbose_name='kinds of events')),
                ('format', models.CharField(choices=[('plain', 'Plain'), ('cloudevents', 'CloudEvents')], default='plain', max_length=20)),
                ('description', models.CharField(blank=True, max_length=500)),
                ('created_at', models.DateTimeField()),
                ('disabled_at', models.DateTimeField(blank=True, null=True)),
                ('disabled_because', models.CharField(blank=True, choices=[('', 'Enabled'), ('manager', 'By a manager'), ('gone', 'It answered 410 Gone'), ('exhausted', 'It failed at every attempt')], max_length=20)),
                ('failing_since', models.DateTimeField(blank=True, null=True)),
                ('accepted_at', models.DateTimeField(blank=True, help_text='When it last accepted something.', null=True)),
                ('rests_until', models.DateTimeField(blank=True, help_text='It asked to be left alone until then.', null=True)),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='webhooks', to='tasks.project')),
            ],
            options={
                'ordering': ['pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('disabled_at', None), ('disabled_because', '')), models.Q(('disabled_at__isnull', False), models.Q(('disabled_because', ''), _negated=True)), _connector='OR'), name='webhook_disabled_for_a_reason'), models.CheckConstraint(condition=models.Q(('format__in', ['plain', 'cloudevents'])), name='webhook_format_known')],
            },
        ),
        migrations.CreateModel(
            name='WebhookDelivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=60)),
                ('message_id', models.CharField(max_length=60, unique=True)),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('delivered', 'Delivered'), ('failed', 'Failed')], default='pending', max_length=20)),
                ('created_at', models.DateTimeField()),
                ('due_at', models.DateTimeField(help_text='When it is sent next.')),
                ('leased_until', models.DateTimeField(help_text='An engine is sending it, and has until then.', null=True)),
                ('tries', models.PositiveSmallIntegerField(default=0, help_text='Failed attempts since it was last made due by hand.')),
                ('first_tried_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('attempts', models.JSONField(default=list)),
                ('event', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tasks.event')),
                ('webhook', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='messaging.webhook')),
            ],
            options={
                'verbose_name': 'webhook delivery',
                'verbose_name_plural': 'webhook deliveries',
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(fields=('webhook', 'event'), name='delivery_once'), models.CheckConstraint(condition=models.Q(('state__in', ['pending', 'delivered', 'failed'])), name='delivery_state_known'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('state', 'pending')), models.Q(models.Q(('state', 'pending'), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='delivery_ends_once_over')],
                'indexes': [models.Index(fields=['webhook', '-id'], name='delivery_of_webhook'), models.Index(condition=models.Q(('state', 'pending')), fields=['webhook', 'due_at'], name='delivery_due'), models.Index(condition=models.Q(('ended_at__isnull', False)), fields=['ended_at'], name='delivery_ended'), models.Index(fields=['event'], name='delivery_of_event')],
            },
        ),
        migrations.CreateModel(
            name='WebhookKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sealed', models.TextField()),
                ('created_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField(blank=True, help_text='Signs until then; empty: until it is replaced.', null=True)),
                ('webhook', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='keys', to='messaging.webhook')),
            ],
            options={
                'ordering': ['-pk'],
            },
        ),
        migrations.RunPython(follow_from_now, migrations.RunPython.noop),
    ]
