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
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import close_old_connections, connection, connections

CLOSING_SECONDS = 10
"""How long the end of the process waits for work that is still running."""

P = ParamSpec("P")
R = TypeVar("R")


PATIENCE_SECONDS = 0.003
"""How long work waits for the first thread before another one takes it."""


class DatabaseThreads:
    """The threads that may hold a database connection: at most `size` of this process.

    The first thread does what it can: with one connection and one set of warm caches, and only one
    thread to share the interpreter's lock with, short calls take a third less than spread over many.
    What it has not begun after PATIENCE_SECONDS, because something slow is before it, goes to the
    others.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._first = ThreadPoolExecutor(1, "mcp-db-first")
        self._others = ThreadPoolExecutor(size - 1, "mcp-db") if size > 1 else self._first

    async def run(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `function` in a database section and return what it returns.

        When the wait is cancelled (the deadline), the statement that is running is interrupted, and
        work that still stands in the queue is dropped.
        """
        section = _Section()
        work = partial(contextvars.copy_context().run, section.run, function, args, kwargs)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()
        begun = self._submit(self._first, work, loop, answer)

        def pass_on() -> None:
            if begun.cancel():
                self._submit(self._others, work, loop, answer)

        waiting = loop.call_later(PATIENCE_SECONDS, pass_on) if self._others is not self._first else None
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            answer.add_done_callback(_retrieve)
            section.abandon()
            raise
        finally:
            if waiting is not None:
                waiting.cancel()

    @staticmethod
    def _submit(
        executor: ThreadPoolExecutor,
        work: Callable[[], R],
        loop: asyncio.AbstractEventLoop,
        answer: "asyncio.Future[R]",
    ) -> "Future[R]":
        """Do `work` in `executor` and give what comes of it to `answer`, unless it is cancelled before."""

        def settle(done: "Future[R]") -> None:
            if answer.done():
                return
            error = done.exception()
            if error is None:
                answer.set_result(done.result())
            else:
                answer.set_exception(error)

        def tell(done: "Future[R]") -> None:
            if not done.cancelled():
                # A loop that has ended waits for no answer.
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(settle, done)

        future = executor.submit(work)
        future.add_done_callback(tell)
        return future

    def close(self) -> None:
        """End the threads, and with each its connection."""
        others = self._size - 1
        self._first.submit(connections.close_all)
        together = threading.Barrier(max(1, others))

        def part() -> None:
            # Each thread has to take one of these, so none may finish before all have begun.
            with suppress(threading.BrokenBarrierError):
                together.wait(CLOSING_SECONDS)
            connections.close_all()

        for _ in range(others):
            self._others.submit(part)
        self._first.shutdown(wait=True)
        self._others.shutdown(wait=True)


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
