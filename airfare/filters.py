"""The filters of each tool about fares: as a client sends them, and as they are applied."""

import re
from dataclasses import dataclass
from typing import Annotated, cast

from pydantic import Field
from typing_extensions import TypedDict

from mcpsite.datasets.filters import Days, Filters, Part, asked_period, asked_text
from mcpsite.mcp import ToolError, shown


class AppliedFilters(TypedDict, total=False):
    """The filters as they were applied; those that were not given are left out."""

    snapshot_date: str
    route_contains: str
    origin_airport: str
    destination_airport: str
    airline_contains: str
    season_contains: str
    notable_contains: str
    limit: int
    offset: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedFilters:
    """The filters as a client sends them, the type of one parameter in each tool."""

    snapshot_date: Annotated[
        str | None,
        Field(description="A day (2025-10-06), an ISO week (2025-W41), a month (2025-10) or a year (2025)."),
    ] = None
    route_contains: Annotated[
        str | None, Field(description="Part of the route, in any case; routes are written JFK-LAX.")
    ] = None
    origin_airport: Annotated[
        str | None, Field(description="Airport of departure, three letters, e.g. JFK.")
    ] = None
    destination_airport: Annotated[
        str | None, Field(description="Airport of arrival, three letters, e.g. LAX.")
    ] = None
    airline_contains: Annotated[str | None, Field(description="Part of the airline's name, e.g. delta.")] = (
        None
    )
    season_contains: Annotated[str | None, Field(description="Part of the season, e.g. summer or 2025.")] = (
        None
    )
    notable_contains: Annotated[
        str | None, Field(description="Part of the notable event: the text on what moved the fare.")
    ] = None

    def applied(self) -> tuple[Filters, AppliedFilters]:
        """Return the filters for a query, and the same for the answer; raises ToolError."""
        applied: dict[str, str] = {}
        days: tuple[Days, ...] = ()
        if date := (self.snapshot_date or "").strip():
            days = (Days("snapshot_day", *asked_period("snapshot_date", date)),)
            applied["snapshot_date"] = date
        parts = [
            Part(column, text, exact=read is _airport)
            for name, column, read in _TEXTS
            if (text := applied.setdefault(name, read(name, getattr(self, name))))
        ]
        told = {name: text for name, text in applied.items() if text}
        return Filters(parts=tuple(parts), days=days), cast(AppliedFilters, told)


EVERYTHING = AskedFilters()
"""No filter."""

_AIRPORT = re.compile(r"[A-Za-z]{3}", re.ASCII)


def _airport(name: str, value: str | None) -> str:
    text = (value or "").strip()
    if text and not _AIRPORT.fullmatch(text):
        raise ToolError(f"{name} is {shown(text)}; write an airport as its three letters, for example JFK.")
    return text.upper()


_TEXTS = (
    ("route_contains", "route", asked_text),
    ("origin_airport", "origin_airport", _airport),
    ("destination_airport", "destination_airport", _airport),
    ("airline_contains", "airline", asked_text),
    ("season_contains", "season", asked_text),
    ("notable_contains", "notable_event", asked_text),
)
"""Each filter for a text: its name, the column, and what reads it."""
