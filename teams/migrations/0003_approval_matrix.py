"""The approval matrix: role x verb, up to a severity, per service."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("teams", "0002_people_emails_and_time_zones")]

    operations = [
        migrations.CreateModel(
            name='MatrixRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('team_lead', 'team lead'), ('senior_dev', 'senior dev'), ('junior_dev', 'junior dev'), ('manager', 'manager'), ('viewer', 'viewer')], max_length=20)),
                ('verb', models.CharField(choices=[('view', 'view'), ('comment', 'comment'), ('approve', 'approve'), ('reject', 'reject'), ('override', 'override a missing or failed trial'), ('propose', 'propose a fix'), ('request_changes', 'request changes'), ('choose_candidate', 'choose another candidate'), ('assign', 'assign incidents'), ('acknowledge', 'acknowledge'), ('take_over', 'take over'), ('resolve', 'resolve by hand'), ('reopen', 'reopen'), ('inject_fault', 'inject faults'), ('restore', 'restore a service'), ('pause_agent', 'pause the agent'), ('configure', 'configure services'), ('send_read', 'send read requests'), ('send_write', 'send write requests'), ('simulate_traffic', 'simulate traffic'), ('view_reports', 'view reports'), ('write_postmortem', 'write a post-mortem'), ('exclude_learning', 'exclude learning records'), ('view_audit', 'view the audit trail')], max_length=30)),
                ('up_to', models.CharField(blank=True, choices=[('low', 'low'), ('medium', 'medium'), ('high', 'high'), ('critical', 'critical'), ('blocker', 'blocker')], help_text='The highest severity, for approve, reject, request changes and choose candidate.', max_length=10)),
                ('service_slug', models.SlugField(blank=True, help_text='Empty: on every service that has no row of its own.', max_length=40)),
                ('granted', models.BooleanField(default=True, help_text='Off: takes the right away on this service although it is given globally.')),
            ],
            options={
                'verbose_name': 'right',
                'verbose_name_plural': 'approval matrix',
                'ordering': ['service_slug', 'verb', 'role'],
            },
        ),
        migrations.AddConstraint(
            model_name='matrixrow',
            constraint=models.UniqueConstraint(fields=('role', 'verb', 'service_slug'), name='one_right_per_role_verb_service'),
        ),
    ]
