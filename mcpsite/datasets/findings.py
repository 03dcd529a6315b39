"""What a reading found beside the rows, in sentences for the person who brought the file."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from mcpsite.datasets.records import Reader, Unreadable
from mcpsite.datasets.tables import MOST_NAMED, LeftOuts, Table


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What of a file was not read, or was changed."""

    place: str = "line"
    """What the numbers of its rows count."""
    unreadable: int = 0
    first_unreadable: Sequence[Unreadable] = ()
    undated: int = 0
    """Rows without a day, if others have one."""
    first_undated: Sequence[int] = ()
    """The lines of the first of them."""
    unused: Collection[str] = ()
    """The names of columns without a meaning here."""
    skipped: int = 0
    """Items of a JSON file that are not rows."""
    left_out: LeftOuts = field(default_factory=LeftOuts)
    notes: Sequence[str] = ()
    shares: Sequence[str] = ()
    """Columns of per cents that look like fractions of 1."""
    passed_over: Mapping[str, int] = field(default_factory=dict)
    """Further columns with the same meaning as one that was read, and in how many rows they differ."""
    unlikely_days: Sequence[str] = ()
    """The first days in unlikely years."""
    used: Mapping[str, str] = field(default_factory=dict)
    """Headings and the names of their columns."""

    @classmethod
    def of(cls, table: Table, reader: Reader) -> "Findings":
        """Return what was found, after the table was read to its end."""
        kinds = {column.name: column.kind for column in reader.columns}
        return cls(
            place=table.place,
            unreadable=reader.unreadable,
            first_unreadable=reader.first_unreadable,
            undated=reader.undated if "day" in map(kinds.get, table.used.values()) else 0,
            first_undated=reader.first_undated,
            unused=table.unused,
            skipped=table.unused.skipped,
            left_out=reader.left_out,
            notes=table.notes,
            shares=reader.shares,
            passed_over=reader.passed_over,
            unlikely_days=list(reader.unlikely_days),
            used=table.used,
        )

    def sentences(self) -> list[str]:
        """Return the sentences without the file's name and a full stop, which the caller adds."""
        said = list(self.notes)
        said += (
            f"{name} has no value above 1 (without %) and was read as per cent; if 0.87 means 87 %, write 87"
            for name in self.shares
        )
        said += (
            f"{name!r} differs from another column with the same meaning in {count:,} "
            f"{'row' if count == 1 else 'rows'}, and was ignored there"
            for name, count in self.passed_over.items()
        )
        if self.unlikely_days:
            shown = ", ".join(self.unlikely_days)
            said.append(
                f"some days are so far away that they may be from another calendar, or wrong: {shown}; they "
                "were read unchanged"
            )
        if self.first_unreadable:
            shown = "; ".join(f"{self.place} {bad.line}: {bad}" for bad in self.first_unreadable)
            said.append(f"{self.unreadable:,} values cannot be read: {shown}{self._more(self.unreadable)}")
        if self.unused:
            shown = ", ".join(map(repr, islice(self.unused, MOST_NAMED)))
            more = f" and {len(self.unused) - MOST_NAMED:,} more" if len(self.unused) > MOST_NAMED else ""
            said.append(f"unknown columns were ignored: {shown}{more}")
        if self.left_out.count:
            rows = (
                "1 row is not data and was"
                if self.left_out.count == 1
                else (f"{self.left_out.count:,} rows are not data and were")
            )
            shown = "; ".join(f"{self.place} {each.line}: {each}" for each in self.left_out.first)
            said.append(f"{rows} left out: {shown}{self._more(self.left_out.count)}")
        if self.skipped:
            said.append(f"{self.skipped:,} items were skipped, because they are not rows")
        if self.undated:
            rows, found = ("row has", "is") if self.undated == 1 else ("rows have", "are")
            shown = ", ".join(f"{self.place} {number}" for number in self.first_undated)
            said.append(
                f"{self.undated:,} {rows} no day and {found} found by no filter for days: "
                f"{shown}{self._more(self.undated)}"
            )
        return said

    @staticmethod
    def _more(count: int) -> str:
        return ", …" if count > MOST_NAMED else ""


def understood(used: Mapping[str, str], words_of: Callable[[str], str]) -> str:
    """Return which headings mean which columns, if they have other names."""
    found = ((heading, name, words_of(name)) for heading, name in islice(used.items(), 60))
    return ", ".join(
        words if heading in (name, words) else f"{heading!r} as {words}" for heading, name, words in found
    )
