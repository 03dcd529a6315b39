"""`manage.py migrate`: Django's own, which waits while another process migrates the same database."""

from typing import Any

from django.core.management.commands import migrate

from mcpsite.core import exclusive


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        # Django looks at what is applied and then applies the rest; two that do so at once make tables twice.
        with exclusive.alone("migrate", wait=True, using=options["database"]):
            super().handle(*args, **options)
