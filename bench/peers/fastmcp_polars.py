"""Fares as FastMCP and polars serve them in forty lines: a frame in memory, filtered for each call.

`python -m bench.peers.fastmcp_polars PORT FOLDER KEY AUDIENCE TOKEN`, in this folder's own environment.
"""

import sys
from pathlib import Path
from typing import Any

import polars as pl
from fastmcp import FastMCP
from fastmcp.server.auth.providers.jwt import JWTVerifier

port, folder, key, audience, _ = sys.argv[1:]
fares = pl.read_csv(f"{folder}/*.csv", include_file_paths="source_file").sort(
    "snapshot_date", "route", "airline", descending=True
)
mcp = FastMCP("fares", auth=JWTVerifier(public_key=Path(key).read_text(), audience=audience))


@mcp.tool
def airfare_trend_insights(
    snapshot_date: str = "",
    route_contains: str = "",
    origin_airport: str = "",
    airline_contains: str = "",
    season_contains: str = "",
    notable_contains: str = "",
    limit: int = 25,
    offset: int = 0,
) -> dict[str, Any]:
    """Airfare rows by date, route, airline and season, latest first."""
    parts = {"route": route_contains, "airline": airline_contains, "season": season_contains}
    conditions = [
        pl.col(name).str.to_lowercase().str.contains(part.lower(), literal=True)
        for name, part in {**parts, "notable_driver": notable_contains}.items()
        if part
    ]
    if snapshot_date:
        conditions.append(pl.col("snapshot_date").str.starts_with(snapshot_date))
    if origin_airport:
        conditions.append(pl.col("route").str.starts_with(f"{origin_airport.upper()}-"))
    found = fares.filter(*conditions) if conditions else fares
    rows = found.slice(offset, limit).to_dicts()
    return {"rows": rows, "matched_rows": found.height, "total_rows": fares.height}


mcp.run(
    "http",
    host="127.0.0.1",
    port=int(port),
    stateless_http=True,
    json_response=True,
    show_banner=False,
    uvicorn_config={"access_log": False, "log_level": "warning"},
)
