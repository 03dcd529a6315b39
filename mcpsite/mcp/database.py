"""The database section: where a tool may use the ORM outside of a Django request.

An app mounted beside Django gets no `request_started` and `request_finished`, so nobody closes
connections for it. Here a bounded pool of our own threads runs the work, and each piece of work starts
and ends as a request would: a connection that is unusable or too old is closed on the thread that holds
it, a good one is kept for the next call.
"""

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, ParamSpec, TypeVar

import psycopg
from django.conf import settings
from django.db import close_old_connections, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from mcpsite.core import metrics, tracing
from mcpsite.core.interrupts import interrupt, is_busy, sever
from mcpsite.mcp.shares import (
    Shares,
    current_work,
    of_one_person,
    of_one_person_in_one_source,
    of_one_source,
)

CLOSING_SECONDS = 10
"""How long the end of the process waits for work that is still running."""

P = ParamSpec("P")
R = TypeVar("R")


PATIENCE_SECONDS = 0.003
"""How long work waits for one of the first threads before another one does it."""

FIRST = {"postgresql": 2}
"""How many threads are the first, unless one: while one of them waits for a server, another may compute."""

INTERRUPT_SECONDS = 0.25
"""The time between an interrupt and the next one, if the work goes on."""
MOST_INTERRUPTS = 8
"""After so many in vain a connection is cut off; at once if its server cannot be reached."""


class DatabaseThreads:
    """The threads that may hold a database connection: at most `size` of this process.

    The `first` threads do what they can: with few connections and sets of warm caches, and few threads to
    share the interpreter's lock with, short calls take a third less than spread over many. Work that they
    have not begun after PATIENCE_SECONDS, because something slow comes first, goes to the other threads.
    """

    def __init__(self, size: int, first: int = 1) -> None:
        first = min(first, size)
        self._first = ThreadPoolExecutor(first, "mcp-db-first")
        self._others = ThreadPoolExecutor(size - first, "mcp-db") if size > first else self._first
        # In this order, because they may be the same one.
        self._sizes = {self._others: size - first, self._first: first}
        self._sources, self._people = Shares(of_one_source(size)), Shares(of_one_person(size))
        self._people_in_sources = Shares(of_one_person_in_one_source(size))

    async def run(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `function` in a database section and return what it returns.

        If the wait is cancelled (the deadline), the running statement is interrupted, on whichever
        database it runs, and work that is still in the queue is dropped.
        """
        with _Wait() as wait:
            return await self._run(_Section(await self._admit(), wait), function, args, kwargs)

    async def _run(
        self,
        section: "_Section",
        function: Callable[..., R],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> R:
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

    async def _admit(self) -> Callable[[], None]:
        """Wait until the current work may run; return a function to be called when it is over."""
        source, person = current_work()
        both = f"{person}\n{source}" if person and source else ""
        admitted: list[tuple[Shares, str]] = []

        def release() -> None:
            for shares, name in reversed(admitted):
                shares.release(name)

        try:
            # A person who waits for a source occupies only their places in it.
            for shares, name in (
                (self._people_in_sources, both),
                (self._people, person),
                (self._sources, source),
            ):
                await shares.acquire(name)
                admitted.append((shares, name))
        except BaseException:
            release()
            raise
        return release

    @staticmethod
    def _submit(
        executor: ThreadPoolExecutor,
        work: Callable[[], R],
        loop: asyncio.AbstractEventLoop,
        answer: "asyncio.Future[R]",
    ) -> "Future[R]":
        """Do `work` in `executor` and give its result to `answer`, unless it is cancelled before."""

        def settle(done: "Future[R]") -> None:
            if answer.done():
                return
            error = done.exception()
            if error is None:
                answer.set_result(done.result())
            else:
                answer.set_exception(error)

        def deliver(done: "Future[R]") -> None:
            if not done.cancelled():
                # An event loop that has ended waits for no answer.
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(settle, done)

        future = executor.submit(work)
        future.add_done_callback(deliver)
        return future

    def close(self) -> None:
        """End the threads, and with each its connection."""
        for pool, size in self._sizes.items():
            together = threading.Barrier(size)
            for _ in range(size):
                pool.submit(_close_connections, together)
        for pool in self._sizes:
            pool.shutdown(wait=True)


def _close_connections(together: threading.Barrier) -> None:
    # Each thread of a pool has to get one of these, so none may finish before all have begun.
    with suppress(threading.BrokenBarrierError):
        together.wait(CLOSING_SECONDS)
    connections.close_all()


_threads: dict[str, DatabaseThreads] = {}


def database_threads() -> DatabaseThreads:
    """Return the process's threads for calls, made when first needed."""
    return _threads.get("calls") or _threads.setdefault(
        "calls", DatabaseThreads(settings.MCP_THREADS, FIRST.get(connection.vendor, 1))
    )


def close_database_threads() -> None:
    """End the process's threads; the next use makes new ones."""
    while _threads:
        _threads.popitem()[1].close()


async def in_database(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a synchronous function that uses the ORM in one of the process's database threads."""
    return await database_threads().run(function, *args, **kwargs)


async def in_spare_thread(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a short query in a thread that no call keeps busy."""
    spare = _threads.get("spare") or _threads.setdefault("spare", DatabaseThreads(1))
    return await spare.run(function, *args, **kwargs)


def _retrieve(future: "asyncio.Future[Any]") -> None:
    """Retrieve an outcome that nobody waits for any more, so that asyncio does not report it as lost."""
    if not future.cancelled():
        future.exception()


class _Wait:
    """A context manager: how long the work of a call waits for a thread, until it begins or is given up."""

    current: ClassVar[set["_Wait"]] = set()

    def __enter__(self) -> "_Wait":
        self._since = time.perf_counter()
        if current_work().source:
            self.current.add(self)
        return self

    def end(self) -> None:
        # Of two threads that come here at once only one removes it.
        with suppress(KeyError):
            self.current.remove(self)
            seconds = time.perf_counter() - self._since
            metrics.queue_seconds.observe(seconds)
            tracing.note(queue_seconds=seconds)

    def __exit__(self, *_: object) -> None:
        self.end()


def waiting() -> int:
    """Return how much work of calls waits for a thread of this process."""
    return len(_Wait.current)


_sections = threading.local()
"""The section that runs on this thread."""


class _Section:
    """A piece of work on one thread, which the event loop may give up."""

    def __init__(self, when_over: Callable[[], None], wait: _Wait) -> None:
        self._when_over = when_over
        self._wait = wait
        self._lock = threading.Lock()
        self._wrappers: list[BaseDatabaseWrapper] = []
        self._begun = self._abandoned = False
        self._over = threading.Event()

    def run(self, function: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        _sections.current = self
        self._wait.end()
        try:
            close_old_connections()
            with self._lock:
                if self._abandoned:
                    raise TimeoutError
                self._begun = True
                self._wrappers = list(connections.all(initialized_only=True))
            connection.ensure_connection()
            return function(*args, **kwargs)
        finally:
            _sections.current = None
            with self._lock:
                self._over.set()
            try:
                if self._abandoned:
                    self._discard()
                close_old_connections()
            finally:
                self._when_over()

    def opened(self, wrapper: BaseDatabaseWrapper) -> None:
        """Note a connection that this section's thread has opened."""
        if wrapper not in self._wrappers:
            self._wrappers.append(wrapper)

    def abandon(self) -> None:
        """End the work: it is not begun, or the statement that it waits for is interrupted."""
        with self._lock:
            self._abandoned = True
            if not self._begun or self._over.is_set():
                return
        # In a separate thread: psycopg opens a connection to cancel a statement, and the loop must not wait.
        threading.Thread(target=self._interrupt, name="mcp-db-interrupt", daemon=True).start()

    def _interrupt(self) -> None:
        """Interrupt until the work is over: it may be between two statements, or begin another one."""
        interrupts = 0
        while True:
            with self._lock:
                if self._over.is_set():
                    return
                for wrapper in list(self._wrappers):
                    reached = interrupt(wrapper)
                    if is_busy(wrapper.connection) and (not reached or interrupts >= MOST_INTERRUPTS):
                        sever(wrapper.connection)
            interrupts += 1
            self._over.wait(min(INTERRUPT_SECONDS * interrupts, 2.0))

    def _discard(self) -> None:
        """Close the connections to servers: a late interrupt must not hit the next one's statement."""
        for wrapper in self._wrappers:
            if isinstance(wrapper.connection, psycopg.Connection):
                wrapper.connection.close()  # no pool may keep it
                wrapper.close()


def _note_opened(*, connection: BaseDatabaseWrapper, **_: object) -> None:
    section: _Section | None = getattr(_sections, "current", None)
    if section is not None:
        section.opened(connection)


connection_created.connect(_note_opened, dispatch_uid="mcpsite.mcp.database")
