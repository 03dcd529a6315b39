"""The Redis of CACHE_URL, which all processes share, and whether it can be used now.

After a failure it is left alone for a while, because not every request should wait for its time limit; then
one request tries it again, and the others go on without it until that one gets an answer.
"""

import logging
import math
import threading
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings

if TYPE_CHECKING:
    # It takes a tenth of the start of a command, and most sites have no Redis.
    import redis

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 0.25
PAUSE_SECONDS = 5.0
LOG_SECONDS = 60.0
SCHEMES = ("redis://", "rediss://", "unix://")


class SharedStore:
    """A Redis, as this process last found it; safe to use from any thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._away = False
        self._next_try = 0.0
        self._logged_at = -math.inf

    def is_usable(self) -> bool:
        """Return whether to try it: always while it answers, otherwise once in PAUSE_SECONDS."""
        if not self._away:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._next_try:
                return False
            self._next_try = now + PAUSE_SECONDS
            return True

    @property
    def away(self) -> bool:
        """Whether the last use of it failed."""
        return self._away

    def failed(self, error: BaseException) -> None:
        """Remember that it could not be used."""
        with self._lock:
            now = time.monotonic()
            self._away, self._next_try = True, now + PAUSE_SECONDS
            if now - self._logged_at < LOG_SECONDS:
                return
            self._logged_at = now
        # The error's own text may contain the address with its password.
        logger.error(
            "The Redis of CACHE_URL cannot be used (%s): until it is back, each process counts and "
            "remembers by itself.",
            type(error).__name__,
        )

    def succeeded(self) -> None:
        """Remember that it answered."""
        if self._away:
            self._away = False
            self._logged_at = -math.inf
            logger.warning("The Redis of CACHE_URL is back.")

    def ask(self) -> "redis.RedisError | None":
        """Try it now; return the error, or None if it answers."""
        import redis

        try:
            with redis.from_url(self._url, **options()) as client:
                client.ping()
        except redis.RedisError as error:
            self.failed(error)
            return error
        self.succeeded()
        return None


def options() -> dict[str, Any]:
    """Return options with which redis-py gives up soon."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return {
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "socket_timeout": TIMEOUT_SECONDS,
        # Retry once, for a connection that the server has closed since it was last used.
        "retry": Retry(NoBackoff(), 1),
    }


@cache
def store_at(url: str) -> SharedStore:
    """Return this process's view of the Redis at `url`."""
    return SharedStore(url)


def shared_store() -> SharedStore | None:
    """Return the Redis that the settings name; None if processes share nothing."""
    url = settings.CACHES["default"].get("LOCATION", "")
    return store_at(url) if url.startswith(SCHEMES) else None
