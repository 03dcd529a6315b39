"""The daily jobs of this app."""

from collections.abc import Iterator

from mcpsite.core.daily_jobs import Job
from mcpsite.uploads.queue import work_off


def jobs() -> Iterator[Job]:
    yield Job(title="waiting uploads are loaded, and old files are deleted", run=work_off)
