"""What a file's reader gives: batches of cells under a heading, and what is to be told beside them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from mcpsite.datasets.columns import DateOrder

MOST_NAMED = 10
"""Of what is told by line, the first that are shown; the others are counted."""
MOST_UNUSED = 1_000
"""Names of columns that mean nothing here, of which is remembered what they are called."""
MAX_NAME = 60
"""Characters of such a name, or of a row that is left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Some rows of a table."""

    cells: list[list[str]]
    """A list for each row, as long as the table's header."""
    lines: Sequence[int]
    """The line on which each row ends (its place in the list, for JSON; its row, of a workbook)."""
    short: Mapping[int, int] = field(default_factory=dict)
    """How many cells the file has of rows, by their place in `cells`, that were filled up with empty ones."""


class Unused(dict[str, None]):
    """Names of columns that mean nothing here, in the order in which they come; MOST_UNUSED at most."""

    skipped = 0
    """Items of a JSON file that are no rows: no objects, or objects in which nothing is known."""

    def add(self, name: str) -> None:
        if len(self) < MOST_UNUSED and name.strip():
            self[name.strip()[:MAX_NAME]] = None


class LeftOut(NamedTuple):
    """A row of the file that is no row of data."""

    line: int
    text: str
    why: str

    def __str__(self) -> str:
        return f"{self.text!r} ({self.why})"


class LeftOuts:
    """The rows that were left out: how many, and the first MOST_NAMED."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[LeftOut] = []

    def add(self, line: int, cells: Sequence[str], why: str) -> None:
        self.count += 1
        text = " ".join(" ".join(islice(filter(None, map(str.strip, cells)), 3)).split())
        self.first = sorted([*self.first, LeftOut(line, text[:MAX_NAME], why)])[:MOST_NAMED]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A file's rows under a header."""

    format: str
    header: list[str]
    """Of each column the name by which it is known, empty where it is not."""
    batches: Iterator[Batch]
    again: Callable[[], Iterator[Batch]]
    """The same rows from the start, for what only a whole column shows."""
    unused: Unused
    """What is not used of the file, as far as it was read."""
    used: Mapping[str, str]
    """The headings that are used, as the file writes them, and the names of their columns."""
    left_out: LeftOuts
    notes: Sequence[str] = ()
    """What else a person has to know of how the file was read."""
    place: str = "line"
    """What the numbers of its rows count: lines, items of a list or rows of a sheet."""
    dates: DateOrder | None = None
    """The order of dates, where the heading says it."""
    delimiter: str = ""
    """What stands between its cells, where something does."""
