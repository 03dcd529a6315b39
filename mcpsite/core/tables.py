"""Tables for people to read, on the site's pages and in the admin."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

LONG = 80
"""The number of characters from which a cell gets more room."""


class Cell(NamedTuple):
    """A value, with the address that it links to."""

    value: Any
    url: str = ""

    @property
    def kind(self) -> str:
        """`number`, which is aligned to the right, `long`, or neither."""
        if _is_number(self.value):
            return "number"
        return "long" if len(str(self)) > LONG else ""

    def __str__(self) -> str:
        if isinstance(self.value, float):
            return f"{self.value:,.10g}"
        return f"{self.value:,}" if _is_number(self.value) else str(self.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows of cells under the names of their columns."""

    name: str = ""
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    @property
    def heads(self) -> list[tuple[str, str]]:
        """Each column's name, and `number` if its cells are numbers."""
        return [
            (name, "number" if any(row[place].kind == "number" for row in self.rows) else "")
            for place, name in enumerate(self.columns)
        ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
