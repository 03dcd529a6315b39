"""How many passwords a process checks at once.

Each check occupies a processor for a good part of a second, by design, so a burst of them would leave none
for anybody else. One is checked at a time for browsers and addresses that signed in before, and one for all
others; a few wait for their turn, and the others are asked to come back.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

WAITING = 2
"""Each waits with one of the site's PAGE_THREADS, and maybe a connection to the database."""
WAIT_SECONDS = 3.0
RETRY_SECONDS = 5


class Busy(Exception):
    """This password's turn would come too late."""


class HashingQueue:
    """A queue that runs one after the other and lets a few wait."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(1 + WAITING)
        self._turn = threading.BoundedSemaphore(1)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and hold it during the block. Raises Busy."""
        if not self._places.acquire(blocking=False):
            raise Busy
        try:
            if not self._turn.acquire(timeout=WAIT_SECONDS):
                raise Busy
            try:
                yield
            finally:
                self._turn.release()
        finally:
            self._places.release()


OF_STRANGERS = HashingQueue()
OF_KNOWN = HashingQueue()
"""Separate, because a burst of strangers must not delay those who signed in before."""
