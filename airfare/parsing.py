"""Files to tables: the cells of a CSV, TSV or JSON file, row by row, in constant memory.

Nothing here knows what the columns mean, except that a header is known by the columns it names; see
`airfare.records` for the meaning.
"""

import codecs
import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

import ijson

from mcpsite.core.texts import clean

FORMATS = {".csv": "csv", ".tsv": "tsv", ".json": "json"}
DELIMITERS = {"csv": ",", "tsv": "\t"}

READ = 1 << 19
"""Bytes read together: enough to make the work per batch small, and few enough to hold."""
BATCH = 5_000
"""Rows of a JSON file handled together, for the same reasons."""
MAX_CELL = 1_000_000
"""Characters in a cell; more means that a quote was never closed."""
MOST_AT_ONCE = 1 << 20
"""Bytes of a JSON file that may be read as a whole, to say on which line its mistake is."""
MOST_DIGITS = 4_000
"""Digits in a row; of some more Python makes no number."""
MOST_UNUSED = 1_000
"""Names of columns that mean nothing here, of which is remembered what they are called."""
MAX_NAME = 60
"""Characters of such a name."""
MAX_DEPTH = 32
"""Levels in a JSON value; the formats we know have five."""

csv.field_size_limit(MAX_CELL)


class RefusedFile(Exception):
    """A file that cannot be loaded, with the reason and, where there is one, the line."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason if line is None else f"line {line}: {reason}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Some rows of a table."""

    cells: list[list[str]]
    """A list for each row, as long as the table's header."""
    lines: Sequence[int]
    """The line on which each row ends (its place in the list, for JSON)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A file's rows under a header."""

    header: list[str]
    batches: Iterator[Batch]
    unused: "Unused"
    """What is not used of the file, as far as it was read."""


@contextmanager
def open_table(
    path: Path,
    *,
    columns: Iterable[str],
    prose: Iterable[str] = (),
    progress: Callable[[int], None] | None = None,
) -> Iterator[Table]:
    """The table that `path` holds; `columns` are the names by which a header is recognised.

    Those of `prose` may hold an object where the file is JSON.

    `progress` is told how many bytes were read, now and then. Raises RefusedFile, here or while the
    batches are read, when the file cannot be read as what its suffix says.
    """
    format_ = FORMATS.get(path.suffix.lower())
    if format_ is None:
        raise RefusedFile(f"is not one of {', '.join(FORMATS)}")
    known = frozenset(columns)
    try:
        with path.open("rb") as file:
            if format_ == "json":
                names = sorted(known)
                numbers = _Numbers(file, progress)
                unused = Unused()
                batches = _json_batches(numbers, path, names, frozenset(prose), unused)
                yield Table(header=names, batches=batches, unused=unused)
            else:
                delimited = _Delimited(_Source(file, progress), DELIMITERS[format_], known)
                yield Table(header=delimited.header, batches=delimited.batches(), unused=delimited.unused)
    except UnicodeDecodeError:
        raise RefusedFile("is not UTF-8 text; save the file as UTF-8", _undecodable_line(path)) from None
    except OSError as error:
        raise RefusedFile(f"cannot be read: {error.strerror or 'input/output error'}") from None


class Unused(dict[str, None]):
    """Names of columns that mean nothing here, in the order in which they come; MOST_UNUSED at most."""

    skipped = 0
    """Items of a JSON file that are no rows: no objects, or objects in which nothing is known."""

    def add(self, name: str) -> None:
        if len(self) < MOST_UNUSED and name.strip():
            self[name.strip()[:MAX_NAME]] = None


class _Source:
    """A binary file behind its byte order mark, which tells how far it was read."""

    def __init__(self, file: BinaryIO, progress: Callable[[int], None] | None) -> None:
        self._file = file
        self._progress = progress
        self.rewind()

    def rewind(self) -> None:
        self._file.seek(0)
        if self._file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            self._file.seek(0)

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        if self._progress:
            self._progress(len(chunk))
        return chunk


def _undecodable_line(path: Path) -> int | None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    with path.open("rb") as raw:
        while chunk := raw.read(READ):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                return line + _ends_in(error.object[: error.start])
            line += _ends_in(chunk)
    return None


def _ends_in(text: bytes) -> int:
    """How many lines end in `text`; a carriage return by itself ends one too."""
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


_MARK = codecs.BOM_UTF8.decode()
_AROUND = f" \t\r\n{_MARK}"


class _Lines:
    """The lines of a file without comments, blank lines and repeated headers, where these are not quoted.

    The csv reader asks for a further line before it has given back a record only when it is inside
    quotes: so `inside` is set here with each line and unset by who receives the record.
    """

    def __init__(self, raw: _Source, delimiter: str) -> None:
        self.number = 0
        """The line that was read last."""
        self.began = 0
        """The line on which the current record starts."""
        self.inside = False
        self.unclosed = False
        self._blocks = _split(raw)
        self._block: list[str] = []
        self._place = 0
        self._delimiter = delimiter
        self._blank = f" \t\r\n{delimiter}"
        self._header = ""
        """The header's line, where it has one of its own."""

    def block(self) -> list[str]:
        """The lines that were read from the file and not yet given; empty at its end."""
        if self._place:
            self._block, self._place = self._block[self._place :], 0
        while not self._block:
            block = next(self._blocks, None)
            if block is None:
                return []
            self._block = block
        return self._block

    def skip_block(self) -> None:
        """Go on behind what `block` returned."""
        self.number += len(self._block)
        self._block = []

    def holds_data(self, line: str) -> bool:
        """Whether `line`, outside quotes, is neither comment nor blank, nor the header once more."""
        text = line.strip(_AROUND)
        return text[:1] not in ("", "#") and text.strip(self._blank) != "" and text != self._header

    @property
    def doubtful(self) -> str:
        """How lines begin that may hold no data."""
        return f" \t\n#{_MARK}{self._delimiter}{self._header[:1]}"

    def _next(self) -> str | None:
        if self._place >= len(self._block) and not self.block():
            return None
        self._place += 1
        self.number += 1
        return self._block[self._place - 1]

    def __iter__(self) -> Iterator[str]:
        """The lines up to the end of the block, or of the record that reaches beyond it."""
        while self.inside or self._place < len(self._block):
            line = self._next()
            if line is None:
                self.unclosed = True
                return
            if not self.inside:
                if not self.holds_data(line):
                    continue
                self.began = self.number
                self.inside = True
            yield line

    def header(self, known: frozenset[str]) -> list[str]:
        """The header's cells: those of the first plain line, or of a comment before it that names columns."""
        while (line := self._next()) is not None:
            start = line.strip()
            if not start:
                continue
            if start[0] != "#":
                return self._plain_header(line, known)
            comment = start.lstrip("#").strip()
            if self._delimiter in comment:
                cells = next(csv.reader([comment], delimiter=self._delimiter))
                if known.intersection(_names(cells)):
                    return cells
        raise RefusedFile("has no header and no rows")

    def _plain_header(self, line: str, known: frozenset[str]) -> list[str]:
        self.inside = True
        self.began = self.number
        cells = next(csv.reader(chain([line], self), delimiter=self._delimiter))
        if self.unclosed:
            raise RefusedFile("a quote opens here and is never closed", self.began)
        self.inside = False
        if not known.intersection(_names(cells)):
            raise RefusedFile("is no usable header: it names no column that is known here", self.began)
        if self.number == self.began:
            # Files that were put together from several hold it again, mark and all.
            self._header = line.strip(_AROUND)
        return cells


def _split(raw: _Source) -> Iterator[list[str]]:
    """The lines of `raw`, with their ends, block by block; \\n, \\r\\n and \\r each end a line.

    NUL is left out: no database of ours can store it, and no text needs it.
    """
    decode = codecs.getincrementaldecoder("utf-8")().decode
    rest = ""
    while True:
        chunk = raw.read(READ)
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
            raise RefusedFile("holds a line that is too long to be a row")
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


def _names(cells: list[str]) -> list[str]:
    return list(map(_name, cells))


def _name(text: str) -> str:
    """A column's name, however its capitals, blanks and hyphens are written."""
    return "_".join(clean(text).lower().replace("-", " ").split())


class _Delimited:
    """The rows of a CSV or TSV file."""

    def __init__(self, raw: _Source, delimiter: str, known: frozenset[str]) -> None:
        self._lines = _Lines(raw, delimiter)
        self._delimiter = delimiter
        cells = self._lines.header(known)
        self.header = _names(cells)
        self.unused = Unused()
        for cell, name in zip(cells, self.header, strict=True):
            if name not in known:
                self.unused.add(cell)
        twice = next((name for name in self.header if name in known and self.header.count(name) > 1), None)
        if twice:
            raise RefusedFile(f"the header names {twice} twice", self._lines.number)

    def batches(self) -> Iterator[Batch]:
        while block := self._lines.block():
            batch = self._quickly(block)
            if batch is None:
                yield from self._carefully()
            else:
                self._lines.skip_block()
                yield batch

    def _quickly(self, block: list[str]) -> Batch | None:
        """The rows of a block in which each line is a row, a comment or blank; None for other blocks.

        Where every line that looks like a row is a complete record, no quote reaches over a line's
        end, and so the lines that look like comments are comments.
        """
        lines, first = self._lines, self._lines.number + 1
        doubtful = lines.doubtful
        kept = [line for line in block if line[0] not in doubtful or lines.holds_data(line)]
        try:
            cells = list(csv.reader(kept, delimiter=self._delimiter, strict=True))
        except csv.Error:
            return None
        if len(cells) != len(kept) or set(map(len, cells)) - {len(self.header)}:
            return None
        numbers = range(first, first + len(block))
        if len(kept) == len(block):
            return Batch(cells=cells, lines=numbers)
        held = (number for number, line in zip(numbers, block, strict=True) if lines.holds_data(line))
        return Batch(cells=cells, lines=list(held))

    def _carefully(self) -> Iterator[Batch]:
        """The rows of a block, record by record; raises RefusedFile with the line of what is wrong."""
        lines = self._lines
        width = len(self.header)
        cells: list[list[str]] = []
        numbers: list[int] = []
        try:
            for row in csv.reader(lines, delimiter=self._delimiter):
                lines.inside = False
                if lines.unclosed:
                    raise RefusedFile("a quote opens here and is never closed", lines.began)
                cells.append(row if len(row) == width else _fitted(row, width, lines.number))
                numbers.append(lines.number)
        except csv.Error:
            raise RefusedFile(f"a cell has more than {MAX_CELL:,} characters", lines.began) from None
        if cells:
            yield Batch(cells=cells, lines=numbers)


def _fitted(row: list[str], width: int, line: int) -> list[str]:
    """`row` without empty cells beyond the header; raises RefusedFile when it still does not fit."""
    while len(row) > width and not row[-1].strip():
        row.pop()
    if len(row) != width:
        raise RefusedFile(f"has {len(row)} cells where the header has {width}", line)
    return row


# JSON


def _json_batches(
    raw: _Source, path: Path, names: list[str], prose: frozenset[str], unused: Unused
) -> Iterator[Batch]:
    """The rows of a JSON file. An object that names none of `names` is no row. Raises RefusedFile.

    `prose` are the columns in which an object or a list of objects may stand for its own text.
    """
    cells: list[list[str]] = []
    numbers: list[int] = []
    known = frozenset(names)
    for seen, record in enumerate(_tolerant(raw, path, unused), start=1):
        row = _folded(record, known, seen, unused) if isinstance(record, dict) else {}
        if not row:
            unused.skipped += 1
            continue
        for name, value in row.items():
            if isinstance(value, dict) and name not in prose:
                raise RefusedFile(f"{name} of item {seen} is an object, where a text or a number has to be")
        cells.append([_text(row.get(name)) for name in names])
        numbers.append(seen)
        if len(cells) == BATCH:
            yield Batch(cells=cells, lines=numbers)
            cells, numbers = [], []
    if cells:
        yield Batch(cells=cells, lines=numbers)
    elif unused.skipped and not numbers:
        raise RefusedFile("names no column that is known here")


def _folded(record: dict[str, Any], known: frozenset[str], number: int, unused: Unused) -> dict[str, Any]:
    """The members of an item that are known, their names written as those of a header are."""
    row: dict[str, Any] = {}
    for key, value in record.items():
        name = _name(key)
        if name not in known:
            unused.add(key)
            continue
        held = row.get(name)
        if held not in (None, "") and value not in (None, "", held):
            raise RefusedFile(f"item {number} names {name} twice, with different values")
        row[name] = value if held in (None, "") else held
    return row


def _tolerant(raw: _Source, path: Path, unused: Unused) -> Iterator[Any]:
    """The items of a JSON file, also of one that holds NaN or Infinity, as Python writes them.

    The streaming parser does not know these, so a file that it stops at is read again with texts in their
    place. Raises RefusedFile.
    """
    given = 0
    try:
        for record in _records(raw, unused):
            given += 1
            yield record
    except ijson.JSONError:
        with path.open("rb") as file:
            again = _Finite(file)
            try:
                yield from islice(_records(again, unused), given, None)
            except ijson.JSONError:
                if line := _undecodable_line(path):
                    raise RefusedFile("is not UTF-8 text; save the file as UTF-8", line) from None
                raise RefusedFile(*_mistake(path, again.line)) from None


def _mistake(path: Path, read: int) -> tuple[str, int]:
    """What is wrong with a file that is not JSON, and the line; of a large one, how far it was read."""
    if path.stat().st_size <= MOST_AT_ONCE:
        with suppress(RecursionError, ValueError):
            try:
                json.loads(path.read_text("utf-8-sig"))
            except json.JSONDecodeError as error:
                return f"is not JSON: {error.msg[0].lower()}{error.msg[1:]}", error.lineno
    return "is not JSON, here or a little before", read


class _Numbers(_Source):
    """A JSON file without numbers that are too long for Python, which the parser does not survive."""

    _ENDLESS = re.compile(rb"[0-9]{%d}" % MOST_DIGITS)

    def rewind(self) -> None:
        super().rewind()
        self._last = b""

    def read(self, size: int = -1) -> bytes:
        chunk = super().read(size)
        if self._ENDLESS.search(self._last + chunk):
            raise RefusedFile("holds a number with too many digits")
        self._last = (self._last + chunk)[-MOST_DIGITS:]
        return chunk


class _Finite(_Numbers):
    """A JSON file in which NaN, Infinity and -Infinity are texts, and which counts its lines."""

    _TOKEN = re.compile(rb'\\.|"|-?Infinity|NaN', re.DOTALL)
    _LONGEST = len(b"-Infinity")

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, None)

    def rewind(self) -> None:
        super().rewind()
        self.line = 1
        self._rest = b""
        self._inside = False

    def read(self, size: int = -1) -> bytes:
        if size == 0:
            return b""
        while True:
            chunk = super().read(size)
            text = self._rest + chunk
            # What may be the start of a token waits for its end.
            end = len(text) - self._LONGEST if chunk else len(text)
            made, end = self._replaced(text, max(end, 0))
            self._rest = text[end:]
            self.line += made.count(b"\n")
            if made or not chunk:
                return made

    def _replaced(self, text: bytes, end: int) -> tuple[bytes, int]:
        """`text` up to `end`, or up to the end of the token that stands there, and where that is."""
        parts: list[bytes] = []
        place = 0
        for token in self._TOKEN.finditer(text):
            if token.start() >= end:
                break
            parts.append(text[place : token.start()])
            word = token[0]
            if word == b'"':
                self._inside = not self._inside
            parts.append(word if self._inside or word[:1] in b'"\\' else b'"%b"' % word)
            place = token.end()
        end = max(end, place)
        return b"".join([*parts, text[place:end]]), end


Events = Iterator[tuple[str, Any]]


def _records(raw: _Source, unused: Unused) -> Iterator[Any]:
    """The objects that stand for rows, in each of the shapes that a file may have, and what is among them.

    A nested file is read twice: what its queries inherit may stand behind them.
    """
    events: Events = ijson.basic_parse(raw)
    event, _ = next(events)
    if event == "start_array":
        for event, value in events:
            if event == "end_array":
                next(events, None)  # Whatever stands behind the list is an error.
                return
            yield _value(events, event, value)
    if event != "start_map":
        raise RefusedFile("holds neither a list nor an object")
    document: dict[str, Any] = {}
    regions: dict[str, dict[str, Any]] | None = None
    for key, event, value in _members(events):
        if _name(key) == "regions" and event == "start_map":
            regions = _regions(events)
        else:
            document[_name(key)] = _value(events, event, value)
    next(events, None)  # Whatever stands behind the document is an error.
    if regions is None:
        yield document
        return
    for key in document:
        if key != "week":
            unused.add(f"{key} (beside the regions)")
    raw.rewind()
    events = ijson.basic_parse(raw)
    next(events)
    for key, event, _ in _members(events):
        if _name(key) == "regions" and event == "start_map":
            yield from _queries(events, regions, document.get("week"), unused)
        else:
            _skip(events, event)


def _members(events: Events) -> Iterator[tuple[str, str, Any]]:
    """The members of the object whose start was just read; the taker reads each value to its end."""
    for event, key in events:
        if event == "end_map":
            return
        event, value = next(events)
        yield key, event, value


def _regions(events: Events) -> dict[str, dict[str, Any]]:
    """What each region says beside its list of queries; a region without one gets no such key."""
    regions: dict[str, dict[str, Any]] = {}
    for name, event, _ in _members(events):
        if event != "start_map":
            _skip(events, event)
            continue
        region = regions[name] = {}
        for key, inner, value in _members(events):
            if _name(key) == "top_queries" and inner == "start_array":
                region["top_queries"] = []
                _skip(events, inner)
            else:
                region[_name(key)] = _value(events, inner, value)
    return regions


def _queries(
    events: Events, regions: dict[str, dict[str, Any]], week: object, unused: Unused
) -> Iterator[Any]:
    for name, event, given in _members(events):
        if event != "start_map":
            yield _value(events, event, given)
            continue
        region = regions[name]
        inherited = {"region": name, "week": week, "channel_checks": region.get("channel_checks")}
        listed = isinstance(region.get("top_queries"), list)
        if not listed:
            yield {**inherited, **region}
        for key, inner, _ in _members(events):
            if not (listed and _name(key) == "top_queries" and inner == "start_array"):
                _skip(events, inner)
                if listed and _name(key) != "channel_checks":
                    unused.add(f"{key} (of a region)")
                continue
            for each, value in events:
                if each == "end_array":
                    break
                query = _value(events, each, value)
                yield {**inherited, **query} if query and isinstance(query, dict) else query


def _value(events: Events, event: str, value: Any, depth: int = 0) -> Any:
    """The value that starts with `event`."""
    if depth > MAX_DEPTH:
        raise RefusedFile("is nested too deeply")
    if event == "start_map":
        return {key: _value(events, each, inner, depth + 1) for key, each, inner in _members(events)}
    if event == "start_array":
        items = []
        for each, inner in events:
            if each == "end_array":
                break
            items.append(_value(events, each, inner, depth + 1))
        return items
    return value


def _skip(events: Events, event: str) -> None:
    """Read the value that starts with `event` to its end."""
    depth = 1 if event in ("start_map", "start_array") else 0
    while depth:
        event, _ = next(events)
        if event in ("start_map", "start_array"):
            depth += 1
        elif event in ("end_map", "end_array"):
            depth -= 1


def _text(value: Any) -> str:
    """A JSON value as the cell of a table would hold it."""
    if value is None:
        return ""
    if isinstance(value, str):
        # A lone surrogate is valid in a JSON escape and in no database.
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))
    if isinstance(value, bool | dict):
        # Fractions come as Decimal.
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
