"""The Redis that the processes of the site share, if there is one."""

from collections.abc import Iterator

from mcpsite.core.findings import Finding
from mcpsite.core.shared_store import shared_store


def about_cache() -> Iterator[Finding]:
    """Yield whether the Redis of CACHE_URL answers; nothing if there is none."""
    store = shared_store()
    if store is None:
        return
    error = store.ask()
    if error is None:
        yield Finding(id="cache", level="ok", what="The Redis of CACHE_URL answers.")
        return
    yield Finding(
        id="cache-unreachable",
        level="warning",
        what=f"The Redis of CACHE_URL cannot be used ({type(error).__name__}), so each process counts "
        "limits by itself, and limits grow with the number of processes.",
        change="Check CACHE_URL and whether Redis is running; the site reconnects by itself.",
    )
