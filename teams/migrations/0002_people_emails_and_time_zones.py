"""People: one spelling per e-mail address, and only time zones that exist."""

from __future__ import annotations

import django.db.models.functions.text
import teams.models.people
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("teams", "0001_people")]

    operations = [
        migrations.AlterModelOptions(
            name='user',
            options={'ordering': ['email'], 'verbose_name': 'person', 'verbose_name_plural': 'people'},
        ),
        migrations.AlterField(
            model_name='user',
            name='avatar_color',
            field=models.CharField(choices=[('avatar-1', 'colour 1'), ('avatar-2', 'colour 2'), ('avatar-3', 'colour 3'), ('avatar-4', 'colour 4'), ('avatar-5', 'colour 5'), ('avatar-6', 'colour 6'), ('avatar-7', 'colour 7'), ('avatar-8', 'colour 8')], default='avatar-1', max_length=12),
        ),
        migrations.AlterField(
            model_name='user',
            name='time_zone',
            field=models.CharField(default='UTC', max_length=64, validators=[teams.models.people.validate_time_zone]),
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.CheckConstraint(condition=models.Q(('email', django.db.models.functions.text.Lower('email'))), name='email_is_lowercase'),
        ),
    ]
