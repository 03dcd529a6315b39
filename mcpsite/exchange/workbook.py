"""The rows of an Excel workbook, read in a separate process because a small file can unpack to any size.

This file is run by its path, without the site and its settings, so that the process starts at once. Its input
is the workbook, its argument the name of a sheet. Its output is a line of JSON with the name of the sheet
that is read and those of the others, one line for each row, and at the end `true`, or instead a sentence that
says why the workbook cannot be read.
"""

import datetime
import json
import math
import re
import resource
import signal
import subprocess
import sys
import threading
import warnings
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from io import BytesIO
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils.cell import column_index_from_string
from openpyxl.utils.exceptions import InvalidFileException

MOST_MEMORY = 1024**3
"""Bytes of address space, Python's and its libraries' included."""
MOST_SECONDS = 60
MOST_UNPACKED = 150_000_000
"""Bytes inside a workbook, which is a zip archive."""
MOST_TEXT = 100_000_000
"""Characters in all cells; the archive holds each text once, however many cells show it."""
MOST_CELLS = 2_500_000
MOST_COLUMNS = 100

TOO_MUCH = "The workbook takes too much memory or time to read; export fewer rows at once, or save it as CSV."
BUSY = "Another workbook is being read; try again in a moment."
_QUOTED = re.compile(r'"[^"]*"|\\.')
"""What a number format shows literally."""
_CURRENCY = re.compile(r"\[\$([^\]-]+)[^\]]*\]|([€£¥₹$])")
"""The sign that a number format shows beside an amount."""
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]+)([0-9]+):[A-Z]+([0-9]+)"')
_turn = threading.Lock()


class BadWorkbook(Exception):
    """A workbook that cannot be read; its sentence is for the person."""


def rows(data: bytes) -> Generator[list[str], None, None]:
    """Yield the rows of the first sheet that is not hidden, as text.

    Raises BadWorkbook, also in the middle of them. A process reads one workbook at a time.
    """
    with closing(sheet(data)) as said:
        next(said)
        for row in said:
            yield [str(cell[1] if isinstance(cell, list) else cell) for cell in row]


def sheet(data: bytes, name: str = "") -> Generator[list[Any], None, None]:
    """Yield which sheet is read, a list of the other visible ones and whether cells are merged over rows.

    Then yield its rows as `rows` does. It is the sheet called `name`, or the first that is not hidden.
    Numbers with a fraction stay numbers, so that nobody takes their point for a thousands separator; an
    amount is a list of the sign shown beside it and the number. Raises BadWorkbook.
    """
    if not _turn.acquire(timeout=MOST_SECONDS / 4):
        raise BadWorkbook(BUSY)
    try:
        yield from _from_process(data, name)
    finally:
        _turn.release()


def _from_process(data: bytes, name: str) -> Iterator[list[Any]]:
    command = [sys.executable, "-I", __file__, name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdin is not None and process.stdout is not None  # noqa: PT018, S101 (both are pipes)
        # Processor time is limited in there; this ends a process that waits for ever.
        alarm = threading.Timer(MOST_SECONDS * 2, process.kill)
        alarm.start()
        try:
            with suppress(BrokenPipeError):
                process.stdin.write(data)
                process.stdin.close()
            for line in process.stdout:
                said = json.loads(line)
                if isinstance(said, str):
                    raise BadWorkbook(said)
                if said is True:
                    return
                yield said
            raise BadWorkbook(TOO_MUCH)
        finally:
            alarm.cancel()
            process.kill()


def read_rows(data: bytes, name: str = "") -> Iterator[list[Any]]:
    """Yield the sheet and its rows, in this very process. Raises BadWorkbook."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            # No more is ever unpacked of a part than the archive says is its size.
            if sum(part.file_size for part in archive.infolist()) > MOST_UNPACKED:
                raise BadWorkbook("The workbook is too large; export fewer rows at once.")
        # Once for what the cells show, once for what they are computed from.
        shows, makes = (
            load_workbook(BytesIO(data), read_only=True, data_only=data_only) for data_only in (True, False)
        )
        chosen, others = _chosen(shows, name)
        merged = _merged(shows[chosen])
        yield [chosen, others, bool(merged)]
        shown, made = _rows(shows[chosen]), _rows(makes[chosen])
        characters = cells = 0
        above: dict[int, tuple[int, Any]] = {}
        for number, (values, origins) in enumerate(zip(shown, made, strict=True), start=1):
            row: list[Any] = [_spelled(*cells) for cells in zip(values, origins, strict=True)]
            _fill(row, number, merged, above)
            while row and not row[-1]:
                row.pop()
            cells += len(row)
            characters += sum(len(str(cell)) for cell in row)
            if cells > MOST_CELLS or characters > MOST_TEXT:
                raise BadWorkbook(TOO_MUCH)
            yield row
    except (
        *(zipfile.BadZipFile, zlib.error, InvalidFileException, SyntaxError, EOFError, OSError),
        *(KeyError, IndexError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError),
    ):
        # What openpyxl and its XML parsers raise for a file that is no workbook, or a broken one.
        raise BadWorkbook("The file is not a readable Excel workbook (.xlsx); save it again.") from None


def _chosen(book: Any, name: str) -> tuple[str, list[str]]:
    """Return the name of the sheet to read, and those of the other visible ones. Raises BadWorkbook."""
    visible = [each.title for each in book.worksheets if each.sheet_state == "visible"]
    if name and name not in [each.title for each in book.worksheets]:
        raise BadWorkbook(
            f"The workbook has no sheet {name[:40]!r}; its sheets are {', '.join(map(repr, visible))[:200]}."
        )
    if not visible and not name:
        raise BadWorkbook("All sheets of the workbook are hidden; unhide the one to load.")
    chosen = name or visible[0]
    return chosen, [title for title in visible if title != chosen]


def _merged(sheet: Any) -> dict[int, list[tuple[int, int]]]:
    """Return by its first row each cell that is merged over several: its column, and its last row."""
    merged: dict[int, list[tuple[int, int]]] = {}
    with sheet.parent._archive.open(sheet._worksheet_path) as part:
        rest = b""
        while chunk := part.read(1 << 20):
            # openpyxl does not say this for a workbook that is read row by row.
            for match in _MERGED.finditer(rest + chunk):
                first, last = int(match[2]), int(match[3])
                if last > first:
                    cell = column_index_from_string(match[1].decode()) - 1, last
                    merged.setdefault(first, []).append(cell)
            rest = (rest + chunk)[(rest + chunk).rfind(b"<") :][:1000]
    return merged


def _fill(
    row: list[Any], number: int, merged: dict[int, list[tuple[int, int]]], above: dict[int, tuple[int, Any]]
) -> None:
    """Write a text that is merged over several rows into each of them that is not empty.

    A number counts for all of its rows together, and so is only in the first. `above` has the texts from rows
    above.
    """
    if any(row):
        for column, (last, text) in above.items():
            if number <= last:
                row += [""] * (column + 1 - len(row))
                row[column] = row[column] or text
    for column, last in merged.get(number, ()):
        if column < len(row) and isinstance(row[column], str) and not _is_number(row[column]):
            above[column] = last, row[column]


def _is_number(text: str) -> bool:
    try:
        float(text.rstrip("%"))
    except ValueError:
        return False
    return True


def _rows(sheet: Any) -> Iterator[tuple[Any, ...]]:
    sheet.reset_dimensions()
    # Not by `max_col`, which pads each row to that width, and missing rows too.
    for number, row in enumerate(sheet.iter_rows(), start=1):
        if any(cell.value is not None for cell in row[MOST_COLUMNS:]):
            raise BadWorkbook(f"Row {number} has more than {MOST_COLUMNS} columns; save the sheet as CSV.")
        yield row[:MOST_COLUMNS]


def _spelled(shown: Any, origin: Any) -> str | float | list[Any]:
    """Return a cell as a person sees it; raises BadWorkbook for a formula without its result."""
    if shown.value is None and origin.value is not None:
        raise BadWorkbook(
            f"Cell {origin.coordinate} contains a formula without a stored result; enter the value, or "
            "save the file with a spreadsheet program."
        )
    is_number = isinstance(shown.value, float | int) and not isinstance(shown.value, bool)
    format_ = str(shown.number_format) if is_number else ""
    if "%" in _QUOTED.sub("", format_):
        # What is shown as 90% is stored as 0.9. With four decimals nobody takes them for thousands.
        text = spelled(round(shown.value * 100, 10))
        return f"{text}0%" if text[-4:-3] == "." else f"{text}%"
    value: str | float = spelled(shown.value)
    if isinstance(shown.value, float) and math.isfinite(shown.value) and not shown.value.is_integer():
        value = shown.value
    sign = _CURRENCY.search(format_)
    return [sign[1] or sign[2], value] if sign else value


def spelled(cell: Any) -> str:
    """Return a cell as text, the same in whichever format it came."""
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


def main() -> None:
    """Be the process: read the workbook of the input, within bounds."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Nobody reads on after enough has been read.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # openpyxl warns of what it ignores, for example styles, which nobody needs.
    warnings.simplefilter("ignore")
    end: bool | str = True
    try:
        for row in read_rows(sys.stdin.buffer.read(), *sys.argv[1:]):
            sys.stdout.write(f"{json.dumps(row)}\n")
    except BadWorkbook as error:
        end = str(error)
    except (MemoryError, RecursionError):
        end = TOO_MUCH
    sys.stdout.write(f"{json.dumps(end)}\n")


if __name__ == "__main__":
    main()
