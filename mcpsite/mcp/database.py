"""The database section: where a tool may touch the ORM when no Django request is around.

An app mounted beside Django gets no `request_started` and `request_finished`, so nobody closes
connections for it. Here a bounded pool of threads of our own runs the work, and each piece of work
starts and ends as a request would: a connection that is unusable or too old is closed on the thread
that holds it, a good one is kept for the next call.
"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import close_old_connections, connections, reset_queries

P = ParamSpec("P")
R = TypeVar("R")


@cache
def executor() -> ThreadPoolExecutor:
    """The threads that may hold a database connection: at most MCP_THREADS of each process."""
    return ThreadPoolExecutor(max_workers=settings.MCP_THREADS, thread_name_prefix="mcp-db")


async def in_database(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a synchronous function that uses the ORM, in a thread, and return what it returns.

    A cancelled wait (the deadline) also interrupts the statement that is running.
    """
    running = _Section()
    context = contextvars.copy_context()
    future = asyncio.get_running_loop().run_in_executor(
        executor(), context.run, running.run, function, args, kwargs
    )
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        running.interrupt()
        raise


class _Section:
    """One piece of work on one thread, which another thread may interrupt."""

    def __init__(self) -> None:
        self._driver: Any = None
        self._vendor = ""
        self._cancelled = False

    def run(self, function: Callable[..., R], args: Any, kwargs: Any) -> R:
        if self._cancelled:
            raise asyncio.CancelledError
        close_old_connections()
        connection = connections["default"]
        self._vendor = connection.vendor
        connection.ensure_connection()
        self._driver = connection.connection
        try:
            return function(*args, **kwargs)
        finally:
            self._driver = None
            reset_queries()
            close_old_connections()

    def interrupt(self) -> None:
        self._cancelled = True
        driver = self._driver
        if driver is None:
            return
        if self._vendor == "sqlite":
            driver.interrupt()
        elif self._vendor == "postgresql":
            driver.cancel()
