"""A spreadsheet that somebody brings back: CSV or Excel, read with bounds on everything it may hold."""

import csv
import datetime
import re
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO, StringIO
from typing import Any
from xml.etree.ElementTree import ParseError

import tablib
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from exchange import formats

MOST_BYTES = 20_000_000
MOST_UNPACKED = 150_000_000
"""Bytes of what is inside an Excel workbook, which is a zip archive."""
MOST_ROWS = 50_000
MOST_COLUMNS = 100


class BadSheet(Exception):
    """A spreadsheet that cannot be read; one sentence for the person."""


class CSV(formats.CSV):
    def create_dataset(self, in_stream: bytes, **_: Any) -> Any:
        return _dataset(_csv(in_stream))


class XLSX(formats.XLSX):
    def create_dataset(self, in_stream: bytes, **_: Any) -> Any:
        return _dataset(_xlsx(in_stream))


def _dataset(rows: Iterator[list[str]]) -> Any:
    """The rows under a header. Cells beyond the header have to be empty."""
    header = next(rows, None)
    if not header:
        raise BadSheet("The file holds no header and no rows.")
    while header and not header[-1]:
        header.pop()
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise BadSheet(f"The header names {twice or 'a column without a name'} twice.")
    data = tablib.Dataset(headers=header)
    width = len(header)
    for number, row in enumerate(rows, start=2):
        if number > MOST_ROWS + 1:
            raise BadSheet(f"The file has more than {MOST_ROWS:,} rows; divide it.")
        if any(row[width:]):
            raise BadSheet(f"Row {number} has more cells than the header.")
        data.append(row[:width] + [""] * (width - len(row)))
    return data


def _csv(data: bytes) -> Iterator[list[str]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadSheet("The file is not UTF-8 text; in Excel save it as “CSV UTF-8”.") from None
    if "\0" in text:
        raise BadSheet("The file holds NUL bytes, so it is no CSV file; save it as CSV (UTF-8) again.")
    first = text.partition("\n")[0]
    # Excel writes semicolons where the comma is the decimal sign.
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            yield [spelled(cell) for cell in row]
    except csv.Error:
        raise BadSheet(f"Line {reader.line_num} cannot be read as CSV.") from None


def _xlsx(data: bytes) -> Iterator[list[str]]:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            # What the archive says of a part's size is all that is ever unpacked of it.
            if sum(part.file_size for part in archive.infolist()) > MOST_UNPACKED:
                raise BadSheet("The workbook is too large when it is unpacked; export fewer rows at once.")
        book = load_workbook(BytesIO(data), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        for row in sheet.iter_rows(values_only=True, max_col=MOST_COLUMNS):
            yield [spelled(cell) for cell in row]
    except (
        *(zipfile.BadZipFile, zlib.error, InvalidFileException, ParseError, EOFError, OSError),
        *(KeyError, IndexError, ValueError, TypeError, AttributeError),
    ):
        # What openpyxl raises over a file that is no workbook, or a broken one.
        raise BadSheet("The file is no Excel workbook (.xlsx) that can be read; save it again.") from None


def spelled(cell: Any) -> str:
    """A cell as text, the same whichever format it came in."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        cell = int(cell)
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        cell = cell.date()
    text = cell.isoformat() if hasattr(cell, "isoformat") else str(cell)
    return re.sub(r"\r\n?", "\n", text).strip(" \n")
