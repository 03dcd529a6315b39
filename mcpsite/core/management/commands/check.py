"""`manage.py check`: Django's own, which then checks whether the databases answer."""

from pathlib import Path
from typing import Any

from django.core.management.commands import check
from django.db import connections


class Command(check.Command):
    def handle(self, *labels: Any, **options: Any) -> None:
        super().handle(*labels, **options)
        if labels or options["tags"] or options["list_tags"]:
            return
        for connection in connections.all():
            name = connection.settings_dict["NAME"]
            # Connecting would create the file of a first start.
            if connection.vendor != "sqlite" or Path(name).exists() or not Path(name).parent.is_dir():
                connection.ensure_connection()
