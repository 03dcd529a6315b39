"""`manage.py check_data`: check whether the stored data of data sets are consistent."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection, transaction
from django.db.models import Count, Sum

from mcpsite.datasets import checking
from mcpsite.datasets.models import SourceFile


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
            stored = SourceFile.objects.aggregate(files=Count("pk"), rows=Sum("rows", default=0))
        # An empty database has no problems either: the counts show that a restore brought back nothing.
        no_problems = "No problems found. Files: {files:,}, rows: {rows:,}.".format_map(stored)
        self.stdout.write("\n".join(found) or no_problems)
        if found:
            raise SystemExit(1)
