"""The daily jobs of this app."""

from collections.abc import Iterator

from django.conf import settings

from mcpsite.core.daily_jobs import Job, command


def jobs() -> Iterator[Job]:
    if days := settings.AUDIT_KEEP_DAYS:
        yield Job(
            title=f"tool calls older than {days} days are deleted",
            run=command("prune_audit", "--days", str(days)),
        )
