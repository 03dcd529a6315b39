"""`manage.py prune_history --days N`: deletes old changes."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from mcpsite.core.commandline import days
from mcpsite.history.models import Change, ChangedObject

BATCH = 5000
"""Rows deleted at once: other writers wait no longer than for these."""


class Command(BaseCommand):
    help = (
        "Delete changes older than N days from the history; they can no longer be read or reverted. The "
        "data itself does not change."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--days", type=days, required=True, metavar="N", help="keep the changes of the last N days"
        )

    def handle(self, *_: str, **options: Any) -> None:
        before = timezone.now() - timedelta(days=options["days"])
        deleted = 0
        while change := Change.objects.filter(time__lt=before).order_by("time").first():
            while old := list(change.changed.values_list("pk", flat=True)[:BATCH]):
                ChangedObject.objects.filter(pk__in=old).delete()
            change.delete()
            deleted += 1
        self.stdout.write(f"Deleted {deleted:,} changes from before {before:%Y-%m-%d %H:%M} UTC.")
