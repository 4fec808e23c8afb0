from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agentops_site', '0004_alerts_know_their_incident'),
    ]

    operations = [
        migrations.AddField(
            model_name='voicepreference',
            name='heard',
            field=models.PositiveBigIntegerField(default=0),
        ),
    ]
