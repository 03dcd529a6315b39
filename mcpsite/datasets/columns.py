"""What a table's columns are called and what their cells hold: the plain data by which a file is read."""

import math
from dataclasses import dataclass
from typing import Literal

Kind = Literal["day", "number", "category", "prose", "text", "currency"]
DateOrder = Literal["dmy", "mdy"]
DecimalMark = Literal[".", ","]
BEYOND = 1e300
"""More than any cell means: what is beyond is no number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column that means something."""

    name: str
    names: tuple[str, ...]
    """What a file may call it; of several such columns in a file the first that is not empty wins."""
    kind: Kind
    unit: str = ""
    """Of a number: `USD`, `%`, `days`. A file that says another unit is not read as this one."""
    least: float = -math.inf
    most: float = math.inf
    longest: int | None = None
    """Characters of a text; a longer one is refused."""

    @property
    def expected(self) -> str:
        """What a cell has to hold: a day, or a number from … to …"""
        if self.kind != "number":
            return "a day" if self.kind == "day" else "a text"
        if self.most >= BEYOND:
            return "a number"
        return f"a number from {self.least:,.0f} to {self.most:,.0f}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a person says of a file, because the file leaves it open."""

    dates: DateOrder | None = None
    decimal: DecimalMark | None = None
    encoding: str = ""
    sheet: str = ""
