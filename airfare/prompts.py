"""What a person may pick from a client's menu about fares."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from airfare.tools import DATA_SET, PERMISSION
from mcpsite.access.caller import Caller
from mcpsite.datasets import snapshots
from mcpsite.mcp import prompt


def routes_like(caller: Caller, typed: str) -> Iterable[str]:
    """The caller's routes that hold what was typed, those that begin with it first."""
    folded = typed.casefold()
    found = [route for route in snapshots.current(DATA_SET, caller).values("route") if route]
    found = [route for route in found if folded in route.casefold()]
    return sorted(found, key=lambda route: (not route.casefold().startswith(folded), route))


@prompt(
    title="Airfare movements on a route",
    permission=PERMISSION,
    complete={"route": routes_like},
)
def airfare_movements(
    route: Annotated[str, Field(description="Route, for example JFK-LAX")],
    season: Annotated[str, Field(description="Season, for example Summer 2026; empty for all")] = "",
) -> str:
    """How fares, premium fares and load factors moved on one route, and what drove them."""
    during = f" in {season}" if season else ""
    return (
        f"How did fares move on {route}{during}? Use airfare_fare_summary grouped by snapshot_date and "
        "airline for average and premium fares and load factors, then airfare_trend_insights for the notable "
        "drivers. Give a table by date and airline, name the largest movements with their drivers, and say "
        "which files the numbers come from."
    )
