"""What a file's reader returns: batches of cells under a heading, and remarks about them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from mcpsite.datasets.columns import DateOrder

MOST_NAMED = 10
"""How many remarks with a line are shown, from the first; the others are counted."""
MOST_UNUSED = 1_000
"""Names of columns without a meaning here that are remembered."""
MAX_NAME = 60
"""Characters of such a name, or of a row that is left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Some rows of a table."""

    cells: list[list[str]]
    """A list for each row, as long as the table's header."""
    lines: Sequence[int]
    """The line on which each row ends (for JSON its place in the list; for a workbook its row)."""
    short: Mapping[int, int] = field(default_factory=dict)
    """How many cells the file has in rows, by their place in `cells`, that were filled up with empty ones."""


class Unused(dict[str, None]):
    """Names of columns without a meaning here, in the order in which they come; MOST_UNUSED at most."""

    skipped = 0
    """Items of a JSON file that are not rows: no objects, or objects without known columns."""

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
    """For each column the known name, empty if it has none."""
    batches: Iterator[Batch]
    again: Callable[[], Iterator[Batch]]
    """Returns the same rows from the start, for what only a whole column shows."""
    unused: Unused
    """The unused columns of the file, as far as it was read."""
    used: Mapping[str, str]
    """The used headings, as the file writes them, and the names of their columns."""
    left_out: LeftOuts
    notes: Sequence[str] = ()
    """Further remarks on how the file was read."""
    place: str = "line"
    """What the numbers of its rows count: lines, items of a list or rows of a sheet."""
    dates: DateOrder | None = None
    """The order of dates, if the heading says it."""
    delimiter: str = ""
    """The delimiter of its cells, if there is one."""
