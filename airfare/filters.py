"""The filters that each tool about fares takes: as they are asked for, and as they are applied."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from airfare import queries
from mcpsite.mcp import ToolError

MOST_CHARACTERS = 500
"""The longest text that is searched for."""


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
    """The filters as a client sends them: a tool takes them all as one parameter of this type."""

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

    def applied(self) -> tuple[queries.Filters, AppliedFilters]:
        """The filters for a query, and the same as an answer tells them; raises ToolError."""
        applied: AppliedFilters = {}
        days = None
        if date := (self.snapshot_date or "").strip():
            days = queries.days_of(date)
            if days is None:
                raise ToolError(
                    f"snapshot_date is {short(date)}; write a day as 2025-10-06, a week as 2025-W41, "
                    "a month as 2025-10 or a year as 2025."
                )
            applied["snapshot_date"] = date
        if route := _contains("route_contains", self.route_contains):
            applied["route_contains"] = route
        if origin := _airport("origin_airport", self.origin_airport):
            applied["origin_airport"] = origin
        if destination := _airport("destination_airport", self.destination_airport):
            applied["destination_airport"] = destination
        if airline := _contains("airline_contains", self.airline_contains):
            applied["airline_contains"] = airline
        if season := _contains("season_contains", self.season_contains):
            applied["season_contains"] = season
        if notable := _contains("notable_contains", self.notable_contains):
            applied["notable_contains"] = notable
        filters = queries.Filters(
            route_contains=route,
            origin_airport=origin,
            destination_airport=destination,
            airline_contains=airline,
            season_contains=season,
            notable_contains=notable,
            first_day=days[0] if days else None,
            end_day=days[1] if days else None,
        )
        return filters, applied


EVERYTHING = AskedFilters()
"""No filter at all."""


def short(text: str) -> str:
    """What a client wrote, short enough to be read back."""
    return repr(text if len(text) <= 40 else f"{text[:40]}…")


def _contains(name: str, value: str | None) -> str:
    text = (value or "").strip()
    if len(text) > MOST_CHARACTERS:
        raise ToolError(f"{name} has {len(text)} characters; search for at most {MOST_CHARACTERS}.")
    return text


_AIRPORT = re.compile(r"[A-Za-z]{3}", re.ASCII)


def _airport(name: str, value: str | None) -> str:
    text = (value or "").strip()
    if text and not _AIRPORT.fullmatch(text):
        raise ToolError(f"{name} is {short(text)}; write an airport as its three letters, for example JFK.")
    return text.upper()
