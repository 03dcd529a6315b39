"""Who may use how many of the database threads: no source of data can take them all.

A slow database then holds up the tools that read it and nobody else.
"""

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_source: ContextVar[str] = ContextVar("source", default="")

Waiting = tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]


@contextmanager
def work_of(source: str) -> Iterator[None]:
    """Count the database work that is begun in the block as this source's."""
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)


def current_source() -> str:
    """The source that this work is for; empty where it is the site's own."""
    return _source.get()


class Shares:
    """How much of each source is running, out of `threads`; safe to use from any thread and event loop.

    A quarter of the threads, at least one where there are two, is left to the others. The site's own work
    is not counted.
    """

    def __init__(self, threads: int) -> None:
        self._most = max(1, threads - max(1, threads // 4))
        self._lock = threading.Lock()
        self._running: defaultdict[str, int] = defaultdict(int)
        self._waiting: defaultdict[str, deque[Waiting]] = defaultdict(deque)

    async def take(self, source: str) -> None:
        """Wait until another piece of `source`'s work may run. What was taken has to be given back."""
        if not source:
            return
        with self._lock:
            if self._running[source] < self._most:
                self._running[source] += 1
                return
            loop = asyncio.get_running_loop()
            turn: asyncio.Future[None] = loop.create_future()
            self._waiting[source].append((loop, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(source)  # It came in the same moment.
            raise

    def give_back(self, source: str) -> None:
        """Let the next piece of `source`'s work run."""
        if not source:
            return
        with self._lock:
            if not self._waiting[source]:
                self._running[source] -= 1
                return
            loop, turn = self._waiting[source].popleft()

        def begin() -> None:
            if turn.done():  # Nobody waits for it any more.
                self.give_back(source)
            else:
                turn.set_result(None)

        try:
            loop.call_soon_threadsafe(begin)
        except RuntimeError:  # Its event loop has ended.
            self.give_back(source)
