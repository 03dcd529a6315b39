"""`manage.py check_data`: look whether what is stored of data sets fits together."""

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
                # Whatever is loaded or curated meanwhile, all statements see the same.
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found = list(checking.problems())
        self.stdout.write("\n".join(found) or "No problems found.")
        if found:
            raise SystemExit(1)
