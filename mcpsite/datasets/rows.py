"""The rows of one file, column by column: what the cells of a table mean for a data set."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from mcpsite.core.texts import clean
from mcpsite.datasets import records
from mcpsite.datasets.columns import Said
from mcpsite.datasets.dates import as_given
from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.kinds import NO_DAY, Category, Day
from mcpsite.datasets.reading import NOTHING_SAID
from mcpsite.datasets.records import Remembered
from mcpsite.datasets.tables import Batch, Table

_NO_DAY = str(NO_DAY)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """A batch of rows."""

    size: int
    columns: dict[str, Sequence[Any]]
    """By name the values of each column, and `position`: days as YYYY-MM-DD, prose as its text."""

    def pieces(self, size: int) -> Iterator["Rows"]:
        """Yield these rows, `size` at a time."""
        for start in range(0, self.size, size):
            part = slice(start, start + size)
            columns = {name: column[part] for name, column in self.columns.items()}
            yield Rows(size=min(size, self.size - start), columns=columns)


class Reader:
    """Reads the meaning of the cells of one file."""

    def __init__(self, data_set: DataSet, cells: records.Reader, *, file: str) -> None:
        """Read the file called `file`."""
        self.cells = cells
        """The reader of the cells, which counts those that cannot be read."""
        self._data_set = data_set
        self._file = clean(file)
        self._rows = 0
        self._spellings = {
            name: Remembered(column.spelling)
            for name, column in data_set.columns.items()
            if isinstance(column, Category) and column.spelling
        }

    @classmethod
    def of(cls, data_set: DataSet, table: Table, *, file: str, said: Said = NOTHING_SAID) -> "Reader":
        """Return the reader of a file of `data_set`."""
        return cls(data_set, records.Reader.of(table, data_set.read, said), file=file)

    def read_all(self, batches: Iterable[Batch]) -> Iterator[Rows]:
        """Yield the rows of `batches`. Raises RefusedFile."""
        return map(self._meaning, self.cells.read_all(batches))

    def _meaning(self, values: records.Values) -> Rows:
        data_set, size = self._data_set, values.size
        empty, no_numbers = [""] * size, [None] * size
        found: dict[str, list[Any]] = {name: values.texts.get(name, empty) for name in data_set.options.reads}
        for name, column in data_set.columns.items():
            if name in data_set.given:
                continue
            if name in data_set.numbers:
                found[name] = cast(list[Any], values.numbers.get(name, no_numbers))
            elif isinstance(column, Day):
                read = column.given or name
                days = values.days.get(read, empty)
                found[name] = days
                if column.given:
                    found[column.given] = _given(values.texts.get(read, empty), days, times=column.times)
            else:
                found[name] = values.texts.get(name, empty)
        for name, spellings in self._spellings.items():
            found[name] = list(map(spellings.__getitem__, found[name]))
        data_set.model.derive(found, self._file)
        for name in data_set.days:
            if "" in found[name]:
                found[name] = [day or _NO_DAY for day in found[name]]
        columns: dict[str, Sequence[Any]] = {name: found[name] for name in data_set.columns}
        columns["position"] = range(self._rows + 1, self._rows + 1 + size)
        self._rows += size
        return Rows(size=size, columns=columns)


def _given(texts: list[str], days: list[str], *, times: bool) -> list[str]:
    if texts == days:
        return texts
    return [as_given(text, day, times=times) for text, day in zip(texts, days, strict=True)]
