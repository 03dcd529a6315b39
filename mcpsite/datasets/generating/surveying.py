"""What the columns of a still unknown file contain."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mcpsite.core.texts import clean
from mcpsite.datasets import dates, numbers
from mcpsite.datasets.blanks import is_nothing, unwrapped
from mcpsite.datasets.columns import Column, Said
from mcpsite.datasets.headings import Headings, Meaning
from mcpsite.datasets.reading import NOTHING_SAID, open_table
from mcpsite.datasets.refusals import Open, RefusedFile
from mcpsite.datasets.units import currency_of

MOST_VALUES = 20_000
"""Distinct values of a column that are remembered; of a column with more they do not matter."""
MOST_COLUMNS = 200
EXAMPLES = 3


class AnyHeadings(Headings):
    """Headings that accept any text as a column."""

    take_all = True

    def __init__(self) -> None:
        super().__init__(())
        self.found: dict[str, None] = {}

    @property
    def names(self) -> list[str]:
        return list(self.found)

    @names.setter
    def names(self, _: list[str]) -> None:
        """Ignore names, because none are known beforehand."""

    def meaning(self, heading: str) -> Meaning | None:
        name = " ".join(clean(heading).split())
        if not name:
            return None
        if len(self.found) >= MOST_COLUMNS and name not in self.found:
            raise RefusedFile(f"has more than {MOST_COLUMNS} columns")
        self.found[name] = None
        return Meaning(name, _any(name))

    def column_of(self, name: str) -> Column:
        return _any(name)

    def count(self, cells: Sequence[str]) -> int:
        """Return how many different cells are words, as headings are."""
        return len({cell.strip() for cell in cells if _is_word(cell)})


def _any(name: str) -> Column:
    # Prose may have nested values, too.
    return Column(name=name, names=(name,), kind="prose")


def _is_word(cell: str) -> bool:
    text = cell.strip()
    if not text or len(text) > 100 or not any(map(str.isalpha, text)):
        return False
    return dates.certain_day(text) is None


class Looks(NamedTuple):
    """The kinds that a cell can be."""

    number: bool
    day: bool
    worded_day: bool
    """A day that is not also a number."""
    time: bool
    code: bool


@dataclass
class Surveyed:
    """What a column contains."""

    heading: str
    filled: int = 0
    numbers: int = 0
    days: int = 0
    """Cells that are certainly days, or days in one of two orders."""
    words_of_days: int = 0
    """Those of them that are not also numbers."""
    times: int = 0
    codes: int = 0
    """Numbers with a leading zero, or with more digits than a number keeps."""
    longest: int = 0
    characters: int = 0
    units: set[str] = field(default_factory=set)
    """Signs of currency or per cent beside numbers."""
    values: "dict[str, tuple[int, Looks]]" = field(default_factory=dict)
    """Distinct values, MOST_VALUES at most, with their numbers in `of_rows` and their kinds."""
    of_rows: "array[int]" = field(default_factory=lambda: array("I"))
    """For each row the number of its value; of values beyond the remembered ones, a hash."""
    examples: list[str] = field(default_factory=list)

    @property
    def distinct(self) -> int:
        """The number of distinct values; of very many, of the remembered ones."""
        return len(self.values)

    @property
    def has_many(self) -> bool:
        """Whether there are more distinct values than are remembered."""
        return len(self.values) >= MOST_VALUES

    def add(self, cell: str) -> None:
        """Examine one cell."""
        text = unwrapped(clean(cell).strip())
        if is_nothing(text, of_texts=True):
            self.of_rows.append(0)
            return
        self.filled += 1
        known = self.values.get(text)
        if known is None:
            looks = self._look(text)
            if self.has_many:
                known = hash(text) & 0x7FFFFFFF, looks
            else:
                known = self.values[text] = len(self.values) + 1, looks
        number, (is_number, is_day, is_worded, has_time, is_code) = known
        self.of_rows.append(number)
        self.numbers += is_number
        self.days += is_day
        self.words_of_days += is_worded
        self.times += has_time
        self.codes += is_code

    def _look(self, text: str) -> "Looks":
        if len(self.examples) < EXAMPLES:
            self.examples.append(text[:40])
        self.longest = max(self.longest, len(text))
        self.characters += len(text)
        unit = "%" if "%" in text else currency_of(text)
        is_number = _is_number(text, unit)
        if is_number and unit:
            self.units.add(unit)
        is_day = _is_day(text)
        digits = sum(map(str.isdigit, text))
        is_code = is_number and text.isdigit() and ((text[0] == "0" and len(text) > 1) or digits > 15)
        return Looks(is_number, is_day, is_day and not is_number, is_day and ":" in text, is_code)


def _is_number(text: str, unit: str) -> bool:
    try:
        return numbers.number_of(text, unit=unit) is not None
    except Open:
        return True


def _is_day(text: str) -> bool:
    if len(text) > 40:
        return False
    try:
        return dates.day_of(text) is not None
    except Open:
        return True


@dataclass(frozen=True, slots=True)
class Survey:
    """What the files contain together."""

    rows: int
    columns: list[Surveyed]


def survey(paths: Sequence[Path], said: Said = NOTHING_SAID) -> Survey:
    """Examine all of `paths`. Raises RefusedFile."""
    columns: dict[str, Surveyed] = {}
    rows = 0
    for path in paths:
        headings = _headings_of(path, said)
        with open_table(path, headings, said=said) as table:
            for batch in table.batches:
                read = [columns.setdefault(name, Surveyed(name)) for name in table.header if name]
                places = [place for place, name in enumerate(table.header) if name]
                for each in read:
                    each.of_rows.extend([0] * (rows - len(each.of_rows)))
                for cells in batch.cells:
                    for column, place in zip(read, places, strict=True):
                        column.add(cells[place])
                rows += len(batch.cells)
    for each in columns.values():
        each.of_rows.extend([0] * (rows - len(each.of_rows)))
    return Survey(rows=rows, columns=list(columns.values()))


def _headings_of(path: Path, said: Said) -> Headings:
    """Return the headings of a file, each as a text."""
    found = AnyHeadings()
    with open_table(path, found, said=said) as table:
        header = [name for name in table.header if name]
        for _ in () if header else table.batches:
            pass  # Members of objects may come late: only all rows show which there are.
        names = header or list(dict.fromkeys(table.used.values()))
    if not names:
        raise RefusedFile("has no columns")
    return Headings(map(_any, names))
