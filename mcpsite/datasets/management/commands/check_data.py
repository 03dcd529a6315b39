"""`manage.py check_data`: check whether the stored data of data sets are consistent."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection, transaction

from mcpsite.datasets import checking


class Command(BaseCommand):
    help = (
        "Look whether what is stored of data sets fits together: rows, counts, loads and what curators want. "
        "Says what does not, and ends with 1 then."
    )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        alone = not connection.in_atomic_block
        with transaction.atomic():
            if alone and connection.vendor == "postgresql":
                # All statements see the same, whatever is loaded or curated meanwhile.
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found = list(checking.problems())
        self.stdout.write("\n".join(found) or "All fits together.")
        if found:
            raise SystemExit(1)
