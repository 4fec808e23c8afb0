"""The rights of a new installation, and the empty head of its audit trail."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from teams.default_matrix import rows


def seed(apps: Any, schema_editor: Any) -> None:
    matrix_row = apps.get_model("teams", "MatrixRow")
    for role, verb, up_to in rows():
        matrix_row.objects.get_or_create(
            role=role, verb=verb, service_slug="", defaults={"up_to": up_to}
        )
    apps.get_model("teams", "AuditHead").objects.get_or_create(pk=1)


class Migration(migrations.Migration):
    dependencies = [("teams", "0005_audit_trail")]

    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
