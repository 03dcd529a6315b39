"""`manage.py check_data`: check whether the stored data of data sets are consistent."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection, transaction

from mcpsite.datasets import checking


class Command(BaseCommand):
    help = (
        "Check that the stored rows, counts, loads and edits of the data sets are consistent. Lists what "
        "is not, and then exits with 1."
    )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        alone = not connection.in_atomic_block
        with transaction.atomic():
            if alone and connection.vendor == "postgresql":
                # All statements see the same, whatever is loaded or curated meanwhile.
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found = list(checking.problems())
        self.stdout.write("\n".join(found) or "No problems found.")
        if found:
            raise SystemExit(1)
