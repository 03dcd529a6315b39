"""Which column a heading means, however its capitals, blanks, hyphens, brackets and units are written."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mcpsite.core.texts import clean
from mcpsite.datasets.columns import Column, DateOrder
from mcpsite.datasets.units import is_unit, spellings

_BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_SIGNS = re.compile(r"us\$|[%$€£¥₹]")
_DAY_FIRST = re.compile(r"d+\W*m+\W*y+")
_MONTH_FIRST = re.compile(r"m+\W*d+\W*y+")
MOST_REMEMBERED = 10_000


class Meaning(NamedTuple):
    """The meaning of a heading."""

    name: str
    """The one of its column's names that it is."""
    column: Column
    dates: DateOrder | None = None
    """For a column of days: the order of its dates, if the heading has it in brackets."""


class _Named(NamedTuple):
    name: str
    column: Column
    needs_unit: bool


def _parts(text: str) -> tuple[str, list[str]]:
    """Return the letters and digits of a heading outside brackets, and its units."""
    text = clean(text).casefold()
    units = [unit for unit in _BRACKETS.findall(text) if unit.strip()]
    rest = _BRACKETS.sub(" ", text)
    units += _SIGNS.findall(rest)
    return "".join(filter(str.isalnum, _SIGNS.sub(" ", rest))), units


def _plain(text: str) -> str:
    return " ".join(clean(text).casefold().split())


class Headings:
    """The headings that identify a table's columns."""

    take_all = False
    """Whether any heading is accepted, so that it proves nothing of a file's content."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self.columns = tuple(columns)
        self.names = list(dict.fromkeys(name for column in self.columns for name in column.names))
        """Every name of every column, in their order."""
        self._named: dict[str, _Named] = {}
        self._exact = {_plain(name): (name, column) for column in self.columns for name in column.names}
        """Names as they are written, with units in brackets."""
        self._remembered: dict[str, Meaning | str] = {}
        for column in self.columns:
            for name in column.names:
                self._named.setdefault(_parts(name)[0], _Named(name, column, needs_unit=False))
        for column in self.columns:
            for name in column.names:
                self._add_units(name, column)

    def _add_units(self, name: str, column: Column) -> None:
        """Remove the unit from the end of a name, or add it, in any of its spellings."""
        key = _parts(name)[0]
        written = [letters for each in spellings(column.unit) if (letters := _parts(each)[0])]
        bases = {key, *(key.removesuffix(each) for each in written)}
        for base in bases - {""}:
            self._named.setdefault(base, _Named(name, column, needs_unit=True))
            for each in written:
                self._named.setdefault(base + each, _Named(name, column, needs_unit=False))

    def meaning(self, heading: str) -> Meaning | None:
        """Return what `heading` means; None if it is not known, or has another unit."""
        found = self._find(heading)
        return found if isinstance(found, Meaning) else None

    def column_of(self, name: str) -> Column:
        """Return the column with a name from `names`."""
        return next(column for column in self.columns if name in column.names)

    def unused(self, heading: str) -> str:
        """Return an unused heading for a message to a person."""
        found = self._find(heading)
        return f"{heading.strip()} ({found})" if isinstance(found, str) and found else heading

    def count(self, cells: Sequence[str]) -> int:
        """Return how many different columns `cells` name."""
        return len({meaning.name for cell in cells if (meaning := self.meaning(cell))})

    def _find(self, heading: str) -> Meaning | str:
        found = self._remembered.get(heading)
        if found is None:
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            found = self._remembered[heading] = self._look_up(heading)
        return found

    def _look_up(self, heading: str) -> Meaning | str:
        key, units = _parts(heading)
        if units and (exact := self._exact.get(_plain(heading))):
            return Meaning(*exact, dates=_date_order(units))
        named = self._named.get(key)
        if named is None:
            return ""
        name, column, needs_unit = named
        if column.kind == "day":
            return Meaning(name, column, _date_order(units))
        if column.kind == "number" and column.unit:
            if other := next((unit for unit in units if not is_unit(unit, column.unit)), ""):
                return f"in {other.strip()[:20]}, but {column.unit} is expected"
            if needs_unit and not units:
                return f"without a unit; {column.unit} is expected"
        return Meaning(name, column)


def _date_order(brackets: Iterable[str]) -> DateOrder | None:
    said = " ".join(brackets)
    if _DAY_FIRST.search(said):
        return "dmy"
    return "mdy" if _MONTH_FIRST.search(said) else None
