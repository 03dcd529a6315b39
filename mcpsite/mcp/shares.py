"""Who may use how many database threads: neither a data source nor a person can occupy them all.

A slow database then holds up only the tools that read it, and one person's slow calls leave the same tools to
others, and other tools to that person.
"""

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class Work(NamedTuple):
    """What a piece of work belongs to; empty for the site's own work."""

    source: str = ""
    person: str = ""


_work: ContextVar[Work] = ContextVar("work", default=Work())  # noqa: B039 (immutable)

Waiting = tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]


@contextmanager
def work_of(source: str, person: str = "") -> Iterator[None]:
    """Count database work that begins in the block as this source's and this person's."""
    token = _work.set(Work(source, person))
    try:
        yield
    finally:
        _work.reset(token)


def current_work() -> Work:
    """Return what work that begins now belongs to."""
    return _work.get()


def of_one_source(threads: int) -> int:
    """Return how many threads a source may use: a quarter, at least one of two, is left to others."""
    return max(1, threads - max(1, threads // 4))


def of_one_person(threads: int) -> int:
    """Return how many a person may use: fewer than half from five threads on, two of four, one of fewer.

    So even a person who calls in two ways at once, by a client and on the try-out page, cannot occupy all.
    """
    return max(min(2, threads // 2), (threads - 1) // 2)


def of_one_person_in_one_source(threads: int) -> int:
    """Return how many a person may use in one source: one less, so that their other tools answer."""
    return max(1, of_one_person(threads) - 1)


class Shares:
    """How much work of each name is running, at most `most`; safe to use from any thread and event loop.

    Work without a name is not counted.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._running: defaultdict[str, int] = defaultdict(int)
        self._waiting: defaultdict[str, deque[Waiting]] = defaultdict(deque)

    async def acquire(self, name: str) -> None:
        """Wait until another piece of this work may run. It has to be released afterwards."""
        if not name:
            return
        with self._lock:
            if self._running[name] < self._most:
                self._running[name] += 1
                return
            loop = asyncio.get_running_loop()
            turn: asyncio.Future[None] = loop.create_future()
            self._waiting[name].append((loop, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(name)  # It came at the same moment.
            raise

    def release(self, name: str) -> None:
        """Let the next piece of this work run."""
        if not name:
            return
        with self._lock:
            if not self._waiting[name]:
                del self._waiting[name]
                self._running[name] -= 1
                if not self._running[name]:
                    del self._running[name]
                return
            loop, turn = self._waiting[name].popleft()

        def begin() -> None:
            if turn.done():  # Nobody waits for it any more.
                self.release(name)
            else:
                turn.set_result(None)

        try:
            loop.call_soon_threadsafe(begin)
        except RuntimeError:  # Its event loop has ended.
            self.release(name)
