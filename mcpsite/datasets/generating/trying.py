"""A second reading of the surveyed files, as a load into the data set designed for them would read them."""

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
    """Return the number of rows, and sentences about what is not read unchanged. Raises RefusedFile."""
    rows, told = 0, list[str]()
    for path in paths:
        with open_table(path, Headings(columns), said=said) as table:
            reader = Reader.of(table, columns, said)
            for _ in reader.read_all(table.batches):
                pass
            rows += reader.rows
            told += Findings.of(table, reader).sentences()
    return rows, told
