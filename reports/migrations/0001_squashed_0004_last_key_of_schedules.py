"""All tables of a new installation in one step; Django takes seconds for the migrations that this replaces."""

import django.db.models.deletion
import tasks.models.owned
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ("reports", "0001_saved_reports"),
        ("reports", "0002_report_schedules"),
        ("reports", "0003_dashboards"),
        ("reports", "0004_last_key_of_schedules"),
    ]

    initial = True

    dependencies = [
        ("tasks", "0001_squashed_0050_orders_of_a_project"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Dashboard',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120)),
                ('items', models.JSONField(default=list)),
                ('version', models.PositiveIntegerField(default=1, editable=False, help_text='Counts changes.')),
                ('created_at', models.DateTimeField(editable=False)),
                ('updated_at', models.DateTimeField(editable=False)),
                ('owner', models.ForeignKey(blank=True, help_text='Empty: their account was deleted.', null=True, on_delete=tasks.models.owned.owner_gone, related_name='dashboards', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(blank=True, help_text='Whose figures it shows to all members; empty: its owner alone.', null=True, on_delete=tasks.models.owned.project_gone, related_name='dashboards', to='tasks.project')),
            ],
            options={
                'ordering': ['name', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('owner', 'name'), name='dashboard_name_unique_of_owner'), models.CheckConstraint(condition=models.Q(('owner__isnull', False), ('project__isnull', False), _connector='OR'), name='dashboard_is_of_somebody')],
            },
        ),
        migrations.CreateModel(
            name='SavedReport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120)),
                ('description', models.CharField(blank=True, max_length=500)),
                ('definition', models.JSONField()),
                ('version', models.PositiveIntegerField(default=1, editable=False, help_text='Counts changes.')),
                ('created_at', models.DateTimeField(editable=False)),
                ('updated_at', models.DateTimeField(editable=False)),
                ('owner', models.ForeignKey(blank=True, help_text='Empty: their account was deleted.', null=True, on_delete=tasks.models.owned.owner_gone, related_name='saved_reports', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(blank=True, help_text='Whose members may read it; empty: its owner alone.', null=True, on_delete=tasks.models.owned.project_gone, related_name='saved_reports', to='tasks.project')),
            ],
            options={
                'ordering': ['name', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('owner', 'name'), name='saved_report_name_unique_of_owner'), models.CheckConstraint(condition=models.Q(('owner__isnull', False), ('project__isnull', False), _connector='OR'), name='saved_report_is_of_somebody')],
            },
        ),
        migrations.CreateModel(
            name='ReportSchedule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cron', models.CharField(help_text='Minute, hour, day of month, month, weekday.', max_length=100)),
                ('tz', models.CharField(help_text="The zone of these times, and of the report's days.", max_length=64)),
                ('output', models.CharField(choices=[('xlsx', 'XLSX'), ('csv', 'CSV')], default='xlsx', max_length=4)),
                ('next_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('stopped', models.CharField(blank=True, editable=False, help_text='Why it stopped itself.', max_length=300)),
                ('last_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('last_result', models.CharField(blank=True, editable=False, max_length=300)),
                ('claim', models.UUIDField(blank=True, editable=False, null=True)),
                ('claimed_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('created_at', models.DateTimeField(editable=False)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='report_schedules', to=settings.AUTH_USER_MODEL)),
                ('report', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='schedules', to='reports.savedreport')),
                ('last_key', models.CharField(blank=True, editable=False, help_text='Of the last mail.', max_length=100)),
            ],
            options={
                'ordering': ['pk'],
                'indexes': [models.Index(condition=models.Q(('next_at__isnull', False)), fields=['next_at'], name='report_schedule_due')],
                'constraints': [models.UniqueConstraint(fields=('owner', 'report', 'cron', 'tz', 'output'), name='report_schedule_once'), models.CheckConstraint(condition=models.Q(('stopped', ''), ('next_at__isnull', True), _connector='OR'), name='report_schedule_rests_if_stopped'), models.CheckConstraint(condition=models.Q(('output__in', ['xlsx', 'csv'])), name='report_schedule_output_known')],
            },
        ),
    ]
