"""Which row of a file a row is, over all loads of the file: what links, edits and the history name it by.

A row's key comes from the name of its file, from what the file says of its date, route, airline, season,
query, region and provider, and from the how-manieth of the rows it is of which the file says the same.
"""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from airfare.records import SOURCE_FIELDS

_IDENTITY = tuple(
    SOURCE_FIELDS.index(name)
    for name in ("snapshot_date", "route", "airline", "season", "query", "region", "provider")
)
_SEPARATOR = "\x1f"
"""No cell holds it: control characters are taken out of them."""
_POSITIVE = (1 << 63) - 1


class Keys:
    """Gives the rows of one file their keys, in the order of the file."""

    def __init__(self, name: str) -> None:
        """`name` is the file's."""
        self._name = name
        self._first: set[int] = set()
        self._again: Counter[int] = Counter()
        """Of keys that came more than once: how often after the first time."""

    def of(self, columns: Sequence[Sequence[Any]]) -> list[int]:
        """Return the key of each row of `columns`, which are those of SOURCE_FIELDS."""
        said = list(map(_SEPARATOR.join, zip(*(columns[place] for place in _IDENTITY), strict=True)))
        keys = [self._key(each) for each in said]
        known = len(self._first)
        new = set(keys)
        if len(new) == len(keys) and new.isdisjoint(self._first):
            self._first |= new
            return keys
        for place, key in enumerate(keys):
            self._first.add(key)
            if len(self._first) > known:
                known += 1
            else:
                self._again[key] += 1
                keys[place] = self._key(f"{said[place]}{_SEPARATOR}{self._again[key]}")
        return keys

    def _key(self, said: str) -> int:
        digest = blake2b(f"{self._name}{_SEPARATOR}{said}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) & _POSITIVE


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
