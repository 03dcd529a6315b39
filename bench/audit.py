"""What the limits and the audit trail cost: the same calls with and without them, turn by turn.

`python -m bench.audit` serves generated fares with one worker each: with neither, with the audit, with
both, and with Redis for the limits where `--redis URL` names one. Beside the rate it reports the
processor time that the server's process took for each call, all its threads together, which other work
on the machine disturbs less. Prints medians over the rounds.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice, repeat
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.load import MODERN, Request, measure, request
from tests.site import ROOT, Site, running

WARMING = 200
"""Calls of each server that are not measured."""
TOOL = "airfare_trend_insights"
ARGUMENTS = {"route_contains": "JFK-LAX", "limit": 25}
OFF = {"DJANGO_SETTINGS_MODULE": "bench.unaudited", "RATE_LIMIT": "none", "CONCURRENT_CALLS": "0"}
AUDIT = {"RATE_LIMIT": "none", "CONCURRENT_CALLS": "0"}
BOTH = {"RATE_LIMIT": "10000000/minute", "CONCURRENT_CALLS": "100"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--calls", type=int, default=250, help="calls of each server in each round")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--redis", metavar="URL", help="count in this Redis too")
    options = parser.parse_args()
    variants = {"neither": OFF, "audit": AUDIT, "limits and audit": BOTH}
    if options.redis:
        variants["limits in Redis and audit"] = {**BOTH, "CACHE_URL": options.redis}
    with ExitStack() as stack:
        file = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))) / "fares.csv"
        command = [sys.executable, "-m", "bench.airfare_data", str(options.rows), str(file)]
        subprocess.run(command, cwd=ROOT, check=True)
        sites: dict[str, tuple[Site, Iterator[Request]]] = {}
        for name, settings in variants.items():
            site = stack.enter_context(running({"LOG_LEVEL": "WARNING", **settings}, prepare=False))
            sites[name] = (site, repeat(Request("", fill(site, file)(ARGUMENTS))))
        asyncio.run(compare(options, sites))
        rows = int(sites["audit"][0].shell(_COUNT))
        print(f"{rows:,} rows in the trail of {WARMING + options.rounds * options.calls:,} calls")


_COUNT = (
    "import time; time.sleep(1); "
    "from mcpsite.access.models import AuditEvent; print(AuditEvent.objects.count())"
)


def fill(site: Site, file: Path) -> Callable[[dict[str, Any]], bytes]:
    """Load `file` into the site; return a function that makes a request from arguments of the tool."""
    site.manage("load_airfare", str(file))
    site.shell("from django.contrib.auth.models import User; User.objects.create_superuser('admin')")
    token = site.token()
    return lambda arguments: request(site.url, token, TOOL, arguments, MODERN)


async def compare(
    options: argparse.Namespace, sites: dict[str, tuple[Site, Iterator[Request]]], settle: float = 0.7
) -> None:
    """Ask each of `sites` in turn, and print what a call of each takes, compared with the first.

    `settle` is after how many seconds the last data of a turn are written.
    """
    first = next(iter(sites))
    rates: dict[str, list[float]] = {name: [] for name in sites}
    times: dict[str, list[float]] = {name: [] for name in sites}
    for site, sent in sites.values():
        await measure(site.url, islice(sent, WARMING), connections=options.connections)
    for turn in range(options.rounds):
        # Forwards and backwards in turn, so that neither always comes first.
        for name in list(sites)[:: 1 if turn % 2 else -1]:
            site, sent = sites[name]
            before = _processor_seconds(site.process.pid)
            calls = islice(sent, options.calls)
            found = await measure(site.url, calls, connections=options.connections)
            await asyncio.sleep(settle)
            rates[name].append(found.rate)
            times[name].append((_processor_seconds(site.process.pid) - before) / options.calls * 1e6)
    table = Table(title=f"{TOOL}, {options.rows:,} rows, one worker")
    for column in ("", "calls/s", "µs of processor a call", f"more than {first}, µs", "%"):
        table.add_column(column, justify="left" if not column else "right")
    for name in sites:
        more = statistics.median(a - b for a, b in zip(times[name], times[first], strict=True))
        table.add_row(
            name,
            f"{statistics.median(rates[name]):,.0f}",
            f"{statistics.median(times[name]):,.0f}",
            f"{more:,.0f}",
            f"{100 * more / statistics.median(times['neither']):.1f}",
        )
    Console(width=120).print(table)


def _processor_seconds(pid: int) -> float:
    """Return how long all threads of a process have run on a processor (Linux)."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in threads) / 1e9


if __name__ == "__main__":
    main()
