"""Calls per second of `airfare_trend_insights` at 1,000, 100,000 and 1,000,000 rows, beside the bare SDK.

`python -m bench.airfare` (or `make bench`) loads generated data into SQLite, serves each size with one
worker, and measures them in turn with a bare SDK server that answers a canned result of the same
size, so that a machine's mood falls on all alike. Prints medians over the rounds, and ratios.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from rich.table import Table

from bench.airfare_data import AIRLINES, ROUTES
from bench.load import LEGACY, MODERN, Measure, measure, request
from tests.site import Site, free_port, running

ROOT = Path(__file__).resolve().parent.parent
SIZES = (1_000, 100_000, 1_000_000)
TOOL = "airfare_trend_insights"
PRODUCTION = {"LOG_LEVEL": "WARNING", "DEBUG": "0", "SECRET_KEY": "for the benchmark alone, and long enough"}
QUESTIONS: list[dict[str, Any]] = [
    {"route_contains": route, "airline_contains": airline, "limit": 25, "offset": offset}
    for offset in range(8)
    for route in ROUTES
    for airline in AIRLINES
]
"""More than the pages that a worker remembers, so that each of them asks the database."""
ROUTE: dict[str, Any] = {"route_contains": "JFK-LAX", "limit": 25}
SHAPES: dict[str, dict[str, Any]] = {
    "one route": ROUTE,
    "no filter": {"limit": 25},
    "an airline": {"airline_contains": "delta", "limit": 25},
    "a season": {"season_contains": "summer", "limit": 25},
    "an airport": {"origin_airport": "JFK", "limit": 25},
    "a route and an airline": {"route_contains": "JFK", "airline_contains": "united", "limit": 25},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1500, help="calls of each server in each round")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        sites: dict[int, tuple[Site, str]] = {}
        for rows in options.sizes:
            file = folder / f"fares_{rows}.csv"
            subprocess.run(
                [sys.executable, "-m", "bench.airfare_data", str(rows), str(file)], cwd=ROOT, check=True
            )
            site = stack.enter_context(running(PRODUCTION, prepare=False))
            sites[rows] = (site, _fill(site, file))
        middle, token = sites[sorted(options.sizes)[len(options.sizes) // 2]]
        answer = middle.call(token, TOOL, ROUTE)["structuredContent"]
        bare, bare_token = stack.enter_context(_bare(folder, answer))
        asyncio.run(_compare(options, sites, bare, bare_token))


def _fill(site: Site, file: Path) -> str:
    began = time.perf_counter()
    site.manage("load_airfare", str(file))
    print(f"loaded {file.name} in {time.perf_counter() - began:.1f} s")
    site.shell("from django.contrib.auth.models import User; User.objects.create_superuser('admin')")
    return site.token()


@contextmanager
def _bare(folder: Path, answer: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The bare SDK's server; its endpoint and a token for it."""
    import jwt
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    key, port, audience = generate_private_key(65537, 2048), free_port(), "http://bare/mcp"
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(pem)
    (folder / "answer.json").write_text(json.dumps(answer))
    now = int(time.time())
    claims = {"sub": "1", "aud": audience, "client_id": "bench", "iat": now, "exp": now + 36_000}
    token = jwt.encode(claims, pem, "RS256")
    command = [
        sys.executable,
        "-m",
        "bench.bare",
        str(port),
        str(folder / "answer.json"),
        str(folder / "key.pem"),
    ]
    process = subprocess.Popen([*command, audience], cwd=ROOT, env=os.environ | {"LOG_LEVEL": "WARNING"})
    url = f"http://127.0.0.1:{port}/mcp"
    try:
        for _ in range(200):
            try:
                httpx2.get(url, timeout=1)
                break
            except httpx2.HTTPError:
                time.sleep(0.05)
        yield url, token
    finally:
        process.terminate()
        process.wait(timeout=10)


async def _compare(
    options: argparse.Namespace, sites: dict[int, tuple[Site, str]], bare: str, bare_token: str
) -> None:
    console = Console(width=120)
    for era in (MODERN, LEGACY):
        contenders = {"bare SDK, canned answer": (bare, [request(bare, bare_token, "canned", {}, era)])}
        for rows, (site, token) in sites.items():
            asked = [request(site.url, token, TOOL, ROUTE, era)]
            contenders[f"{rows:,} rows, one route"] = (site.url, asked)
            others = [request(site.url, token, TOOL, question, era) for question in QUESTIONS]
            contenders[f"{rows:,} rows, another question each time"] = (site.url, others)
        results = await _rounds(options, contenders)
        console.print(_table(f"{TOOL}, revision {era}, one worker", results))
    contenders = {
        f"{rows:,} rows, {shape}": (site.url, [request(site.url, token, TOOL, arguments, MODERN)])
        for shape, arguments in SHAPES.items()
        for rows, (site, token) in sites.items()
    }
    console.print(_table(f"{TOOL} by kind of filter, revision {MODERN}", await _rounds(options, contenders)))


async def _rounds(
    options: argparse.Namespace, contenders: dict[str, tuple[str, list[bytes]]]
) -> dict[str, list[Measure]]:
    results: dict[str, list[Measure]] = {name: [] for name in contenders}
    for url, sent in contenders.values():
        await measure(url, sent, calls=200, connections=options.connections)
    for _ in range(options.rounds):
        for name, (url, sent) in contenders.items():
            results[name].append(
                await measure(url, sent, calls=options.calls, connections=options.connections)
            )
    return results


def _table(title: str, results: dict[str, list[Measure]]) -> Table:
    """Medians over the rounds; the ratio is to the first line, round by round."""
    table = Table(title=title)
    for column in ("", "calls/s", "ratio to first", "median ms", "p99 ms", "bytes"):
        table.add_column(column, justify="left" if not column else "right")
    first = next(iter(results.values()))
    for name, measures in results.items():
        table.add_row(
            name,
            f"{statistics.median(each.rate for each in measures):,.0f}",
            f"{statistics.median(a.rate / b.rate for a, b in zip(measures, first, strict=True)):.2f}",
            f"{statistics.median(each.median_ms for each in measures):.2f}",
            f"{statistics.median(each.p99_ms for each in measures):.2f}",
            f"{measures[-1].bytes:,}",
        )
    return table


if __name__ == "__main__":
    main()
