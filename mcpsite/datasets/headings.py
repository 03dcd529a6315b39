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
    """What a heading stands for."""

    name: str
    """Of the names of its column, the one that it is."""
    column: Column
    dates: DateOrder | None = None
    """Of a column of days: the order of its dates, where the heading says it in brackets."""


class _Named(NamedTuple):
    name: str
    column: Column
    needs_unit: bool


def _parts(text: str) -> tuple[str, list[str]]:
    """Return the letters and digits of a heading outside brackets, and the units it says."""
    text = clean(text).casefold()
    units = [unit for unit in _BRACKETS.findall(text) if unit.strip()]
    rest = _BRACKETS.sub(" ", text)
    units += _SIGNS.findall(rest)
    return "".join(filter(str.isalnum, _SIGNS.sub(" ", rest))), units


def _plain(text: str) -> str:
    return " ".join(clean(text).casefold().split())


class Headings:
    """The headings by which a table's columns are known."""

    take_all = False
    """Whether any heading is one, so that it says nothing of what a file holds."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self.columns = tuple(columns)
        self.names = list(dict.fromkeys(name for column in self.columns for name in column.names))
        """Every name of every column, in their order."""
        self._named: dict[str, _Named] = {}
        self._exact = {_plain(name): (name, column) for column in self.columns for name in column.names}
        """Names as they are written, with the units in their brackets."""
        self._remembered: dict[str, Meaning | str] = {}
        for column in self.columns:
            for name in column.names:
                self._named.setdefault(_parts(name)[0], _Named(name, column, needs_unit=False))
        for column in self.columns:
            for name in column.names:
                self._add_units(name, column)

    def _add_units(self, name: str, column: Column) -> None:
        """Take the unit at the end of a name away, or put it there, in any of its spellings."""
        key = _parts(name)[0]
        written = [letters for each in spellings(column.unit) if (letters := _parts(each)[0])]
        bases = {key, *(key.removesuffix(each) for each in written)}
        for base in bases - {""}:
            self._named.setdefault(base, _Named(name, column, needs_unit=True))
            for each in written:
                self._named.setdefault(base + each, _Named(name, column, needs_unit=False))

    def meaning(self, heading: str) -> Meaning | None:
        """Return what `heading` stands for; None where it is not known, or says another unit."""
        found = self._find(heading)
        return found if isinstance(found, Meaning) else None

    def column_of(self, name: str) -> Column:
        """Return the column that is meant by a name out of `names`."""
        return next(column for column in self.columns if name in column.names)

    def unused(self, heading: str) -> str:
        """Return a heading that is not used as a person is told of it."""
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
                return f"in {other.strip()[:20]}, where {column.unit} is meant"
            if needs_unit and not units:
                return f"without its unit; {column.unit} is meant"
        return Meaning(name, column)


def _date_order(brackets: Iterable[str]) -> DateOrder | None:
    said = " ".join(brackets)
    if _DAY_FIRST.search(said):
        return "dmy"
    return "mdy" if _MONTH_FIRST.search(said) else None
