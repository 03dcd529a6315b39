"""What a table's columns are called and what their cells contain: the plain data by which a file is read."""

import math
from dataclasses import dataclass
from typing import Literal

Kind = Literal["day", "number", "category", "prose", "text", "currency"]
DateOrder = Literal["dmy", "mdy"]
DecimalMark = Literal[".", ","]
BEYOND = 1e300
"""More than any cell means: a larger number is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column that is read."""

    name: str
    names: tuple[str, ...]
    """Its names in files; of several such columns in a file the first that is not empty wins."""
    kind: Kind
    unit: str = ""
    """Unit of a number: `USD`, `%`, `days`. A file with another unit is not read as this one."""
    least: float = -math.inf
    most: float = math.inf
    longest: int | None = None
    """Characters of a text; a longer one is refused."""

    @property
    def expected(self) -> str:
        """What a cell has to contain: a day, or a number from … to …"""
        if self.kind != "number":
            return "a day" if self.kind == "day" else "a text"
        if self.most >= BEYOND:
            return "a number"
        return f"a number from {self.least:,.0f} to {self.most:,.0f}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a person states about a file, because the file leaves it open."""

    dates: DateOrder | None = None
    decimal: DecimalMark | None = None
    encoding: str = ""
    sheet: str = ""
