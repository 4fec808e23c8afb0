import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agentops_site', '0003_what_is_said_aloud'),
        ('incidents', '0008_debts_of_restarts'),
    ]

    operations = [
        migrations.AddField(
            model_name='speech',
            name='incident',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='incidents.incident'),
        ),
    ]
