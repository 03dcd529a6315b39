"""Tables for people to read, on the site's pages and in the admin."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

LONG = 80
"""Characters from which on a cell wants room."""


class Cell(NamedTuple):
    """One value, with the address that it leads to."""

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
        """Each column's name, and `number` where numbers stand below."""
        return [
            (name, "number" if any(row[place].kind == "number" for row in self.rows) else "")
            for place, name in enumerate(self.columns)
        ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
