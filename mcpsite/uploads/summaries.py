"""What a load did, as a table with notes: the same on a terminal and on a page."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(kw_only=True, slots=True)
class Summary:
    """A table, sentences beside it, and where to look at the result."""

    columns: list[str]
    rows: list[list[str]]
    """The cells of each row; a cell with a number has digits and commas alone."""
    warnings: list[str] = field(default_factory=list)
    """Sentences about what was done and may not have been meant; they come first."""
    notes: list[str] = field(default_factory=list)
    """Sentences: what was refused and why, what was kept."""
    looks: list[str] = field(default_factory=list)
    """Sentences: how a file that was only checked would be read."""
    failed: bool = False
    """Whether something was refused."""
    links: list[tuple[str, str]] = field(default_factory=list)
    """Label and path on this site."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Summary":
        return cls(**stored)

    def print(self, console: Console, *, dry_run: bool) -> None:
        """Print it on a terminal."""
        for warning in self.warnings:
            console.print(Text(f"WARNING: {warning}", "bold red"))
        table = Table(title="Nothing was written (--dry-run)" if dry_run else None)
        for place, column in enumerate(self.columns):
            numbers = all(is_number(row[place]) for row in self.rows)
            table.add_column(column, overflow="fold", justify="right" if numbers else "left")
        for row in self.rows:
            table.add_row(*map(Text, row))
        console.print(table)
        for note in (*self.notes, *self.looks):
            console.print(Text(note))


def is_number(cell: str) -> bool:
    """Return whether `cell` is aligned to the right in its column."""
    return cell.replace(",", "").isdecimal()
