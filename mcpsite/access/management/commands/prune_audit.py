from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from mcpsite.access.models import AuditEvent
from mcpsite.core.commandline import days

BATCH = 5000
"""Rows deleted at once: other writers wait no longer than for these."""


class Command(BaseCommand):
    help = "Delete tool calls older than N days from the audit trail; run it daily, for example with cron."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--days", type=days, required=True, metavar="N", help="keep the calls of the last N days"
        )

    def handle(self, *_: str, **options: Any) -> None:
        before = timezone.now() - timedelta(days=options["days"])
        deleted = 0
        while old := list(
            AuditEvent.objects.filter(time__lt=before).order_by("time").values_list("pk")[:BATCH]
        ):
            count, _ignored = AuditEvent.objects.filter(pk__in=[pk for (pk,) in old]).delete()
            deleted += count
        self.stdout.write(f"Deleted {deleted:,} tool calls from before {before:%Y-%m-%d %H:%M} UTC.")
