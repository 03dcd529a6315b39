"""Slow questions that a page must not wait for: the last answer is shown, and renewed in the background."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Generic, NamedTuple, TypeVar

from django.db import connections

logger = logging.getLogger(__name__)

R = TypeVar("R")


class Seen(NamedTuple, Generic[R]):
    """An answer, and the time it was given."""

    answer: R
    at: datetime


class Watch(Generic[R]):
    """A question, its last answer, and at most one thread that asks. Belongs to this process."""

    def __init__(self, question: Callable[[], R], *, seconds: float) -> None:
        """Watch `question`, which runs in a separate thread and may use the database.

        Its answer is good for `seconds`.
        """
        self._question = question
        self._seconds = seconds
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._asked_at = 0.0
        self._seen: Seen[R] | None = None

    @property
    def seen(self) -> Seen[R] | None:
        """The last answer, however old; None before the first."""
        return self._seen

    @property
    def busy(self) -> bool:
        """Whether the question is being asked now."""
        return self._thread is not None and self._thread.is_alive()

    def look(self) -> Seen[R] | None:
        """Return the last answer; ask again, without waiting, if it is too old."""
        if not self._asked_at or time.monotonic() - self._asked_at >= self._seconds:
            self.ask()
        return self._seen

    def ask(self) -> None:
        """Ask now, unless somebody is asking. Does not wait."""
        with self._lock:
            if self.busy:
                return
            self._asked_at = time.monotonic()
            self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
            self._thread.start()

    def wait(self, seconds: float) -> None:
        """Wait until the current question is answered, at most `seconds`."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._seen = Seen(self._question(), datetime.now(UTC))
        except Exception:
            # Nobody waits for the thread, so what it raises would go unseen. The last answer stays.
            logger.exception("A background look failed.")
        finally:
            connections.close_all()
