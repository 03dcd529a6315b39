"""Statistics for databases that were loaded before `load_airfare` made them."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from airfare import statistics


def renew(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:  # noqa: ARG001 (Django's signature)
    statistics.refresh()


class Migration(migrations.Migration):
    dependencies = [("airfare", "0003_limit_source_files_to_groups")]
    operations = [migrations.RunPython(renew, migrations.RunPython.noop)]
