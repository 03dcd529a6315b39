"""Questions about fares as people ask them, each a different one, in random order."""

import csv
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, str]

KINDS: dict[str, tuple[str, ...]] = {
    "no filter": (),
    "route": ("route_contains",),
    "airport": ("origin_airport",),
    "airport, airline": ("origin_airport", "airline_contains"),
    "airline": ("airline_contains",),
    "season": ("season_contains",),
    "airline, season": ("airline_contains", "season_contains"),
    "year": ("year",),
    "month, airline": ("month", "airline_contains"),
    "words": ("notable_contains",),
    "words, route": ("notable_contains", "route_contains"),
}
"""What a kind of question filters on."""
SAMPLE = 2_000
"""Rows that questions are about, and from which the number of a question's rows is estimated."""
FARTHEST = 1_000
"""Offsets stay below, because no person reads further."""


def _words(chance: random.Random, row: Row) -> str:
    """Return three consecutive words of a row's text."""
    words = row["notable_driver"].split()
    first = chance.randrange(len(words) - 2)
    return " ".join(words[first : first + 3])


_VALUES: dict[str, Callable[[random.Random, Row], str]] = {
    "route_contains": lambda chance, row: row["route"][chance.choice((0, 0, 4)) :].lower(),
    "origin_airport": lambda _, row: row["route"][:3],
    "airline_contains": lambda chance, row: chance.choice(
        (row["airline"], row["airline"].split()[0].lower())
    ),
    "season_contains": lambda chance, row: chance.choice((row["season"].lower(), row["season"].split()[0])),
    "year": lambda _, row: row["snapshot_date"][:4],
    "month": lambda _, row: row["snapshot_date"][:7],
    "notable_contains": _words,
}
"""For each filter what a person would write who looks for a row."""
_COLUMNS = {
    "route_contains": "route",
    "airline_contains": "airline",
    "season_contains": "season",
    "notable_contains": "notable_driver",
}


@dataclass(kw_only=True)
class _Sample:
    """Some of the rows, and which of them pass a filter (a bit for each)."""

    rows: Sequence[Row]
    _passing: dict[tuple[str, str], int] = field(default_factory=dict)

    def share(self, filters: dict[str, str]) -> float:
        """Return about which part of all rows passes `filters`."""
        every = (1 << len(self.rows)) - 1
        for name, value in filters.items():
            every &= self._bits(name, value)
        return every.bit_count() / len(self.rows)

    def _bits(self, name: str, value: str) -> int:
        found = self._passing.get((name, value))
        if found is None:
            found = sum(1 << place for place, row in enumerate(self.rows) if _passes(row, name, value))
            self._passing[name, value] = found
        return found


def _passes(row: Row, name: str, value: str) -> bool:
    if name in _COLUMNS:
        return value.lower() in row[_COLUMNS[name]].lower()
    return row["route" if name == "origin_airport" else "snapshot_date"].startswith(value)


def questions(files: Sequence[Path], count: int, seed: int = 1) -> list[tuple[str, dict[str, Any]]]:
    """Return up to `count` different questions about the rows of `files`: their kinds and their arguments.

    Pages have 20 to 30 rows and begin anywhere in the first FARTHEST rows, so that nearly all are full.
    """
    chance = random.Random(seed)
    total, rows = _some(chance, files)
    sample = _Sample(rows=rows)
    asked: dict[str, tuple[str, dict[str, Any]]] = {}
    kinds = list(KINDS)
    for _ in range(5 * count):
        if len(asked) == count:
            break
        kind = chance.choice(kinds)
        row = chance.choice(sample.rows)
        filters = {name: _VALUES[name](chance, row) for name in KINDS[kind]}
        if not all(filters.values()):  # The row has no value for it.
            continue
        limit = chance.randint(20, 30)
        last = min(FARTHEST, int(total * sample.share(filters)) - limit)
        arguments: dict[str, Any] = {
            "snapshot_date" if name in ("year", "month") else name: value for name, value in filters.items()
        } | {"limit": limit, "offset": chance.randrange(max(1, last))}
        asked.setdefault(json.dumps(arguments), (kind, arguments))
    return list(asked.values())


def _some(chance: random.Random, files: Sequence[Path]) -> tuple[int, list[Row]]:
    """Return the number of rows in `files`, and SAMPLE of them, each as likely as any other."""
    total, some = 0, list[Row]()
    for file in files:
        with file.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                total += 1
                if len(some) < SAMPLE:
                    some.append(row)
                elif (place := chance.randrange(total)) < SAMPLE:
                    some[place] = row
    return total, some
