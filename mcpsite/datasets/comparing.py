"""What a file would change of the present rows, for a preview before it is loaded."""

from collections.abc import Iterator
from typing import Any

from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.edits import said_of
from mcpsite.datasets.keys import Keys
from mcpsite.datasets.models import SourceFile
from mcpsite.datasets.rows import Rows

SHOWN = 3
"""Changed rows that are named."""
PIECE = 5_000


class Comparison:
    """Counts the rows of a file that are new, changed or gone; curators' changes do not count."""

    def __init__(self, data_set: DataSet, known: SourceFile) -> None:
        self._data_set, self._known = data_set, known
        self._keys = Keys(data_set, known.name)
        self._names = [name for name in data_set.columns if name not in data_set.derived]
        self._new = self._same = self._changed = 0
        self._shown: list[str] = []

    def add(self, rows: Rows) -> None:
        """Compare some rows of the file, in its order."""
        for piece in rows.pieces(PIECE):
            keys = self._keys.of(piece.columns)
            found = self._data_set.model.objects.filter(key__in=keys, vanished=False)
            present = {row.key: row for row in found.select_related("load", *self._data_set.proses)}
            for place, key in enumerate(keys):
                row = present.get(key)
                if row is None:
                    self._new += 1
                    continue
                before = said_of(self._data_set, row, self._names)
                read = {name: self._value(name, piece.columns[name][place]) for name in self._names}
                if before == read:
                    self._same += 1
                    continue
                self._changed += 1
                if len(self._shown) < SHOWN:
                    changes = (
                        f"{self._data_set.words_of(name)} {_short(before[name])} → {_short(read[name])}"
                        for name in self._names
                        if before[name] != read[name]
                    )
                    self._shown.append(f"{row}: {', '.join(changes)}")

    def _value(self, name: str, value: Any) -> Any:
        return self._data_set.as_stored(name, value) if name in self._data_set.days else value

    def sentences(self) -> Iterator[str]:
        """Yield what would change, without a full stop."""
        gone = max(0, self._known.rows - self._same - self._changed)
        yield (
            f"compared with the {self._known.rows:,} rows loaded before, {self._new:,} would be new, "
            f"{self._changed:,} changed, {gone:,} removed and {self._same:,} unchanged"
        )
        yield from (f"would change {each}" for each in self._shown)


def _short(value: Any) -> str:
    return "empty" if value in (None, "") else repr(value)[:60]
