import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import incidents.values
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0003_post_mortems_and_follow_ups'),
        ('monitoring', '0002_when_the_tree_was_first_seen'),
        ('teams', '__first__'),
    ]

    operations = [
        migrations.AddField(
            model_name='notification',
            name='bundle',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='bundled', to='incidents.notification'),
        ),
        migrations.CreateModel(
            name='NotificationChannel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80)),
                ('sealed_address', models.TextField(editable=False)),
                ('shown_address', models.CharField(editable=False, max_length=300)),
                ('kinds', models.JSONField(blank=True, default=list, help_text='Empty: every kind.')),
                ('lowest', models.CharField(choices=[('low', 'Low'), ('medium', 'Medium'), ('high', 'High'), ('critical', 'Critical'), ('blocker', 'Blocker')], default=incidents.values.Severity['LOW'], max_length=10, verbose_name='from severity')),
                ('per_minute', models.PositiveSmallIntegerField(default=10, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(120)])),
                ('enabled', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('person', models.ForeignKey(blank=True, help_text='Empty: a channel of the team. Else it carries only what this person is told.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='channels', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['name', 'id'],
            },
        ),
        migrations.CreateModel(
            name='NotificationPreference',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('lowest', models.JSONField(default=dict, help_text='kind -> lowest severity')),
                ('quiet_from', models.TimeField(blank=True, null=True)),
                ('quiet_until', models.TimeField(blank=True, null=True)),
                ('person', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='notification_preference', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('asked', 'A decision is asked of me'), ('escalation', 'Nobody reacted in time'), ('help', 'A colleague asks for help'), ('assigned', 'Something is given to me'), ('mention', 'I am mentioned'), ('report', 'A clearance report is there'), ('opened', 'An incident opened'), ('test', 'A test message')], max_length=30)),
                ('severity', models.CharField(blank=True, max_length=10)),
                ('title', models.CharField(max_length=200)),
                ('body', models.TextField()),
                ('link', models.CharField(blank=True, max_length=300)),
                ('key', models.CharField(max_length=140)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('sending', 'Sending'), ('sent', 'Sent'), ('failed', 'Failed')], default='waiting', max_length=10)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('next_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('claimed_until', models.DateTimeField(null=True)),
                ('last_error', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('sent_at', models.DateTimeField(help_text='messages that went out as one have the very same time', null=True)),
                ('incident', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='incidents.incident')),
                ('channel', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='incidents.notificationchannel')),
            ],
            options={
                'verbose_name_plural': 'deliveries',
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('state__in', ['waiting', 'sending'])), fields=['next_at'], name='deliveries_due'), models.Index(fields=['channel', 'sent_at'], name='deliveries_rate')],
                'constraints': [models.UniqueConstraint(fields=('channel', 'key'), name='sent_once_a_channel')],
            },
        ),
    ]
