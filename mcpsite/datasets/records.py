"""What the cells of a table mean: texts, days and numbers, column by column, and which rows are no data.

Work is done column by column over a batch, and earlier results are remembered, because that is several times
as fast as row by row: the values of most columns repeat. Rows are examined one by one only if something in
them cannot be read, or a word for a total has been seen.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import compress, islice
from typing import Any, NamedTuple

from mcpsite.core.texts import clean
from mcpsite.datasets import dates, numbers
from mcpsite.datasets.blanks import ERRORS, is_nothing, unwrapped
from mcpsite.datasets.columns import Column, DateOrder, DecimalMark, Said
from mcpsite.datasets.headings import Headings
from mcpsite.datasets.reading import NOTHING_SAID
from mcpsite.datasets.refusals import Open, RefusedFile
from mcpsite.datasets.tables import MOST_NAMED, Batch, LeftOuts, Table
from mcpsite.datasets.units import CURRENCIES, names_a_unit, unit_called

MOST_OF_WORD = 40
"""Characters of a word for a total, or for an empty cell."""
_TOTAL = re.compile(
    r"(grand|sub|over-?all|net|running|report)?[ -]?(totals?|sums?|averages?|avg|mean|median)"
    r"|(summe|gesamt(summe|ergebnis)?|zwischensumme|insgesamt|durchschnitt|mittelwert|totale|totaux"
    r"|sous-total|moyenne|promedio|media|soma|somme|suma)"
)
_PERHAPS_TOTAL = re.compile(
    r"(.*)[ -](totals?|averages?|avg|mean|median|summe|ergebnis|durchschnitt|promedio|moyenne)[.:]?"
    r"|all( [a-z]+)?|count|min|max|minimum|maximum|std|st(d|andard)\.? ?dev(iation)?\.?|\d\d?%"
)
"""Names of a group's total or figures: “JFK-LAX Total”, “Weighted average”, “max”. Values may, too."""
_RULE = re.compile(r"[-=_+:|~*\s]{2,}")
"""A line drawn below a heading or around a table."""
_FOOTER = re.compile(
    r"(sources?|quelle|fuente|fonte|notes?|foot ?notes?|remarks?|anmerkung|copyright|disclaimer|generated"
    r"|exported|created|printed|prepared|as of|data (as )?of|confidential|all rights|end of|last updated"
    r"|legend|n ?=)\b"
    r"|[©*†‡]|\(c\)",
    re.IGNORECASE,
)


class Remembered(dict[str, Any]):
    """A function's results by argument, forgotten when they become many."""

    def __init__(self, function: Callable[[str], Any], size: int = 50_000) -> None:
        super().__init__()
        self._function = function
        self._size = size

    def __missing__(self, key: str) -> Any:
        if len(self) >= self._size:
            self.clear()
        value = self[key] = self._function(key)
        return value


class Unreadable(NamedTuple):
    """A cell that does not contain what its column should."""

    line: int
    column: str
    text: str
    expected: str

    def __str__(self) -> str:
        return f"{self.column} is {self.text[:40]!r}, which is not {self.expected}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Values:
    """A batch of rows by column."""

    size: int
    texts: Mapping[str, list[str]]
    """By column, including days and numbers as the file writes them."""
    days: Mapping[str, list[str]]
    """Each as YYYY-MM-DD, empty if there is none."""
    numbers: Mapping[str, list[float | None]]
    lines: Sequence[int]


class _Marks(NamedTuple):
    """What the rest of a column shows of its numbers."""

    columns: Mapping[str, frozenset[str]]
    """The decimal marks that a column shows."""

    @property
    def file(self) -> frozenset[str]:
        return frozenset().union(*self.columns.values())


@dataclass(kw_only=True)
class Reader:
    """Reads the meaning of the cells of one file."""

    columns: Sequence[Column]
    header: Sequence[str]
    said: Said = NOTHING_SAID
    again: Callable[[], Iterable[Batch]] | None = None
    """The rows from the start, for what only a whole column shows."""
    left_out: LeftOuts = field(default_factory=LeftOuts)
    place: str = "line"
    dates: DateOrder | None = None
    delimiter: str = ","
    rows: int = 0
    unreadable: int = 0
    """How many cells should contain a day, or a number within its bounds, and do not."""
    first_unreadable: list[Unreadable] = field(default_factory=list)
    """The first of them, MOST_NAMED at most, by line."""
    undated: int = 0
    """How many rows have no day; one that cannot be read counts as none."""
    first_undated: list[int] = field(default_factory=list)
    """The lines of the first of them, MOST_NAMED at most."""

    def __post_init__(self) -> None:
        self._headings = Headings(self.columns)
        self._present = [each for each in self.columns if not set(each.names).isdisjoint(self.header)]
        self._order: DateOrder | None = self.said.dates or self.dates
        self._marks: _Marks | None = None
        self._totals = False
        """Whether a word for a total has been seen."""
        self._shares = {column.name: 0 for column in self._present if column.unit == "%"}
        """Columns of per cents without a value above 1, and how many fractions of 1 they have."""
        self.passed_over: dict[str, int] = {}
        """Further columns with the same meaning as one that is read, and in how many rows they differ."""
        self.unlikely_days: dict[str, None] = {}
        """The first days in unlikely years, MOST_NAMED at most."""
        self._months: dict[tuple[str, bool], str] = {}
        """By column a text that can be a month, and one that can only be a week."""
        self._errors = False
        """Whether a spreadsheet program's word for an error has been seen in a text."""
        self._cleaned = {column.name: Remembered(partial(self._clean, column)) for column in self._present}
        self._nothing = {column.name: "" if column.kind == "day" else None for column in self._present}
        """The value of a cell that is empty or cannot be read."""
        self._values = {
            column.name: Remembered(partial(self._day if column.kind == "day" else self._number, column))
            for column in self._present
            if column.kind in ("day", "number")
        }

    @classmethod
    def of(cls, table: Table, columns: Sequence[Column], said: Said = NOTHING_SAID) -> "Reader":
        """Return the reader of a table's cells."""
        return cls(
            columns=columns,
            header=table.header,
            said=said,
            again=table.again,
            left_out=table.left_out,
            place=table.place,
            dates=table.dates,
            delimiter=table.delimiter,
        )

    def read_all(self, batches: Iterable[Batch]) -> Iterator[Values]:
        """Yield the values of `batches`, marking the last one. Raises RefusedFile."""
        held: Batch | None = None
        for batch in batches:
            if held is not None:
                yield self.read(held)
            held = batch
        if held is not None:
            yield self.read(held, last=True)

    def read(self, batch: Batch, *, last: bool = False) -> Values:
        """Return the values of a batch; a `last` one may end in a footer. Raises RefusedFile."""
        size = len(batch.cells)
        given = dict(zip(self.header, zip(*batch.cells, strict=True), strict=True)) if size else {}
        texts = {column.name: self._first(given, column, size) for column in self._present}
        self._say_currencies(texts)
        values: dict[str, list[Any]] = {}
        doubtful = bool(batch.short) or last or not self.rows or self._totals or self._errors
        for name, remembered in self._values.items():
            raw = texts[name]
            try:
                values[name] = list(map(remembered.__getitem__, raw))
            except Open:
                self._settle()
                values[name] = list(map(remembered.__getitem__, raw))
            # Both counts run at the speed of C, unlike a check of each cell.
            doubtful = doubtful or values[name].count(self._nothing[name]) > raw.count("")
        lines = batch.lines
        if doubtful and size:
            texts, values, lines = self._sift(batch, texts, values, last=last)
        self._demand_short(texts, lines)
        self.rows += len(lines)
        days = {column.name: values[column.name] for column in self._present if column.kind == "day"}
        for name in days:
            self._count_undated(texts[name], lines)
        for name in list(self._shares):
            self._look_for_shares(name, texts[name], values[name])
        return Values(
            size=len(lines),
            texts=texts,
            days=days,
            numbers={c.name: values[c.name] for c in self._present if c.kind == "number"},
            lines=lines,
        )

    @property
    def shares(self) -> list[str]:
        """The columns of per cents that look like fractions of 1."""
        return [each.name for each in self._present if self._shares.get(each.name, 0) > 1]

    def _count_undated(self, texts: Sequence[str], lines: Sequence[int]) -> None:
        if missing := texts.count(""):
            self.undated += missing
            empty = (line for line, text in zip(lines, texts, strict=True) if not text)
            self.first_undated += islice(empty, MOST_NAMED - len(self.first_undated))

    # Cells

    def _look_for_shares(self, name: str, texts: Sequence[str], given: Sequence[float | None]) -> None:
        said = [v for v, text in zip(given, texts, strict=True) if v is not None and "%" not in text]
        if max(map(abs, said), default=0) > 1:
            del self._shares[name]
        else:
            self._shares[name] += sum(not value.is_integer() for value in said)

    def _first(self, given: Mapping[str, Sequence[str]], column: Column, size: int) -> list[str]:
        """Return for each row the first of a column's cells that is not empty."""
        found: list[str] | None = None
        remembered = self._cleaned[column.name]
        for name in column.names:
            cells = given.get(name)
            if cells is None or (found is not None and not any(cells)):
                continue
            cleaned = list(map(remembered.__getitem__, cells))
            if found is None:
                found = cleaned
                continue
            # The day of a week may well be beside the week.
            if column.kind != "day" and (
                differ := sum(a != b != "" != a for a, b in zip(found, cleaned, strict=True))
            ):
                self.passed_over[name] = self.passed_over.get(name, 0) + differ
            found = [a or b for a, b in zip(found, cleaned, strict=True)]
        return [""] * size if found is None else found

    def _say_currencies(self, texts: dict[str, list[str]]) -> None:
        """Add to the amounts of a row the currency in a column of currencies, if it is not their own."""
        for said in (texts[column.name] for column in self._present if column.kind == "currency"):
            others = {text: unit_called(text) or text for text in set(said) - {""}}
            for column in self._present:
                if column.unit in CURRENCIES and set(others.values()) - {column.unit}:
                    texts[column.name] = [
                        f"{amount} {others[text]}"
                        if amount and others.get(text, column.unit) != column.unit
                        else amount
                        for amount, text in zip(texts[column.name], said, strict=True)
                    ]

    def _clean(self, column: Column, cell: str) -> str:
        text = unwrapped(clean(cell).strip())
        if column.kind == "category":
            text = " ".join(text.split())
        if len(text) > MOST_OF_WORD:
            return text
        of_texts = column.kind not in ("day", "number")
        if is_nothing(text, of_texts=of_texts):
            return ""
        self._totals = self._totals or _may_be_total(text)
        self._errors = self._errors or (of_texts and text[0] == "#" and ERRORS.fullmatch(text) is not None)
        return text

    def _day(self, column: Column, text: str) -> str:
        if not text:
            return ""
        day = dates.day_of(text, self._order)
        if day and day.year not in dates.LIKELY and len(self.unlikely_days) < MOST_NAMED:
            self.unlikely_days[f"{column.name} {text[:40]!r}"] = None
        if dates.is_month_or_week(text):
            self._demand_months(column, text, is_month=day is not None)
        return str(day) if day else ""

    def _demand_months(self, column: Column, text: str, *, is_month: bool) -> None:
        """Raise RefusedFile if one text of a column can only be a week, because others may then be weeks."""
        self._months.setdefault((column.name, is_month), text)
        month, week = (self._months.get((column.name, each)) for each in (True, False))
        if month and week:
            raise RefusedFile(
                f"{column.name} is {week!r}, which is not a month, so {month!r} may be a week, too; write "
                "weeks as 2024-W23, or correct it",
                self._line_of(column, week),
                place=self.place,
            )

    def _number(self, column: Column, text: str) -> float | None:
        if not text:
            return None
        try:
            value = numbers.number_of(text, unit=column.unit, decimal=self.said.decimal)
        except Open:
            if self._marks is None:
                raise
            value = numbers.number_of(text, unit=column.unit, decimal=self._mark(column, text))
        return value if value is not None and column.least <= value <= column.most else None

    def _mark(self, column: Column, text: str) -> DecimalMark:
        """Return the decimal mark of an ambiguous number, by its column and then by the file."""
        assert self._marks is not None  # noqa: S101 (looked for before)
        mark = numbers.mark_of(text, unit=column.unit)
        other: DecimalMark = "," if mark == "." else "."
        shown = self._marks.columns.get(column.name, frozenset())
        if len(shown) == 1:
            return "." if "." in shown else ","
        if not shown and self._marks.file == {other}:
            return other
        if not shown and not self._marks.file and mark == "," and self.delimiter == ",":
            return "."
        raise RefusedFile(
            f"{column.name} is {text[:40]!r}, which may mean thousands or decimals, and the rest of the "
            "file does not show which; set the decimal mark (--decimal . or --decimal ,; “Decimal mark” of "
            "an upload)",
            self._line_of(column, text),
            place=self.place,
        )

    def _demand_short(self, texts: Mapping[str, list[str]], lines: Sequence[int]) -> None:
        for column in self._present:
            if column.longest is None:
                continue
            if max(map(len, texts[column.name]), default=0) > column.longest:
                place = next(i for i, text in enumerate(texts[column.name]) if len(text) > column.longest)
                reason = too_long(column, texts[column.name][place])
                raise RefusedFile(reason, lines[place], place=self.place)

    # What only a whole column shows

    def _settle(self) -> None:
        """Read the file again for the order of its dates and its decimal marks. Raises RefusedFile."""
        orders: dict[DateOrder, tuple[int, str]] = {}
        open_day: tuple[int, str, str] | None = None
        marks: dict[str, set[str]] = {}
        kinds = {
            name: column for column in self._present for name in column.names if column.name in self._values
        }
        seen: set[tuple[str, str]] = set()
        for line, column, cell in self._cells(kinds):
            if (column.name, cell) in seen:
                continue
            if len(seen) > 200_000:
                seen.clear()
            seen.add((column.name, cell))
            text = self._cleaned[column.name][cell]
            if column.kind == "number":
                if mark := numbers.decimal_shown(text, unit=column.unit):
                    marks.setdefault(column.name, set()).add(mark)
            elif order := dates.order_shown(text):
                orders.setdefault(order, (line, text))
            elif open_day is None and _is_open(text):
                open_day = line, column.name, text
        self._marks = _Marks({name: frozenset(each) for name, each in marks.items()})
        if open_day and self._order is None:
            self._order = self._only(orders, open_day)

    def _cells(self, kinds: Mapping[str, Column]) -> Iterator[tuple[int, Column, str]]:
        places = [(place, kinds[name]) for place, name in enumerate(self.header) if name in kinds]
        for batch in self.again() if self.again else ():
            for line, row in zip(batch.lines, batch.cells, strict=True):
                for place, column in places:
                    if row[place]:
                        yield line, column, row[place]

    def _only(self, orders: Mapping[DateOrder, tuple[int, str]], doubt: tuple[int, str, str]) -> DateOrder:
        """Return the only order that the dates of the file show. Raises RefusedFile."""
        if len(orders) == 1:
            return next(iter(orders))
        line, name, text = doubt
        first = f"{name} is {text[:40]!r}, in which the day or the month may come first"
        why = "no other date of the file shows which"
        if orders:
            (day_line, day), (month_line, month) = orders["dmy"], orders["mdy"]
            why = f"others differ ({day!r} in {self.place} {day_line}, {month!r} in {month_line})"
        raise RefusedFile(
            f"{first}, and {why}; choose one (--dates dmy or --dates mdy; “Dates” of an upload), or write "
            "2026-07-01",
            line,
            place=self.place,
        )

    def _line_of(self, column: Column, text: str) -> int | None:
        cells = self._cells(dict.fromkeys(column.names, column))
        return next((line for line, _, cell in cells if self._cleaned[column.name][cell] == text), None)

    # Rows

    def _sift(
        self, batch: Batch, texts: dict[str, list[str]], values: dict[str, list[Any]], *, last: bool
    ) -> tuple[dict[str, list[str]], dict[str, list[Any]], Sequence[int]]:
        """Remove rows that are no data, and count the unreadable cells in the others."""
        size = len(batch.cells)
        bad: dict[int, list[str]] = {}
        for name, given in values.items():
            for place, (text, value) in enumerate(zip(texts[name], given, strict=True)):
                if text and value == self._nothing[name]:
                    bad.setdefault(place, []).append(name)
        if self._errors:
            for name, column in texts.items():
                for place, text in enumerate(column):
                    if name not in values and text[:1] == "#" and ERRORS.fullmatch(text):
                        bad.setdefault(place, []).append(name)
        suspects = {*bad, *batch.short, *([] if self.rows else [0])}
        if self._totals:
            suspects |= {
                p for column in texts.values() for p, text in enumerate(column) if _may_be_total(text)
            }
        out = {place: why for place in suspects if (why := self._why_none(batch, place, texts, bad))}
        if last:
            for place in range(size - 1, -1, -1):
                why = out.get(place) or self._why_footer(batch.cells[place], place, texts, bad)
                if not why:
                    break
                out[place] = why
        by_name = {column.name: column for column in self._present}
        for place in sorted(set(batch.short) - set(out)):
            if place in bad:
                found, width, name = batch.short[place], len(self.header), bad[place][0]
                raise RefusedFile(
                    f"has {found} cells where the header has {width}, and {name} is "
                    f"{texts[name][place][:40]!r}; one of its first cells is missing",
                    batch.lines[place],
                    place=self.place,
                )
        found_bad: list[Unreadable] = []
        for place, names in bad.items():
            if place in out:
                continue
            self.unreadable += len(names)
            if len(found_bad) < 10 * MOST_NAMED:
                line = batch.lines[place]
                found_bad += (
                    Unreadable(line, name, texts[name][place], by_name[name].expected) for name in names
                )
            for name in names:
                if name not in values:
                    texts[name][place] = ""
        found_bad.sort()
        self.first_unreadable = sorted([*self.first_unreadable, *found_bad])[:MOST_NAMED]
        if not out:
            return texts, values, batch.lines
        for place in sorted(out):
            self.left_out.add(batch.lines[place], batch.cells[place], out[place])
        stay = [place not in out for place in range(size)]
        return (
            {name: list(compress(column, stay)) for name, column in texts.items()},
            {name: list(compress(column, stay)) for name, column in values.items()},
            list(compress(batch.lines, stay)),
        )

    def _why_none(
        self, batch: Batch, place: int, texts: Mapping[str, list[str]], bad: Mapping[int, list[str]]
    ) -> str:
        """Return why a row is no row of data, at any place; empty for rows that are."""
        filled = [cell for cell in batch.cells[place] if cell.strip()]
        wrong = bad.get(place, ())
        if len(filled) > 1 and self._headings.count(filled) == len(filled):
            names = [meaning.name for cell in batch.cells[place] if (meaning := self._headings.meaning(cell))]
            if names != [name for name in self.header if name]:
                raise RefusedFile(
                    "is another heading; a file can have only one table, so split it",
                    batch.lines[place],
                    place=self.place,
                )
            return "the heading again"
        if not self.rows and place == 0 and wrong and all(map(names_a_unit, filled)):
            return "units"
        if filled and all(map(_RULE.fullmatch, filled)):
            return "a line"
        if self._totals and (why := self._why_total(place, texts)):
            return why
        if len(wrong) == 1 == len(filled) and " " in filled[0].strip() and place not in batch.short:
            return "words only"
        return ""

    def _why_total(self, place: int, texts: Mapping[str, list[str]], *, at_end: bool = False) -> str:
        """Return why a row is a total: its day is a word for one, or such a word is its only text.

        A column may be the only one of its kind, and Total a name in it: then the day has to be missing, or
        the file to end.
        """
        words = [each for each in self._present if each.kind not in ("day", "number", "currency")]
        dated = [column for column in self._present if column.kind == "day"]
        said = {column.kind for column in self._present if _is_total(texts[column.name][place], whole=False)}
        if not said:
            # Values may have such names: in a total the day is missing, and every other text.
            given = [(each.name, text) for each in (*dated, *words) if (text := texts[each.name][place])]
            if len(given) != 1 or not _may_be_total(given[0][1]):
                return ""
            name, text = given[0]
            return "a total" if dated or (len(words) > 1 and _group_of(text) in texts[name]) else ""
        others = [
            text
            for column in words
            if (text := texts[column.name][place]) and not _is_total(text, whole=False)
        ]
        whole = any(_is_total(texts[column.name][place]) for column in self._present)
        if said & {"day", "number"}:
            return "a total" if whole or not others else ""
        undated = not any(texts[column.name][place] for column in dated)
        if others or not (whole or undated):
            return ""
        return "a total" if len(words) > 1 or (undated and (dated or at_end)) else ""

    def _why_footer(
        self, cells: Sequence[str], place: int, texts: Mapping[str, list[str]], bad: Mapping[int, list[str]]
    ) -> str:
        """Return why a row at the end of a file is no row of data; empty for rows that are."""
        if self._totals and (why := self._why_total(place, texts, at_end=True)):
            return why
        filled = [cell.strip() for cell in cells if cell.strip()]
        if not filled or self.place == "item" or len(self.header) < 3 or len(filled) > 2:
            return ""
        footer = _FOOTER.match(filled[0])
        if footer and (
            len(filled) == 1 or filled[0][footer.end() :].startswith((":", " ©", "©")) or footer[0] == "©"
        ):
            return "a footer"
        return "a footer" if len(filled) == 1 and bad.get(place) else ""


def _is_total(text: str, *, whole: bool = True) -> bool:
    """Return whether a text is a word for a total, or at least begins with one, as in “Total 2024”."""
    if len(text) > MOST_OF_WORD or not (match := _TOTAL.match(text.casefold())):
        return False
    rest = text[match.end() :]
    return not rest.strip(" :.") if whole else not rest[:1].isalnum()


def _may_be_total(text: str) -> bool:
    """Return whether a text is a word for a total, begins or ends with one, or names a figure of a group."""
    if len(text) > MOST_OF_WORD:
        return False
    # Most numbers and days are known by their end.
    perhaps = not text[-1:].isdigit() and _PERHAPS_TOTAL.fullmatch(text.casefold())
    return bool(perhaps) or _is_total(text, whole=False)


def _group_of(text: str) -> str | None:
    """Return what “JFK-LAX Total” is a total of."""
    match = _PERHAPS_TOTAL.fullmatch(text.casefold())
    return text[: match.end(1)] if match and match[1] else None


def _is_open(text: str) -> bool:
    try:
        dates.day_of(text)
    except Open:
        return True
    return False


def too_long(column: Column, text: str) -> str:
    """Return what is wrong with a text that is too long for an index; empty for any other."""
    most = column.longest
    if most is None or len(text) <= most:
        return ""
    return f"{column.name} has {len(text):,} characters, but at most {most} are possible"
