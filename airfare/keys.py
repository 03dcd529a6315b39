"""Which row of a file a row is, over all loads of the file: what links, edits and the history name it by.

A row's key comes from the name of its file, from what the file says of its date, route, airline, season,
query, region and provider, and from the how-manieth of the rows it is of which the file says the same. Keys
of one day stand together, so that rows which are written together are together in the index of keys.
"""

import datetime
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from airfare.records import SOURCE_FIELDS

IDENTITY = ("snapshot_date", "route", "airline", "season", "query", "region", "provider")
_IDENTITY = tuple(map(SOURCE_FIELDS.index, IDENTITY))
_DAY = SOURCE_FIELDS.index("snapshot_day")
_SEPARATOR = "\x1f"
"""No cell holds it: control characters are taken out of them."""
_DIGEST_BITS = 43
_DAY_BITS = 20


class Keys:
    """Gives the rows of one file their keys, in the order of the file."""

    def __init__(self, name: str) -> None:
        """`name` is the file's."""
        self._name = f"{name}{_SEPARATOR}".encode()
        self._days: dict[str, int] = {}
        self._first: set[int] = set()
        self._again: Counter[int] = Counter()
        """Of keys that came more than once: how often after the first time."""

    def of(self, columns: Sequence[Sequence[Any]]) -> list[int]:
        """Return the key of each row of `columns`, which are those of SOURCE_FIELDS."""
        said = list(map(_SEPARATOR.join, zip(*(columns[place] for place in _IDENTITY), strict=True)))
        days = [self._days.get(day) or self._day(day) for day in columns[_DAY]]
        keys = list(map(self._key, said, days))
        new = set(keys)
        repeated = self._first & new
        if len(new) < len(keys):
            repeated.update(key for key, rows in Counter(keys).items() if rows > 1)
        if repeated:
            for place, key in enumerate(keys):
                if key in repeated:
                    if key in self._first:
                        self._again[key] += 1
                        keys[place] = self._again_key(said[place], self._again[key], days[place])
                    self._first.add(key)
        self._first |= new
        return keys

    def equals(self, key: int, said: Sequence[str], number: int) -> list[int]:
        """Return the keys of the first `number` rows of which the file says the same as of that of `key`."""
        joined, day = _SEPARATOR.join(said), key >> _DIGEST_BITS << _DIGEST_BITS
        again = (self._again_key(joined, nth, day) for nth in range(1, number))
        return [self._key(joined, day), *again]

    def _again_key(self, said: str, nth: int, day: int) -> int:
        return self._key(f"{said}{_SEPARATOR}{nth}", day)

    def _day(self, day: str) -> int:
        ordinal = datetime.date.fromisoformat(day).toordinal()
        self._days[day] = prefix = ordinal % (1 << _DAY_BITS) << _DIGEST_BITS
        return prefix

    def _key(self, said: str, day: int) -> int:
        digest = blake2b(self._name + said.encode(), digest_size=8).digest()
        return day | int.from_bytes(digest) >> (64 - _DIGEST_BITS)


def written(key: int) -> str:
    """Return a key as files of an export hold it: spreadsheet programs take it for a text, and keep it."""
    return f"k{key:016x}"


def read(text: str) -> int | None:
    """Return the key that `written` wrote so; None for any other text."""
    try:
        key = int(text[1:], 16)
    except ValueError:
        return None
    return key if text.lower() == written(key) else None
