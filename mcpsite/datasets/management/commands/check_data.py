"""`manage.py check_data`: look whether what is stored of data sets fits together."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection, transaction
from django.db.models import Count, Sum

from mcpsite.datasets import checking
from mcpsite.datasets.models import SourceFile


class Command(BaseCommand):
    help = (
        "Look whether what is stored of data sets fits together: rows, counts, loads and what curators want. "
        "Says what does not, and ends with 1 then."
    )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        alone = not connection.in_atomic_block
        with transaction.atomic():
            if alone and connection.vendor == "postgresql":
                # Whatever is loaded or curated meanwhile, all statements see the same.
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found = list(checking.problems())
            stored = SourceFile.objects.aggregate(files=Count("pk"), rows=Sum("rows", default=0))
        # Of a database that was restored wrongly nothing is wrong but that there is nothing in it.
        all_is_well = "All fits together. Files: {files:,}, rows: {rows:,}.".format_map(stored)
        self.stdout.write("\n".join(found) or all_is_well)
        if found:
            raise SystemExit(1)
