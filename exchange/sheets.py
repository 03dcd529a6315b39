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
MOST_LINES = 1_048_576
"""Rows of an Excel sheet, empty ones too."""
MOST_COLUMNS = 100


_QUOTED = re.compile(r'"[^"]*"|\\.')
"""What a number format shows as it stands."""


class BadSheet(Exception):
    """A spreadsheet that cannot be read; one sentence for the person."""


class Sheet(tablib.Dataset):  # type: ignore[misc]
    """The rows under a header that hold something."""

    def __init__(self, header: list[str], *, semicolons: bool) -> None:
        super().__init__(headers=header)
        self.numbers: list[int] = []
        """Of each row, as a spreadsheet program counts them: the header is row 1."""
        self.semicolons = semicolons
        """Whether they stand between the cells, as where the comma is the decimal sign."""


class CSV(formats.CSV):
    def create_dataset(self, in_stream: bytes, **_: Any) -> Sheet:
        text = _text(in_stream)
        first = text.partition("\n")[0]
        # Excel writes semicolons where the comma is the decimal sign.
        delimiter = max(",;\t", key=first.count)
        return _sheet(_csv(text, delimiter), semicolons=delimiter == ";")


class XLSX(formats.XLSX):
    def create_dataset(self, in_stream: bytes, **_: Any) -> Sheet:
        return _sheet(_xlsx(in_stream))


def _sheet(rows: Iterator[list[str]], *, semicolons: bool = False) -> Sheet:
    """Return the rows that are not empty. Cells beyond the header have to be empty. Raises BadSheet."""
    header = next(rows, None)
    if not header:
        raise BadSheet("The file holds no header and no rows.")
    while header and not header[-1]:
        header.pop()
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise BadSheet(f"The header names {twice or 'a column without a name'} twice.")
    data = Sheet(header, semicolons=semicolons)
    width = len(header)
    for number, row in enumerate(rows, start=2):
        if number > MOST_LINES:
            raise BadSheet(f"The file goes on after row {MOST_LINES:,}, the last of a spreadsheet.")
        # A colour or a height makes a row of a spreadsheet that holds nothing.
        if not any(row):
            continue
        if len(data.numbers) == MOST_ROWS:
            raise BadSheet(f"The file has more than {MOST_ROWS:,} rows; divide it.")
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
        raise BadSheet("The file holds NUL bytes, so it is no CSV file; save it as CSV (UTF-8) again.")
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
            f"Line {read + 1} cannot be read as CSV: a quote in it is not closed, or stands inside a cell "
            "without being doubled."
        ) from None


def _xlsx(data: bytes) -> Iterator[list[str]]:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            # What the archive says of a part's size is all that is ever unpacked of it.
            if sum(part.file_size for part in archive.infolist()) > MOST_UNPACKED:
                raise BadSheet("The workbook is too large when it is unpacked; export fewer rows at once.")
        # Once for what the cells show, once for what makes it.
        shown, made = (_first_sheet(data, data_only=data_only) for data_only in (True, False))
        for values, origins in zip(shown, made, strict=True):
            yield [_spelled(*cells) for cells in zip(values, origins, strict=True)]
    except (
        *(zipfile.BadZipFile, zlib.error, InvalidFileException, ParseError, EOFError, OSError),
        *(KeyError, IndexError, ValueError, TypeError, AttributeError),
    ):
        # What openpyxl raises over a file that is no workbook, or a broken one.
        raise BadSheet("The file is no Excel workbook (.xlsx) that can be read; save it again.") from None


def _first_sheet(data: bytes, *, data_only: bool) -> Iterator[tuple[Any, ...]]:
    sheet = load_workbook(BytesIO(data), read_only=True, data_only=data_only).worksheets[0]
    sheet.reset_dimensions()
    rows: Iterator[tuple[Any, ...]] = sheet.iter_rows(max_col=MOST_COLUMNS)
    return rows


def _spelled(shown: Any, origin: Any) -> str:
    """Return a workbook's cell as a person sees it; raises BadSheet for a formula without its result."""
    if shown.value is None and origin.value is not None:
        raise BadSheet(
            f"Cell {origin.coordinate} holds a formula, and the file does not say what comes of it; put the "
            "value there, or save the file with a spreadsheet program."
        )
    if isinstance(shown.value, float | int) and "%" in _QUOTED.sub("", str(shown.number_format)):
        # What is shown as 90% is stored as 0.9.
        return f"{spelled(round(shown.value * 100, 10))}%"
    return spelled(shown.value)


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
