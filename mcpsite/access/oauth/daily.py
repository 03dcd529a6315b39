"""The daily jobs of this app."""

from collections.abc import Iterator

from mcpsite.access.oauth.unused import delete_unused
from mcpsite.core.daily_jobs import Job, command


def jobs() -> Iterator[Job]:
    yield Job(title="expired tokens are deleted", run=command("cleartokens"))
    yield Job(title="clients that never got a token are deleted", run=delete_unused)
