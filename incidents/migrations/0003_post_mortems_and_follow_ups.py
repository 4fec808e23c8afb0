import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0002_conversations_with_models'),
        ('monitoring', '0002_when_the_tree_was_first_seen'),
        ('teams', '__first__'),
    ]

    operations = [
        migrations.AddField(
            model_name='clearancereport',
            name='postmortem',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='clearancereport',
            name='postmortem_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='clearancereport',
            name='postmortem_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='clearancereport',
            name='search',
            field=models.TextField(blank=True, help_text='lower-case words that the list is searched by'),
        ),
        migrations.CreateModel(
            name='FollowUp',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.CharField(max_length=300)),
                ('key', models.CharField(blank=True, max_length=60)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('done_at', models.DateTimeField(null=True)),
                ('assignee', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='follow_ups', to=settings.AUTH_USER_MODEL)),
                ('done_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('report', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='follow_ups', to='incidents.clearancereport')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
    ]
