"""Calls per second of `airfare_trend_insights`: different questions of every kind, beside other servers.

`python -m bench.airfare` (or `make bench`) generates fares of each size and shape, loads them into each
database (on PostgreSQL one of its own, at the server of DATABASE_URL), and asks each server the same
questions in the same random order, none of them twice: this site, a bare SDK server that answers a canned
result of the same size, and those of `bench/peers/`, which hold the rows of one size (`--peers-at`). Each
has one worker. They take turns, so that a machine's mood falls on all alike. Printed are medians over the
rounds, ratios to the bare SDK round by round, the processor time that each server's processes take for a
call (without the database's server), the memory that is theirs alone, and the times by kind of question.

The whole table: `python -m bench.airfare --sizes 1000 100000 1000000 --shapes one-file weekly nearly-unique
undated --databases sqlite postgresql`.
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
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import httpx2
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from rich.console import Console
from rich.table import Table

from bench import airfare_data
from bench.load import LEGACY, MODERN, Measure, Request, measure, request
from bench.questions import KINDS, questions
from tests.site import free_port, running

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "bench" / "peers"
TOOL = "airfare_trend_insights"
AUDIENCE = "http://bare/mcp"
PRODUCTION = {"LOG_LEVEL": "WARNING", "DEBUG": "0", "SECRET_KEY": "for the benchmark alone, and long enough"}
POSTGRESQL = "postgres://postgres@127.0.0.1/postgres"
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 300
"""Long, because a peer reads its files first."""


@dataclass(kw_only=True)
class Contender:
    """A server that takes part, and its measures."""

    name: str
    url: str
    pid: int
    requests: Iterator[Request]
    measures: list[Measure] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)
    """Per call, for each of the measures."""

    async def take_turn(self, connections: int, seconds: float) -> None:
        """Ask for this many seconds, and add the measure."""
        before = self._processor_seconds()
        taken = await measure(self.url, self.requests, connections=connections, seconds=seconds)
        self.measures.append(taken)
        self.processor_ms.append(1000 * (self._processor_seconds() - before) / taken.calls)

    def memory(self) -> float:
        """Return the memory that is the processes' own, in MB."""
        lines = [line.split() for text in self._read("smaps_rollup") for line in text.splitlines()]
        return sum(int(words[1]) for words in lines if words[0].startswith("Private_")) / 1000

    def _processor_seconds(self) -> float:
        # proc(5): utime and stime; the name before them may contain blanks.
        ticks = [text.rpartition(")")[2].split()[11:13] for text in self._read("stat")]
        return sum(map(int, chain(*ticks))) / TICKS

    def _read(self, name: str) -> list[str]:
        """Return what /proc says of the process and its children."""
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.pid)], capture_output=True, text=True)
        files = [Path(f"/proc/{pid}/{name}") for pid in (self.pid, *found.stdout.split())]
        # The process that looked is gone.
        return [file.read_text() for file in files if file.exists()]


@dataclass(frozen=True, kw_only=True)
class Signer:
    """Signs the token that the bare SDK and the peers accept."""

    folder: Path
    token: str

    @classmethod
    def make(cls, folder: Path) -> "Signer":
        key = generate_private_key(65537, 2048)
        public = key.public_key()
        pem, nothing = serialization.Encoding.PEM, serialization.NoEncryption()
        secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, nothing)
        (folder / "key.pem").write_bytes(secret)
        (folder / "public.pem").write_bytes(
            public.public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        now = int(time.time())
        claims = {"sub": "1", "aud": AUDIENCE, "client_id": "bench", "iat": now, "exp": now + 36_000}
        return cls(folder=folder, token=jwt.encode(claims, secret, "RS256"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=(1_000, 100_000), help="rows")
    parser.add_argument("--shapes", nargs="+", choices=airfare_data.SHAPES, default=("one-file", "weekly"))
    parser.add_argument(
        "--databases",
        nargs="+",
        choices=("sqlite", "postgresql"),
        help="default: what DATABASE_URL names, else sqlite",
    )
    parser.add_argument("--questions", type=int, default=20_000, help="different ones, at most")
    parser.add_argument(
        "--without", nargs="+", choices=tuple(KINDS), default=(), help="kinds that nobody asks"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of each server in each round")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--era", choices=(MODERN, LEGACY), default=MODERN)
    parser.add_argument("--peers-at", type=int, default=100_000, help="rows of the other servers; 0 for none")
    options = parser.parse_args()
    given = os.environ.get("DATABASE_URL", "")
    is_postgresql = given.startswith("postgres")
    for database in options.databases or ["postgresql" if is_postgresql else "sqlite"]:
        _run(options, (given if is_postgresql else POSTGRESQL) if database == "postgresql" else "")


def _run(options: argparse.Namespace, database: str) -> None:
    """Compare on one database: PostgreSQL at an address, or SQLite."""
    os.environ["DATABASE_URL"] = database
    for shape in options.shapes:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            asyncio.run(_compare(options, shape, list(_contenders(options, shape, folder, stack))))


def _contenders(
    options: argparse.Namespace, shape: str, folder: Path, stack: ExitStack
) -> Iterator[Contender]:
    """Yield each server, started, the bare SDK's first."""
    signer = Signer.make(folder)
    sites = []
    for rows in options.sizes:
        data = folder / str(rows)
        files = _files(shape, rows, data)
        asked = _asked(options, files)
        print(f"{shape}, {rows:,} rows: {len(asked):,} questions")
        site = stack.enter_context(running(PRODUCTION, prepare=False))
        began = time.perf_counter()
        site.manage("load_airfare", str(data))
        print(f"loaded in {time.perf_counter() - began:.1f} s")
        site.shell("from django.contrib.auth.models import User; User.objects.create_superuser('admin')")
        token = site.token()
        sites.append(
            Contender(
                name=f"this site, {rows:,} rows",
                url=site.url,
                pid=site.process.pid,
                requests=_requests(site.url, token, asked, options.era),
            )
        )
        answer = site.call(token, TOOL, {"limit": 25})["structuredContent"]
        (folder / "answer.json").write_text(json.dumps(answer))
    python, bare = sys.executable, (str(folder / "answer.json"), str(folder / "key.pem"), AUDIENCE)
    url, pid = stack.enter_context(_served(python, "bench.bare", *bare))
    requests = repeat(Request("", request(url, signer.token, "canned", {}, options.era)))
    yield Contender(name="bare SDK, canned answer", url=url, pid=pid, requests=requests)
    yield from sites
    if options.peers_at:
        yield from _peers(options, shape, folder, signer, stack)


def _peers(
    options: argparse.Namespace, shape: str, folder: Path, signer: Signer, stack: ExitStack
) -> Iterator[Contender]:
    python = PEERS / ".venv" / "bin" / "python"
    if not python.exists():
        raise SystemExit("The other servers are not installed: make bench, or --peers-at 0.")
    rows = options.peers_at
    data = folder / str(rows)
    files = sorted(data.glob("*.csv")) or _files(shape, rows, data)
    asked = _asked(options, files)
    for module in sorted(PEERS.glob("[a-z]*.py")):
        given = (str(data), str(folder / "public.pem"), AUDIENCE, signer.token)
        url, pid = stack.enter_context(_served(str(python), f"bench.peers.{module.stem}", *given))
        name = f"{module.stem.replace('_', ', ')}, {rows:,} rows"
        yield Contender(
            name=name, url=url, pid=pid, requests=_requests(url, signer.token, asked, options.era)
        )


def _asked(options: argparse.Namespace, files: list[Path]) -> list[tuple[str, dict[str, Any]]]:
    return [each for each in questions(files, options.questions) if each[0] not in options.without]


def _files(shape: str, rows: int, folder: Path) -> list[Path]:
    folder.mkdir()
    airfare_data.SHAPES[shape](rows, folder)
    return sorted(folder.glob("*.csv"))


def _requests(url: str, token: str, asked: list[tuple[str, dict[str, Any]]], era: str) -> Iterator[Request]:
    for kind, arguments in asked:
        yield Request(kind, request(url, token, TOOL, arguments, era))


@contextmanager
def _served(python: str, module: str, *arguments: str) -> Iterator[tuple[str, int]]:
    """Start the server of a module; yield its endpoint and its process, after it answers."""
    port = free_port()
    command = [python, "-m", module, str(port), *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"LOG_LEVEL": "WARNING"})
    url = f"http://127.0.0.1:{port}/mcp"
    try:
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                httpx2.get(url, timeout=5)
                break
            except httpx2.HTTPError:
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"{module} did not start.") from None
                time.sleep(0.1)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait(timeout=10)


async def _compare(options: argparse.Namespace, shape: str, contenders: list[Contender]) -> None:
    for each in contenders:
        await measure(each.url, each.requests, connections=options.connections, seconds=1)
    for _ in range(options.rounds):
        for each in contenders:
            await each.take_turn(options.connections, options.seconds)
    database = "PostgreSQL" if os.environ["DATABASE_URL"] else "SQLite"
    title = f"{TOOL}, {shape}, {database}, revision {options.era}"
    console = Console(width=140)
    console.print(_rates(title, contenders))
    console.print(_kinds(title, contenders[1:]))


def _rates(title: str, contenders: list[Contender]) -> Table:
    table = Table(title=title)
    columns = ("", "calls/s", "of the bare SDK", "CPU ms", "median ms", "p99 ms", "calls", "bytes", "own MB")
    for column in columns:
        table.add_column(column, justify="left" if not column else "right")
    first = contenders[0].measures
    for each in contenders:
        runs = each.measures
        table.add_row(
            each.name,
            f"{statistics.median(run.rate for run in runs):,.0f}",
            f"{statistics.median(a.rate / b.rate for a, b in zip(runs, first, strict=True)):.2f}",
            f"{statistics.median(each.processor_ms):.2f}",
            f"{statistics.median(run.median_ms for run in runs):.1f}",
            f"{statistics.median(run.p99_ms for run in runs):.1f}",
            f"{sum(run.calls for run in runs):,}",
            f"{runs[-1].bytes:,}",
            f"{each.memory():,.0f}",
        )
    return table


def _kinds(title: str, contenders: list[Contender]) -> Table:
    """Return the median and the 99th percentile of each kind, over all rounds."""
    table = Table(title=f"{title}: median / p99 in ms")
    table.add_column("")
    rows: dict[str, list[str]] = defaultdict(list)
    for each in contenders:
        table.add_column(each.name, justify="right")
        every: dict[str, list[float]] = defaultdict(list)
        for run in each.measures:
            for kind, taken in run.milliseconds.items():
                every[kind] += taken
        whole = Measure(seconds=1, milliseconds=every, bytes=0)
        for kind in filter(every.__contains__, KINDS):
            rows[kind].append(f"{whole.percentile(0.5, kind):.1f} / {whole.percentile(0.99, kind):.1f}")
    for kind, cells in rows.items():
        table.add_row(kind, *cells)
    return table


if __name__ == "__main__":
    main()
