"""Excel workbooks: the rows of one sheet, read in a separate process with limits."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import IO, Any

from mcpsite.datasets.formats.heads import MOST_ABOVE, Head, Record, head_of
from mcpsite.datasets.headings import Headings
from mcpsite.datasets.refusals import RefusedFile
from mcpsite.datasets.sources import Source
from mcpsite.datasets.tables import Batch, LeftOuts
from mcpsite.exchange import workbook

BATCH = 5_000
MOST_BYTES = 100_000_000
"""Bytes of the file itself, all of which a process has in memory."""


class Workbook:
    """The rows of one sheet of a workbook; the caller has to close it."""

    def __init__(self, source: Source, headings: Headings, left_out: LeftOuts, sheet: str) -> None:
        self.left_out = left_out
        self._headings = headings
        with source.open(tell=True) as stream:
            data = stream.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise RefusedFile("is too large for a workbook; save it as CSV")
        # Rows are stored in a file, because they are read more than once and only one workbook at a time.
        self._rows: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        try:
            self.sheet, self.others = self._read(data, sheet)
            records = [Record(number, number, row) for number, row in islice(self._filled(), MOST_ABOVE)]
            self.head: Head = self._head_of(records)
        except BaseException:
            self.close()
            raise

    def _read(self, data: bytes, sheet: str) -> tuple[str, list[str]]:
        try:
            with closing(workbook.sheet(data, sheet)) as said:
                name, others, self.merged = next(said)
                for row in said:
                    self._rows.write(f"{json.dumps(row)}\n")
        except workbook.BadWorkbook as error:
            reason = str(error).removesuffix(".")
            raise RefusedFile(f"cannot be read: {reason[0].lower()}{reason[1:]}") from None
        return str(name), list(others)

    def _head_of(self, records: list[Record]) -> Head:
        try:
            return head_of(records, self._headings, place="row")
        except RefusedFile as refused:
            if not self.others:
                raise
            others = ", ".join(map(repr, self.others[:5]))
            raise RefusedFile(
                f"{refused}. This is its sheet {self.sheet!r}, not {others}; use --sheet to choose another"
            ) from None

    def close(self) -> None:
        self._rows.close()

    def _filled(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows that are not empty, with their numbers."""
        place = 0
        number = 0
        while True:
            # Others may read in between: it is one file.
            self._rows.seek(place)
            line = self._rows.readline()
            place = self._rows.tell()
            if not line:
                return
            number += 1
            row: list[str] = list(map(_text, json.loads(line)))
            if any(cell.strip() for cell in row):
                yield number, row

    def batches(self, *, tell: bool = False) -> Iterator[Batch]:
        """Yield the rows after the heading. Raises RefusedFile."""
        header = self.head.header
        width = len(header)
        heading = self.head.record
        left_out = self.left_out if tell else LeftOuts()
        cells: list[list[str]] = []
        numbers: list[int] = []
        for number, row in self._filled():
            if number <= heading.last:
                continue
            if row == heading.cells:
                left_out.add(number, row, "the heading again")
                continue
            if any(cell.strip() for cell in row[width:]):
                raise RefusedFile("has a cell where the header has no column", number, place="row")
            cells.append(row[:width] + [""] * (width - len(row)))
            numbers.append(number)
            if len(cells) == BATCH:
                yield Batch(cells=cells, lines=numbers)
                cells, numbers = [], []
        if cells:
            yield Batch(cells=cells, lines=numbers)


def _text(cell: str | float | list[Any]) -> str:
    """Return a cell as text, with a fraction that nobody can mistake for thousands, and with its currency."""
    if isinstance(cell, list):
        return f"{cell[0]} {_text(cell[1])}"
    if isinstance(cell, str):
        return cell
    text = str(cell)
    return f"{text}0" if text[-4:-3] == "." else text
