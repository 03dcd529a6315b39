"""Leaves a failed store alone for a while, because not every search should wait for it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.conf import settings

from transcripts.stores.base import StoreUnavailable

LONGEST_PAUSE = 300.0
"""Seconds."""


class LeftAlone(StoreUnavailable):
    """The store was not asked."""


class Breaker:
    """Lets questions to a store pass while it answers. Belongs to this process; safe across threads.

    After a failure the store is asked nothing for `pause` seconds, or as long as it said itself. Then one
    question passes while the others still do not: if it fails, the pause is twice as long, up to
    LONGEST_PAUSE; if it is answered, all is as before.
    """

    def __init__(self, pause: float) -> None:
        self._first = pause
        self._lock = threading.Lock()
        self._pause = 0.0
        """How long the store is left alone now; 0 while it answers."""
        self._until = 0.0
        self._probed = False
        """Whether a question is now finding out if the store is back."""

    @property
    def closed(self) -> bool:
        """Whether the store answered when it was last asked."""
        return not self._pause

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Enclose one question to the store. Raises StoreUnavailable, at once while it is left alone."""
        probe = self._admit()
        try:
            yield
        except StoreUnavailable as error:
            self._failed(probe=probe, wanted=error.retry_after)
            raise
        except BaseException:
            # The wait was given up, or it is a fault of ours: neither says anything about the store.
            self._end_probe(probe=probe)
            raise
        self._answered()

    def _admit(self) -> bool:
        """Return whether the question is the one that finds out. Raises StoreUnavailable."""
        with self._lock:
            if not self._pause:
                return False
            left = self._until - time.monotonic()
            if left > 0 or self._probed:
                raise LeftAlone("It did not answer recently and will be tried again in a while.")
            self._probed = True
            return True

    def _failed(self, *, probe: bool, wanted: float) -> None:
        with self._lock:
            if self._pause and not probe:
                return  # Asked before the first failure was known; it says nothing new.
            self._pause = (
                min(max(2 * self._pause, self._first, wanted), LONGEST_PAUSE) if self._first else 0.0
            )
            self._until = time.monotonic() + self._pause
            self._probed = False

    def _end_probe(self, *, probe: bool) -> None:
        with self._lock:
            self._probed = self._probed and not probe

    def _answered(self) -> None:
        with self._lock:
            self._pause, self._probed = 0.0, False


def breaker(name: str) -> Breaker:
    """Return the breaker of the store called `name`, configured by the settings."""
    return _breaker(
        name, settings.OPENAI_BASE_URL, settings.VECTOR_STORE_ID, settings.TRANSCRIPT_STORE_PAUSE_SECONDS
    )


@cache
def _breaker(_name: str, _server: str, _store: str, pause: float) -> Breaker:
    return Breaker(pause)
