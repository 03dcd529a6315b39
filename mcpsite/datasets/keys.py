"""Which row of which file a row is, over all loads of the file: the name in links, edits and the history.

A row's key is made from its data set and the name of its file, from the file's values in the columns of its
identity, and from its number among the rows with the same values. Keys of one day are adjacent, so rows that
are written together are together in the index of keys.
"""

import datetime
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import repeat
from typing import Any

from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.kinds import NO_DAY

_SEPARATOR = "\x1f"
"""No cell contains it, because control characters are removed from cells."""
_NO_DAY = str(NO_DAY)
_DIGEST_BITS = 43
_DAY_BITS = 20


class Keys:
    """Gives the rows of one file their keys, in the order of the file."""

    def __init__(self, data_set: DataSet, name: str) -> None:
        """Make keys for the file `name`."""
        self._data_set = data_set
        self._name = f"{data_set.label}{_SEPARATOR}{name}{_SEPARATOR}".encode()
        self._days: dict[str, int] = {}
        self._first: set[int] = set()
        self._again: dict[int, int] = {}
        """For keys that came more than once: how often after the first time."""

    def of(self, columns: Mapping[str, Sequence[Any]]) -> list[int]:
        """Return the key of each row of `columns`, by name."""
        said = [self._said(name, columns[name]) for name in self._data_set.identity]
        joined = list(map(_SEPARATOR.join, zip(*said, strict=True)))
        days: Sequence[int] = list(repeat(0, len(joined)))
        if self._data_set.day:
            days = [self._days.get(day) or self._day(day) for day in columns[self._data_set.day]]
        keys = list(map(self._key, joined, days))
        first, again = self._first, self._again
        if len(set(keys)) == len(keys) and first.isdisjoint(keys):
            first.update(keys)
            return keys
        for place, key in enumerate(keys):
            if key in first:
                again[key] = nth = again.get(key, 0) + 1
                keys[place] = self._again_key(joined[place], nth, days[place])
            else:
                first.add(key)
        return keys

    def equals(self, key: int, said: Sequence[Any], number: int) -> list[int]:
        """Return the keys of the first `number` rows with the same values in the file as that of `key`."""
        joined, day = _SEPARATOR.join(map(_as_text, said)), key >> _DIGEST_BITS << _DIGEST_BITS
        again = (self._again_key(joined, nth, day) for nth in range(1, number))
        return [self._key(joined, day), *again]

    def _said(self, name: str, column: Sequence[Any]) -> Sequence[str]:
        if name in self._data_set.days:
            return ["" if day == _NO_DAY else day for day in column] if _NO_DAY in column else column
        return list(map(_as_text, column)) if name in self._data_set.numbers else column

    def _again_key(self, said: str, nth: int, day: int) -> int:
        return self._key(f"{said}{_SEPARATOR}{nth}", day)

    def _day(self, day: str) -> int:
        ordinal = datetime.date.fromisoformat(day).toordinal()
        self._days[day] = prefix = ordinal % (1 << _DAY_BITS) << _DIGEST_BITS
        return prefix

    def _key(self, said: str, day: int) -> int:
        digest = blake2b(self._name + said.encode(), digest_size=8).digest()
        return day | int.from_bytes(digest) >> (64 - _DIGEST_BITS)


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)


def written(key: int) -> str:
    """Return a key as exported files have it: spreadsheet programs read it as a text, and keep it."""
    return f"k{key:016x}"


def read(text: str) -> int | None:
    """Return the key that `written` wrote as `text`; None for any other text."""
    try:
        key = int(text[1:], 16)
    except ValueError:
        return None
    return key if text.lower() == written(key) else None
