import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0004_channels_deliveries_and_preferences'),
        ('monitoring', '0002_when_the_tree_was_first_seen'),
        ('teams', '__first__'),
    ]

    operations = [
        migrations.CreateModel(
            name='Escalation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempt', models.PositiveIntegerField()),
                ('level', models.PositiveSmallIntegerField(default=0)),
                ('since', models.DateTimeField(default=django.utils.timezone.now)),
                ('next_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('first_acknowledged_at', models.DateTimeField(null=True)),
                ('lapsed', models.PositiveSmallIntegerField(default=0)),
                ('ended_at', models.DateTimeField(null=True)),
                ('incident', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='escalations', to='incidents.incident')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('ended_at', None)), fields=['next_at'], name='escalations_open')],
                'constraints': [models.UniqueConstraint(fields=('incident', 'attempt'), name='one_escalation_per_attempt')],
            },
        ),
        migrations.CreateModel(
            name='OnCall',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField(default=1)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='on_call', to=settings.AUTH_USER_MODEL)),
                ('service', models.ForeignKey(blank=True, help_text='Empty: for every service that has no order of its own.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='on_call', to='monitoring.service')),
            ],
            options={
                'verbose_name': 'on-call place',
                'verbose_name_plural': 'on-call order',
                'ordering': ['service_id', 'position', 'id'],
                'constraints': [models.UniqueConstraint(fields=('service', 'person'), name='once_in_a_service_order'), models.UniqueConstraint(condition=models.Q(('service', None)), fields=('person',), name='once_in_the_common_order')],
            },
        ),
    ]
