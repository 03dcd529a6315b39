"""What a reading found beside the rows, in sentences for whoever brought the file."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from mcpsite.datasets.records import Reader, Unreadable
from mcpsite.datasets.tables import MOST_NAMED, LeftOuts, Table


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What of a file was not read, or not as it stands."""

    place: str = "line"
    """What the numbers of its rows count."""
    unreadable: int = 0
    first_unreadable: Sequence[Unreadable] = ()
    undated: int = 0
    """Rows that say no day, where others could."""
    first_undated: Sequence[int] = ()
    """The lines of the first of them."""
    unused: Collection[str] = ()
    """What the columns are called that mean nothing here."""
    skipped: int = 0
    """Items of a JSON file that are no rows."""
    left_out: LeftOuts = field(default_factory=LeftOuts)
    notes: Sequence[str] = ()
    shares: Sequence[str] = ()
    """Columns of per cents that look like shares of one."""
    passed_over: Mapping[str, int] = field(default_factory=dict)
    """Names of columns that stand for one that was read from another, and in how many rows they differ."""
    unlikely_days: Sequence[str] = ()
    used: Mapping[str, str] = field(default_factory=dict)
    """Headings and the names of the columns that they stand for."""

    @classmethod
    def of(cls, table: Table, reader: Reader) -> "Findings":
        """Return what was found, once the table was read to its end."""
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
        """Return them without the file's name and a full stop, which are the caller's."""
        said = list(self.notes)
        said += (
            f"{name} has no value beyond 1 (without %) and was read in per cent as it is; "
            "if 0.87 means 87 %, write 87"
            for name in self.shares
        )
        said += (
            f"{name} says something else than another column for the same in {count:,} "
            f"{'row' if count == 1 else 'rows'}, and was not used there"
            for name, count in self.passed_over.items()
        )
        if self.unlikely_days:
            shown = ", ".join(self.unlikely_days)
            said.append(
                f"days are so far away that they may be of another calendar, or mistaken: {shown}; they were "
                "read as they stand"
            )
        if self.first_unreadable:
            shown = "; ".join(f"{self.place} {bad.line}: {bad}" for bad in self.first_unreadable)
            said.append(f"{self.unreadable:,} values cannot be read: {shown}{self._more(self.unreadable)}")
        if self.unused:
            shown = ", ".join(map(repr, islice(self.unused, MOST_NAMED)))
            more = f" and {len(self.unused) - MOST_NAMED:,} more" if len(self.unused) > MOST_NAMED else ""
            said.append(f"columns that are not known were not used: {shown}{more}")
        if self.left_out.count:
            rows = (
                "1 row is no row of data and was"
                if self.left_out.count == 1
                else (f"{self.left_out.count:,} rows are no rows of data and were")
            )
            shown = "; ".join(f"{self.place} {each.line}: {each}" for each in self.left_out.first)
            said.append(f"{rows} left out: {shown}{self._more(self.left_out.count)}")
        if self.skipped:
            said.append(f"{self.skipped:,} items were skipped, for they are no rows")
        if self.undated:
            rows, found = ("row says", "is") if self.undated == 1 else ("rows say", "are")
            shown = ", ".join(f"{self.place} {number}" for number in self.first_undated)
            said.append(
                f"{self.undated:,} {rows} no day and {found} found by no filter for days: "
                f"{shown}{self._more(self.undated)}"
            )
        return said

    @staticmethod
    def _more(count: int) -> str:
        return ", …" if count > MOST_NAMED else ""


def understood(used: Mapping[str, str]) -> str:
    """Return which headings stand for which columns, where they are not called so."""
    return ", ".join(
        name if heading == name else f"{heading!r} as {name}" for heading, name in islice(used.items(), 60)
    )
