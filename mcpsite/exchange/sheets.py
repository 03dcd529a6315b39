"""A corrected spreadsheet: CSV or Excel, read with limits on everything it may contain."""

import csv
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from typing import Any

import tablib

from mcpsite.exchange import formats, workbook
from mcpsite.exchange.workbook import spelled

MOST_BYTES = 20_000_000
MOST_ROWS = 50_000
MOST_LINES = 1_048_576
"""Rows of an Excel sheet, empty ones too."""


class BadSheet(Exception):
    """A spreadsheet that cannot be read; its sentence is for the person."""


class Sheet(tablib.Dataset):  # type: ignore[misc]
    """The rows under a header that are not empty."""

    def __init__(self, header: list[str], *, semicolons: bool) -> None:
        super().__init__(headers=header)
        self.numbers: list[int] = []
        """Each row's number in a spreadsheet program: the header is row 1."""
        self.semicolons = semicolons
        """Whether semicolons separate the cells, as in countries where the comma is the decimal sign."""


class ImportedCSV(formats.CSV):
    def create_dataset(self, in_stream: bytes, **_: Any) -> Sheet:
        text = _text(in_stream)
        first = text.partition("\n")[0]
        # Excel writes semicolons in countries where the comma is the decimal sign.
        delimiter = max(",;\t", key=first.count)
        return _sheet(_csv(text, delimiter), semicolons=delimiter == ";")


class ImportedXLSX(formats.XLSX):
    def create_dataset(self, in_stream: bytes, **_: Any) -> Sheet:
        try:
            # Also closed when enough has been read: the process ends with it.
            with closing(workbook.rows(in_stream)) as rows:
                return _sheet(rows)
        except workbook.BadWorkbook as error:
            raise BadSheet(str(error)) from None


def _sheet(rows: Iterator[list[str]], *, semicolons: bool = False) -> Sheet:
    """Return the rows that are not empty. Cells beyond the header have to be empty. Raises BadSheet."""
    header = next(rows, None)
    if not header:
        raise BadSheet("The file has no header and no rows.")
    while header and not header[-1]:
        header.pop()
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise BadSheet(f"The header contains {twice or 'a column without a name'} twice.")
    data = Sheet(header, semicolons=semicolons)
    width = len(header)
    for number, row in enumerate(rows, start=2):
        if number > MOST_LINES:
            raise BadSheet(
                f"The file has more than {MOST_LINES:,} rows, the most that a spreadsheet can have."
            )
        # A colour or a height makes an empty row part of a spreadsheet.
        if not any(row):
            continue
        if len(data.numbers) == MOST_ROWS:
            raise BadSheet(f"The file has more than {MOST_ROWS:,} rows; split it.")
        if any(row[width:]):
            raise BadSheet(f"Row {number} has more cells than the header.")
        data.append(row[:width] + [""] * (width - len(row)))
        data.numbers.append(number)
    return data


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadSheet("The file is not UTF-8 text; in Excel save it as “CSV UTF-8”.") from None
    if "\0" in text:
        raise BadSheet("The file contains NUL bytes, so it is not a CSV file; save it as CSV (UTF-8) again.")
    return text


def _csv(text: str, delimiter: str) -> Iterator[list[str]]:
    # Otherwise a quote that is never closed would swallow the rest of the file into one cell.
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    read = 0
    try:
        for row in reader:
            read = reader.line_num
            yield [spelled(cell) for cell in row]
    except csv.Error:
        raise BadSheet(
            f"Line {read + 1} cannot be read as CSV: a quote is not closed, or a quote inside a cell is "
            "not doubled."
        ) from None
