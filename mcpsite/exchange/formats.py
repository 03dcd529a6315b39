"""The formats of exported lists. Each makes a file from chunks of rows, in bounded memory."""

import csv
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from io import BytesIO
from typing import Any

from import_export.formats import base_formats
from openpyxl import Workbook

from mcpsite.exchange.cells import escape_formula, for_excel

Rows = AsyncIterator[list[list[Any]]]
"""Chunks of rows of plain values."""


class CSV(base_formats.CSV):  # type: ignore[misc]
    """Comma separated, UTF-8 with the mark by which Excel recognizes it."""

    async def stream(self, header: Sequence[str], rows: Rows) -> AsyncIterator[str]:
        line = csv.writer(_Echo()).writerow
        yield "\ufeff" + str(line(header))
        async for chunk in rows:
            yield "".join(str(line(map(_csv_value, row))) for row in chunk)


class JSON(base_formats.JSON):  # type: ignore[misc]
    """A list of objects."""

    async def stream(self, header: Sequence[str], rows: Rows) -> AsyncIterator[str]:
        separator = "[\n"
        async for chunk in rows:
            objects = (json.dumps(dict(zip(header, row, strict=True)), ensure_ascii=False) for row in chunk)
            yield separator + ",\n".join(objects)
            separator = ",\n"
        yield "[]\n" if separator == "[\n" else "\n]\n"


class XLSX(base_formats.XLSX):  # type: ignore[misc]
    """An Excel workbook with one sheet, of MOST_ROWS at most, because it is made as a whole."""

    MOST_ROWS = 50_000

    def workbook(self, header: Sequence[str], chunks: Iterable[list[list[Any]]]) -> bytes:
        book = Workbook(write_only=True)
        sheet = book.create_sheet("Export")
        sheet.append(list(header))
        for chunk in chunks:
            for row in chunk:
                sheet.append([for_excel(escape_formula(value)) for value in row])
        made = BytesIO()
        book.save(made)
        return made.getvalue()


FORMATS = [CSV, XLSX, JSON]


class _Echo:
    """A file that returns what is written to it, which csv.writer then returns."""

    def write(self, text: str) -> str:
        return text


def _csv_value(value: Any) -> Any:
    return ("TRUE" if value else "FALSE") if isinstance(value, bool) else escape_formula(value)
