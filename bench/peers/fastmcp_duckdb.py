"""Fares as FastMCP and DuckDB serve them in forty lines: a table in memory, asked with SQL for each call.

`python -m bench.peers.fastmcp_duckdb PORT FOLDER KEY AUDIENCE TOKEN`, in this folder's own environment.
"""

import sys
from pathlib import Path
from typing import Any

import duckdb
from fastmcp import FastMCP
from fastmcp.server.auth.providers.jwt import JWTVerifier

port, folder, key, audience, _ = sys.argv[1:]
database = duckdb.connect()
database.execute(
    "CREATE TABLE fares AS SELECT * FROM read_csv(?, filename = 'source_file', types = {'snapshot_date': "
    "'VARCHAR'}) ORDER BY snapshot_date DESC, route DESC, airline DESC",
    [f"{folder}/*.csv"],
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
    conditions = {
        "starts_with(snapshot_date, ?)": snapshot_date,
        "contains(lower(route), lower(?))": route_contains,
        "starts_with(route, upper(?) || '-')": origin_airport,
        "contains(lower(airline), lower(?))": airline_contains,
        "contains(lower(season), lower(?))": season_contains,
        "contains(lower(notable_driver), lower(?))": notable_contains,
    }
    asked = {condition: value for condition, value in conditions.items() if value}
    where, values = " AND ".join(asked) or "true", [*asked.values()]
    cursor = database.cursor()
    counted = cursor.execute(f"SELECT count(*) FILTER (WHERE {where}), count(*) FROM fares", values)
    matched, total = counted.fetchone()
    order = "ORDER BY snapshot_date DESC, route DESC, airline DESC LIMIT ? OFFSET ?"
    found = cursor.execute(f"SELECT * FROM fares WHERE {where} {order}", [*values, limit, offset])
    names = [column[0] for column in found.description]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return {"rows": rows, "matched_rows": matched, "total_rows": total}


mcp.run(
    "http",
    host="127.0.0.1",
    port=int(port),
    stateless_http=True,
    json_response=True,
    show_banner=False,
    uvicorn_config={"access_log": False, "log_level": "warning"},
)
