"""Django's cache in Redis, and in this process's memory while Redis is away."""

from collections.abc import Callable
from functools import cache
from typing import Any

import redis
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache

from mcpsite.core.shared_store import options, store_at

MOST_ENTRIES = 10_000
"""In memory: a few more strangers must not push out the counters of those before them."""


@cache
def _redis(server: str, params: tuple[tuple[str, Any], ...]) -> RedisCache:
    """Return the process's connections to a server, which Django would open anew for each request."""
    return RedisCache(server, {**dict(params), "OPTIONS": options()})


class SharedCache(BaseCache):
    """A cache for `CACHES` whose LOCATION is the URL of a Redis that may go away."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._store = store_at(server)
        given = {name: value for name, value in params.items() if name != "OPTIONS"}
        self._redis = _redis(server, tuple(sorted(given.items())))
        self._memory = LocMemCache(server, {**given, "OPTIONS": {"MAX_ENTRIES": MOST_ENTRIES}})

    def _do(self, work: Callable[[BaseCache], Any]) -> Any:
        if self._store.is_usable():
            try:
                result = work(self._redis)
            except redis.RedisError as error:
                self._store.failed(error)
            else:
                self._store.succeeded()
                return result
        return work(self._memory)

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return bool(self._do(lambda cache: cache.add(key, value, timeout, version)))

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return self._do(lambda cache: cache.get(key, default, version))

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self._do(lambda cache: cache.set(key, value, timeout, version))

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return bool(self._do(lambda cache: cache.touch(key, timeout, version)))

    def delete(self, key: Any, version: int | None = None) -> bool:
        return bool(self._do(lambda cache: cache.delete(key, version)))

    def get_many(self, keys: Any, version: int | None = None) -> dict[Any, Any]:
        found: dict[Any, Any] = self._do(lambda cache: cache.get_many(keys, version))
        return found

    def has_key(self, key: Any, version: int | None = None) -> bool:
        return bool(self._do(lambda cache: cache.has_key(key, version)))

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        return int(self._do(lambda cache: cache.incr(key, delta, version)))

    def set_many(self, data: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> list[Any]:
        failed: list[Any] = self._do(lambda cache: cache.set_many(data, timeout, version))
        return failed

    def delete_many(self, keys: Any, version: int | None = None) -> None:
        self._do(lambda cache: cache.delete_many(keys, version))

    def clear(self) -> None:
        self._do(lambda cache: cache.clear())
