"""Which row of a table is its heading, and what follows from it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mcpsite.datasets.columns import DateOrder
from mcpsite.datasets.headings import Headings
from mcpsite.datasets.numbers import number_of
from mcpsite.datasets.refusals import Open, RefusedFile
from mcpsite.datasets.tables import Unused

MOST_ABOVE = 40
"""The first rows, in which the heading is searched for."""
MOST_SAID = 12
"""Names of known columns that a refusal lists."""


class Record(NamedTuple):
    """A row at the head of a file, unchanged."""

    first: int
    last: int
    """The lines on which it begins and ends."""
    cells: list[str]
    commented: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The heading of a table, and the rows above it."""

    record: Record
    header: list[str]
    """For each column the known name, empty if it has none."""
    unused: Unused
    used: dict[str, str]
    above: list[Record] = field(default_factory=list)
    dates: DateOrder | None = None


def score(records: Iterable[Record], headings: Headings) -> int:
    """Return the most columns that one of `records` names."""
    return max((headings.count(record.cells) for record in records), default=0)


def head_of(records: Sequence[Record], headings: Headings, *, place: str = "line") -> Head:
    """Return the heading among the first rows of a table. Raises RefusedFile."""
    plain = [record for record in records if not record.commented]
    comments = [record for record in records if record.commented and record.last < _first_line(plain)]
    chosen = _lowest(plain, _first_of_most(plain, headings.count), headings)
    commented = _first_of_most(comments, headings.count)
    known = headings.count(chosen.cells) if chosen else 0
    if commented and headings.count(commented.cells) > (0 if known < 2 else known):
        chosen = commented
    if chosen is None:
        raise RefusedFile("has no header and no rows")
    if not headings.count(chosen.cells):
        names = [column.names[0] for column in headings.columns[:MOST_SAID]]
        raise RefusedFile(
            "is not a usable header, because it has no known column. Known columns are "
            f"{', '.join(names)}{', …' if len(headings.columns) > MOST_SAID else ''}",
            plain[0].first if plain else chosen.first,
            place=place,
        )
    head = _understood(chosen, headings, place)
    head.above.extend(record for record in plain if record.last < chosen.first)
    below = [record.cells for record in plain if record.first > chosen.last]
    _report_unnamed(head, headings, below, place)
    _demand_figures(head, headings, below, place)
    return head


def _first_line(records: Sequence[Record]) -> float:
    return records[0].first if records else float("inf")


def _first_of_most(records: Sequence[Record], count: Callable[[list[str]], int]) -> Record | None:
    """Return the first record that names more than half as many columns as any other does."""
    most = max((count(record.cells) for record in records), default=0)
    return next(
        (record for record in records if 2 * count(record.cells) > most), records[0] if records else None
    )


def _lowest(records: Sequence[Record], chosen: Record | None, headings: Headings) -> Record | None:
    """Return the last row of a heading: names of groups of columns may be above the columns' own."""
    if not chosen or headings.take_all:
        return chosen
    for record in records[records.index(chosen) + 1 :]:
        filled = [cell for cell in record.cells if cell.strip()]
        if not headings.count(record.cells) == len(filled) > headings.count(chosen.cells):
            break
        chosen = record
    return chosen


def _understood(record: Record, headings: Headings, place: str) -> Head:
    header: list[str] = []
    unused, used = Unused(), dict[str, str]()
    dates: DateOrder | None = None
    for cell in record.cells:
        meaning = headings.meaning(cell)
        if meaning is None:
            unused.add(headings.unused(cell))
            header.append("")
            continue
        if meaning.name in header:
            raise RefusedFile(
                f"the header has two columns for {meaning.column.name}; rename one of them",
                record.last,
                place=place,
            )
        header.append(meaning.name)
        used[cell.strip()] = meaning.column.name
        dates = dates or meaning.dates
    return Head(record=record, header=header, unused=unused, used=used, dates=dates)


def _report_unnamed(head: Head, headings: Headings, below: list[list[str]], place: str) -> None:
    """Report columns without a heading. Raises RefusedFile if all columns are wanted and several have none.

    A single one may be the numbers of the rows, as pandas writes them.
    """
    unnamed = [
        number
        for number, cell in enumerate(head.record.cells)
        if not cell.strip() and any(row[number].strip() for row in below if number < len(row))
    ]
    for number in unnamed:
        head.unused.add(f"column {number + 1}, which has no heading")
    if headings.take_all and len(unnamed) > 1:
        which = ", ".join(str(number + 1) for number in unnamed[:MOST_SAID])
        raise RefusedFile(
            f"the header has no names for columns {which}, but they have values; name each, in one row",
            head.record.last,
            place=place,
        )


def _demand_figures(head: Head, headings: Headings, below: list[list[str]], place: str) -> None:
    """Raise RefusedFile if the table has figures, and none of them in a known column."""
    if any(name and headings.column_of(name).kind == "number" for name in head.header):
        return
    for number, name in enumerate(head.header):
        cells = [row[number].strip() for row in below if number < len(row) and row[number].strip()]
        if (
            not name
            and head.record.cells[number].strip()
            and cells
            and sum(map(_is_figure, cells)) * 2 > len(cells)
        ):
            unknown = ", ".join(map(repr, list(head.unused)[:5]))
            raise RefusedFile(
                "the header has no known column of numbers, but there are numbers in unknown columns "
                f"({unknown}); rename them",
                head.record.last,
                place=place,
            )


def _is_figure(text: str) -> bool:
    try:
        return number_of(text.lstrip("$€£").rstrip("%")) is not None
    except Open:
        return True
