"""JSON: objects to rows, in each of the shapes in which programs write a table."""

import codecs
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any, Protocol

import ijson

from mcpsite.core.texts import clean
from mcpsite.datasets.columns import Column
from mcpsite.datasets.headings import Headings
from mcpsite.datasets.refusals import RefusedFile
from mcpsite.datasets.sources import HEAD, Source
from mcpsite.datasets.tables import Batch, Unused

BATCH = 5_000
"""Rows processed together: enough to make the work per batch small, and few enough for memory."""
MOST_AT_ONCE = 1 << 20
"""Bytes of a file that may be read as a whole, to find the line of its mistake."""
MOST_HELD = 200_000
"""Values of a document in memory, to find out in which shape its rows are."""
MOST_DIGITS = 4_000
"""Consecutive digits; Python converts no number with many more."""
MAX_DEPTH = 32
"""Levels in a JSON value; the known formats have five."""
MAX_LINE = 4_000_000
"""Bytes of a line of JSON Lines."""
ENVELOPES = frozenset({"data", "rows", "results", "items", "records"})
"""Names of the list of rows inside an object, if there are several lists."""
ERRORS = frozenset({"error", "errors", "exception", "fault"})
"""Members of an error's body."""
UNKNOWN = "has no known column"

Events = Iterator[tuple[str, Any]]


class Layout(Protocol):
    """A special shape of a data set's documents: one member of the document has its rows."""

    member: str
    """Written as by `name_of`."""

    def survey(self, events: Events) -> Any:
        """Read the member's value and return what its rows need to know of it."""

    def rows(self, events: Events, surveyed: Any, document: dict[str, Any], unused: Unused) -> Iterator[Any]:
        """Read the member's value again and yield its rows; `document` is what is beside it."""


class Readable(Protocol):
    """Bytes to be parsed."""

    def read(self, size: int = -1) -> bytes:
        """Return the next ones."""


@dataclass(kw_only=True)
class Objects:
    """The rows of a JSON document, or of a file with an object in each line."""

    source: Source
    encoding: str
    headings: Headings
    unused: Unused
    used: dict[str, str]
    by_line: bool
    layout: Layout | None = None

    def batches(self, *, tell: bool = False) -> Iterator[Batch]:
        """Yield the rows from the start, without objects that have no known column. Raises RefusedFile."""
        unused, used = (self.unused, self.used) if tell else (Unused(), dict[str, str]())
        names = self.headings.names
        numeric = {
            name for column in self.headings.columns if column.kind == "number" for name in column.names
        }
        cells: list[list[str]] = []
        numbers: list[int] = []
        found = False
        for number, record in self._records(unused, tell=tell):
            row = self._row(record, number, unused, used) if isinstance(record, dict) else {}
            if not row:
                unused.skipped += 1
                continue
            found = True
            cells.append([_text(row[name], name in numeric) if name in row else "" for name in names])
            numbers.append(number)
            if len(cells) == BATCH:
                yield Batch(cells=cells, lines=numbers)
                cells, numbers = [], []
        if cells:
            yield Batch(cells=cells, lines=numbers)
        elif unused.skipped and not found:
            raise RefusedFile(UNKNOWN)

    def _row(
        self, record: dict[str, Any], number: int, unused: Unused, used: dict[str, str]
    ) -> dict[str, Any]:
        """Return the known members of an item, by the names of their columns."""
        row: dict[str, Any] = {}
        for key, value in record.items():
            meaning = self.headings.meaning(key)
            if meaning is None:
                unused.add(self.headings.unused(key))
                continue
            name, column = meaning.name, meaning.column
            held = row.get(name)
            if held not in (None, "") and value not in (None, "", held):
                raise RefusedFile(f"item {number} has two different values for {column.name}")
            _demand_value(column, value, number)
            row[name] = value if held in (None, "") else held
            used.setdefault(key[:60], column.name)
        return row

    def _records(self, unused: Unused, *, tell: bool) -> Iterator[tuple[int, Any]]:
        if self.by_line:
            yield from _by_line(self.source, self.encoding, tell=tell)
        else:
            yield from enumerate(self._tolerant(unused, tell=tell), start=1)

    def _tolerant(self, unused: Unused, *, tell: bool) -> Iterator[Any]:
        """Yield the items of a document, even if it has NaN or Infinity, as Python writes them.

        The streaming parser does not know these, so a file at which it stops is read again with texts in
        their place. Raises RefusedFile.
        """
        given = 0
        try:
            for record in self._items(_Numbers, unused, tell=tell):
                given += 1
                yield record
        except ijson.JSONError:
            read = _Counted()
            try:
                again = self._items(read.finite, unused, tell=False)
                yield from islice(again, given, None)
            except ijson.JSONError:
                raise RefusedFile(*self._mistake(read.line)) from None

    def _items(
        self, reader: Callable[[Readable], "_Numbers"], unused: Unused, *, tell: bool
    ) -> Iterator[Any]:
        @contextmanager
        def opened(*, tell: bool = False) -> Iterator[Events]:
            with self.source.open(tell=tell) as stream:
                yield ijson.basic_parse(reader(_in_utf8(stream, self.encoding)))

        with opened(tell=tell) as events:
            event, _ = next(events)
            if event == "start_array":
                for event, value in events:
                    if event == "end_array":
                        next(events, None)  # Anything after the list is an error.
                        return
                    yield value_of(events, event, value)
            if event != "start_map":
                raise RefusedFile("contains neither a list nor an object")
            survey = _Survey(self.headings, self.layout)
            survey.read(events)
            next(events, None)  # Anything after the document is an error.
        with opened() as events:
            next(events)
            yield from survey.rows(events, unused)

    def _mistake(self, read: int) -> tuple[str, int]:
        """Return what is wrong with a file that is not JSON, and the line; of a large one, the place read."""
        with self.source.open() as stream:
            text = _in_utf8(stream, self.encoding).read(MOST_AT_ONCE + 1)
        if len(text) <= MOST_AT_ONCE:
            with suppress(RecursionError, ValueError):
                try:
                    json.loads(text.decode("utf-8-sig"))
                except json.JSONDecodeError as error:
                    return f"is not JSON: {error.msg[0].lower()}{error.msg[1:]}", error.lineno
        return "is not JSON, at this line or shortly before", read


def is_by_line(text: str) -> bool:
    """Return whether a file that begins with `text` has an object in each line."""
    lines = [line for line in text.splitlines() if line.strip()][:2]
    if not lines or not lines[0].lstrip().startswith("{"):
        return False
    with suppress(ValueError, RecursionError):
        json.loads(lines[0])
        return len(lines) > 1 and lines[1].lstrip().startswith("{")
    return False


def _by_line(source: Source, encoding: str, *, tell: bool) -> Iterator[tuple[int, Any]]:
    """Yield the values of JSON Lines, each with its line."""
    with source.open(tell=tell) as stream:
        for number, line in enumerate(_lines(_in_utf8(stream, encoding)), start=1):
            text = line.decode().strip("\ufeff \t\r\n")
            if not text:
                continue
            try:
                yield number, json.loads(text, parse_float=Decimal, object_pairs_hook=_once)
            except RecursionError:
                raise RefusedFile("is nested too deeply", number) from None
            except RefusedFile as refused:
                raise RefusedFile(str(refused), number) from None
            except json.JSONDecodeError as error:
                reason = f"is not JSON: {error.msg[0].lower()}{error.msg[1:]}"
                raise RefusedFile(f"{reason}; JSON Lines files have one object per line", number) from None
            except (ValueError, ArithmeticError):
                raise RefusedFile("contains a number with too many digits", number) from None


def _lines(stream: Readable) -> Iterator[bytes]:
    rest = b""
    number = 1
    while chunk := stream.read(HEAD):
        *lines, rest = (rest + chunk).split(b"\n")
        number += len(lines)
        if len(rest) > MAX_LINE:
            raise RefusedFile(f"has more than {MAX_LINE:,} bytes", number)
        yield from lines
    yield rest


class _Transcoded:
    """Text of any encoding in the parser's encoding."""

    def __init__(self, stream: Readable, encoding: str) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder(encoding)().decode

    def read(self, size: int = -1) -> bytes:
        if size == 0:
            return b""
        while chunk := self._stream.read(size):
            if made := self._decode(chunk).encode("utf-8", "replace"):
                return made
        return self._decode(b"", final=True).encode("utf-8", "replace")


def _in_utf8(stream: Readable, encoding: str) -> Readable:
    return stream if encoding == "utf-8" else _Transcoded(stream, encoding)


class _Numbers:
    """A JSON file without numbers that are too long for Python, which would end the parser."""

    _ENDLESS = re.compile(rb"[0-9]{%d}" % MOST_DIGITS)

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._last = b""

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        if self._ENDLESS.search(self._last + chunk):
            raise RefusedFile("contains a number with too many digits")
        self._last = (self._last + chunk)[-MOST_DIGITS:]
        return chunk


class _Finite(_Numbers):
    """A JSON file in which NaN, Infinity and -Infinity are texts, and which counts its lines."""

    _TOKEN = re.compile(rb'\\.|"|-?Infinity|NaN', re.DOTALL)
    _LONGEST = len(b"-Infinity")

    def __init__(self, stream: Readable) -> None:
        super().__init__(stream)
        self.line = 1
        self._rest = b""
        self._inside = False

    def read(self, size: int = -1) -> bytes:
        if size == 0:
            return b""
        while True:
            chunk = super().read(size)
            text = self._rest + chunk
            # The possible start of a token waits for its end.
            end = len(text) - self._LONGEST if chunk else len(text)
            made, end = self._replaced(text, max(end, 0))
            self._rest = text[end:]
            self.line += made.count(b"\n")
            if made or not chunk:
                return made

    def _replaced(self, text: bytes, end: int) -> tuple[bytes, int]:
        """Return `text` up to `end`, or up to the end of the token there, and where that is."""
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


class _Counted:
    """Remembers the last reader it made, whose line it needs."""

    def __init__(self) -> None:
        self._last: _Finite | None = None

    def finite(self, stream: Readable) -> _Finite:
        self._last = _Finite(stream)
        return self._last

    @property
    def line(self) -> int:
        return self._last.line if self._last else 1


class _Over(Exception):
    """A document has more values than may be in memory."""


_OVER = object()


@dataclass
class _Survey:
    """An object as a whole, and in which of the shapes its rows are."""

    headings: Headings
    layout: Layout | None
    document: dict[str, Any] = field(default_factory=dict)
    """Its members, except lists of objects and what is too large for memory."""
    lists: dict[str, bool] = field(default_factory=dict)
    """The lists of objects or of lists, and whether the first items look like rows."""
    found: Any = None
    left: int = MOST_HELD

    def read(self, events: Events) -> None:
        for key, event, value in members(events):
            if self.layout and name_of(key) == self.layout.member and event == "start_map":
                self.found = self.layout.survey(events)
            elif event == "start_array":
                self._list(key, events)
            else:
                self.document[key] = self._held(events, event, value)

    def _held(self, events: Events, event: str, value: Any) -> Any:
        """Return a value, or _OVER if it is one too many for memory."""
        if event == "start_map":
            # Its members are read one by one, because a long one has to be skipped.
            held: dict[str, Any] = {}
            for key, each, inner in members(events):
                if self.left <= 0:
                    skip(events, each)
                    continue
                made = value_of(events, each, inner, 1)
                self.left -= _size(made)
                held[key] = made
            return held if self.left > 0 else _OVER
        self.left -= 1
        return value

    def _list(self, key: str, events: Events) -> None:
        items: list[Any] = []
        for event, value in events:
            if event == "end_array":
                self.document[key] = items if self.left > 0 else _OVER
                return
            if event == "start_map":
                first = value_of(events, event, value, 1)
                if self._known(first) and (self.headings.take_all or not self._known([key])):
                    self.lists[key] = True
                    _skip_rest(events)
                    return
                items.append(first)
                self.left -= _size(first)
            elif event == "start_array" and name_of(key) == "data":
                self.lists[key] = False
                skip(events, event)
                _skip_rest(events)
                return
            elif self.left > 0:
                items.append(value_of(events, event, value, 1))
                self.left -= 1
            else:
                skip(events, event)

    def _known(self, keys: Any) -> bool:
        return any(self.headings.meaning(key) for key in keys)

    def rows(self, events: Events, unused: Unused) -> Iterator[Any]:
        """Yield the rows; `events` are those of the document once more, after its start."""
        if self.found is not None and self.layout:
            yield from self._of_layout(events, self.layout, unused)
            return
        if (key := self._envelope()) is not None:
            self._tell_others(unused, key)
            yield from _items_of(events, key)
            return
        if (names := self._split()) is not None:
            for row in _items_of(events, next(iter(key for key in self.lists if name_of(key) == "data"))):
                if not isinstance(row, list) or len(row) != len(names):
                    raise RefusedFile("has a row in “data” that is not as long as “columns”")
                yield dict(zip(names, row, strict=True))
            return
        if self._is_by_index():
            for _, event, value in members(events):
                yield value_of(events, event, value, 1)
            return
        if (rows := self._by_column()) is not None:
            yield from rows
            return
        if self._is_empty():
            return
        if self._is_error():
            raise RefusedFile("is an error message, not data")
        if self._known(self.document):
            yield {key: value for key, value in self.document.items() if value is not _OVER}
            return
        inner = self._inside()
        if inner is None:
            raise RefusedFile(UNKNOWN)
        yield from inner

    def _is_empty(self) -> bool:
        """Return whether the document is an envelope around no rows."""
        return any(value == [] and name_of(key) in ENVELOPES for key, value in self.document.items())

    def _is_error(self) -> bool:
        """Return whether it describes an error rather than a row."""
        names = set(map(name_of, self.document))
        known = sum(self._known([key]) for key in self.document)
        return bool(known and (names & ERRORS or ("message" in names and known < 2)))

    def _of_layout(self, events: Events, layout: Layout, unused: Unused) -> Iterator[Any]:
        document = {name_of(key): value for key, value in self.document.items() if value is not _OVER}
        for key, event, _ in members(events):
            if name_of(key) == layout.member and event == "start_map":
                yield from layout.rows(events, self.found, document, unused)
            else:
                skip(events, event)

    def _envelope(self) -> str | None:
        """Return the only list of objects that are rows, or the one of several with a known name."""
        lists = [key for key, objects in self.lists.items() if objects]
        if len(lists) > 1:
            named = [key for key in lists if name_of(key) in ENVELOPES]
            if len(named) != 1:
                raise RefusedFile(
                    f"contains several lists of rows ({', '.join(lists)[:80]}); put each into its own file"
                )
            return named[0]
        return lists[0] if lists else None

    def _tell_others(self, unused: Unused, rows: str) -> None:
        """Add the known names beside the rows to the unused, because they are not read into them."""
        for key in self.document:
            if self._known([key]):
                unused.add(f"{key} (beside {rows})")

    def _split(self) -> list[str] | None:
        """Return the columns if rows are lists beside them, as pandas' “split” writes it."""
        names = next((value for key, value in self.document.items() if name_of(key) == "columns"), None)
        has_data = any(not objects for objects in self.lists.values())
        if has_data and isinstance(names, list) and all(isinstance(name, str) for name in names):
            return names if self._known(names) else None
        return None

    def _is_by_index(self) -> bool:
        """Return whether each member is a row under its number, as pandas' “index” writes it."""
        if self.lists or not self.document or not all(key.isdecimal() for key in self.document):
            return False
        return any(isinstance(row, dict) and self._known(row) for row in self.document.values())

    def _by_column(self) -> list[dict[str, Any]] | None:
        """Return the rows if each member is a column, a list or an object by number; None for others."""
        known = {key: value for key, value in self.document.items() if self._known([key])}
        if not known or not all(isinstance(value, dict | list) or value is _OVER for value in known.values()):
            return None
        if any(value is _OVER for value in known.values()):
            raise RefusedFile(
                "has its data column by column and is too large for that; write it as a list of rows"
            )
        if all(isinstance(value, dict) for value in known.values()):
            places = list(dict.fromkeys(place for column in known.values() for place in column))
            if not places or not all(place.isdecimal() for place in places):
                return None
        elif len(known) > 1 and all(isinstance(value, list) and value for value in known.values()):
            if len({len(column) for column in known.values()}) > 1:
                raise RefusedFile("has its data column by column, but its columns differ in length")
            known = {key: dict(enumerate(column)) for key, column in known.items()}
            places = list(next(iter(known.values())))
        else:
            return None
        others = [key for key in self.document if key not in known]
        rows = [{key: column.get(place) for key, column in known.items()} for place in places]
        # Then the unused names are reported as for any other row.
        return [row | dict.fromkeys(others) for row in rows]

    def _inside(self) -> list[Any] | None:
        """Return the only list of objects that are rows, deeper in the document."""
        found = [rows for value in self.document.values() for rows in self._lists_in(value)]
        return found[0] if len(found) == 1 else None

    def _lists_in(self, value: Any) -> Iterator[list[Any]]:
        if isinstance(value, dict):
            for inner in value.values():
                yield from self._lists_in(inner)
        elif isinstance(value, list) and any(
            isinstance(item, dict) and self._known(item) for item in value[:10]
        ):
            yield value


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_size, value.values()))
    return 1 + sum(map(_size, value)) if isinstance(value, list) else 1


def _items_of(events: Events, wanted: str) -> Iterator[Any]:
    for key, event, _ in members(events):
        if key != wanted or event != "start_array":
            skip(events, event)
            continue
        for each, value in events:
            if each == "end_array":
                return
            yield value_of(events, each, value, 1)


def _skip_rest(events: Events) -> None:
    """Read to its end the list in which something was just read."""
    for event, _ in events:
        if event == "end_array":
            return
        skip(events, event)


def members(events: Events) -> Iterator[tuple[str, str, Any]]:
    """Yield the members of the object whose start was just read; the caller reads each value to its end."""
    for event, key in events:
        if event == "end_map":
            return
        event, value = next(events)
        yield key, event, value


def value_of(events: Events, event: str, value: Any, depth: int = 0) -> Any:
    """Return the value that starts with `event`."""
    if depth > MAX_DEPTH:
        raise RefusedFile("is nested too deeply")
    if event == "start_map":
        return _once(
            [(key, value_of(events, each, inner, depth + 1)) for key, each, inner in members(events)]
        )
    if event == "start_array":
        items = []
        for each, inner in events:
            if each == "end_array":
                break
            items.append(value_of(events, each, inner, depth + 1))
        return items
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of these members. Raises RefusedFile if two have the same name and differ."""
    value = dict(pairs)
    if len(value) < len(pairs):
        for key, one in pairs:
            if value[key] != one:
                raise RefusedFile(f"an object has {key[:60]!r} twice, with different values")
    return value


def skip(events: Events, event: str) -> None:
    """Read the value that starts with `event` to its end."""
    depth = 1 if event in ("start_map", "start_array") else 0
    while depth:
        event, _ = next(events)
        if event in ("start_map", "start_array"):
            depth += 1
        elif event in ("end_map", "end_array"):
            depth -= 1


def name_of(key: str) -> str:
    """Return a member's name, however its capitals, blanks and hyphens are written."""
    return "_".join(clean(key).lower().replace("-", " ").split())


def _demand_value(column: Column, value: Any, number: int) -> None:
    nested = isinstance(value, dict) or (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and any(isinstance(each, dict) for each in value)
    )
    if nested and column.kind != "prose":
        what = "an object" if isinstance(value, dict) else "a list of objects"
        raise RefusedFile(f"{column.name} of item {number} is {what}, but has to be a text or a number")


def _text(value: Any, numeric: bool = False) -> str:
    """Return a JSON value as a table's cell would have it."""
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
    text = str(value)
    # In JSON a point is never a thousands separator, but before three decimals in a text it could be one.
    return f"{text}0" if numeric and text[-4:-3] == "." and "E" not in text else text
