"""The surveyed files read once more, as a load of the data set that was designed for them would."""

from collections.abc import Sequence
from pathlib import Path

from mcpsite.datasets.columns import Column, Said
from mcpsite.datasets.findings import Findings
from mcpsite.datasets.headings import Headings
from mcpsite.datasets.reading import NOTHING_SAID, open_table
from mcpsite.datasets.records import Reader


def try_reading(
    columns: Sequence[Column], paths: Sequence[Path], said: Said = NOTHING_SAID
) -> tuple[int, list[str]]:
    """Return how many rows there are, and what is not read as it stands. Raises RefusedFile."""
    rows, told = 0, list[str]()
    for path in paths:
        with open_table(path, Headings(columns), said=said) as table:
            reader = Reader.of(table, columns, said)
            for _ in reader.read_all(table.batches):
                pass
            rows += reader.rows
            told += Findings.of(table, reader).sentences()
    return rows, told
