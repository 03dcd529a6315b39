"""`manage.py daily`: all daily jobs, for one line of cron or one timer."""

import logging
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mcpsite.core import daily_jobs, exclusive

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Run the daily jobs: delete expired tokens and sessions, and tool calls and changes that are "
        "older than AUDIT_KEEP_DAYS and HISTORY_KEEP_DAYS; load uploads that wait and delete old ones. "
        "If a job fails, the others still run, and the exit code is 1."
    )

    def handle(self, *_: str, **__: Any) -> None:
        with exclusive.alone("daily", wait=False) as free:
            if not free:
                self.stdout.write("Another process is running the daily jobs.")
                return
            failed = [job.title for job in daily_jobs.jobs() if not self._done(job)]
        if failed:
            raise CommandError(
                f"These jobs failed: {', '.join(failed)}. See the log for the reasons.", returncode=1
            )

    def _done(self, job: daily_jobs.Job) -> bool:
        try:
            job.run()
        except Exception:
            logger.exception("A daily job failed: %s.", job.title)
            return False
        self.stdout.write(f"Done: {job.title}.")
        return True
