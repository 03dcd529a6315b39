"""Prompts about fares in a client's menu."""

from functools import partial
from typing import Annotated

from pydantic import Field

from airfare.tools import DATA_SET, PERMISSION
from mcpsite.datasets.prompts import values_like
from mcpsite.mcp import prompt


@prompt(
    title="Airfare movements on a route",
    permission=PERMISSION,
    complete={"route": partial(values_like, DATA_SET, "route")},
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
