"""The database section: where a tool may touch the ORM when no Django request is around.

An app mounted beside Django gets no `request_started` and `request_finished`, so nobody closes
connections for it. Here a bounded pool of threads of our own runs the work, and each piece of work
starts and ends as a request would: a connection that is unusable or too old is closed on the thread
that holds it, a good one is kept for the next call.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import close_old_connections, connection, connections

CLOSING_SECONDS = 10
"""How long the end of the process waits for work that is still running."""

P = ParamSpec("P")
R = TypeVar("R")


class DatabaseThreads:
    """The threads that may hold a database connection: at most `size` of this process."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._executor = ThreadPoolExecutor(size, "mcp-db")

    async def run(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `function` in a database section and return what it returns.

        When the wait is cancelled (the deadline), the statement that is running is interrupted, and
        work that still stands in the queue is dropped.
        """
        section = _Section()
        context = contextvars.copy_context()
        future = asyncio.get_running_loop().run_in_executor(
            self._executor, context.run, section.run, function, args, kwargs
        )
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(_retrieve)
            section.abandon()
            raise

    def close(self) -> None:
        """End the threads, and with each its connection."""
        together = threading.Barrier(self._size)

        def part() -> None:
            # Each thread has to take one of these, so none may finish before all have begun.
            with suppress(threading.BrokenBarrierError):
                together.wait(CLOSING_SECONDS)
            connections.close_all()

        for _ in range(self._size):
            self._executor.submit(part)
        self._executor.shutdown(wait=True)


_threads: DatabaseThreads | None = None


def database_threads() -> DatabaseThreads:
    """The process's threads, made when first needed."""
    global _threads
    if _threads is None:
        _threads = DatabaseThreads(settings.MCP_THREADS)
    return _threads


def close_database_threads() -> None:
    """End the process's threads; the next use makes new ones."""
    global _threads
    threads, _threads = _threads, None
    if threads is not None:
        threads.close()


async def in_database(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a synchronous function that uses the ORM in one of the process's database threads."""
    return await database_threads().run(function, *args, **kwargs)


def _retrieve(future: "asyncio.Future[Any]") -> None:
    """Look at an outcome nobody waits for any more, so that asyncio does not report it as lost."""
    if not future.cancelled():
        future.exception()


class _Section:
    """One piece of work on one thread, which the event loop may give up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._driver: Any = None
        self._abandoned = False

    def run(self, function: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        close_old_connections()
        connection.ensure_connection()
        with self._lock:
            if self._abandoned:
                raise TimeoutError
            self._driver = connection.connection
        try:
            return function(*args, **kwargs)
        finally:
            with self._lock:
                self._driver = None
            close_old_connections()

    def abandon(self) -> None:
        self._abandoned = True
        # Its own thread: psycopg opens a connection to cancel a statement, and the loop must not wait.
        threading.Thread(target=self._interrupt, name="mcp-db-interrupt", daemon=True).start()

    def _interrupt(self) -> None:
        with self._lock:
            if self._driver is None:
                return
            if connection.vendor == "sqlite":
                self._driver.interrupt()
            else:
                self._driver.cancel_safe(timeout=5)
