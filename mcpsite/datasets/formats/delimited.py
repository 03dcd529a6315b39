"""CSV and similar files: cells between commas, semicolons, tabs or bars."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from mcpsite.datasets import dates, numbers
from mcpsite.datasets.columns import Column
from mcpsite.datasets.encodings import READ
from mcpsite.datasets.formats.heads import MOST_ABOVE, Head, Record, head_of, score
from mcpsite.datasets.headings import Headings
from mcpsite.datasets.refusals import Open, RefusedFile
from mcpsite.datasets.sources import Source, Stream
from mcpsite.datasets.tables import Batch, LeftOuts

DELIMITERS = {"csv": ",", "tsv": "\t"}
OTHERS = (",", ";", "\t", "|")
MAX_CELL = 1_000_000
"""Characters in a cell; more means that a quote was never closed."""
LONGEST_MENDED, MOST_MENDED = 4_000, 1_000
"""Characters of a row whose quotes are read by their place, and such rows of a file: it takes time."""
MOST_LINES = 400
"""The lines at a file's start in which its heading is searched for."""

csv.field_size_limit(MAX_CELL)
_reader = partial(csv.reader, skipinitialspace=True)
"""A quote opens a cell also after a blank; blanks around a cell mean nothing."""

_MARK = codecs.BOM_UTF8.decode()
_AROUND = f" \t\r\n\x1a{_MARK}"
"""Meaningless characters around a line; the fourth is DOS's mark of a file's end."""
_SEP = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
AGAIN = "the heading again"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """How a delimited file is written."""

    delimiter: str
    head: Head


def shape_of(source: Source, encoding: str, format_: str, headings: Headings) -> Shape:
    """Return how a file is written, by its start. Raises RefusedFile."""
    with source.open() as stream:
        lines = next(_split(stream, encoding), [])[:MOST_LINES]
    skipped = 0
    delimiters = [DELIMITERS[format_], *(each for each in OTHERS if each != DELIMITERS[format_])]
    if lines and (match := _SEP.fullmatch(lines[0].strip(_AROUND))):
        # Excel's own line that names the delimiter.
        skipped, delimiters = 1, [match[1]]
    found = {each: _records(lines, each, skipped) for each in delimiters}
    delimiter = max(delimiters, key=lambda each: score(found[each], headings))
    head = head_of(found[delimiter], headings)
    cells = [cell.strip() for cell in head.record.cells]
    if all(cell[:1] == cell[-1:] == "'" for cell in cells if cell):
        raise RefusedFile("has cells in single quotes; use double quotes, or none", head.record.first)
    return Shape(delimiter=delimiter, head=head)


def _records(lines: list[str], delimiter: str, skipped: int) -> list[Record]:
    """Return the first rows of a file, comments among them, with `delimiter` between the cells."""
    records: list[Record] = []
    number = skipped
    blank = f"{_AROUND}{delimiter}"
    while number < len(lines) and len(records) < MOST_ABOVE:
        first = number + 1
        line = lines[number].strip(_AROUND)
        number += 1
        if line[:1] == "#":
            comment = line.lstrip("#").strip()
            if delimiter in comment:
                records.append(Record(first, first, next(_reader([comment], delimiter=delimiter)), True))
        elif line.strip(blank):
            reader = _reader(lines[first - 1 :], delimiter=delimiter)
            try:
                cells = next(reader)
            except csv.Error:
                break
            number = first - 1 + reader.line_num
            if number == len(lines) and reader.line_num > 1 and _unclosed("".join(lines[first - 1 :])):
                # Rows as they are say more of a heading than all that is left in one.
                number = first
            records.append(Record(first, number, cells))
    return records


def _unclosed(text: str) -> bool:
    return text.count('"') % 2 == 1


class _Lines:
    """The lines of a file without comments, blank lines and repeated headers, where these are not quoted.

    The csv reader asks for a further line before it has returned a record only if it is inside
    quotes: so `inside` is set here with each line and unset by the code that receives the record.
    """

    def __init__(
        self, blocks: Iterator[list[str]], shape: Shape, headings: Headings, left_out: LeftOuts
    ) -> None:
        self.number = 0
        """The line that was read last."""
        self.began = 0
        """The line on which the current record starts."""
        self.record: list[str] = []
        """The lines of the current record."""
        self.inside = False
        self.unclosed = False
        self.ended = True
        """Whether the line that was read last has a line end."""
        self._blocks = blocks
        self._block: list[str] = []
        self._place = 0
        self._delimiter = shape.delimiter
        self._blank = f"{_AROUND}{shape.delimiter}"
        self._header = ""
        """The header's line, if it is one."""
        self._width = len(shape.head.header)
        self._kinds = _kinds(shape.head.header, headings)
        self._headings = headings
        self._left_out = left_out
        self._skip_to(shape.head.record)

    def _skip_to(self, heading: Record) -> None:
        while self.number < heading.last and (line := self._next()) is not None:
            if heading.first == heading.last == self.number and not heading.commented:
                # Files that were joined from several contain it again, mark and all.
                self._header = line.strip(_AROUND)

    def block(self) -> list[str]:
        """Return the lines that were read from the file and not yet returned; empty at its end."""
        if self._place:
            self._block, self._place = self._block[self._place :], 0
        while not self._block:
            block = next(self._blocks, None)
            if block is None:
                return []
            self._block = block
        return self._block

    def skip_block(self) -> None:
        """Continue after what `block` returned."""
        self.number += len(self._block)
        self._block = []

    def holds_data(self, line: str) -> bool:
        """Return whether `line`, outside quotes, is neither comment nor blank, nor the header again."""
        text = line.strip(_AROUND)
        if text[:1] == "#":
            return self._is_row(text)
        return text.strip(self._blank) != "" and text != self._header

    def repeats_header(self, line: str) -> bool:
        return bool(self._header) and line.strip(_AROUND) == self._header

    def _is_row(self, text: str) -> bool:
        """Return whether a line that begins with a number sign is a row all the same, with all its cells."""
        if self._width < 2:
            return False
        cells = self._cells(text)
        if len(cells) != self._width or self._headings.count([cells[0].lstrip("# "), *cells[1:]]) > 1:
            return False
        return text[1:2] not in (" ", "\t", "#") or self.looks_like_row(text)

    def looks_like_row(self, line: str) -> bool:
        """Return whether `line` has all cells of a row, and days and numbers where these belong."""
        cells = self._cells(line)
        if len(cells) != self._width or line.count('"') % 2:
            return False
        filled = [(column, cells[place]) for place, column in self._kinds if cells[place].strip()]
        return bool(filled) and all(_fits(column, cell) for column, cell in filled)

    def _cells(self, line: str) -> list[str]:
        try:
            return next(_reader([line], delimiter=self._delimiter), [])
        except csv.Error:
            return []

    @property
    def doubtful(self) -> str:
        """How lines begin that may have no data."""
        return f" \t\n\x1a#{_MARK}{self._delimiter}{self._header[:1]}"

    def _next(self) -> str | None:
        if self._place >= len(self._block) and not self.block():
            return None
        self._place += 1
        self.number += 1
        line = self._block[self._place - 1]
        self.ended = line[-1:] == "\n"
        return line

    def __iter__(self) -> Iterator[str]:
        """Yield the lines up to the end of the block, or of the record that reaches beyond it."""
        while self.inside or self._place < len(self._block):
            line = self._next()
            if line is None:
                self.unclosed = True
                return
            if not self.inside:
                if not self.holds_data(line):
                    if self.repeats_header(line):
                        self._left_out.add(self.number, [self._header], AGAIN)
                    continue
                self.began = self.number
                self.inside = True
                self.record = []
            self.record.append(line)
            yield line


def _kinds(header: Sequence[str], headings: Headings) -> list[tuple[int, Column]]:
    """Return the places of days and numbers in a row."""
    known = [(place, headings.column_of(name)) for place, name in enumerate(header) if name]
    return [(place, column) for place, column in known if column.kind in ("day", "number")]


def _fits(column: Column, cell: str) -> bool:
    try:
        if column.kind == "day":
            return dates.day_of(cell) is not None
        return numbers.number_of(cell, unit=column.unit) is not None
    except Open:
        return True


def _split(stream: Stream, encoding: str) -> Iterator[list[str]]:
    """Yield the lines of a stream, with their ends, block by block; \\n, \\r\\n and \\r each end a line.

    NUL is left out: our databases cannot store it, and no text needs it.
    """
    decode = codecs.getincrementaldecoder(encoding)().decode
    rest = ""
    while True:
        chunk = stream.read(READ)
        text = decode(chunk, final=not chunk)
        if "\0" in text:
            text = text.replace("\0", "")
        text = rest + text
        if not chunk:
            yield _line_ends(text)
            return
        # A final \r may be the first half of \r\n, so the last line waits for the next chunk.
        cut = max(text.rfind("\n"), text.rfind("\r", 0, len(text) - 1)) + 1
        if len(text) - cut > MAX_CELL * 4:
            raise RefusedFile("contains a line that is too long to be a row")
        if cut:
            yield _line_ends(text[:cut])
        rest = text[cut:]


def _line_ends(text: str) -> list[str]:
    # str.splitlines also cuts at form feeds and other characters that are data here.
    if "\r" not in text:
        lines = text.split("\n")
    else:
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    last = lines.pop()
    ended = [line + "\n" for line in lines]
    return [*ended, last] if last else ended


class Delimited:
    """The rows of a delimited file."""

    def __init__(
        self, source: Source, encoding: str, shape: Shape, headings: Headings, left_out: LeftOuts
    ) -> None:
        self._source = source
        self._encoding = encoding
        self._shape = shape
        self._headings = headings
        self._left_out = left_out
        self._width = len(shape.head.header)
        self._whole = False
        """Whether a row with all its cells has come."""
        self._mended = 0
        part = re.escape(shape.delimiter)
        self._at_delimiters = re.compile(
            rf'(?:^|(?<={part}))("(?:[^"]|"(?!{part}|$))*+"(?={part}|$)|[^"{part}][^{part}]*|(?={part}|$))'
        )
        """Splits a line in which quotes are letters, except those beside delimiters."""

    def batches(self, *, tell: bool = False) -> Iterator[Batch]:
        """Yield the rows from the start. Raises RefusedFile with the line of what is wrong."""
        left_out = self._left_out if tell else LeftOuts()
        with self._source.open(tell=tell) as stream:
            lines = _Lines(_split(stream, self._encoding), self._shape, self._headings, left_out)
            while block := lines.block():
                batch = self._quickly(lines, block, left_out)
                if batch is None:
                    yield from self._carefully(lines)
                else:
                    self._whole = True
                    lines.skip_block()
                    yield batch

    def _quickly(self, lines: _Lines, block: list[str], left_out: LeftOuts) -> Batch | None:
        """Return the rows of a block in which each line is a row, a comment or blank; None for other blocks.

        If every line that looks like a row is a complete record, no quote reaches over a line's end, and so
        the lines that look like comments are comments.
        """
        first = lines.number + 1
        doubtful = lines.doubtful
        kept = [
            line for line in block if line[0] not in doubtful or (line != "\n" and lines.holds_data(line))
        ]
        cells = self._cells(kept)
        if len(cells) != len(kept) or set(map(len, cells)) - {self._width}:
            return None
        numbered = range(first, first + len(block))
        if len(kept) == len(block):
            return Batch(cells=cells, lines=numbered)
        held: list[int] = []
        for number, line in zip(numbered, block, strict=True):
            if line == "\n":
                continue
            if line[0] not in doubtful or lines.holds_data(line):
                held.append(number)
            elif lines.repeats_header(line):
                left_out.add(number, [line], AGAIN)
        return Batch(cells=cells, lines=held)

    def _cells(self, lines: list[str]) -> list[list[str]]:
        """Return the cells of lines that are rows; empty if one is not."""
        if self._shape.delimiter == "\t" and (parted := self._between_tabs(lines)) is not None:
            return parted
        try:
            return list(_reader(lines, delimiter=self._shape.delimiter, strict=True))
        except csv.Error:
            return []

    def _between_tabs(self, lines: list[str]) -> list[list[str]] | None:
        """Return the cells of lines in which quotes are letters, except around a whole cell; None for others.

        Some exports between tabs do not quote, and spreadsheet programs do.
        """
        if not any('"' in line for line in lines):
            return None
        parted = [line.rstrip("\n").split("\t") for line in lines]
        if any(len(cells) != self._width for cells in parted):
            return None
        return [[_unquoted(cell) for cell in cells] for cells in parted]

    def _carefully(self, lines: _Lines) -> Iterator[Batch]:
        """Yield the rows of a block, record by record."""
        width = self._width
        cells: list[list[str]] = []
        numbered: list[int] = []
        short: dict[int, int] = {}
        try:
            for row in _reader(lines, delimiter=self._shape.delimiter):
                lines.inside = False
                if lines.unclosed:
                    raise RefusedFile("a quote opens here and is never closed", lines.began)
                row = self._quoted_rightly(lines, row)
                if len(row) < width:
                    if not lines.ended and self._whole:
                        raise RefusedFile(
                            f"has {len(row)} cells where the header has {width}, and the file ends there: "
                            "it was cut off. Load the whole file",
                            lines.number,
                        )
                    short[len(cells)] = len(row)
                    row += [""] * (width - len(row))
                elif len(row) > width:
                    _shorten(row, width, lines.number)
                else:
                    self._whole = True
                cells.append(row)
                numbered.append(lines.number)
        except csv.Error:
            raise RefusedFile(f"a cell has more than {MAX_CELL:,} characters", lines.began) from None
        if cells:
            yield Batch(cells=cells, lines=numbered, short=short)

    def _quoted_rightly(self, lines: _Lines, row: list[str]) -> list[str]:
        """Return the cells of a row with quotes. Raises RefusedFile if they can mean two things."""
        if len(lines.record) > 1 and self._width > 2 and any(map(lines.looks_like_row, lines.record[1:])):
            raise RefusedFile(
                f"a quote opens here and is only closed in line {lines.number}, after other rows; close "
                "it at the end of its cell, or double it",
                lines.began,
            )
        if not any('"' in cell for cell in row):
            return row
        text = "".join(lines.record)
        try:
            list(_reader(io.StringIO(text, newline=""), delimiter=self._shape.delimiter, strict=True))
        except csv.Error:
            self._mended += 1
            short = len(text) <= LONGEST_MENDED and self._mended <= MOST_MENDED
            cells = self._at_delimiters.findall(text.rstrip("\n")) if short else []
            if len(lines.record) > 1 or len(cells) != self._width:
                reason = (
                    "there is a quote inside a quoted cell; double it, or remove the quotes around the cell"
                )
                raise RefusedFile(reason, lines.began) from None
            return [_unquoted(cell, doubled=False) for cell in cells]
        return row


def _unquoted(cell: str, *, doubled: bool = True) -> str:
    """Return a cell without quotes around it; those in it have to be `doubled`, or it is not quoted."""
    if len(cell) < 2 or cell[0] != '"' or cell[-1] != '"':
        return cell
    if doubled and '"' in cell[1:-1].replace('""', ""):
        return cell
    return cell[1:-1].replace('""', '"')


def _shorten(row: list[str], width: int, line: int) -> None:
    """Remove the empty cells beyond the header from `row`; raises RefusedFile if others are there."""
    cells = len(row)
    while len(row) > width and not row[-1].strip():
        row.pop()
    if len(row) != width:
        raise RefusedFile(
            f"has {cells} cells where the header has {width}; put quotes around the text that contains "
            "the delimiter",
            line,
        )


Batches = Callable[[], Iterator[Batch]]
