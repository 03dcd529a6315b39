"""The daily jobs of this app."""

from collections.abc import Iterator

from mcpsite.core.daily_jobs import Job, command


def jobs() -> Iterator[Job]:
    yield Job(title="expired sessions are deleted", run=command("clearsessions"))
