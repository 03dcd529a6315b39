"""What a process remembers of its results: one store for every data set, bounded in bytes."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from sys import getsizeof
from typing import Any

MOST_BYTES = 48 << 20
ENTRY = 600
"""Bytes of an entry beside its value: for its key and its place."""


class Memory:
    """Values by key, each with its size; the least recently used is forgotten first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self.bytes = self.hits = self.misses = 0

    def get(self, key: Hashable) -> Any:
        """Return what is remembered under `key`, or None."""
        with self._lock:
            found = self._entries.get(key)
            if found is None:
                self.misses += 1
                return None
            self.hits += 1
            self._entries.move_to_end(key)
            return found[0]

    def keep(self, key: Hashable, value: Any, size: int) -> None:
        """Remember `value`, which nobody may change and which takes `size` bytes, if there is room for it."""
        size += ENTRY
        with self._lock:
            self._drop(key)
            if size > self._most:
                return
            self._entries[key] = (value, size)
            self.bytes += size
            while self.bytes > self._most:
                self._drop(next(iter(self._entries)))

    def forget(self, chosen: Callable[[Any], bool]) -> None:
        """Drop the entries whose key is `chosen`."""
        with self._lock:
            for key in [key for key in self._entries if chosen(key)]:
                self._drop(key)

    def _drop(self, key: Hashable) -> None:
        _, size = self._entries.pop(key, (None, 0))
        self.bytes -= size


memory = Memory()
"""The process's only instance."""


def size_of(value: Any) -> int:
    """Return roughly how many bytes `value` takes, a tree of plain values; names of fields are shared."""
    if isinstance(value, dict):
        return getsizeof(value) + sum(map(size_of, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return getsizeof(value) + sum(map(size_of, value))
    if is_dataclass(value):
        return getsizeof(value) + sum(size_of(getattr(value, each.name)) for each in fields(value))
    return getsizeof(value)


def size_of_rows(rows: list[dict[str, Any]]) -> int:
    """Return the same for rows without values inside values, at the speed of C."""
    return getsizeof(rows) + sum(getsizeof(row) + sum(map(getsizeof, row.values())) for row in rows)
